//! Masks, prompts, several draws and likely tokens with arguments out of their ranges.

use crate::common::handle::{Handle, row};
use bregman::ffi::*;
use std::ptr::{null, null_mut};

const VOCAB: usize = 64;

#[test]
fn mask_without_words_is_refused() {
    let (sampler, logits, words) = (Handle::new("greedy", 1), row(VOCAB, 1), [1u32 << 9]);
    let set = |words: *const u32, n: usize| {
        // SAFETY: a live handle, and NULL or an array of one.
        unsafe { bregman_sampler_set_mask(sampler.raw, words, n) }
    };
    let free = sampler.decode(&logits).token;
    assert_eq!(set(words.as_ptr(), 1), BREGMAN_OK);
    assert_eq!(sampler.decode(&logits).token, 9);
    // A refused call leaves the mask.
    assert_eq!(set(words.as_ptr(), 0), BREGMAN_INVALID_ARGUMENT);
    assert_eq!(sampler.error(), "n is 0: a mask has at least one word");
    assert_eq!(set(null(), 1), BREGMAN_INVALID_ARGUMENT);
    assert_eq!(sampler.error(), "words is NULL");
    assert_eq!(set(words.as_ptr(), usize::MAX), BREGMAN_INVALID_ARGUMENT);
    assert!(sampler.error().contains("more than memory can hold"));
    assert_eq!(sampler.decode(&logits).token, 9);
    // A clone has it, and keeps it after a reset.
    let mut copy = null_mut();
    // SAFETY: a live handle and a place for the copy.
    assert_eq!(unsafe { bregman_sampler_clone(sampler.raw, &mut copy) }, BREGMAN_OK);
    assert_eq!(set(null(), 0), BREGMAN_OK);
    assert_eq!(sampler.decode(&logits).token, free);
    let token = || {
        let mut result = crate::common::handle::blank();
        // SAFETY: a live handle and a row of that length.
        assert_eq!(unsafe { bregman_decode(copy, logits.as_ptr(), VOCAB, &mut result) }, BREGMAN_OK);
        result.token
    };
    assert_eq!(token(), 9);
    // SAFETY: a live handle.
    assert_eq!(unsafe { bregman_sampler_reset(copy) }, BREGMAN_OK);
    assert_eq!(token(), 9);
    // SAFETY: freed once.
    unsafe { bregman_sampler_free(copy) };
}

#[test]
fn prompt_longer_than_the_history_is_refused() {
    let sampler = Handle::new("draw", 1);
    let set = |n: usize| {
        // SAFETY: a live handle.
        unsafe { bregman_sampler_set_prompt_length(sampler.raw, n) }
    };
    // SAFETY: a live handle and an array of two.
    assert_eq!(unsafe { bregman_sampler_accept(sampler.raw, [5, 6].as_ptr(), 2) }, BREGMAN_OK);
    assert!((0..=2).all(|n| set(n) == BREGMAN_OK));
    for n in [3, usize::MAX] {
        assert_eq!(set(n), BREGMAN_INVALID_ARGUMENT);
        assert_eq!(sampler.error(), format!("n is {n}: the history has only 2 tokens that could be the prompt"));
    }
}

/// What a call writes.
struct List {
    ids: [i32; 8],
    logprobs: [f32; 8],
    len: usize,
}

impl List {
    fn new() -> Self {
        Self { ids: [-5; 8], logprobs: [-5.0; 8], len: 777 }
    }
}

