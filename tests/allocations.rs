//! Once its buffers have grown, a sampler allocates nothing; freeing it frees all its memory.

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
use common::handle::{Handle, blank, row};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The system's allocator, counting.
struct Counting;

thread_local! {
    /// Calls that took memory, and the bytes that are held, of this thread.
    static HERE: Cell<(u64, i64)> = const { Cell::new((0, 0)) };
}

/// Calls that took memory, of all threads.
static EVERYWHERE: AtomicU64 = AtomicU64::new(0);

fn count(calls: u64, bytes: i64) {
    EVERYWHERE.fetch_add(calls, Ordering::Relaxed);
    // A thread that is ending has no count any more.
    let _ = HERE.try_with(|here| here.set((here.get().0 + calls, here.get().1 + bytes)));
}

// SAFETY: everything is the system allocator's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as this function's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as this function's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: as this function's.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const VOCAB: usize = 3000;

fn assert_none(what: &str, mut call: impl FnMut(u64)) {
    // Rows need different amounts of memory: all are decoded once before allocations are counted.
    (0..24).for_each(&mut call);
    let before = HERE.get().0;
    (0..24).for_each(&mut call);
    assert_eq!(HERE.get().0 - before, 0, "{what} allocates");
}

#[test]
fn chain_list_has_every_stage_of_the_catalogue() {
    assert_eq!(common::chains::missing(), [""; 0], "add a chain with these to tests/common/chains.rs");
}

/// A sampler that has seen some tokens, so that the stages about them have something to do.
fn with_history(chain: &str) -> Handle {
    let sampler = Handle::new(chain, 1);
    let tokens: Vec<i32> = (0..200).map(|i| [4, 5, 9, i % 40, 6, 7][i as usize % 6]).collect();
    // SAFETY: a live handle and an array of that length.
    assert_eq!(unsafe { bregman_sampler_accept(sampler.raw, tokens.as_ptr(), tokens.len()) }, BREGMAN_OK);
    // SAFETY: as above.
    assert_eq!(unsafe { bregman_sampler_set_prompt_length(sampler.raw, 100) }, BREGMAN_OK);
    sampler
}

#[test]
fn decode_allocates_nothing() {
    for chain in CHAINS {
        let (sampler, rows) = (with_history(chain), (0..24).map(|i| row(VOCAB, i)).collect::<Vec<_>>());
        assert_none(&format!("decode, {chain}"), |i| {
            assert_eq!(sampler.decode(&rows[i as usize]).status, BREGMAN_OK);
        });
    }
}

/// Supports of most of a large vocabulary, which are kept and drawn from in ways of their own.
#[test]
fn decode_of_large_supports_allocates_nothing() {
    // Whole blocks, and not.
    let rows: Vec<_> = [90_112, 90_001].into_iter().flat_map(|vocab| (0..3).map(move |i| row(vocab, i))).collect();
    for chain in [
        "top_k(60000) | draw",
        "top_k(60000, ties=keep) | temperature(1.3) | draw",
        "min_p(0.00001) | draw",
        "top_a(0.0001) | gumbel",
        "top_p(0.999) | draw",
        "xtc(1, threshold=0.0001) | epsilon(0.000000001) | draw",
        "mirostat_v2(20)",
    ] {
        let sampler = with_history(chain);
        assert_none(&format!("decode, {chain}"), |i| {
            assert_eq!(sampler.decode(&rows[i as usize % rows.len()]).status, BREGMAN_OK);
        });
    }
}

#[test]
fn distribution_and_process_allocate_nothing() {
    for chain in CHAINS {
        let (sampler, rows) = (with_history(chain), (0..24).map(|i| row(VOCAB, i)).collect::<Vec<_>>());
        let (mut ids, mut probs, mut len) = (vec![0; VOCAB], vec![0.0; VOCAB], 0);
        assert_none(&format!("distribution, {chain}"), |i| {
            let (logits, ids, probs) = (rows[i as usize].as_ptr(), ids.as_mut_ptr(), probs.as_mut_ptr());
            // SAFETY: a live handle, a row and buffers of that length.
            let status = unsafe { bregman_distribution(sampler.raw, logits, VOCAB, ids, probs, VOCAB, &mut len) };
            assert!(status == BREGMAN_OK && len > 0);
        });
        let mut own = vec![0.0; VOCAB];
        assert_none(&format!("process, {chain}"), |i| {
            own.copy_from_slice(&rows[i as usize]);
            // SAFETY: a live handle and a row of that length.
            assert_eq!(unsafe { bregman_process(sampler.raw, own.as_mut_ptr(), VOCAB) }, BREGMAN_OK);
        });
    }
}

