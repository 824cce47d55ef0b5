//! Creation, state and description of samplers.

use super::check;
use super::generator::{bregman_generator, generators};
use super::guard;
use super::handle::{self, bregman_sampler, with_sampler};
use super::types::*;
use crate::error::{Error, Result};
use crate::sampler::Sampler;
use std::ffi::c_char;

/// Creates a sampler from a chain such as "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", at position 0 of
/// the random numbers of `seed`. There is no seed that means "random": the same seed gives the same tokens, always.
///
/// `chain`: NUL-terminated UTF-8, read during the call only. `out`: receives the handle, to be freed with
/// bregman_sampler_free; untouched on failure. `error`: NULL, or `error_size` bytes that receive the message of a
/// failure, cut to fit. Thread-safe.
///
/// BREGMAN_INVALID_ARGUMENT (NULL), BREGMAN_INVALID_CHAIN (the message names the stage, the parameter and its range),
/// BREGMAN_UNSUPPORTED (an alpha outside the range in which the solver is proven; BREGMAN_SIMD names no level).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_new(
    chain: *const c_char,
    seed: u64,
    out: *mut *mut bregman_sampler,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the pointers are the caller's, checked in `create`.
        unsafe { create(chain, seed, std::ptr::null(), 0, out, error, error_size) }
    })
}

/// The same for a chain that names generators of divergences: "bregman(generator=mine, lambda=0.01) | draw".
///
/// `generators`: `n` of them, read during the call only; their callbacks and `user` pointers must stay valid until the
/// last sampler made from this one (clones included) is freed. Each generator that the chain uses is checked on a grid
/// here: BREGMAN_INVALID_CHAIN with what is wrong with it. Thread-safe if the callbacks are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_new_with_generators(
    chain: *const c_char,
    seed: u64,
    generators: *const bregman_generator,
    n: usize,
    out: *mut *mut bregman_sampler,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the pointers are the caller's, checked in `create`.
        unsafe { create(chain, seed, generators, n, out, error, error_size) }
    })
}

/// # Safety
/// As for the module.
unsafe fn create(
    chain: *const c_char,
    seed: u64,
    list: *const bregman_generator,
    n: usize,
    out: *mut *mut bregman_sampler,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    let made = || -> Result<Sampler> {
        check::pointer(out, "out")?;
        // SAFETY: the caller's string.
        let chain = unsafe { check::text(chain, "chain", Error::InvalidChain) }?;
        // SAFETY: the caller's array.
        let generators = unsafe { generators(list, n) }?;
        let named: Vec<_> = generators.iter().map(|(name, g)| (name.as_str(), g.clone())).collect();
        Sampler::with_generators(chain, seed, &named)
    };
    match made() {
        Ok(sampler) => {
            // SAFETY: checked above.
            unsafe { *out = bregman_sampler::new(sampler) };
            BREGMAN_OK
        }
        Err(e) => {
            // SAFETY: the caller's buffer.
            unsafe { check::write_text(&e.to_string(), error, error_size) };
            status_of(&e)
        }
    }
}

/// Creates an independent sampler in the same state: chain, seed, random position, history, logit bias and mask
/// included. `out` receives the handle, to be freed with bregman_sampler_free; untouched on failure.
///
/// BREGMAN_INVALID_ARGUMENT if either is NULL or the handle is in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_clone(sampler: *const bregman_sampler, out: *mut *mut bregman_sampler) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe {
        with_sampler(sampler, |sampler| {
            check::pointer(out, "out")?;
            *out = bregman_sampler::new(sampler.clone());
            Ok(())
        })
    }
}

/// Frees a sampler. NULL is fine. The handle, and what bregman_sampler_error returned for it, is dead afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_free(sampler: *mut bregman_sampler) {
    // SAFETY: NULL or a live handle that no later call uses.
    guard((), || unsafe { bregman_sampler::free(sampler) });
}

/// Back to as created: the seed of creation, position 0, no history, no logit bias, no mask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_reset(sampler: *mut bregman_sampler) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe {
        with_sampler(sampler, |sampler| {
            sampler.reset();
            Ok(())
        })
    }
}

/// Continues with the random numbers of `seed` at `position`. The position counts what the sampler decoded or applied:
/// it starts at 0 and every call that succeeded moved it by one. So `position` = number of tokens so far resumes a
/// sequence, on any machine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_reseed(sampler: *mut bregman_sampler, seed: u64, position: u64) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe {
        with_sampler(sampler, |sampler| {
            sampler.reseed(seed, position);
            Ok(())
        })
    }
}

/// Appends `n` tokens to the history that stages about repetition look at: the prompt's, and each token that the
/// sequence went on with (BREGMAN_ACCEPT does that for drawn ones). `tokens` may be NULL if `n` is 0. What is accepted
/// before the first row is the prompt: bregman_sampler_set_prompt_length.
///
/// BREGMAN_INVALID_ARGUMENT if one is negative; then none is taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_accept(sampler: *mut bregman_sampler, tokens: *const i32, n: usize) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's array.
    unsafe { with_sampler(sampler, |sampler| sampler.accept(check::slice(tokens, n, "tokens")?)) }
}

/// Replaces the logit bias: `bias[i]` is added to the logit of token `ids[i]` before any stage; -infinity bans the
/// token, whatever its logit is. `n` = 0 removes the bias. Ids beyond a row's vocabulary are ignored there. The arrays
/// are copied.
///
/// BREGMAN_INVALID_ARGUMENT if an id is negative or named twice, or a bias is NaN or +infinity; then the old bias
/// stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_set_logit_bias(
    sampler: *mut bregman_sampler,
    ids: *const i32,
    bias: *const f32,
    n: usize,
) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's arrays.
    unsafe {
        with_sampler(sampler, |sampler| {
            let (ids, bias) = (check::slice(ids, n, "ids")?, check::slice(bias, n, "bias")?);
            let pairs: Vec<_> = ids.iter().copied().zip(bias.iter().copied()).collect();
            sampler.set_logit_bias(&pairs)
        })
    }
}

/// Writes the chain in its canonical form, which bregman_sampler_new takes again: NUL-terminated, cut to `size` bytes.
/// Returns its length without the terminator, however small the buffer (as snprintf does); `text` may be NULL if
/// `size` is 0. Returns 0 for a NULL handle or one in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_describe(
    sampler: *const bregman_sampler,
    text: *mut c_char,
    size: usize,
) -> usize {
    let mut length = 0;
    // SAFETY: a live handle or NULL, and the caller's buffer.
    unsafe {
        with_sampler(sampler, |sampler| {
            let chain = sampler.to_string();
            length = chain.len();
            check::write_text(&chain, text, size);
            Ok(())
        });
    }
    length
}

/// The message of the last failing call on this handle: a NUL-terminated text that lives until the next call on the
/// handle; "" if none has failed. For a NULL handle, a fixed text that says so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_error(sampler: *const bregman_sampler) -> *const c_char {
    // SAFETY: a live handle or NULL.
    guard(c"".as_ptr(), || unsafe { handle::message(sampler) })
}
