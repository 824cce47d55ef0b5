//! The most likely tokens of a row, and answers about rows that no sampler decodes.

use super::check;
use super::guard;
use super::handle::{bregman_sampler, with_sampler};
use super::rows::{batch_row, check_batch, row};
use super::types::*;
use crate::answers::Source;
use crate::batch;
use crate::error::{Error, Result};
use crate::sampler::model_answers;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Answers about the model's distribution of many rows, without samplers: log-probabilities of a prompt's tokens, scores
/// of the choices of a test, the most likely tokens at each place.
///
/// `answers->source` is BREGMAN_OF_MODEL: the untouched logits at temperature 1. Of `answers` the most likely tokens
/// (`top`) and the answers about given tokens (`given`) may be asked for; the other arrays, which are about a decoded
/// token, are NULL. `batch->flags` is 0 and `batch->mask` NULL. Rows and arrays are as in bregman_decode_batch_answers.
///
/// Returns the status of the first row that failed, or BREGMAN_OK. A row that fails (BREGMAN_INVALID_LOGITS: a NaN or
/// +infinity; BREGMAN_EMPTY_SUPPORT: every logit -infinity; BREGMAN_INVALID_ARGUMENT: a given id that is not in the row)
/// has NaN log-probabilities, ranks 0 and ids -1; the others have their answers. If an argument is invalid
/// (BREGMAN_INVALID_ARGUMENT, BREGMAN_UNSUPPORTED), nothing is written. There is no handle, so there is no message.
/// Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_model_answers(batch: *const bregman_batch, answers: *const bregman_answers) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's structs and arrays.
        match unsafe { answer(batch, answers) } {
            Ok(status) => status,
            Err(e) => status_of(&e),
        }
    })
}

/// # Safety
/// As for the module.
unsafe fn answer(batch: *const bregman_batch, answers: *const bregman_answers) -> Result<u32> {
    // SAFETY: the caller's structs.
    let (batch, answers) = unsafe { (check::sized(batch, "batch")?, check::sized(answers, "answers")?) };
    let rows = Rows { batch, answers };
    check_batch(&rows.batch)?;
    if rows.batch.flags != 0 || !rows.batch.mask.is_null() {
        return Err(Error::InvalidArgument("batch->flags or batch->mask: not without samplers".into()));
    }
    rows.answers.check_without_samplers(rows.batch.rows)?;
    let first = AtomicU64::new(u64::MAX);
    let threads = rows.batch.threads as usize;
    batch::for_each(&mut vec![(); rows.batch.rows], threads, |r, ()| {
        let status = rows.answer(r);
        if status != BREGMAN_OK {
            first.fetch_min((r as u64) << 32 | u64::from(status), Ordering::Relaxed);
        }
    });
    match first.into_inner() {
        u64::MAX => Ok(BREGMAN_OK),
        // The lower half.
        failed => Ok(failed as u32),
    }
}

struct Rows {
    batch: bregman_batch,
    answers: bregman_answers,
}

// SAFETY: the batch is only read, and each row uses its own part of the answers.
unsafe impl Sync for Rows {}

impl Rows {
    fn answer(&self, r: usize) -> u32 {
        // SAFETY: the caller's arrays, which were checked; this row's part of them.
        let Ok(mut answers) = (unsafe { self.answers.of_row(r) }) else { return BREGMAN_INTERNAL };
        let status = guard(BREGMAN_INTERNAL, || {
            // SAFETY: the caller's rows, whose number and strides were checked.
            let row = unsafe { batch_row(&self.batch, r) };
            row.and_then(|row| model_answers(row, &mut answers)).map_or_else(|e| status_of(&e), |()| BREGMAN_OK)
        });
        if status != BREGMAN_OK {
            answers.write_none();
        }
        status
    }
}
