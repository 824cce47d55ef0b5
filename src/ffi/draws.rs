//! Several tokens of one row.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use super::rows::row;

/// Draws `n` different tokens from one row's decoded distribution: without replacement, each in proportion to its
/// probability among those that are left. For best-of-n, for beams that are sampled, for several children of a node.
///
/// `ids` and `logprobs` receive `*len` entries in the order in which they were drawn; `*len` is `n`, or the support if
/// that is smaller. `logprobs` are ln p under the decoded distribution. `scores` (NULL if not wanted) are these with
/// the token's Gumbel noise added, by which the draw is ordered. All arrays have `n` elements.
///
/// The noise depends on seed, position and token id alone: the first token is the one that the same chain with `gumbel`
/// at its end decodes at this position, and a larger `n` appends. A drawing stage at the chain's end is not asked for a
/// token (`greedy` leaves one token, though). Advances the random position by one; accepts nothing.
/// BREGMAN_INVALID_ARGUMENT if `n` is 0; other errors as bregman_decode.
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
