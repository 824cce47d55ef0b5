//! What a sampler knows besides its chain: where the prompt ends, which tokens are allowed.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use crate::error::Error;

/// Says that the first `n` tokens of the history are the prompt and the others output, for a sequence that is resumed.
/// Stages with scope=output look at the output only.
///
/// Without this call the prompt is what was accepted before the first row was looked at: before the first
/// bregman_decode, bregman_apply, bregman_process, bregman_distribution, bregman_draw_many (or a batch of these) that
/// succeeded since creation or the last reset. BREGMAN_INVALID_ARGUMENT if the history has not so many tokens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_set_prompt_length(sampler: *mut bregman_sampler, n: usize) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe { with_sampler(sampler, |sampler| sampler.set_prompt_length(n)) }
}

/// Allows only the tokens whose bit is set, in every row and candidate array from now on: token t is bit t % 32 of word
/// t / 32 (the layout of llguidance and xgrammar), tokens beyond the `n` words are banned. A mask that a batch gives
/// holds as well. The words are copied; no memory is taken if the mask before had as many.
///
/// `words` NULL and `n` 0 allow all tokens again. BREGMAN_INVALID_ARGUMENT (one of these without the other, misaligned)
/// leaves the old mask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_set_mask(sampler: *mut bregman_sampler, words: *const u32, n: usize) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's array.
    unsafe {
        with_sampler(sampler, |sampler| {
            if n == 0 && !words.is_null() {
                return Err(Error::InvalidArgument("n is 0: a mask has at least one word".into()));
            }
            let words = check::slice(words, n, "words")?;
            sampler.set_mask((n > 0).then_some(words));
            Ok(())
        })
    }
}