#[test]
fn apply_allocates_nothing() {
    for chain in CHAINS {
        let (sampler, rows) = (with_history(chain), (0..24).map(|i| row(VOCAB, i)).collect::<Vec<_>>());
        let mut data = vec![Candidate { id: 0, logit: 0.0, p: 0.0 }; VOCAB];
        for ascending in [true, false] {
            assert_none(&format!("apply, {chain}"), |i| {
                for (at, c) in data.iter_mut().enumerate() {
                    let id = if ascending { at } else { VOCAB - at };
                    *c = Candidate { id: id as i32, logit: rows[i as usize][at], p: 0.0 };
                }
                let mut list =
                    bregman_candidates { data: data.as_mut_ptr(), size: data.len(), selected: -1, sorted: 0 };
                // SAFETY: a live handle and an array of that length.
                assert_eq!(unsafe { bregman_apply(sampler.raw, &mut list) }, BREGMAN_OK);
            });
        }
    }
}

#[test]
fn answers_and_draw_many_allocate_nothing() {
    const N: usize = 20;
    for chain in CHAINS {
        let (sampler, rows) = (with_history(chain), (0..24).map(|i| row(VOCAB, i)).collect::<Vec<_>>());
        let (mut ids, mut logprobs, mut scores, mut len) = ([0; N], [0.0; N], [0.0; N], 0);
        let mut mask = vec![0u32; VOCAB.div_ceil(32)];
        for source in [BREGMAN_OF_MODEL, BREGMAN_OF_DECODED] {
            assert_none(&format!("several draws and likely tokens, {chain}"), |i| {
                let logits = rows[i as usize].as_ptr();
                let (ids, logprobs, scores) = (ids.as_mut_ptr(), logprobs.as_mut_ptr(), scores.as_mut_ptr());
                // SAFETY: a live handle, a row and arrays of N.
                let status =
                    unsafe { bregman_draw_many(sampler.raw, logits, VOCAB, N, ids, logprobs, scores, &mut len) };
                assert_eq!(status, BREGMAN_OK);
                // SAFETY: as above.
                let status =
                    unsafe { bregman_top_logprobs(sampler.raw, logits, VOCAB, source, N, ids, logprobs, &mut len) };
                assert_eq!(status, BREGMAN_OK);
                let answers = bregman_answers {
                    struct_size: size_of::<bregman_answers>() as u32,
                    source,
                    logprobs,
                    ranks: std::ptr::null_mut(),
                    top: N,
                    top_stride: N,
                    top_ids: ids,
                    top_logprobs: scores,
                    kept: 0,
                    kept_stride: 0,
                    kept_ids: std::ptr::null_mut(),
                    kept_mask: mask.as_mut_ptr(),
                    kept_mask_stride: mask.len(),
                    ..bregman_answers::default()
                };
                let batch = bregman_batch {
                    struct_size: size_of::<bregman_batch>() as u32,
                    dtype: BREGMAN_F32,
                    logits: logits.cast(),
                    rows: 1,
                    vocab: VOCAB,
                    row_stride: VOCAB,
                    mask: std::ptr::null(),
                    mask_stride: 0,
                    flags: 0,
                    threads: 1,
                    ..bregman_batch::default()
                };
                let mut result = blank();
                // SAFETY: one live handle, and arrays as long as the structs say.
                let status = unsafe { bregman_decode_batch_answers(&sampler.raw, &batch, &mut result, &answers) };
                assert_eq!(status, BREGMAN_OK);
                // The kept tokens as a mask.
                // SAFETY: a live handle and an array of that length.
                assert_eq!(unsafe { bregman_sampler_set_mask(sampler.raw, mask.as_ptr(), mask.len()) }, BREGMAN_OK);
                mask.fill(u32::MAX);
                // SAFETY: as above.
                assert_eq!(unsafe { bregman_sampler_set_mask(sampler.raw, mask.as_ptr(), mask.len()) }, BREGMAN_OK);
            });
        }
    }
}

