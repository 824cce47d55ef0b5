//! Several tokens of one row.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use super::rows::row;

/// Draws `n` different tokens from the decoded distribution of one row, without replacement: each in proportion to its
/// probability among the tokens not drawn yet. For best-of-n, sampled beams, or several children of a search node.
///
/// `ids`, `logprobs` and `scores` have `n` elements and receive `*len` entries in the order of the draw; `*len` is `n`,
/// or the size of the support if that is smaller. `logprobs` are ln p under the decoded distribution. `scores` (may be
/// NULL) are `logprobs` plus the Gumbel noise of each token, in descending order.
///
/// The noise depends only on seed, position and token id. So the first token is the one that the chain with `gumbel` as
/// its drawing stage decodes at this position, and a larger `n` appends tokens to the same ones. A drawing stage at the
/// end of the chain draws nothing here; `greedy` leaves one token. Advances the random position by one, and adds
/// nothing to the history. Fails with BREGMAN_INVALID_ARGUMENT if `n` is 0; other errors as bregman_decode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_draw_many(
    sampler: *mut bregman_sampler,
    logits: *const f32,
    vocab: usize,
    n: usize,
    ids: *mut i32,
    logprobs: *mut f32,
    scores: *mut f32,
    len: *mut usize,
) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's arrays.
    unsafe {
        with_sampler(sampler, |sampler| {
            check::pointer(len, "len")?;
            let row = row(logits, vocab)?;
            let ids = check::slice_mut(ids, n, "ids")?;
            let logprobs = check::slice_mut(logprobs, n, "logprobs")?;
            let scores = check::slice_mut(scores, if scores.is_null() { 0 } else { n }, "scores")?;
            let samples = sampler.draw_many(row, n)?;
            *len = samples.len();
            for (at, sample) in samples.iter().enumerate() {
                (ids[at], logprobs[at]) = (sample.token as i32, sample.logprob as f32);
            }
            scores.iter_mut().zip(samples).for_each(|(score, sample)| *score = sample.score as f32);
            Ok(())
        })
    }
}
