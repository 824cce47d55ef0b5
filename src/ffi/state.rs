//! Settings of a sampler besides its chain: the length of the prompt, and the mask.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use crate::error::Error;

/// Sets the length of the prompt: the first `n` tokens of the history are the prompt, the others output. Stages with
/// scope=output look at the output only. For sequences that are resumed.
///
/// Without this call the prompt ends at the first successful bregman_decode, bregman_apply, bregman_process,
/// bregman_distribution, bregman_draw_many, bregman_top_logprobs of BREGMAN_OF_DECODED, or row of a batch, since
/// creation or the last reset. Fails with BREGMAN_INVALID_ARGUMENT (NULL, `n` above the length of the history, handle
/// in use).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_set_prompt_length(sampler: *mut bregman_sampler, n: usize) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe { with_sampler(sampler, |sampler| sampler.set_prompt_length(n)) }
}

/// Sets the mask of the sampler, which holds for every row and candidate array from now on: token t is allowed if bit t
/// % 32 of word t / 32 is set (the layout of llguidance and xgrammar), and tokens beyond the last word are banned. If a
/// batch has a mask too, a token must be allowed by both. `words` has `n` elements and is copied, without allocating if
/// the mask before was as long.
///
/// `words` NULL and `n` 0 remove the mask. Fails with BREGMAN_INVALID_ARGUMENT (only one of these, misaligned, handle
/// in use) and BREGMAN_OUT_OF_MEMORY; the old mask stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_set_mask(sampler: *mut bregman_sampler, words: *const u32, n: usize) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's array.
    unsafe {
        with_sampler(sampler, |sampler| {
            if n == 0 && !words.is_null() {
                return Err(Error::InvalidArgument("n is 0: a mask has at least one word".into()));
            }
            let words = check::slice(words, n, "words")?;
            sampler.set_mask((n > 0).then_some(words))
        })
    }
}