/// A batch of all chains, every figure wanted, in all number formats, with a mask and a bias.
fn decode_batch(samplers: &[Handle], logits: &[f32], dtype: u32, mask: &[u32], threads: u32) {
    let handles: [_; CHAINS.len()] = std::array::from_fn(|r| samplers[r].raw);
    let mut results = [blank(); CHAINS.len()];
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype,
        logits: logits.as_ptr().cast(),
        rows: CHAINS.len(),
        vocab: VOCAB,
        row_stride: VOCAB,
        mask: if mask.is_empty() { std::ptr::null() } else { mask.as_ptr() },
        mask_stride: mask.len() / CHAINS.len(),
        flags: BREGMAN_WANT_ENTROPY | BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB,
        threads,
        ..bregman_batch::default()
    };
    // SAFETY: live handles, and arrays of so many rows.
    let status = unsafe { bregman_decode_batch(handles.as_ptr(), &batch, results.as_mut_ptr()) };
    assert_eq!(status, BREGMAN_OK);
}

/// Makes the floats of a row valid as two halves each: neither half may be NaN or infinite.
fn tame(rows: &mut [f32]) {
    for l in rows {
        *l = f32::from_bits(l.to_bits() & 0xfffe_0000 | 0x3c00);
    }
}

#[test]
fn batch_on_one_thread_allocates_nothing() {
    let samplers: Vec<_> = CHAINS.iter().map(|chain| Handle::new(chain, 1)).collect();
    for sampler in &samplers {
        let (ids, bias) = ([5, 900, 2999], [1.0, f32::NEG_INFINITY, -2.0]);
        // SAFETY: a live handle and arrays of three.
        assert_eq!(unsafe { bregman_sampler_set_logit_bias(sampler.raw, ids.as_ptr(), bias.as_ptr(), 3) }, BREGMAN_OK);
    }
    let mut rows: Vec<_> = (0..24).map(|i| row(CHAINS.len() * VOCAB, i)).collect();
    rows.iter_mut().for_each(|rows| tame(rows));
    let mask = vec![0xdddd_dddd; CHAINS.len() * VOCAB.div_ceil(32)];
    for dtype in [BREGMAN_F32, BREGMAN_F16, BREGMAN_BF16] {
        for mask in [&[][..], &mask] {
            let what = format!("a batch of dtype {dtype} with {} words of mask", mask.len());
            assert_none(&what, |i| decode_batch(&samplers, &rows[i as usize], dtype, mask, 1));
        }
    }
}

/// Accepted tokens are stored: the history grows as a vector does.
#[test]
fn accept_seldom_allocates() {
    let sampler = Handle::new("draw", 1);
    let before = HERE.get().0;
    for token in 0..10_000 {
        // SAFETY: a live handle and one token.
        assert_eq!(unsafe { bregman_sampler_accept(sampler.raw, &token, 1) }, BREGMAN_OK);
    }
    let calls = HERE.get().0 - before;
    assert!(calls < 40, "{calls} allocations for 10000 tokens");
}

/// Once its threads are started: whatever the number format.
#[test]
fn batch_on_two_threads_allocates_nothing() {
    let samplers: Vec<_> = CHAINS.iter().map(|chain| Handle::new(chain, 1)).collect();
    let mut rows = row(CHAINS.len() * VOCAB, 1);
    tame(&mut rows);
    let mask = vec![0xdddd_dddd; CHAINS.len() * VOCAB.div_ceil(32)];
    for dtype in [BREGMAN_F32, BREGMAN_F16, BREGMAN_BF16] {
        for mask in [&[][..], &mask] {
            let run = |n: u64| (0..n).for_each(|_| decode_batch(&samplers, &rows, dtype, mask, 2));
            // Other tests of this binary allocate meanwhile, so a stretch without them has to be found.
            let (mut fewest, start) = (u64::MAX, Instant::now());
            while fewest > 0 && start.elapsed() < Duration::from_secs(60) {
                run(20);
                let before = EVERYWHERE.load(Ordering::Relaxed);
                run(20);
                fewest = fewest.min(EVERYWHERE.load(Ordering::Relaxed) - before);
            }
            assert_eq!(fewest, 0, "dtype {dtype}: 20 batches on two threads allocate so often at the least");
        }
    }
}

