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
use std::ffi::CString;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI64, Ordering};

/// The system's allocator, which refuses one allocation.
struct Refusing;

/// Allocations until the one that is refused; not positive: none.
static LEFT: AtomicI64 = AtomicI64::new(0);

fn is_refused() -> bool {
    LEFT.load(Ordering::Relaxed) > 0 && LEFT.fetch_sub(1, Ordering::Relaxed) == 1
}

// SAFETY: everything is the system allocator's, or refused.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as this function's.
        if is_refused() { null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as this function's.
        if is_refused() { null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as this function's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as this function's.
        if is_refused() { null_mut() } else { unsafe { System.realloc(memory, layout, size) } }
    }
}

#[global_allocator]
static REFUSING: Refusing = Refusing;

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
}

impl World {
    fn new(chain: &str) -> Self {
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
        };
        assert_eq!(accept(&mut world), BREGMAN_OK);
        world
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

const CALLS: [(&str, Call); 22] = [
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
    ("bregman_best_of_n", best_of_n),
    ("bregman_best_of_n_kl_estimates", estimates),
    ("bregman_soft_values", soft_values),
    ("bregman_route", route),
    ("bregman_next_arm", next_arm),
    ("bregman_abstain", abstain),
    ("bregman_calibration_error", calibration_error),
];

/// The functions that abort where memory is refused, which the header says at BREGMAN_OUT_OF_MEMORY.
const ABORT: [&str; 2] = ["bregman_sampler_clone", "bregman_sampler_new"];

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

/// Refuses the n-th allocation of the call in a child.
fn refuse(chain: &str, call: Call, n: i64) -> Outcome {
    // SAFETY: the program has one thread that works, and the child ends without running anything of the parent's.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child > 0 {
        return wait(child);
    }
    // What an abort prints is expected.
    // SAFETY: closes the child's own standard error.
    unsafe { libc::close(2) };
    let found = std::panic::catch_unwind(|| {
        let (mut world, mut untouched) = (World::new(chain), World::new(chain));
        LEFT.store(n, Ordering::Relaxed);
        let status = call(&mut world);
        let was_refused = LEFT.swap(0, Ordering::Relaxed) == 0;
        match status {
            BREGMAN_OK if was_refused => 42,
            BREGMAN_OK => 40,
            BREGMAN_OUT_OF_MEMORY => {
                let same_buffers = world.own == world.row && world.candidates == untouched.candidates;
                if !same_buffers || !world.made.is_null() {
                    return 50;
                }
                // The same call works now, and nothing of the first attempt shows.
                if call(&mut world) != BREGMAN_OK || call(&mut untouched) != BREGMAN_OK {
                    return 51;
                }
                if later(&mut world) == later(&mut untouched) { 41 } else { 52 }
            }
            other => 100 + other as i32,
        }
    });
    // SAFETY: ends the process.
    unsafe { libc::_exit(found.unwrap_or(60)) }
}

#[test]
fn refused_memory_is_an_error_and_changes_nothing() {
    let mut aborting = BTreeSet::new();
    let (mut wrong, mut refused) = (vec![], 0);
    for (name, call) in CALLS {
        // Whatever the call, the row goes through the same stages.
        let some = CHAINS.into_iter().step_by(if name == "bregman_decode" { 1 } else { 7 });
        for chain in some {
            for n in 1.. {
                match refuse(chain, call, n) {
                    Outcome::Succeeded => break,
                    Outcome::OutOfMemory => refused += 1,
                    Outcome::DidWithout => {}
                    Outcome::Aborted => {
                        aborting.insert(name);
                    }
                    Outcome::Wrong(code) => wrong.push((name, chain, n, code)),
                }
            }
        }
    }
    println!("{refused} refusals of memory were reported");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(aborting, BTreeSet::from(ABORT));
    assert!(refused > 1000, "{refused}");
}
