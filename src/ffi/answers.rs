//! The most likely tokens of a row.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use super::rows::row;
use super::types::*;
use crate::answers::Source;
use crate::error::Error;

/// Writes the most likely tokens of one row. Draws nothing and advances nothing.
///
/// `source`: BREGMAN_OF_MODEL, which does not use the chain, or BREGMAN_OF_DECODED. `ids` and `logprobs` have `n`
/// elements and receive `*len` tokens and their ln p, in descending order (ties: ascending id). `*len` is `n`, or the
/// number of tokens with positive probability if that is smaller; -1 and -infinity fill the rest. Fails with
/// BREGMAN_INVALID_ARGUMENT (source, NULL, misaligned, vocab); other errors as bregman_decode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_top_logprobs(
    sampler: *mut bregman_sampler,
    logits: *const f32,
    vocab: usize,
    source: u32,
    n: usize,
    ids: *mut i32,
    logprobs: *mut f32,
    len: *mut usize,
) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's arrays.
    unsafe {
        with_sampler(sampler, |sampler| {
            check::pointer(len, "len")?;
            let source = match source {
                BREGMAN_OF_MODEL => Source::Model,
                BREGMAN_OF_DECODED => Source::Decoded,
                other => {
                    let what = format!("source is {other}: must be BREGMAN_OF_MODEL or BREGMAN_OF_DECODED");
                    return Err(Error::InvalidArgument(what));
                }
            };
            let row = row(logits, vocab)?;
            let ids = check::slice_mut(ids, n, "ids")?;
            let logprobs = check::slice_mut(logprobs, n, "logprobs")?;
            *len = sampler.top_logprobs(row, source, ids, logprobs)?;
            Ok(())
        })
    }
}
