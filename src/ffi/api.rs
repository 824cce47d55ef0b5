//! The table of all functions behind one symbol, for hosts that `dlopen` the library.
//!
//! A function that is added to the ABI gets a field at the table's end (never in between: a host built against an
//! older header reads the table by offset), with the type of the function and its name without the prefix, and a line
//! in `TABLE`. The compiler compares the two types, and tests/api.rs the table's fields with the exported symbols.

use super::*;
use std::ffi::{c_char, c_void};

/// Every function of this header, under its name without the prefix `bregman_`. Described at the functions themselves.
/// Static.
///
/// The table grows at its end. Field `f` is in the library's table if `offsetof(bregman_api, f) < api->struct_size`: a
/// host built with a later header than the library's checks this before it uses a field.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_api {
    /// sizeof(bregman_api) in the library. It may be smaller or larger than in this header.
    pub struct_size: u32,
    /// BREGMAN_ABI_VERSION of the library.
    pub abi: u32,

    /// bregman_abi_version
    pub abi_version: unsafe extern "C" fn() -> u32,
    /// bregman_version
    pub version: unsafe extern "C" fn() -> *const c_char,
    /// bregman_simd_level
    pub simd_level: unsafe extern "C" fn() -> *const c_char,
    /// bregman_status_text
    pub status_text: unsafe extern "C" fn(status: u32) -> *const c_char,

    /// bregman_stage_count
    pub stage_count: unsafe extern "C" fn() -> usize,
    /// bregman_stage_info
    pub stage_info: unsafe extern "C" fn(index: usize, out: *mut bregman_stage) -> u32,

    /// bregman_sampler_new
    pub sampler_new: unsafe extern "C" fn(
        chain: *const c_char,
        seed: u64,
        out: *mut *mut bregman_sampler,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_sampler_new_with_generators
    pub sampler_new_with_generators: unsafe extern "C" fn(
        chain: *const c_char,
        seed: u64,
        generators: *const bregman_generator,
        n: usize,
        out: *mut *mut bregman_sampler,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_sampler_clone
    pub sampler_clone: unsafe extern "C" fn(sampler: *const bregman_sampler, out: *mut *mut bregman_sampler) -> u32,
    /// bregman_sampler_free
    pub sampler_free: unsafe extern "C" fn(sampler: *mut bregman_sampler),
    /// bregman_sampler_reset
    pub sampler_reset: unsafe extern "C" fn(sampler: *mut bregman_sampler) -> u32,
    /// bregman_sampler_reseed
    pub sampler_reseed: unsafe extern "C" fn(sampler: *mut bregman_sampler, seed: u64, position: u64) -> u32,
    /// bregman_sampler_accept
    pub sampler_accept: unsafe extern "C" fn(sampler: *mut bregman_sampler, tokens: *const i32, n: usize) -> u32,
    /// bregman_sampler_set_logit_bias
    pub sampler_set_logit_bias:
        unsafe extern "C" fn(sampler: *mut bregman_sampler, ids: *const i32, bias: *const f32, n: usize) -> u32,
    /// bregman_sampler_describe
    pub sampler_describe:
        unsafe extern "C" fn(sampler: *const bregman_sampler, text: *mut c_char, size: usize) -> usize,
    /// bregman_sampler_error
    pub sampler_error: unsafe extern "C" fn(sampler: *const bregman_sampler) -> *const c_char,

    /// bregman_decode
    pub decode: unsafe extern "C" fn(
        sampler: *mut bregman_sampler,
        logits: *const f32,
        vocab: usize,
        out: *mut bregman_result,
    ) -> u32,
    /// bregman_decode_batch
    pub decode_batch: unsafe extern "C" fn(
        samplers: *const *mut bregman_sampler,
        batch: *const bregman_batch,
        results: *mut bregman_result,
    ) -> u32,
    /// bregman_distribution
    pub distribution: unsafe extern "C" fn(
        sampler: *mut bregman_sampler,
        logits: *const f32,
        vocab: usize,
        ids: *mut i32,
        probs: *mut f32,
        capacity: usize,
        len: *mut usize,
    ) -> u32,
    /// bregman_process
    pub process: unsafe extern "C" fn(sampler: *mut bregman_sampler, logits: *mut f32, vocab: usize) -> u32,
    /// bregman_apply
    pub apply: unsafe extern "C" fn(sampler: *mut bregman_sampler, candidates: *mut bregman_candidates) -> u32,

    /// bregman_llama_iface
    pub llama_iface: unsafe extern "C" fn() -> *const c_void,
    /// bregman_llama_attach
    pub llama_attach: unsafe extern "C" fn(
        llama_sampler_init: *const c_void,
        sampler: *mut bregman_sampler,
        out: *mut *mut c_void,
    ) -> u32,
    /// bregman_llama_sampler
    pub llama_sampler: unsafe extern "C" fn(llama_sampler: *const c_void) -> *mut bregman_sampler,

    /// bregman_macro_count
    pub macro_count: unsafe extern "C" fn() -> usize,
    /// bregman_macro_info
    pub macro_info: unsafe extern "C" fn(index: usize, out: *mut bregman_stage) -> u32,
    /// bregman_sampler_set_prompt_length
    pub sampler_set_prompt_length: unsafe extern "C" fn(sampler: *mut bregman_sampler, n: usize) -> u32,
    /// bregman_sampler_set_mask
    pub sampler_set_mask: unsafe extern "C" fn(sampler: *mut bregman_sampler, words: *const u32, n: usize) -> u32,
    /// bregman_decode_batch_answers
    pub decode_batch_answers: unsafe extern "C" fn(
        samplers: *const *mut bregman_sampler,
        batch: *const bregman_batch,
        results: *mut bregman_result,
        answers: *const bregman_answers,
    ) -> u32,
    /// bregman_top_logprobs
    pub top_logprobs: unsafe extern "C" fn(
        sampler: *mut bregman_sampler,
        logits: *const f32,
        vocab: usize,
        source: u32,
        n: usize,
        ids: *mut i32,
        logprobs: *mut f32,
        len: *mut usize,
    ) -> u32,
    /// bregman_draw_many
    pub draw_many: unsafe extern "C" fn(
        sampler: *mut bregman_sampler,
        logits: *const f32,
        vocab: usize,
        n: usize,
        ids: *mut i32,
        logprobs: *mut f32,
        scores: *mut f32,
        len: *mut usize,
    ) -> u32,
    /// bregman_model_answers
    pub model_answers: unsafe extern "C" fn(batch: *const bregman_batch, answers: *const bregman_answers) -> u32,
    /// bregman_distribution_batch
    pub distribution_batch: unsafe extern "C" fn(
        samplers: *const *mut bregman_sampler,
        batch: *const bregman_batch,
        offsets: *mut usize,
        ids: *mut i32,
        probs: *mut f32,
        capacity: usize,
    ) -> u32,
    /// bregman_sampler_save
    pub sampler_save: unsafe extern "C" fn(
        sampler: *const bregman_sampler,
        bytes: *mut c_void,
        capacity: usize,
        len: *mut usize,
    ) -> u32,
    /// bregman_sampler_load
    pub sampler_load: unsafe extern "C" fn(
        bytes: *const c_void,
        len: usize,
        generators: *const bregman_generator,
        n: usize,
        out: *mut *mut bregman_sampler,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_sampler_rewind
    pub sampler_rewind: unsafe extern "C" fn(sampler: *mut bregman_sampler, n: usize) -> u32,
    /// bregman_sampler_where
    pub sampler_where: unsafe extern "C" fn(
        sampler: *const bregman_sampler,
        seed: *mut u64,
        position: *mut u64,
        history: *mut usize,
        prompt: *mut usize,
    ) -> u32,
    /// bregman_sampler_history
    pub sampler_history: unsafe extern "C" fn(
        sampler: *const bregman_sampler,
        tokens: *mut i32,
        capacity: usize,
        len: *mut usize,
    ) -> u32,
    /// bregman_verify
    pub verify: unsafe extern "C" fn(
        samplers: *const *mut bregman_sampler,
        drafts: *const bregman_draft,
        sequences: usize,
        rows: *const bregman_batch,
        accepted: *mut u32,
        path: *mut i32,
        results: *mut bregman_result,
    ) -> u32,
    /// bregman_llama_set_on_failure
    pub llama_set_on_failure: unsafe extern "C" fn(
        llama_sampler: *mut c_void,
        on_failure: u32,
        report: bregman_llama_failure_fn,
        user: *mut c_void,
    ) -> u32,
    /// bregman_llama_failures
    pub llama_failures: unsafe extern "C" fn(llama_sampler: *const c_void, out: *mut u64) -> u32,
    /// bregman_reduce
    pub reduce: unsafe extern "C" fn(
        batch: *const bregman_batch,
        first: i32,
        n: usize,
        temperature: f32,
        ids: *mut i32,
        logits: *mut f32,
        log_rest: *mut f64,
        bound: *mut f32,
    ) -> u32,
    /// bregman_watermark_score
    pub watermark_score: unsafe extern "C" fn(
        stage: *const c_char,
        tokens: *const i32,
        n: usize,
        out: *mut bregman_watermark,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
}

static TABLE: bregman_api = bregman_api {
    struct_size: size_of::<bregman_api>() as u32,
    abi: BREGMAN_ABI_VERSION,
    abi_version: bregman_abi_version,
    version: bregman_version,
    simd_level: bregman_simd_level,
    status_text: bregman_status_text,
    stage_count: bregman_stage_count,
    stage_info: bregman_stage_info,
    sampler_new: bregman_sampler_new,
    sampler_new_with_generators: bregman_sampler_new_with_generators,
    sampler_clone: bregman_sampler_clone,
    sampler_free: bregman_sampler_free,
    sampler_reset: bregman_sampler_reset,
    sampler_reseed: bregman_sampler_reseed,
    sampler_accept: bregman_sampler_accept,
    sampler_set_logit_bias: bregman_sampler_set_logit_bias,
    sampler_describe: bregman_sampler_describe,
    sampler_error: bregman_sampler_error,
    decode: bregman_decode,
    decode_batch: bregman_decode_batch,
    distribution: bregman_distribution,
    process: bregman_process,
    apply: bregman_apply,
    llama_iface: bregman_llama_iface,
    llama_attach: bregman_llama_attach,
    llama_sampler: bregman_llama_sampler,
    macro_count: bregman_macro_count,
    macro_info: bregman_macro_info,
    sampler_set_prompt_length: bregman_sampler_set_prompt_length,
    sampler_set_mask: bregman_sampler_set_mask,
    decode_batch_answers: bregman_decode_batch_answers,
    top_logprobs: bregman_top_logprobs,
    draw_many: bregman_draw_many,
    model_answers: bregman_model_answers,
    distribution_batch: bregman_distribution_batch,
    sampler_save: bregman_sampler_save,
    sampler_load: bregman_sampler_load,
    sampler_rewind: bregman_sampler_rewind,
    sampler_where: bregman_sampler_where,
    sampler_history: bregman_sampler_history,
    verify: bregman_verify,
    llama_set_on_failure: bregman_llama_set_on_failure,
    llama_failures: bregman_llama_failures,
    reduce: bregman_reduce,
    watermark_score: bregman_watermark_score,
};

/// The type of bregman_get_api: what a host casts the result of `dlsym` to.
pub type bregman_get_api_fn = unsafe extern "C" fn(abi: u32) -> *const bregman_api;

/// The table of all functions of this header for version `abi` of the binary interface (the host's
/// BREGMAN_ABI_VERSION): the only symbol that a host has to look up if it loads the library at run time. The same static
/// table at every call; NULL if this library does not have that version. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_get_api(abi: u32) -> *const bregman_api {
    guard(std::ptr::null(), || if abi == BREGMAN_ABI_VERSION { &raw const TABLE } else { std::ptr::null() })
}
