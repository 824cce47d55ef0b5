//! Logits that cannot be decoded, through every function that takes a row or a candidate array.

use crate::common::handle::{Handle, blank, row};
use bregman::Candidate;
use bregman::ffi::*;
use std::ptr::null_mut;

const CHAINS: [&str; 4] = [
    "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw",
    "top_k(40) | top_p(0.95) | min_p(0.05) | draw",
    "draw",
    "greedy",
];

/// A way to hand a row to the library. Gives the status and whether everything is as it was before.
type Face = fn(&Handle, &mut [f32]) -> (u32, bool);

const FACES: [(&str, Face); 6] = [
    ("decode", decode),
    ("batch", |s, logits| batch(s, logits, 1)),
    ("batch on threads", |s, logits| batch(s, logits, 2)),
    ("distribution", distribution),
    ("process", process),
    ("apply", apply),
];

fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|l| l.to_bits()).collect()
}

/// Whether a result is that of a row without a token.
pub fn is_empty(r: &bregman_result) -> bool {
    let figures = [r.p, r.kept_mass, r.model_logprob, r.entropy];
    r.token == -1 && r.support == 0 && figures.iter().all(|f| f.is_nan())
}

fn decode(s: &Handle, logits: &mut [f32]) -> (u32, bool) {
    let before = bits(logits);
    let result = s.decode(logits);
    (result.status, bits(logits) == before && is_empty(&result))
}

/// The row between two good ones, which must have the answers of single decodes.
fn batch(s: &Handle, logits: &mut [f32], threads: u32) -> (u32, bool) {
    let (vocab, good) = (logits.len(), [Handle::new("draw", 1), Handle::new("draw", 2)]);
    let rows = [row(vocab, 1), logits.to_vec(), row(vocab, 2)].concat();
    let before = bits(&rows);
    let mut results = [blank(); 3];
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: rows.as_ptr().cast(),
        rows: 3,
        vocab,
        row_stride: vocab,
        mask: std::ptr::null(),
        mask_stride: 0,
        flags: BREGMAN_WANT_ENTROPY | BREGMAN_ACCEPT,
        threads,
        ..bregman_batch::default()
    };
    // SAFETY: live handles, and arrays of three rows.
    let status =
        unsafe { bregman_decode_batch([good[0].raw, s.raw, good[1].raw].as_ptr(), &batch, results.as_mut_ptr()) };
    let alone = [(0, 1), (2, 2)].iter().all(|&(at, number)| {
        let fresh = Handle::new("draw", number).decode(&row(vocab, number));
        (fresh.token, fresh.status) == (results[at].token, results[at].status)
    });
    (status, alone && bits(&rows) == before && results[1].status == status && is_empty(&results[1]))
}

fn distribution(s: &Handle, logits: &mut [f32]) -> (u32, bool) {
    let (before, mut ids, mut probs, mut len) = (bits(logits), vec![-5; 400], vec![-5.0; 400], 777);
    let (ids_at, probs_at) = (ids.as_mut_ptr(), probs.as_mut_ptr());
    // SAFETY: a live handle, and buffers of that length.
    let status =
        unsafe { bregman_distribution(s.raw, logits.as_ptr(), logits.len(), ids_at, probs_at, ids.len(), &mut len) };
    let untouched = ids.iter().all(|&id| id == -5) && probs.iter().all(|&p| p == -5.0) && len == 777;
    (status, untouched && bits(logits) == before)
}

fn process(s: &Handle, logits: &mut [f32]) -> (u32, bool) {
    let before = bits(logits);
    // SAFETY: a live handle and a row of that length.
    let status = unsafe { bregman_process(s.raw, logits.as_mut_ptr(), logits.len()) };
    (status, bits(logits) == before)
}

fn apply(s: &Handle, logits: &mut [f32]) -> (u32, bool) {
    let candidates = |(i, &logit): (usize, &f32)| Candidate { id: 1000 - i as i32, logit, p: f32::from_bits(i as u32) };
    let mut data: Vec<_> = logits.iter().enumerate().map(candidates).collect();
    let mut list = bregman_candidates { data: data.as_mut_ptr(), size: data.len(), selected: 3, sorted: 7 };
    let seen =
        |data: &[Candidate]| -> Vec<_> { data.iter().map(|c| (c.id, c.logit.to_bits(), c.p.to_bits())).collect() };
    let before = seen(&data);
    // SAFETY: a live handle and an array of that length.
    let status = unsafe { bregman_apply(s.raw, &mut list) };
    let header = (list.size, list.selected, list.sorted) == (logits.len(), 3, 7) && list.data == data.as_mut_ptr();
    (status, header && seen(&data) == before)
}

fn refused_everywhere(spoil: impl Fn(&mut [f32]), status: u32, message: &str) {
    for chain in CHAINS {
        for (name, face) in FACES {
            for vocab in [1, 300] {
                let sampler = Handle::new(chain, 9);
                let mut logits = row(vocab, 4);
                spoil(&mut logits);
                assert_eq!(face(&sampler, &mut logits), (status, true), "{name}, {chain}, {vocab} logits");
                let said = sampler.error();
                assert!(said.contains(message), "{name}, {chain}: {said}");
                assert!(sampler.is_as_created(), "{name}, {chain}, {vocab} logits: the state changed");
            }
        }
    }
}

#[test]
fn nan_logit_is_refused() {
    refused_everywhere(|l| l[l.len() / 2] = f32::NAN, BREGMAN_INVALID_LOGITS, "is NaN: logits must be finite");
    refused_everywhere(|l| l[l.len() - 1] = -f32::NAN, BREGMAN_INVALID_LOGITS, "is NaN: logits must be finite");
    refused_everywhere(|l| l.fill(f32::NAN), BREGMAN_INVALID_LOGITS, "logit 0 is NaN");
}

