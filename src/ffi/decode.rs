//! One row of logits: to a token, to a distribution, or to log-probabilities in place.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use super::rows::row;
use super::types::*;
use crate::error::Error;
use crate::sampler::Want;

/// Decodes one row of `vocab` f32 logits into a token, and advances the random position by one. The token is not added
/// to the history: call bregman_sampler_accept. The logits are only read. On failure nothing advances, and `*out` (if
/// `out` is valid) has token -1 and the status.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, `vocab` 0 or above INT32_MAX), BREGMAN_INVALID_LOGITS (a
/// logit that is not masked is NaN or +infinity), BREGMAN_EMPTY_SUPPORT (every logit is masked or -infinity, or bans
/// leave none; the message names what took the last token), BREGMAN_NO_CONVERGENCE (a generator of the caller),
/// BREGMAN_UNSUPPORTED (the chain does not end with a drawing stage).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_decode(
    sampler: *mut bregman_sampler,
    logits: *const f32,
    vocab: usize,
    out: *mut bregman_result,
) -> u32 {
    let mut result = bregman_result::failed(BREGMAN_INTERNAL);
    // SAFETY: a live handle or NULL, and the caller's row.
    let status = unsafe {
        with_sampler(sampler, |sampler| {
            check::pointer(out, "out")?;
            result = sampler.decode(row(logits, vocab)?, Want::default())?.into();
            Ok(())
        })
    };
    if !out.is_null() && out.is_aligned() {
        // SAFETY: just checked.
        unsafe { *out = if status == BREGMAN_OK { result } else { bregman_result::failed(status) } };
    }
    status
}

/// Writes the decoded distribution of one row: what a drawing stage at the end of the chain draws from. A drawing stage
/// that changes the distribution does so here too: `greedy` leaves one token. Draws nothing and advances nothing.
///
/// `ids` and `probs` have `capacity` elements and receive `*len` entries in descending order of probability (ties:
/// ascending id). The probabilities sum to 1 up to the rounding of f32. If `capacity` is too small, `*len` receives the
/// required number, nothing else is written, and the status is BREGMAN_BUFFER_TOO_SMALL; with `capacity` 0 both arrays
/// may be NULL. If the chain drops no token, this sorts the whole vocabulary. Other errors as bregman_decode.
///
/// A stage that uses random numbers (xtc's coin) takes them from the handle's seed and position, and this call does not
/// move the position: call bregman_sampler_reseed with the number of output tokens before each row. Not for chains with a
/// stage that learns (bregman_stage.learns): it does not learn from tokens that the host draws.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_distribution(
    sampler: *mut bregman_sampler,
    logits: *const f32,
    vocab: usize,
    ids: *mut i32,
    probs: *mut f32,
    capacity: usize,
    len: *mut usize,
) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's arrays.
    unsafe {
        with_sampler(sampler, |sampler| {
            check::pointer(len, "len")?;
            let row = row(logits, vocab)?;
            let ids = check::slice_mut(ids, capacity, "ids")?;
            let probs = check::slice_mut(probs, capacity, "probs")?;
            let written = sampler.distribution_into(row, ids, probs);
            match &written {
                Ok(n) | Err(Error::BufferTooSmall { needed: n, .. }) => *len = *n,
                Err(_) => {}
            }
            written.map(|_| ())
        })
    }
}

/// Replaces the logits of one row by ln p of the decoded distribution, -infinity off its support: for hosts that draw
/// themselves. Draws nothing and advances nothing. The chain may end with a drawing stage or not. Set the temperature
/// in the chain, not behind it. On failure the logits are unchanged. Errors as bregman_decode.
///
/// Not for chains with a stage that learns (bregman_stage.learns): it does not learn from tokens that the host draws.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_process(sampler: *mut bregman_sampler, logits: *mut f32, vocab: usize) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's row.
    unsafe {
        with_sampler(sampler, |sampler| {
            row(logits, vocab)?;
            sampler.process(check::slice_mut(logits, vocab, "logits")?)
        })
    }
}
