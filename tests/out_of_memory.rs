//! Every function with every one of its allocations refused: it says so, changes nothing, and works afterwards. Each case
//! runs in a child, so that an abort is seen.
#![cfg(unix)]

#[path = "common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod chains;
    pub mod handle;
    pub mod rows;
}

use bregman::Candidate;
use bregman::ffi::*;
use common::chains::CHAINS;
use common::handle::{bits, blank, row};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::ffi::{CString, c_void};
use std::panic::AssertUnwindSafe;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The system's allocator, which refuses one allocation and all that follow it.
struct Refusing;

/// Allocations until the one that is refused; 0: none is. Negative: all are.
static LEFT: AtomicI64 = AtomicI64::new(0);

/// Only allocations of at least so many bytes are counted.
static LEAST: AtomicUsize = AtomicUsize::new(0);

fn is_refused(size: usize) -> bool {
    if size < LEAST.load(Ordering::Relaxed) {
        return false;
    }
    let left = LEFT.load(Ordering::Relaxed);
    // From 1 on to -1.
    LEFT.store(if left == 1 { -1 } else { left - left.signum().max(0) }, Ordering::Relaxed);
    left == 1 || left < 0
}

// SAFETY: everything is the system allocator's, or refused.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as this function's.
        if is_refused(layout.size()) { null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as this function's.
        if is_refused(layout.size()) { null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as this function's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as this function's.
        if is_refused(size) { null_mut() } else { unsafe { System.realloc(memory, layout, size) } }
    }
}

#[global_allocator]
static REFUSING: Refusing = Refusing;

/// Held by the test that runs: a child of one has nothing of the other's.
static ALONE: Mutex<()> = Mutex::new(());

const VOCAB: usize = 3000;
const N: usize = 20;

/// What a case works on. Everything that the test itself needs is allocated before.
struct World {
    chain: CString,
    sampler: *mut bregman_sampler,
    row: Vec<f32>,
    own: Vec<f32>,
    candidates: Vec<Candidate>,
    ids: Vec<i32>,
    probs: Vec<f32>,
    mask: Vec<u32>,
    made: *mut bregman_sampler,
    result: bregman_result,
    /// Rows of a draft and of the token after it.
    rows: Vec<f32>,
    drafted: [i32; DRAFTED],
    offsets: [usize; 2],
    /// What bregman_sampler_save writes, and what it wrote before.
    bytes: Vec<u8>,
    saved: Vec<u8>,
    /// A stage of llama.cpp with a sampler of its own, and one that a call makes.
    stage: LlamaSampler,
    attached: *mut c_void,
}

const DRAFTED: usize = 9;

/// `struct llama_sampler`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LlamaSampler {
    iface: *const [*const c_void; 32],
    ctx: *mut c_void,
}

/// llama.cpp's own, in memory that cannot be refused.
unsafe extern "C" fn llama_sampler_init(iface: *const c_void, ctx: *mut c_void) -> *mut LlamaSampler {
    // SAFETY: memory for one. It is not freed: the child ends.
    unsafe {
        let made = libc::malloc(size_of::<LlamaSampler>()).cast::<LlamaSampler>();
        made.write(LlamaSampler { iface: iface.cast(), ctx });
        made
    }
}

impl World {
    fn new(chain: &str, times: usize) -> Self {
        let chain = CString::new(chain).unwrap();
        let mut sampler = null_mut();
        // SAFETY: a terminated text and a place for the handle.
        assert_eq!(unsafe { bregman_sampler_new(chain.as_ptr(), 1, &mut sampler, null_mut(), 0) }, BREGMAN_OK);
        // Flat in part, so that many tokens are kept.
        let mut row = row(VOCAB, 3);
        row[..VOCAB / 2].fill(4.0);
        let mut world = Self {
            chain,
            sampler,
            own: row.clone(),
            candidates: (0..).zip(&row).map(|(id, &logit)| Candidate { id, logit, p: 0.0 }).collect(),
            row,
            ids: vec![0; VOCAB],
            probs: vec![0.0; VOCAB],
            mask: vec![0x7fff_ffff; VOCAB.div_ceil(32)],
            made: null_mut(),
            result: blank(),
            rows: vec![],
            drafted: [0; DRAFTED],
            offsets: [0; 2],
            bytes: vec![0; 1 << 17],
            saved: vec![],
            stage: LlamaSampler { iface: null(), ctx: null_mut() },
            attached: null_mut(),
        };
        world.rows = world.row.repeat(DRAFTED + 1);
        for _ in 0..times {
            assert_eq!(accept(&mut world), BREGMAN_OK);
        }
        world
    }