/// A decode that accepts its token adds it to the history, and takes no other memory.
#[test]
fn decode_with_accept_seldom_allocates() {
    for chain in CHAINS {
        let (sampler, logits) = (Handle::new(chain, 1), row(VOCAB, 2));
        let decode = |n: u64| {
            for _ in 0..n {
                let mut result = blank();
                let batch = bregman_batch {
                    struct_size: size_of::<bregman_batch>() as u32,
                    dtype: BREGMAN_F32,
                    logits: logits.as_ptr().cast(),
                    rows: 1,
                    vocab: VOCAB,
                    row_stride: VOCAB,
                    mask: std::ptr::null(),
                    mask_stride: 0,
                    flags: BREGMAN_ACCEPT,
                    threads: 1,
                    ..bregman_batch::default()
                };
                // SAFETY: a live handle, and arrays of one row.
                let status = unsafe { bregman_decode_batch(&sampler.raw, &batch, &mut result) };
                assert_eq!(status, BREGMAN_OK);
            }
        };
        decode(16);
        let before = HERE.get().0;
        decode(200);
        // From 16 tokens to 216 a list that doubles grows four times, and a stage about the history keeps several.
        let calls = HERE.get().0 - before;
        assert!(calls <= 28, "{chain}: {calls} allocations for 200 tokens");
    }
}

#[test]
fn freed_samplers_leave_no_memory() {
    let live = || {
        let samplers: Vec<_> = CHAINS.iter().map(|chain| Handle::new(chain, 1)).collect();
        let logits = row(VOCAB, 3);
        for (chain, sampler) in CHAINS.iter().zip(&samplers) {
            assert_eq!(sampler.decode(&logits).status, BREGMAN_OK);
            let refused = if chain.starts_with("ban_invalid") { BREGMAN_EMPTY_SUPPORT } else { BREGMAN_INVALID_LOGITS };
            assert_eq!(sampler.decode(&[f32::NAN]).status, refused);
            assert!(!sampler.error().is_empty());
            let mut copy = std::ptr::null_mut();
            // SAFETY: a live handle and a place for the copy.
            assert_eq!(unsafe { bregman_sampler_clone(sampler.raw, &mut copy) }, BREGMAN_OK);
            let (token, bias) = (7, 0.5);
            // SAFETY: a live handle and arrays of one.
            assert_eq!(unsafe { bregman_sampler_accept(copy, &token, 1) }, BREGMAN_OK);
            // SAFETY: as above.
            assert_eq!(unsafe { bregman_sampler_set_logit_bias(copy, &token, &bias, 1) }, BREGMAN_OK);
            // SAFETY: freed once.
            unsafe { bregman_sampler_free(copy) };
        }
    };
    // A table that samplers share stays while one of them lives; else it might be made here and freed by another test.
    let kept: Vec<_> = CHAINS.iter().map(|chain| Handle::new(chain, 1)).collect();
    kept.iter().for_each(|sampler| assert_eq!(sampler.decode(&row(VOCAB, 3)).status, BREGMAN_OK));
    live(); // whatever is made once and kept
    let before = HERE.get().1;
    live();
    assert_eq!(HERE.get().1 - before, 0, "bytes that were not freed");
    drop(kept);
}

/// A stage that looks for repetitions keeps more of a long history than its tokens.
#[test]
fn long_history_takes_a_bounded_amount_of_memory_for_each_token() {
    type Shape = fn(u64) -> i32;
    const TOKENS: usize = 30_000;
    let row = row(VOCAB, 1);
    let shapes: [(&str, Shape); 3] = [
        ("one token", |_| 5),
        ("text", |at| (at * at % 977 * (at % 31) / 7) as i32),
        ("two tokens at random", |at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_mul(at | 1) >> 63) as i32),
    ];
    for (name, shape) in shapes {
        let sampler = Handle::new("dry(scope=all) | top_k(40) | draw", 1);
        sampler.decode(&row);
        let before = HERE.get().1;
        let tokens: Vec<i32> = (0..TOKENS as u64).map(shape).collect();
        // SAFETY: a live handle and an array of that length.
        assert_eq!(unsafe { bregman_sampler_accept(sampler.raw, tokens.as_ptr(), tokens.len()) }, BREGMAN_OK);
        drop(tokens);
        for _ in 0..100 {
            sampler.decode(&row);
        }
        let each = (HERE.get().1 - before) / TOKENS as i64;
        println!("{name}: {each} bytes for each token");
        assert!(each < 250, "{name}: {each} bytes for each token");
    }
}