#[test]
fn top_logprobs_refuses_unknown_source_and_zero_length() {
    let (sampler, logits) = (Handle::new("top_k(5) | draw", 1), row(VOCAB, 1));
    let mut list = List::new();
    let mut top = |source: u32, n: usize, vocab: usize| {
        let List { ids, logprobs, len } = &mut list;
        let (ids, logprobs) = (ids.as_mut_ptr(), logprobs.as_mut_ptr());
        // SAFETY: a live handle, a row of at least that length and arrays of eight.
        unsafe { bregman_top_logprobs(sampler.raw, logits.as_ptr(), vocab, source, n, ids, logprobs, len) }
    };
    assert_eq!(top(2, 8, VOCAB), BREGMAN_INVALID_ARGUMENT);
    assert_eq!(sampler.error(), "source is 2: must be BREGMAN_OF_MODEL or BREGMAN_OF_DECODED");
    assert_eq!(top(BREGMAN_OF_DECODED, 8, 0), BREGMAN_INVALID_ARGUMENT);
    assert_eq!(top(BREGMAN_OF_DECODED, usize::MAX, VOCAB), BREGMAN_INVALID_ARGUMENT);
    assert_eq!(top(BREGMAN_OF_DECODED, 0, VOCAB), BREGMAN_OK);
    assert_eq!(top(BREGMAN_OF_DECODED, 8, VOCAB), BREGMAN_OK);
    assert_eq!((list.len, list.ids[5], list.logprobs[5]), (5, -1, f32::NEG_INFINITY));
    assert!(sampler.is_as_created());
}

#[test]
fn draw_many_refuses_zero_draws() {
    let (sampler, logits) = (Handle::new("top_k(5) | draw", 1), row(VOCAB, 1));
    let draw = |n: usize, logits: &[f32], list: &mut List| {
        let (ids, logprobs) = (list.ids.as_mut_ptr(), list.logprobs.as_mut_ptr());
        let (row, vocab, len) = (logits.as_ptr(), logits.len(), &raw mut list.len);
        // SAFETY: a live handle, a row of that length and arrays of eight.
        unsafe { bregman_draw_many(sampler.raw, row, vocab, n, ids, logprobs, null_mut(), len) }
    };
    let mut list = List::new();
    assert_eq!(draw(0, &logits, &mut list), BREGMAN_INVALID_ARGUMENT);
    assert_eq!(sampler.error(), "n is 0: at least one token is drawn");
    assert_eq!(draw(usize::MAX, &logits, &mut list), BREGMAN_INVALID_ARGUMENT);
    assert_eq!(draw(3, &[f32::NAN], &mut list), BREGMAN_INVALID_LOGITS);
    assert_eq!(draw(3, &[f32::NEG_INFINITY; 2], &mut list), BREGMAN_EMPTY_SUPPORT);
    assert!(sampler.is_as_created() && list.len == 777, "a failed call writes and advances nothing");
    // SAFETY: a live handle.
    assert_eq!(unsafe { bregman_sampler_reset(sampler.raw) }, BREGMAN_OK);
    assert_eq!(draw(8, &logits, &mut list), BREGMAN_OK);
    assert_eq!((list.len, list.ids[5], list.logprobs[5]), (5, -5, -5.0), "there are only five tokens");
}

#[test]
fn macro_info_is_described_or_left_alone() {
    for index in 0..bregman_macro_count() {
        let mut info = std::mem::MaybeUninit::<bregman_stage>::zeroed();
        // SAFETY: the size is the struct's first field.
        unsafe { info.as_mut_ptr().cast::<u32>().write(size_of::<bregman_stage>() as u32) };
        // SAFETY: a struct of that size.
        assert_eq!(unsafe { bregman_macro_info(index, info.as_mut_ptr()) }, BREGMAN_OK);
        // SAFETY: written by the call just made, or zero.
        let info = unsafe { info.assume_init() };
        assert!(info.draws == 1 && info.reserved == 0 && info.parameter_count > 5);
        assert_eq!(info.learns == 1, bregman::macros()[index].learns());
        for i in 0..info.parameter_count {
            // SAFETY: an element of the static list.
            let p = unsafe { &*info.parameters.byte_add(i * info.parameter_size) };
            assert!(p.kind <= BREGMAN_KIND_BIASES && p.required == 0);
        }
    }
    let mut info = std::mem::MaybeUninit::<bregman_stage>::zeroed();
    // SAFETY: the size is the struct's first field.
    unsafe { info.as_mut_ptr().cast::<u32>().write(size_of::<bregman_stage>() as u32) };
    // SAFETY: a struct of that size.
    assert_eq!(unsafe { bregman_macro_info(bregman_macro_count(), info.as_mut_ptr()) }, BREGMAN_INVALID_ARGUMENT);
}