    /// Drafts the tokens that come next, so that they are accepted.
    fn draft(&mut self) {
        assert_eq!(clone(self), BREGMAN_OK);
        let mut ahead = [blank(); DRAFTED];
        for result in &mut ahead {
            // SAFETY: one live handle, and arrays as long as the struct says.
            assert_eq!(unsafe { bregman_decode_batch(&self.made, &batch_of(&self.row), result) }, BREGMAN_OK);
        }
        self.drafted = ahead.map(|result| result.token);
        // SAFETY: freed once.
        unsafe { bregman_sampler_free(self.made) };
        self.made = null_mut();
    }

    /// Makes what bregman_sampler_load reads, and a stage that llama.cpp clones.
    fn save(&mut self) {
        let mut other = null_mut();
        // SAFETY: live handles, a buffer of that length, and llama.cpp's function.
        unsafe {
            let mut len = 0;
            let (bytes, capacity) = (self.bytes.as_mut_ptr().cast(), self.bytes.len());
            assert_eq!(bregman_sampler_save(self.sampler, bytes, capacity, &mut len), BREGMAN_OK);
            self.saved = self.bytes[..len].to_vec();
            assert_eq!(bregman_sampler_clone(self.sampler, &mut other), BREGMAN_OK);
            let mut stage = null_mut();
            let init = llama_sampler_init as *const c_void;
            assert_eq!(bregman_llama_attach(init, other, &mut stage), BREGMAN_OK);
            self.stage = *stage.cast::<LlamaSampler>();
        }
        self.bytes.fill(0);
    }
}

// SAFETY: its pointers are to things of its own, which one thread at a time uses.
unsafe impl Send for World {}

impl Drop for World {
    fn drop(&mut self) {
        // SAFETY: freed once.
        unsafe { bregman_sampler_free(self.sampler) };
    }
}

fn accept(w: &mut World) -> u32 {
    const TOKENS: [i32; 200] = {
        let (mut tokens, mut at) = ([0; 200], 0);
        while at < tokens.len() {
            tokens[at] = [4, 5, 9, at as i32 % 40, 6, 7][at % 6];
            at += 1;
        }
        tokens
    };
    // SAFETY: a live handle and an array of that length.
    unsafe { bregman_sampler_accept(w.sampler, TOKENS.as_ptr(), TOKENS.len()) }
}

fn decode(w: &mut World) -> u32 {
    // SAFETY: a live handle, a row and a place for the result.
    unsafe { bregman_decode(w.sampler, w.row.as_ptr(), VOCAB, &mut w.result) }
}

fn batch(w: &mut World) -> u32 {
    let batch = bregman_batch { rows: 1, mask: w.mask.as_ptr(), mask_stride: w.mask.len(), ..batch_of(&w.row) };
    // SAFETY: one live handle, and arrays as long as the struct says.
    unsafe { bregman_decode_batch(&w.sampler, &batch, &mut w.result) }
}

fn batch_of(row: &[f32]) -> bregman_batch {
    bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: row.as_ptr().cast(),
        rows: 1,
        vocab: VOCAB,
        row_stride: VOCAB,
        flags: BREGMAN_WANT_ENTROPY | BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_ACCEPT,
        threads: 1,
        ..bregman_batch::default()
    }
}

fn distribution(w: &mut World) -> u32 {
    let mut len = 0;
    let (ids, probs) = (w.ids.as_mut_ptr(), w.probs.as_mut_ptr());
    // SAFETY: a live handle, a row and buffers of that length.
    unsafe { bregman_distribution(w.sampler, w.row.as_ptr(), VOCAB, ids, probs, VOCAB, &mut len) }
}

