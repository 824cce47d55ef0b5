//! Rows of a batch, each with its own sampler.

use super::check;
use super::guard;
use super::handle::{Refused, bregman_sampler, run};
use super::rows::{batch_row, check_batch};
use super::types::*;
use crate::batch;
use crate::error::Error;
use crate::sampler::Want;

/// While a batch runs: this row's handle was entered. No status of the ABI.
const ENTERED: u32 = u32::MAX;

/// Decodes `batch->rows` rows, row r with `samplers[r]` into `results[r]`: one sampler a row, each with a chain, seed
/// and state of its own. No row's failure is another's; neither the rows' order nor the number of threads changes a
/// token. The samplers must differ from each other: of one that stands twice only the first row is decoded.
///
/// Returns the status of the first row that failed, else BREGMAN_OK; each row has its own in `results[r].status`, its
/// message is on its sampler, and a failed row advances nothing. If what the batch says is wrong
/// (BREGMAN_INVALID_ARGUMENT: logits or mask NULL or misaligned, dtype, flags, vocab, a stride below vocab), every row
/// has that status and every sampler the message. If the batch cannot be read (BREGMAN_INVALID_ARGUMENT: batch,
/// samplers or results NULL or misaligned, struct_size; BREGMAN_UNSUPPORTED: fields of a later version), nothing is
/// written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_decode_batch(
    samplers: *const *mut bregman_sampler,
    batch: *const bregman_batch,
    results: *mut bregman_result,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's batch.
        let batch = match unsafe { check::sized(batch, "batch") } {
            Ok(batch) => batch,
            // The number of rows is not known, so there is nowhere to write more than the status.
            Err(e) => return status_of(&e),
        };
        // SAFETY: the caller's arrays of so many rows.
        let arrays = unsafe {
            (check::slice(samplers, batch.rows, "samplers"), check::slice_mut(results, batch.rows, "results"))
        };
        let (Ok(samplers), Ok(results)) = arrays else {
            return BREGMAN_INVALID_ARGUMENT;
        };
        decode_rows(samplers, batch, results, None)
    })
}

pub(super) fn decode_rows(
    samplers: &[*mut bregman_sampler],
    batch: &bregman_batch,
    results: &mut [bregman_result],
    answers: Option<&bregman_answers>,
) -> u32 {
    // The address of a local is no other running call's.
    let ticket = 0u8;
    let rows = Rows::enter(samplers, (batch, answers), results, &raw const ticket as usize);
    let decoded = check_batch(batch)
        .and_then(|()| answers.map_or(Ok(()), |answers| answers.check(batch.rows)))
        .and_then(|()| batch::for_each(results, batch.threads as usize, |r, result| rows.decode(r, result)));
    if let Err(e) = decoded {
        for (r, result) in results.iter_mut().enumerate().filter(|(_, result)| result.status == ENTERED) {
            // SAFETY: this row's handle was entered, and none is being decoded.
            let state = unsafe { bregman_sampler::state(rows.samplers[r]) };
            *result = bregman_result::failed(state.fail(&e));
        }
    }
    results.iter().map(|r| r.status).find(|&s| s != BREGMAN_OK).unwrap_or(BREGMAN_OK)
}

/// The rows of a batch whose handles this call is in.
struct Rows<'a> {
    samplers: &'a [*mut bregman_sampler],
    batch: &'a bregman_batch,
    answers: Option<&'a bregman_answers>,
    ticket: usize,
}

// SAFETY: each row touches only its own handle, which was entered once, and its own part of the answers; the batch is
// only read.
unsafe impl Sync for Rows<'_> {}

impl<'a> Rows<'a> {
    /// Enters every handle that can be, and marks its row as [`ENTERED`]; the other rows have failed.
    fn enter(
        samplers: &'a [*mut bregman_sampler],
        (batch, answers): (&'a bregman_batch, Option<&'a bregman_answers>),
        results: &mut [bregman_result],
        ticket: usize,
    ) -> Self {
        let rows = Self { samplers, batch, answers, ticket };
        for (result, &handle) in results.iter_mut().zip(samplers) {
            // SAFETY: a live handle or NULL.
            let status = match unsafe { bregman_sampler::enter(handle, ticket) } {
                Ok(()) => ENTERED,
                Err(Refused::Null | Refused::Busy) => BREGMAN_INVALID_ARGUMENT,
                Err(Refused::Twice) => {
                    // SAFETY: entered by an earlier row of this call, and decoding has not begun.
                    let state = unsafe { bregman_sampler::state(handle) };
                    state.fail(&Error::InvalidArgument("the sampler stands twice in the batch".into()))
                }
            };
            *result = bregman_result::failed(status);
        }
        rows
    }

    fn decode(&self, r: usize, result: &mut bregman_result) {
        if result.status != ENTERED {
            return;
        }
        // SAFETY: this row's handle was entered, by this row alone.
        let state = unsafe { bregman_sampler::state(self.samplers[r]) };
        let flag = |bit: u32| self.batch.flags & bit != 0;
        let want = Want {
            kept_mass: flag(BREGMAN_WANT_KEPT_MASS),
            model_logprob: flag(BREGMAN_WANT_MODEL_LOGPROB),
            entropy: flag(BREGMAN_WANT_ENTROPY),
            accept: flag(BREGMAN_ACCEPT),
        };
        let status = run(state, |sampler| {
            // SAFETY: the caller's rows, whose number and strides were checked.
            let row = unsafe { batch_row(self.batch, r) }?;
            let Some(answers) = self.answers else {
                *result = sampler.decode(row, want)?.into();
                return Ok(());
            };
            // SAFETY: the caller's arrays, which were checked; this row's part of them.
            let (token, told) = sampler.decode_with(row, want, &mut unsafe { answers.of_row(r) }?)?;
            // SAFETY: as above.
            unsafe { answers.tell(r, told) };
            *result = token.into();
            Ok(())
        });
        if status != BREGMAN_OK {
            *result = bregman_result::failed(status);
        }
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        for &handle in self.samplers {
            // SAFETY: a live handle or NULL, and all rows are done.
            unsafe { bregman_sampler::leave_if(handle, self.ticket) };
        }
    }
}

/// bregman_decode_batch with more answers: about the very rows and tokens that it decodes, for one row or many. The
/// tokens, the results and the state of the samplers are those of bregman_decode_batch.
///
/// Errors as bregman_decode_batch; what is wrong with `answers` (BREGMAN_INVALID_ARGUMENT: source, an array misaligned,
/// a stride too small) is said like what is wrong with the batch. If `answers` cannot be read (NULL, misaligned,
/// struct_size; BREGMAN_UNSUPPORTED: fields of a later version), nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_decode_batch_answers(
    samplers: *const *mut bregman_sampler,
    batch: *const bregman_batch,
    results: *mut bregman_result,
    answers: *const bregman_answers,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's structs and arrays.
        let checked = unsafe { check::sized(batch, "batch").and_then(|b| Ok((b, check::sized(answers, "answers")?))) };
        let (batch, answers) = match checked {
            Ok(structs) => structs,
            // The number of rows is not known, so there is nowhere to write more than the status.
            Err(e) => return status_of(&e),
        };
        // SAFETY: the caller's arrays of so many rows.
        let arrays = unsafe {
            (check::slice(samplers, batch.rows, "samplers"), check::slice_mut(results, batch.rows, "results"))
        };
        let (Ok(samplers), Ok(results)) = arrays else {
            return BREGMAN_INVALID_ARGUMENT;
        };
        decode_rows(samplers, batch, results, Some(answers))
    })
}
