//! Invalid batches, invalid rows in batches, and buffers that are too small.

use super::logits::is_empty;
use crate::common::handle::{Handle, blank, row};
use bregman::ffi::*;
use std::mem::offset_of;
use std::ptr::{null, null_mut, without_provenance};

const CHAIN: &str = "temperature(0.8) | top_k(20) | draw";
const ROWS: usize = 3;
const VOCAB: usize = 64;

/// Three rows with their samplers, and what the call wrote.
struct Rows {
    samplers: [Handle; ROWS],
    logits: Vec<f32>,
    results: [bregman_result; ROWS],
    batch: bregman_batch,
}

impl Rows {
    fn new() -> Self {
        let logits = row(ROWS * VOCAB, 8);
        let batch = bregman_batch {
            struct_size: size_of::<bregman_batch>() as u32,
            dtype: BREGMAN_F32,
            logits: logits.as_ptr().cast(),
            rows: ROWS,
            vocab: VOCAB,
            row_stride: VOCAB,
            mask: null(),
            mask_stride: 0,
            flags: 0,
            threads: 0,
            ..bregman_batch::default()
        };
        let samplers = std::array::from_fn(|r| Handle::new(CHAIN, r as u64));
        Self { samplers, logits, results: [blank(); ROWS], batch }
    }

    fn decode(&mut self) -> u32 {
        let handles = self.samplers.each_ref().map(|s| s.raw);
        self.decode_with(&handles)
    }

    fn decode_with(&mut self, handles: &[*mut bregman_sampler; ROWS]) -> u32 {
        // SAFETY: handles that are live, NULL or misaligned, and arrays of three rows.
        unsafe { bregman_decode_batch(handles.as_ptr(), &self.batch, self.results.as_mut_ptr()) }
    }

    fn tokens(&self) -> [i32; ROWS] {
        self.results.map(|r| r.token)
    }

    fn are_as_created(&self) -> bool {
        self.samplers.iter().all(Handle::is_as_created) && self.logits == row(ROWS * VOCAB, 8)
    }
}

/// The answers of three valid rows.
fn good() -> [i32; ROWS] {
    let mut rows = Rows::new();
    assert_eq!(rows.decode(), BREGMAN_OK);
    rows.tokens()
}

#[test]
fn invalid_batch_struct_fails_every_row() {
    let odd = |at: usize| without_provenance(at);
    let words = [u32::MAX; ROWS];
    type Wrong<'a> = (&'a str, &'a dyn Fn(&mut bregman_batch), &'a str);
    #[rustfmt::skip]
    let cases: [Wrong<'_>; 18] = [
        ("dtype 3", &|b| b.dtype = 3, "batch->dtype is 3: must be BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16"),
        ("dtype max", &|b| b.dtype = u32::MAX, "batch->dtype is 4294967295"),
        ("flag 64", &|b| b.flags = 64 | BREGMAN_ACCEPT, "batch->flags has unknown bits 0x40"),
        ("last flag", &|b| b.flags = 1 << 31, "batch->flags has unknown bits 0x80000000"),
        ("no logits", &|b| b.logits = null(), "batch->logits is NULL"),
        ("f32 at 2", &|b| b.logits = b.logits.wrapping_byte_add(2), "batch->logits is NULL or not aligned to 4"),
        ("f16 at 1", &|b| (b.dtype, b.logits) = (BREGMAN_F16, b.logits.wrapping_byte_add(1)), "not aligned to 2 bytes"),
        ("vocab 0", &|b| b.vocab = 0, "batch->vocab is 0: a row has 1 to INT32_MAX logits"),
        ("vocab above", &|b| b.vocab = 1 << 31, "batch->vocab is 2147483648: a row has 1 to INT32_MAX"),
        ("vocab max", &|b| (b.vocab, b.row_stride) = (usize::MAX, usize::MAX), "batch->vocab is 18446744073709551615"),
        ("short stride", &|b| b.row_stride = VOCAB - 1, "batch->row_stride is 63, less than vocab (64)"),
        ("no stride", &|b| b.row_stride = 0, "batch->row_stride is 0, less than vocab (64)"),
        ("stride max", &|b| b.row_stride = usize::MAX, "batch->row_stride is 18446744073709551615: so many rows exceed"),
        ("stride wraps", &|b| b.row_stride = usize::MAX / ROWS + 1, "so many rows exceed memory"),
        ("stride in bytes", &|b| b.row_stride = usize::MAX / 8, "so many rows exceed memory"),
        ("mask stride 0", &|b| (b.mask, b.mask_stride) = (words.as_ptr(), 0), "batch->mask_stride is 0"),
        ("mask stride max", &|b| (b.mask, b.mask_stride) = (words.as_ptr(), usize::MAX), "batch->mask_stride is 184467"),
        ("mask at 1", &|b| (b.mask, b.mask_stride) = (odd(0x1001), 2), "batch->mask is not aligned to 4 bytes"),
    ];
    for (name, change, message) in cases {
        for threads in [1, 2] {
            let mut rows = Rows::new();
            change(&mut rows.batch);
            rows.batch.threads = threads;
            assert_eq!(rows.decode(), BREGMAN_INVALID_ARGUMENT, "{name}");
            for (sampler, result) in rows.samplers.iter().zip(&rows.results) {
                assert!(result.status == BREGMAN_INVALID_ARGUMENT && is_empty(result), "{name}: {result:?}");
                assert!(sampler.error().contains(message), "{name}: {}", sampler.error());
            }
            assert!(rows.are_as_created(), "{name}");
        }
    }
}