fn process(w: &mut World) -> u32 {
    // SAFETY: a live handle and a row of that length.
    unsafe { bregman_process(w.sampler, w.own.as_mut_ptr(), VOCAB) }
}

fn apply(w: &mut World) -> u32 {
    let mut list = bregman_candidates { data: w.candidates.as_mut_ptr(), size: VOCAB, selected: -1, sorted: 0 };
    // SAFETY: a live handle and an array of that length.
    unsafe { bregman_apply(w.sampler, &mut list) }
}

/// Candidates whose ids are not their positions, which are copied.
fn apply_out_of_order(w: &mut World) -> u32 {
    let (first, last) = (w.candidates[0].id, w.candidates[VOCAB - 1].id);
    (w.candidates[0].id, w.candidates[VOCAB - 1].id) = (last, first);
    let status = apply(w);
    if status != BREGMAN_OK {
        (w.candidates[0].id, w.candidates[VOCAB - 1].id) = (first, last);
    }
    status
}

fn draw_many(w: &mut World) -> u32 {
    let mut len = 0;
    let (ids, probs) = (w.ids.as_mut_ptr(), w.probs.as_mut_ptr());
    // SAFETY: a live handle, a row and arrays of at least N.
    unsafe { bregman_draw_many(w.sampler, w.row.as_ptr(), VOCAB, N, ids, probs, null_mut(), &mut len) }
}

fn top_logprobs(w: &mut World) -> u32 {
    let mut len = 0;
    let (ids, probs) = (w.ids.as_mut_ptr(), w.probs.as_mut_ptr());
    // SAFETY: a live handle, a row and arrays of at least N.
    unsafe { bregman_top_logprobs(w.sampler, w.row.as_ptr(), VOCAB, BREGMAN_OF_MODEL, N, ids, probs, &mut len) }
}

fn set_mask(w: &mut World) -> u32 {
    // SAFETY: a live handle and an array of that length.
    unsafe { bregman_sampler_set_mask(w.sampler, w.mask.as_ptr(), w.mask.len()) }
}

fn set_logit_bias(w: &mut World) -> u32 {
    const BIAS: ([i32; 3], [f32; 3]) = ([5, 900, 2999], [1.0, f32::NEG_INFINITY, -2.0]);
    // SAFETY: a live handle and arrays of that length.
    unsafe { bregman_sampler_set_logit_bias(w.sampler, BIAS.0.as_ptr(), BIAS.1.as_ptr(), 3) }
}

fn set_prompt_length(w: &mut World) -> u32 {
    // SAFETY: a live handle.
    unsafe { bregman_sampler_set_prompt_length(w.sampler, 50) }
}

fn clone(w: &mut World) -> u32 {
    // SAFETY: a live handle and a place for another.
    unsafe { bregman_sampler_clone(w.sampler, &mut w.made) }
}

fn rewind(w: &mut World) -> u32 {
    // SAFETY: a live handle.
    unsafe { bregman_sampler_rewind(w.sampler, 90) }
}

fn save(w: &mut World) -> u32 {
    let mut len = 0;
    // SAFETY: a live handle and a buffer of that length.
    unsafe { bregman_sampler_save(w.sampler, w.bytes.as_mut_ptr().cast(), w.bytes.len(), &mut len) }
}

fn load(w: &mut World) -> u32 {
    // SAFETY: bytes of that length and a place for the handle.
    unsafe { bregman_sampler_load(w.saved.as_ptr().cast(), w.saved.len(), null(), 0, &mut w.made, null_mut(), 0) }
}

fn describe(w: &mut World) -> u32 {
    let mut text = [0; 64];
    // SAFETY: a live handle and a buffer of that length.
    let length = unsafe { bregman_sampler_describe(w.sampler, text.as_mut_ptr(), text.len()) };
    if length > 0 { BREGMAN_OK } else { BREGMAN_INTERNAL }
}

