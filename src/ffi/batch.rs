//! Many rows in one call, each with its own sampler.

use super::check;
use super::guard;
use super::handle::{Refused, Ticket, bregman_sampler, repeated};
use super::rows::{batch_row, check_batch, want};
use super::types::*;
use crate::batch;
use crate::error::Result;
use crate::sampler::Sampler;

/// Status of a row whose handle was entered and that was not decoded yet. Never returned.
const ENTERED: u32 = u32::MAX;

/// Decodes `batch->rows` rows: row r (or the row that `batch->row_index` names) with `samplers[r]` into `results[r]`.
/// `samplers` and `results` have `batch->rows` elements.
///
/// Each row has a sampler of its own, and advances it as bregman_decode does. Rows are independent: the failure of one
/// does not affect the others, and neither the order of the rows nor the number of threads changes a token. If a
/// sampler is in the batch twice, its first row is decoded and the others fail with BREGMAN_INVALID_ARGUMENT.
///
/// Returns the status of the first row that failed, or BREGMAN_OK. `results[r].status` is the status of row r; its
/// message is on `samplers[r]`. A row that fails advances nothing. If a field of the batch is invalid
/// (BREGMAN_INVALID_ARGUMENT: logits or mask NULL or misaligned, dtype, flags, vocab, a stride), every row gets that
/// status and every sampler the message. If the batch cannot be read (BREGMAN_INVALID_ARGUMENT: batch, samplers or
/// results NULL or misaligned, struct_size; BREGMAN_UNSUPPORTED: fields of a later version are set), nothing is
/// written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_decode_batch(
    samplers: *const *mut bregman_sampler,
    batch: *const bregman_batch,
    results: *mut bregman_result,
) -> u32 {
    // SAFETY: the caller's struct and arrays.
    guard(BREGMAN_INTERNAL, || unsafe { decode_batch(samplers, batch, results, None) })
}

/// bregman_decode_batch with more answers about the rows and tokens that it decodes. Tokens, results and the state of
/// the samplers afterwards are the same as without them.
///
/// Errors as bregman_decode_batch. If a field of `answers` is invalid (BREGMAN_INVALID_ARGUMENT: source, a misaligned
/// array, a stride that is too small), every row gets that status and every sampler the message. If `answers` cannot
/// be read (NULL, misaligned, struct_size; BREGMAN_UNSUPPORTED: fields of a later version are set), nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_decode_batch_answers(
    samplers: *const *mut bregman_sampler,
    batch: *const bregman_batch,
    results: *mut bregman_result,
    answers: *const bregman_answers,
) -> u32 {
    // SAFETY: the caller's structs and arrays.
    guard(BREGMAN_INTERNAL, || unsafe { decode_batch(samplers, batch, results, Some(answers)) })
}

/// # Safety
/// As for the module; `answers` is None for a batch without any.
unsafe fn decode_batch(
    samplers: *const *mut bregman_sampler,
    batch: *const bregman_batch,
    results: *mut bregman_result,
    answers: Option<*const bregman_answers>,
) -> u32 {
    // SAFETY: the caller's structs, and arrays with an element for each row.
    let read = || unsafe {
        let batch = check::sized(batch, "batch")?;
        let answers = answers.map(|answers| check::sized(answers, "answers")).transpose()?;
        let samplers = check::slice(samplers, batch.rows, "samplers")?;
        let n = batch.rows;
        Ok((Rows { samplers, batch, answers }, check::slice_mut(results, n, "results")?))
    };
    let (rows, results) = match read() {
        Ok(read) => read,
        // No sampler is known, so there is no handle for the message.
        Err(e) => return status_of(&e),
    };
    let ticket = Ticket::new();
    for (r, result) in results.iter_mut().enumerate() {
        *result = bregman_result::failed(rows.enter(r, &ticket));
    }
    let threads = rows.batch.threads as usize;
    match rows.check() {
        Err(e) => results.iter_mut().enumerate().for_each(|(r, result)| rows.finish(r, result, |_| Err(e.clone()))),
        Ok(()) => {
            batch::for_each(results, threads, |r, result| rows.decode(r, result));
            if let Some(answers) = &rows.answers {
                // SAFETY: the caller's arrays, which were checked; all rows are decoded.
                if let Err(e) = unsafe { answers.close_gaps(results.iter().map(|r| r.support as usize)) } {
                    return status_of(&e);
                }
            }
        }
    }
    results.iter().map(|r| r.status).find(|&status| status != BREGMAN_OK).unwrap_or(BREGMAN_OK)
}

struct Rows<'a> {
    samplers: &'a [*mut bregman_sampler],
    batch: bregman_batch,
    answers: Option<bregman_answers>,
}

// SAFETY: each row uses only its own handle, which was entered for it alone, and its own part of the answers; the
// batch is only read.
unsafe impl Sync for Rows<'_> {}

impl Rows<'_> {
    /// What holds for all rows.
    fn check(&self) -> Result<()> {
        check_batch(&self.batch)?;
        self.answers.as_ref().map_or(Ok(()), |answers| answers.check(self.batch.rows))
    }

    /// Enters a row's handle: [`ENTERED`], or the status of a row that fails.
    fn enter(&self, r: usize, ticket: &Ticket) -> u32 {
        let handle = self.samplers[r];
        // SAFETY: a live handle or NULL.
        match unsafe { bregman_sampler::enter(handle, ticket) } {
            Ok(()) => ENTERED,
            Err(Refused::Invalid | Refused::Busy) => BREGMAN_INVALID_ARGUMENT,
            Err(Refused::Twice) => {
                // SAFETY: entered for an earlier row, and no row is being decoded yet.
                let state = unsafe { bregman_sampler::state(handle) };
                state.fail(&repeated(self.samplers, r))
            }
        }
    }

    fn decode(&self, r: usize, result: &mut bregman_result) {
        self.finish(r, result, |sampler| {
            // SAFETY: the caller's rows, whose number and strides were checked.
            let row = unsafe { batch_row(&self.batch, r) }?;
            let Some(answers) = &self.answers else {
                return Ok(sampler.decode(row, want(&self.batch))?.into());
            };
            // SAFETY: the caller's arrays, which were checked; this row's part of them.
            let (token, rank) = sampler.decode_with(row, want(&self.batch), &mut unsafe { answers.of_row(r) }?)?;
            // SAFETY: as above.
            unsafe { answers.write_rank(r, rank) };
            Ok(token.into())
        });
    }

    /// Makes a row's result, if its handle was entered, and leaves the handle.
    fn finish(&self, r: usize, result: &mut bregman_result, body: impl FnOnce(&mut Sampler) -> Result<bregman_result>) {
        if result.status != ENTERED {
            return;
        }
        let handle = self.samplers[r];
        // SAFETY: the handle was entered for this row alone.
        let state = unsafe { bregman_sampler::state(handle) };
        let status = state.run(|sampler| {
            *result = body(sampler)?;
            Ok(())
        });
        if status != BREGMAN_OK {
            *result = bregman_result::failed(status);
        }
        // SAFETY: entered, and its state is not used any more.
        unsafe { bregman_sampler::leave(handle) };
    }
}
