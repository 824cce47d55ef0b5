//! Face 1 and face 3: raw logits to tokens, to a distribution, or processed in place.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use super::rows::row;
use super::types::*;
use crate::error::Error;
use crate::sampler::Want;

/// Decodes one row of `vocab` f32 logits into a token and advances the random position by one; nothing is accepted
/// into the history (bregman_sampler_accept). The logits are only read. A failed call advances nothing, and `out`
/// (unless NULL) then has token -1 and the status.
///
/// BREGMAN_INVALID_ARGUMENT (NULL, misaligned, vocab 0 or above INT32_MAX), BREGMAN_INVALID_LOGITS (NaN, +infinity),
/// BREGMAN_EMPTY_SUPPORT (all -infinity), BREGMAN_NO_CONVERGENCE (a user's generator), BREGMAN_UNSUPPORTED (the chain
/// has no drawing stage).
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

/// The decoded distribution of one row: what a drawing stage at the chain's end would draw from (one token if it is
/// greedy). Draws nothing and advances nothing.
///
/// `ids` and `probs` receive `*len` entries in descending order of probability (ties: ascending id); `capacity` is the
/// length of both. If it is too small, `*len` receives the number of entries, nothing else is written, and the status
/// is BREGMAN_BUFFER_TOO_SMALL; with `capacity` 0 both may be NULL. Probabilities sum to 1 up to f32's rounding. A
/// chain that drops no token has a support as large as the vocabulary, which this call sorts. Errors as
/// bregman_decode.
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

/// Replaces one row's logits by ln p of the decoded distribution, -infinity off the support: for hosts that draw for
/// themselves. Draws nothing and advances nothing; a failed call leaves the logits as they were. The chain may end
/// with a drawing stage or not; temperature belongs into it, not behind it. Errors as bregman_decode.
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