fn verify(w: &mut World, rule: u32) -> u32 {
    let offsets: [usize; DRAFTED + 1] = std::array::from_fn(|i| 2 * i);
    // Hardly ever refused.
    let probs: [f32; 2 * DRAFTED] = std::array::from_fn(|i| [1e-3, 0.999][i % 2]);
    let mut ids = [0; 2 * DRAFTED];
    for (pair, &token) in ids.chunks_mut(2).zip(&w.drafted) {
        pair.copy_from_slice(&[token, token + 1]);
    }
    let draft = bregman_draft {
        struct_size: size_of::<bregman_draft>() as u32,
        rule,
        tokens: w.drafted.as_ptr(),
        n: DRAFTED,
        parents: null(),
        q_offsets: offsets.as_ptr(),
        q_ids: ids.as_ptr(),
        q_probs: probs.as_ptr(),
    };
    let rows = bregman_batch { rows: DRAFTED + 1, ..batch_of(&w.rows) };
    let (mut accepted, mut results) = (0, [blank(); DRAFTED + 1]);
    // SAFETY: one live handle, and arrays as long as the structs say.
    unsafe { bregman_verify(&w.sampler, &draft, 1, &rows, &mut accepted, null_mut(), results.as_mut_ptr()) }
}

/// By a rule that needs a distribution, which chains that learn from their draws do not have.
fn verify_by(w: &mut World, rule: u32) -> u32 {
    let learns = ["mirostat", "adaptive_p"].iter().any(|name| w.chain.to_str().unwrap().contains(name));
    verify(w, if learns { BREGMAN_RULE_MATCH } else { rule })
}

fn distribution_batch(w: &mut World) -> u32 {
    let batch = bregman_batch { flags: 0, ..batch_of(&w.row) };
    let (ids, probs) = (w.ids.as_mut_ptr(), w.probs.as_mut_ptr());
    // SAFETY: one live handle, and arrays as long as the struct says.
    unsafe { bregman_distribution_batch(&w.sampler, &batch, w.offsets.as_mut_ptr(), ids, probs, VOCAB) }
}

fn model_answers(w: &mut World) -> u32 {
    let batch = bregman_batch { flags: 0, ..batch_of(&w.row) };
    let answers = bregman_answers {
        struct_size: size_of::<bregman_answers>() as u32,
        top: N,
        top_stride: N,
        top_ids: w.ids.as_mut_ptr(),
        top_logprobs: w.probs.as_mut_ptr(),
        ..bregman_answers::default()
    };
    // SAFETY: arrays as long as the structs say.
    unsafe { bregman_model_answers(&batch, &answers) }
}

fn reduce(w: &mut World) -> u32 {
    let batch = bregman_batch { flags: 0, ..batch_of(&w.row) };
    let (mut log_rest, mut bound) = (0.0, 0.0);
    let (ids, logits) = (w.ids.as_mut_ptr(), w.probs.as_mut_ptr());
    // SAFETY: arrays of at least N, and places for a row's numbers.
    unsafe { bregman_reduce(&batch, 0, N, 0.0, ids, logits, &mut log_rest, &mut bound) }
}

fn watermark_score(_: &mut World) -> u32 {
    let mut out = bregman_watermark {
        struct_size: size_of::<bregman_watermark>() as u32,
        reserved: 0,
        score: 0.0,
        p_value: 0.0,
        counted: 0,
    };
    let (tokens, stage) = ([5; 64], c"watermark(42)");
    // SAFETY: a terminated text and an array of that length.
    unsafe { bregman_watermark_score(stage.as_ptr(), tokens.as_ptr(), tokens.len(), &mut out, null_mut(), 0) }
}

fn attach(w: &mut World) -> u32 {
    // SAFETY: a live handle, which belongs to the stage then, and llama.cpp's function.
    unsafe { bregman_llama_attach(llama_sampler_init as *const c_void, w.sampler, &mut w.attached) }
}

/// The clone of a stage, as llama.cpp calls it. It has no status but NULL.
fn clone_stage(w: &mut World) -> u32 {
    type Clone = unsafe extern "C" fn(*const LlamaSampler) -> *mut LlamaSampler;
    // SAFETY: the fifth callback of the table is this one.
    let made = unsafe {
        let clone = std::mem::transmute::<*const c_void, Clone>((*w.stage.iface)[4]);
        clone(&w.stage)
    };
    if made.is_null() { BREGMAN_OUT_OF_MEMORY } else { BREGMAN_OK }
}

