//! Face 1 and face 3: raw logits to tokens, to a distribution, or processed in place.

use super::answers::bregman_answers;
use super::check;
use super::guard;
use super::handle::{Refused, bregman_sampler, inside, run};
use super::types::*;
use crate::batch;
use crate::error::{Error, Result};
use crate::logits::{Row, Values};
use crate::sampler::{Token, Want};

/// While a batch runs: this row's handle was entered. No status of the ABI.
const ENTERED: u32 = u32::MAX;

impl bregman_result {
    fn failed(status: u32) -> Self {
        Self {
            token: -1,
            status,
            support: 0,
            p: f32::NAN,
            kept_mass: f32::NAN,
            model_logprob: f32::NAN,
            entropy: f32::NAN,
            reserved: 0,
        }
    }
}

impl From<Token> for bregman_result {
    fn from(t: Token) -> Self {
        Self {
            token: t.token as i32,
            status: BREGMAN_OK,
            support: t.support as u32,
            p: t.p as f32,
            kept_mass: t.kept_mass as f32,
            model_logprob: t.model_logprob as f32,
            entropy: t.entropy as f32,
            reserved: 0,
        }
    }
}

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
    guard(BREGMAN_INTERNAL, || {
        let mut result = bregman_result::failed(BREGMAN_INTERNAL);
        // SAFETY: a live handle or NULL, and the caller's row.
        let status = unsafe {
            inside(sampler, |sampler| {
                check::pointer(out, "out")?;
                result = sampler.decode(row(logits, vocab)?, Want::default())?.into();
                Ok(())
            })
        };
        if check::pointer(out, "out").is_ok() {
            // SAFETY: just checked.
            unsafe { *out = if status == BREGMAN_OK { result } else { bregman_result::failed(status) } };
        }
        status
    })
}

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

/// What holds for all rows.
fn check_batch(batch: &bregman_batch) -> Result<()> {
    let refuse = |what: String| Err(Error::InvalidArgument(what));
    let size = match batch.dtype {
        BREGMAN_F32 => 4,
        BREGMAN_F16 | BREGMAN_BF16 => 2,
        other => return refuse(format!("batch->dtype is {other}: it is BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16")),
    };
    let known = BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_WANT_ENTROPY | BREGMAN_ACCEPT;
    if batch.flags & !known != 0 {
        return refuse(format!("batch->flags has unknown bits {:#x}", batch.flags & !known));
    }
    if batch.rows == 0 {
        return Ok(());
    }
    if batch.logits.is_null() || !(batch.logits as usize).is_multiple_of(size) {
        return refuse(format!("batch->logits is NULL or not aligned to {size} bytes"));
    }
    if batch.vocab == 0 || batch.vocab > i32::MAX as usize {
        return refuse(format!("batch->vocab is {}: a row has 1 to INT32_MAX logits", batch.vocab));
    }
    if batch.row_stride < batch.vocab {
        return refuse(format!("batch->row_stride is {}, less than vocab ({})", batch.row_stride, batch.vocab));
    }
    let fits = |stride: usize, element: usize| {
        batch.rows.checked_mul(stride).and_then(|n| n.checked_mul(element)).is_some_and(|n| n <= isize::MAX as usize)
    };
    if !fits(batch.row_stride, size) {
        return refuse(format!("batch->row_stride is {}: so many rows exceed memory", batch.row_stride));
    }
    if batch.mask.is_null() {
        return Ok(());
    }
    if !batch.mask.is_aligned() {
        return refuse("batch->mask is not aligned to 4 bytes".into());
    }
    if batch.mask_stride == 0 || !fits(batch.mask_stride, 4) {
        return refuse(format!("batch->mask_stride is {}: a row's mask has at least one word", batch.mask_stride));
    }
    Ok(())
}

/// # Safety
/// The batch passed [`check_batch`], its arrays are as long as it says, and `r` is one of its rows.
unsafe fn batch_row(batch: &bregman_batch, r: usize) -> Result<Row<'_>> {
    let start = r * batch.row_stride;
    let values = match batch.dtype {
        BREGMAN_F32 => {
            // SAFETY: `vocab` elements from the row's start on, aligned as checked.
            Values::F32(unsafe { check::slice(batch.logits.cast::<f32>().add(start), batch.vocab, "logits") }?)
        }
        half => {
            // SAFETY: as above.
            let bits = unsafe { check::slice(batch.logits.cast::<u16>().add(start), batch.vocab, "logits") }?;
            if half == BREGMAN_F16 { Values::F16(bits) } else { Values::Bf16(bits) }
        }
    };
    let row = Row::new(values)?;
    if batch.mask.is_null() {
        return Ok(row);
    }
    let words = batch.mask_stride.min(batch.vocab.div_ceil(32));
    // SAFETY: the row's words, of which the caller has `mask_stride`.
    Ok(row.with_mask(unsafe { check::slice(batch.mask.add(r * batch.mask_stride), words, "mask") }?))
}

/// # Safety
/// If not NULL, `logits` points to `vocab` floats that nobody writes meanwhile.
pub(super) unsafe fn row<'a>(logits: *const f32, vocab: usize) -> Result<Row<'a>> {
    check::pointer(logits, "logits")?;
    if vocab == 0 || vocab > i32::MAX as usize {
        return Err(Error::InvalidArgument(format!("vocab is {vocab}: a row has 1 to INT32_MAX logits")));
    }
    // SAFETY: the caller's row.
    Row::from_f32(unsafe { check::slice(logits, vocab, "logits") }?)
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
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: a live handle or NULL, and the caller's arrays.
        unsafe {
            inside(sampler, |sampler| {
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
    })
}

/// Replaces one row's logits by ln p of the decoded distribution, -infinity off the support: for hosts that draw for
/// themselves. Draws nothing and advances nothing; a failed call leaves the logits as they were. The chain may end
/// with a drawing stage or not; temperature belongs into it, not behind it. Errors as bregman_decode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_process(sampler: *mut bregman_sampler, logits: *mut f32, vocab: usize) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: a live handle or NULL, and the caller's row.
        unsafe {
            inside(sampler, |sampler| {
                row(logits, vocab)?;
                sampler.process(check::slice_mut(logits, vocab, "logits")?)
            })
        }
    })
}