#[test]
fn unreadable_batch_struct_writes_nothing() {
    for size in [0, 1, 4, offset_of!(bregman_batch, ids) as u32 - 1, 5000, u32::MAX] {
        let mut rows = Rows::new();
        rows.batch.struct_size = size;
        assert_eq!(rows.decode(), BREGMAN_INVALID_ARGUMENT, "struct_size {size}");
        assert!(rows.results.iter().all(|r| r.status == 777 && r.token == -7) && rows.are_as_created());
    }
    for n in [usize::MAX, isize::MAX as usize] {
        let mut rows = Rows::new();
        rows.batch.rows = n;
        assert_eq!(rows.decode(), BREGMAN_INVALID_ARGUMENT, "{n} rows");
        assert!(rows.results.iter().all(|r| r.status == 777 && r.token == -7) && rows.are_as_created());
    }
}

#[test]
fn larger_struct_is_accepted_if_the_rest_is_zero() {
    #[repr(C)]
    struct Later {
        batch: bregman_batch,
        more: [u64; 3],
    }
    for (more, status) in
        [([0, 0, 0], BREGMAN_OK), ([0, 0, 1 << 63], BREGMAN_UNSUPPORTED), ([1, 0, 0], BREGMAN_UNSUPPORTED)]
    {
        let mut rows = Rows::new();
        let later = Later { batch: bregman_batch { struct_size: size_of::<Later>() as u32, ..rows.batch }, more };
        let handles = rows.samplers.each_ref().map(|s| s.raw);
        let batch = (&raw const later).cast();
        // SAFETY: live handles, arrays of three rows, and a struct as long as it says.
        assert_eq!(unsafe { bregman_decode_batch(handles.as_ptr(), batch, rows.results.as_mut_ptr()) }, status);
        if status == BREGMAN_OK {
            assert_eq!(rows.tokens(), good());
        } else {
            assert!(rows.results.iter().all(|r| r.status == 777) && rows.are_as_created());
        }
    }
}

/// Failing rows have a status, valid ones the answers of single decodes, and the call returns the first failure.
#[test]
fn invalid_row_fails_alone() {
    let good = good();
    for threads in [1, 2] {
        let mut rows = Rows::new();
        rows.batch.threads = threads;
        (rows.logits[VOCAB + 5], rows.results) = (f32::NAN, [blank(); ROWS]);
        rows.logits[2 * VOCAB..].fill(f32::NEG_INFINITY);
        assert_eq!(rows.decode(), BREGMAN_INVALID_LOGITS);
        assert_eq!(rows.tokens(), [good[0], -1, -1]);
        let statuses = rows.results.map(|r| r.status);
        assert_eq!(statuses, [BREGMAN_OK, BREGMAN_INVALID_LOGITS, BREGMAN_EMPTY_SUPPORT]);
        assert!(rows.samplers[1].error().starts_with("logit 5 is NaN") && rows.samplers[0].error().is_empty());
        assert!(rows.samplers[1].is_as_created() && rows.samplers[2].is_as_created());
        // The valid row's sampler advanced by one position.
        assert!(!rows.samplers[0].is_as_created());
    }
}

#[test]
fn mask_that_bans_all_fails_its_row() {
    let mut rows = Rows::new();
    // One word a row: the tokens from 32 on are banned.
    let mask = [1 << 7, 0, u32::MAX];
    (rows.batch.mask, rows.batch.mask_stride) = (mask.as_ptr(), 1);
    assert_eq!(rows.decode(), BREGMAN_EMPTY_SUPPORT);
    let [one, none, half] = rows.results;
    assert_eq!((one.token, one.p, one.support), (7, 1.0, 1));
    assert!(none.status == BREGMAN_EMPTY_SUPPORT && is_empty(&none) && rows.samplers[1].is_as_created());
    assert!(half.status == BREGMAN_OK && (0..32).contains(&half.token));
    assert_eq!(rows.samplers[1].error(), "no token can be sampled: every logit is masked or -infinity");
}