fn new(w: &mut World) -> u32 {
    // SAFETY: a terminated text and a place for the handle.
    unsafe { bregman_sampler_new(w.chain.as_ptr(), 1, &mut w.made, null_mut(), 0) }
}

/// Rows of numbers for the decisions, of which a call takes as many as it needs: descending from 0.
fn numbers() -> [f64; 64] {
    std::array::from_fn(|i| i as f64 / -64.0)
}

fn best_of_n(_: &mut World) -> u32 {
    let (rewards, mut law, mut figures) = (numbers(), [0.0; 64], [0.0; 2]);
    let (p, [kl, win_rate]) = (rewards.map(f64::abs), &mut figures);
    // SAFETY: arrays of 64.
    unsafe { bregman_best_of_n(p.as_ptr(), rewards.as_ptr(), 64, 8, law.as_mut_ptr(), kl, win_rate, null_mut(), 0) }
}

fn estimates(_: &mut World) -> u32 {
    let (logs, mut estimates) = (numbers(), [0.0; 64]);
    // SAFETY: arrays of 64.
    unsafe { bregman_best_of_n_kl_estimates(logs.as_ptr(), 64, 8, estimates.as_mut_ptr(), null_mut(), 0) }
}

fn soft_values(_: &mut World) -> u32 {
    let (values, mut weights, mut soft) = (numbers(), [0.0; 64], [0.0; 8]);
    let (v, w) = (values.as_ptr(), weights.as_mut_ptr());
    // SAFETY: 8 rows of 8.
    unsafe { bregman_soft_values(v, v, 8, 8, 0.5, w, soft.as_mut_ptr(), null_mut(), 0) }
}

fn route(_: &mut World) -> u32 {
    let (logits, mut ids, mut weights) = (numbers(), [0; 16], [0.0; 16]);
    let options = bregman_gate_options {
        struct_size: size_of::<bregman_gate_options>() as u32,
        convention: BREGMAN_GATE_DEEPSEEK_V3,
        experts: 16,
        top_k: 4,
        groups: 4,
        top_groups: 2,
        scale: 0.0,
    };
    let (h, to) = (logits.as_ptr(), weights.as_mut_ptr());
    // SAFETY: 4 rows of 16 logits, and of 4 experts.
    unsafe { bregman_route(&options, h, h, 4, ids.as_mut_ptr(), to, null_mut(), 0) }
}

fn next_arm(_: &mut World) -> u32 {
    let (means, pulls, mut arm, mut leader) = (numbers(), [3u64; 64], 0, 0);
    let options = bregman_arm_options {
        struct_size: size_of::<bregman_arm_options>() as u32,
        rule: BREGMAN_ARMS_T3C,
        rewards: BREGMAN_REWARDS_GAUSSIAN,
        redraws: 0,
        sigma: 1.0,
        beta: 1e-9,
    };
    let (means, pulls) = (means.as_ptr(), pulls.as_ptr());
    // SAFETY: arrays of 64.
    unsafe { bregman_next_arm(&options, means, pulls, 64, 1, 2, &mut arm, &mut leader, null_mut(), 0) }
}

fn abstain(_: &mut World) -> u32 {
    let (p, mut rejects) = (numbers().map(f64::abs), [0; 64]);
    // SAFETY: arrays of 64.
    unsafe { bregman_abstain(p.as_ptr(), p.as_ptr(), 64, 0.2, 0.3, rejects.as_mut_ptr(), null_mut(), 0) }
}

fn calibration_error(_: &mut World) -> u32 {
    let (z, ranks) = (numbers().map(f64::abs), [1u32; 64]);
    let mut out = bregman_calibration {
        struct_size: size_of::<bregman_calibration>() as u32,
        reserved: 0,
        cells: 0,
        squared_error: 0.0,
        variance: 0.0,
        lower: 0.0,
        upper: 0.0,
        p_value: 0.0,
    };
    let (z, ranks) = (z.as_ptr(), ranks.as_ptr());
    // SAFETY: arrays of 64.
    unsafe { bregman_calibration_error(z, ranks, 64, 1, 8, 0.9, 2, 1, &mut out, null_mut(), 0) }
}