#[test]
fn infinite_logit_is_refused() {
    refused_everywhere(|l| l[0] = f32::INFINITY, BREGMAN_INVALID_LOGITS, "logit 0 is inf: logits must be finite");
}

#[test]
fn row_without_a_finite_logit_is_refused() {
    refused_everywhere(|l| l.fill(f32::NEG_INFINITY), BREGMAN_EMPTY_SUPPORT, "no token can be sampled");
}

/// The logits of masked tokens are not read.
#[test]
fn masked_logit_may_be_nan() {
    let sampler = Handle::new("draw", 1);
    let (mut logits, mut results) = (row(64, 1), [blank()]);
    (logits[5], logits[40]) = (f32::NAN, f32::INFINITY);
    let mask = [!(1u32 << 5), !(1u32 << 8)];
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: logits.as_ptr().cast(),
        rows: 1,
        vocab: 64,
        row_stride: 64,
        mask: mask.as_ptr(),
        mask_stride: 2,
        flags: 0,
        threads: 0,
        ..bregman_batch::default()
    };
    // SAFETY: a live handle, and arrays of one row.
    let status = unsafe { bregman_decode_batch(&sampler.raw, &batch, results.as_mut_ptr()) };
    assert_eq!((status, results[0].status), (BREGMAN_OK, BREGMAN_OK), "{}", sampler.error());
}

#[test]
fn banned_logit_may_be_nan() {
    for (at, bad) in [(5, f32::NAN), (40, f32::INFINITY), (63, f32::NAN)] {
        for (name, face) in FACES {
            let (sampler, mut logits) = (Handle::new("temperature(0.8) | draw", 1), row(64, 1));
            logits[at] = bad;
            assert_eq!(face(&sampler, &mut logits.clone()).0, BREGMAN_INVALID_LOGITS, "{name}");
            // As an index, and as the id that `apply` gives it.
            let (ids, bias) = ([at as i32, 1000 - at as i32], [f32::NEG_INFINITY; 2]);
            // SAFETY: a live handle and arrays of two elements.
            let status = unsafe { bregman_sampler_set_logit_bias(sampler.raw, ids.as_ptr(), bias.as_ptr(), 2) };
            assert_eq!(status, BREGMAN_OK);
            assert_eq!(face(&sampler, &mut logits).0, BREGMAN_OK, "{name}: {}", sampler.error());
        }
    }
}

/// There is no memory of these lengths, so they must be refused before anything is read.
#[test]
fn length_is_checked_before_anything_is_read() {
    let sampler = Handle::new("top_k(5) | draw", 2);
    let (mut logits, mut len, mut result) = (row(8, 1), 777, blank());
    for vocab in [0, i32::MAX as usize + 1, 1 << 40, isize::MAX as usize, usize::MAX] {
        macro_rules! refused {
            ($name:literal, $call:expr) => {
                // SAFETY: the length is refused before the row is read.
                let status = unsafe { $call };
                assert_eq!(status, BREGMAN_INVALID_ARGUMENT, "{} of {vocab}", $name);
                assert!(sampler.error().contains(&format!("is {vocab}")), "{}: {}", $name, sampler.error());
            };
        }
        let (at, s) = (logits.as_mut_ptr(), sampler.raw);
        refused!("decode", bregman_decode(s, at, vocab, &mut result));
        assert!(result.status == BREGMAN_INVALID_ARGUMENT && is_empty(&result));
        refused!("process", bregman_process(s, at, vocab));
        refused!("distribution", bregman_distribution(s, at, vocab, null_mut(), null_mut(), 0, &mut len));
        assert_eq!((len, bits(&logits)), (777, bits(&row(8, 1))));
        if vocab > 0 {
            let mut data = [Candidate { id: 1, logit: 2.0, p: 3.0 }];
            let mut list = bregman_candidates { data: data.as_mut_ptr(), size: vocab, selected: 5, sorted: 6 };
            // SAFETY: the length is refused before the array is read.
            let status = unsafe { bregman_apply(s, &mut list) };
            assert_eq!(status, BREGMAN_INVALID_ARGUMENT, "apply of {vocab}");
            assert!(sampler.error().contains("candidates->"), "{}", sampler.error());
            assert_eq!((list.size, list.selected, list.sorted, data[0].id), (vocab, 5, 6, 1));
        }
    }
    assert!(sampler.is_as_created());
}

#[test]
fn empty_candidate_array_is_refused() {
    let sampler = Handle::new("top_k(5) | draw", 2);
    let mut list = bregman_candidates { data: null_mut(), size: 0, selected: 5, sorted: 6 };
    // SAFETY: a live handle and an empty array.
    assert_eq!(unsafe { bregman_apply(sampler.raw, &mut list) }, BREGMAN_EMPTY_SUPPORT);
    assert_eq!((list.size, list.selected, list.sorted), (0, 5, 6));
    list.size = 2;
    // SAFETY: a live handle; the data is refused before it is read.
    assert_eq!(unsafe { bregman_apply(sampler.raw, &mut list) }, BREGMAN_INVALID_ARGUMENT);
    assert_eq!(sampler.error(), "candidates->data is NULL");
    list.data = std::ptr::without_provenance_mut(2);
    // SAFETY: as above.
    assert_eq!(unsafe { bregman_apply(sampler.raw, &mut list) }, BREGMAN_INVALID_ARGUMENT);
    assert_eq!(sampler.error(), "candidates->data is not aligned to 4 bytes");
    assert_eq!((list.size, list.selected, list.sorted), (2, 5, 6));
    assert!(sampler.is_as_created());
}