#[test]
fn sampler_given_twice_is_decoded_once() {
    let good = good();
    for threads in [1, 4] {
        let mut rows = Rows::new();
        rows.batch.threads = threads;
        let [a, b, _] = rows.samplers.each_ref().map(|s| s.raw);
        assert_eq!(rows.decode_with(&[a, b, a]), BREGMAN_INVALID_ARGUMENT);
        assert_eq!(rows.tokens(), [good[0], good[1], -1]);
        assert!(rows.results[2].status == BREGMAN_INVALID_ARGUMENT && is_empty(&rows.results[2]));
        assert_eq!(rows.samplers[0].error(), "samplers[2] is samplers[0] again: a sampler has one place in a call");
        // It advanced by one position, and can be used again.
        let (once, logits) = (Handle::new(CHAIN, 0), row(VOCAB, 77));
        once.decode(&rows.logits[..VOCAB]);
        assert_eq!(rows.samplers[0].decode(&logits).token, once.decode(&logits).token);
    }
}

#[test]
fn null_sampler_fails_its_row() {
    let good = good();
    for bad in [null_mut(), without_provenance::<bregman_sampler>(0x1001).cast_mut()] {
        let mut rows = Rows::new();
        let [a, _, c] = rows.samplers.each_ref().map(|s| s.raw);
        assert_eq!(rows.decode_with(&[a, bad, c]), BREGMAN_INVALID_ARGUMENT);
        assert_eq!(rows.tokens(), [good[0], -1, good[2]]);
        assert!(rows.results[1].status == BREGMAN_INVALID_ARGUMENT && is_empty(&rows.results[1]));
    }
}

#[test]
fn chain_without_drawing_stage_is_unsupported() {
    let (sampler, logits) = (Handle::new("temperature(0.5) | top_k(3)", 1), row(VOCAB, 1));
    let result = sampler.decode(&logits);
    assert!(result.status == BREGMAN_UNSUPPORTED && is_empty(&result));
    let message = "the chain `temperature(0.5) | top_k(3)` takes no token: end it with `draw` or `greedy` to decode";
    assert_eq!(sampler.error(), message);
    let mut rows = Rows::new();
    rows.samplers[1] = sampler;
    assert_eq!(rows.decode(), BREGMAN_UNSUPPORTED);
    assert_eq!(rows.tokens(), [good()[0], -1, good()[2]]);
}

#[test]
fn half_precision_rows_need_two_byte_alignment() {
    for (dtype, one) in [(BREGMAN_F16, 0x3c00u16), (BREGMAN_BF16, 0x3f80)] {
        let mut halves = vec![0u16; ROWS * VOCAB + 1];
        halves[1 + VOCAB + 9] = one;
        let mut rows = Rows::new();
        rows.samplers = std::array::from_fn(|r| Handle::new("greedy", r as u64));
        rows.batch.dtype = dtype;
        rows.batch.logits = halves[1..].as_ptr().cast();
        assert_eq!(rows.decode(), BREGMAN_OK);
        assert_eq!(rows.tokens(), [0, 9, 0]);
    }
}

#[test]
fn small_buffer_returns_the_needed_length() {
    let (sampler, logits) = (Handle::new("top_k(10) | draw", 1), row(VOCAB, 1));
    for capacity in 0..=12 {
        let (mut ids, mut probs, mut len) = ([-5; 12], [-5.0f32; 12], 777);
        let (ids_at, probs_at) =
            if capacity == 0 { (null_mut(), null_mut()) } else { (ids.as_mut_ptr(), probs.as_mut_ptr()) };
        // SAFETY: a live handle, a row and buffers of these lengths.
        let status =
            unsafe { bregman_distribution(sampler.raw, logits.as_ptr(), VOCAB, ids_at, probs_at, capacity, &mut len) };
        assert_eq!(len, 10);
        let written = if capacity < 10 { 0 } else { 10 };
        assert_eq!(status, if capacity < 10 { BREGMAN_BUFFER_TOO_SMALL } else { BREGMAN_OK });
        assert!(ids[written..].iter().all(|&id| id == -5) && probs[written..].iter().all(|&p| p == -5.0));
        assert!(ids[..written].iter().all(|&id| id >= 0) && probs[..written].iter().all(|&p| p > 0.0));
        if capacity < 10 {
            assert_eq!(sampler.error(), format!("the buffers hold {capacity} entries, the answer has 10"));
        }
    }
    assert!(sampler.is_as_created());
}

/// After the last position comes the first; nothing overflows.
#[test]
fn position_wraps_around() {
    let (a, b, logits) = (Handle::new(CHAIN, 1), Handle::new(CHAIN, 1), row(VOCAB, 1));
    // SAFETY: a live handle.
    assert_eq!(unsafe { bregman_sampler_reseed(a.raw, 1, u64::MAX) }, BREGMAN_OK);
    assert_eq!(a.decode(&logits).status, BREGMAN_OK);
    for _ in 0..5 {
        assert_eq!(a.decode(&logits).token, b.decode(&logits).token);
    }
}