/// A function of the library, and what it is called with.
type Call = fn(&mut World) -> u32;

const CALLS: [(&str, Call); 35] = [
    ("bregman_sampler_accept", accept),
    ("bregman_decode", decode),
    ("bregman_decode_batch", batch),
    ("bregman_distribution", distribution),
    ("bregman_process", process),
    ("bregman_apply", apply),
    ("bregman_apply, out of order", apply_out_of_order),
    ("bregman_draw_many", draw_many),
    ("bregman_top_logprobs", top_logprobs),
    ("bregman_sampler_set_mask", set_mask),
    ("bregman_sampler_set_logit_bias", set_logit_bias),
    ("bregman_sampler_set_prompt_length", set_prompt_length),
    ("bregman_sampler_reset", |w| {
        // SAFETY: a live handle.
        unsafe { bregman_sampler_reset(w.sampler) }
    }),
    ("bregman_sampler_clone", clone),
    ("bregman_sampler_new", new),
    ("bregman_sampler_rewind", rewind),
    ("bregman_sampler_save", save),
    ("bregman_sampler_load", load),
    ("bregman_sampler_describe", describe),
    ("bregman_verify, match", |w| verify(w, BREGMAN_RULE_MATCH)),
    ("bregman_verify, token", |w| verify_by(w, BREGMAN_RULE_TOKEN)),
    ("bregman_verify, block", |w| verify_by(w, BREGMAN_RULE_BLOCK)),
    ("bregman_distribution_batch", distribution_batch),
    ("bregman_model_answers", model_answers),
    ("bregman_reduce", reduce),
    ("bregman_watermark_score", watermark_score),
    ("bregman_llama_attach", attach),
    ("the clone of a stage of llama.cpp", clone_stage),
    ("bregman_best_of_n", best_of_n),
    ("bregman_best_of_n_kl_estimates", estimates),
    ("bregman_soft_values", soft_values),
    ("bregman_route", route),
    ("bregman_next_arm", next_arm),
    ("bregman_abstain", abstain),
    ("bregman_calibration_error", calibration_error),
];

/// The functions that abort where memory is refused, which the header says at BREGMAN_OUT_OF_MEMORY.
const ABORT: [&str; 4] =
    ["bregman_llama_attach", "bregman_sampler_load", "bregman_sampler_new", "bregman_watermark_score"];

/// No chain of this test has so many bytes in one piece.
const LARGE: usize = 8192;

/// All that a later row shows of a sampler.
fn later(w: &mut World) -> ([u32; 8], [u32; 8]) {
    assert_eq!(decode(w), BREGMAN_OK);
    let first = bits(&w.result);
    assert_eq!(decode(w), BREGMAN_OK);
    (first, bits(&w.result))
}

/// What a child found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Nothing was refused: the call takes fewer allocations.
    Succeeded,
    /// The call said that it had no memory, and changed nothing.
    OutOfMemory,
    /// It succeeded without that memory.
    DidWithout,
    Aborted,
    Wrong(i32),
}

fn wait(child: libc::pid_t) -> Outcome {
    let mut status = 0;
    // SAFETY: our own child, and a place for its status.
    unsafe { libc::waitpid(child, &mut status, 0) };
    match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
        (true, 40) => Outcome::Succeeded,
        (true, 41) => Outcome::OutOfMemory,
        (true, 42) => Outcome::DidWithout,
        (true, code) => Outcome::Wrong(code),
        (false, _) if libc::WTERMSIG(status) == libc::SIGABRT => Outcome::Aborted,
        (false, _) => Outcome::Wrong(-libc::WTERMSIG(status)),
    }
}

/// Two equal worlds for a call, with the history of `times` calls of accept.
fn worlds(chain: &str, name: &str, times: usize) -> [World; 2] {
    // On a thread of its own, whose buffers are gone then: those of this thread have not grown yet.
    let make = || {
        [(), ()].map(|()| {
            let mut world = World::new(chain, times);
            if name.starts_with("bregman_verify") {
                world.draft();
            }
            world.save();
            world
        })
    };
    std::thread::scope(|scope| scope.spawn(make).join()).expect("two worlds")
}

/// Refuses the n-th allocation of the call, of those of at least so many bytes, in a child.
fn refuse([world, untouched]: &mut [World; 2], call: Call, least: usize, n: i64) -> Outcome {
    // SAFETY: the program has one thread that works, and the child ends without running anything of the parent's.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child > 0 {
        return wait(child);
    }
    // What an abort prints is expected.
    // SAFETY: closes the child's own standard error.
    unsafe { libc::close(2) };
    let found = std::panic::catch_unwind(AssertUnwindSafe(|| {
        LEAST.store(least, Ordering::Relaxed);
        LEFT.store(n, Ordering::Relaxed);
        let status = call(world);
        let was_refused = LEFT.swap(0, Ordering::Relaxed) < 0;
        match status {
            BREGMAN_OK if was_refused => 42,
            BREGMAN_OK => 40,
            BREGMAN_OUT_OF_MEMORY => {
                let same_buffers = world.own == world.row && world.candidates == untouched.candidates;
                let is_made = !world.made.is_null() || !world.attached.is_null();
                if !same_buffers || is_made || world.bytes.iter().any(|&byte| byte != 0) {
                    return 50;
                }
                // The same call works now, and nothing of the first attempt shows.
                if call(world) != BREGMAN_OK || call(untouched) != BREGMAN_OK {
                    return 51;
                }
                if world.bytes != untouched.bytes || world.ids != untouched.ids || world.offsets != untouched.offsets {
                    return 53;
                }
                if later(world) == later(untouched) { 41 } else { 52 }
            }
            other => 100 + other as i32,
        }
    }));
    // SAFETY: ends the process.
    unsafe { libc::_exit(found.unwrap_or(60)) }
}

#[test]
fn refused_memory_is_an_error_and_changes_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut aborting = BTreeSet::new();
    let (mut wrong, mut refused) = (vec![], 0);
    for (name, call) in CALLS {
        // Whatever the call, the row goes through the same stages.
        let some = CHAINS.into_iter().step_by(if name == "bregman_decode" { 1 } else { 7 });
        for chain in some {
            let mut worlds = worlds(chain, name, 1);
            for n in 1.. {
                match refuse(&mut worlds, call, 0, n) {
                    Outcome::Succeeded => break,
                    Outcome::OutOfMemory => refused += 1,
                    Outcome::DidWithout => {}
                    Outcome::Aborted => {
                        aborting.insert(name);
                    }
                    Outcome::Wrong(code) => {
                        wrong.push((name, chain, n, code));
                        break;
                    }
                }
            }
        }
    }
    println!("{refused} refusals of memory were reported");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(aborting, BTreeSet::from(ABORT));
    assert!(refused > 1000, "{refused}");
}

/// What grows with a sequence is refused without an abort, whatever the call does with the chain's text.
#[test]
fn refused_memory_of_a_long_history_is_an_error() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    const CALLS: [(&str, Call); 6] = [
        ("bregman_sampler_clone", clone),
        ("bregman_sampler_save", save),
        ("bregman_sampler_load", load),
        ("bregman_sampler_rewind", rewind),
        ("bregman_verify, match", |w| verify(w, BREGMAN_RULE_MATCH)),
        ("the clone of a stage of llama.cpp", clone_stage),
    ];
    for (name, call) in CALLS {
        let mut refused = 0;
        for chain in
            ["penalties(repeat=1.2, scope=all) | draw", "mirostat_v2(3)", "dry(scope=all, breakers=4; 9) | draw"]
        {
            let mut worlds = worlds(chain, name, 25);
            for n in 1.. {
                match refuse(&mut worlds, call, LARGE, n) {
                    Outcome::Succeeded => break,
                    Outcome::OutOfMemory => refused += 1,
                    Outcome::DidWithout => {}
                    other => panic!("{name}, {chain}, allocation {n}: {other:?}"),
                }
            }
        }
        assert!(refused > 0 || name == "bregman_sampler_rewind", "{name}: no large allocation");
    }
}
