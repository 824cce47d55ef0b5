//! More answers about decoded rows: their most likely tokens, ranks, and what was kept.

use super::check;
use super::decode::{decode_rows, row};
use super::guard;
use super::handle::{bregman_sampler, inside};
use super::types::*;
use crate::answers::{Answers, Source, TokenRank};
use crate::error::{Error, Result};

/// Log-probabilities: the model's, of the untouched logits (no mask, no bias, no stage, temperature 1).
pub const BREGMAN_OF_MODEL: u32 = 0;
/// Log-probabilities: those of the decoded distribution.
pub const BREGMAN_OF_DECODED: u32 = 1;

/// What bregman_decode_batch_answers is to tell besides the tokens, and where it writes that. Every array may be NULL,
/// which asks for nothing; those that are not must not overlap. A row that fails leaves its places as they were.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_answers {
    /// sizeof(bregman_answers). A larger struct of a later version is taken if the fields unknown here are zero.
    pub struct_size: u32,
    /// Whose log-probabilities and ranks: BREGMAN_OF_MODEL or BREGMAN_OF_DECODED.
    pub source: u32,
    /// NULL, or for each row the log-probability of its token; NaN if the untouched logits have none (NaN or +infinity
    /// under the mask).
    pub logprobs: *mut f32,
    /// NULL, or for each row the rank of its token: how many tokens are at least as likely, itself among them. 0 where
    /// the log-probability is NaN.
    pub ranks: *mut u32,
    /// How many of the most likely tokens to tell of each row.
    pub top: usize,
    /// Elements from one row's most likely tokens to the next row's, at least `top`.
    pub top_stride: usize,
    /// NULL, or the most likely tokens in descending order (ties: ascending id); -1 where there are no more.
    pub top_ids: *mut i32,
    /// NULL, or their log-probabilities; -infinity where there are no more, NaN if the untouched logits have none.
    pub top_logprobs: *mut f32,
    /// How many of the kept tokens to tell of each row at the most; `bregman_result.support` says how many there are.
    pub kept: usize,
    /// Elements from one row's kept tokens to the next row's, at least `kept`.
    pub kept_stride: usize,
    /// NULL, or the tokens with positive probability, the most likely first; -1 where there are no more.
    pub kept_ids: *mut i32,
    /// NULL, or for each row `kept_mask_stride` words in which the bits of the tokens with positive probability are
    /// set: token t is bit t % 32 of word t / 32. Tokens beyond the words are left out.
    pub kept_mask: *mut u32,
    /// Words from one row's mask to the next row's.
    pub kept_mask_stride: usize,
}

impl bregman_answers {
    /// # Safety
    /// The arrays are the caller's, as long as the struct says for so many rows, and passed [`check`].
    pub(super) unsafe fn of_row<'a>(&self, r: usize) -> Result<Answers<'a>> {
        // SAFETY: this row's part of the caller's arrays.
        unsafe {
            Ok(Answers {
                source: if self.source == BREGMAN_OF_DECODED { Source::Decoded } else { Source::Model },
                top_ids: part(self.top_ids, r, self.top_stride, self.top)?,
                top_logprobs: part(self.top_logprobs, r, self.top_stride, self.top)?,
                kept_ids: part(self.kept_ids, r, self.kept_stride, self.kept)?,
                kept_mask: part(self.kept_mask, r, self.kept_mask_stride, self.kept_mask_stride)?,
            })
        }
    }

    /// # Safety
    /// As [`bregman_answers::of_row`].
    pub(super) unsafe fn tell(&self, r: usize, told: TokenRank) {
        if !self.logprobs.is_null() {
            // SAFETY: one element a row.
            unsafe { *self.logprobs.add(r) = told.logprob as f32 };
        }
        if !self.ranks.is_null() {
            // SAFETY: as above.
            unsafe { *self.ranks.add(r) = told.rank as u32 };
        }
    }

    /// What holds for all of `rows` rows.
    pub(super) fn check(&self, rows: usize) -> Result<()> {
        let refuse = |what: String| Err(Error::InvalidArgument(what));
        if self.source > BREGMAN_OF_DECODED {
            return refuse(format!("answers->source is {}: it is BREGMAN_OF_MODEL or BREGMAN_OF_DECODED", self.source));
        }
        array(self.logprobs, rows, 1, 1, "answers->logprobs")?;
        array(self.ranks, rows, 1, 1, "answers->ranks")?;
        array(self.top_ids, rows, self.top, self.top_stride, "answers->top_ids")?;
        array(self.top_logprobs, rows, self.top, self.top_stride, "answers->top_logprobs")?;
        array(self.kept_ids, rows, self.kept, self.kept_stride, "answers->kept_ids")?;
        array(self.kept_mask, rows, self.kept_mask_stride.max(1), self.kept_mask_stride, "answers->kept_mask")
    }
}

/// A row's part of an array; empty for NULL.
///
/// # Safety
/// If not NULL, `p` points to the rows, `stride` apart.
unsafe fn part<'a, T>(p: *mut T, r: usize, stride: usize, n: usize) -> Result<&'a mut [T]> {
    if p.is_null() {
        return Ok(&mut []);
    }
    // SAFETY: says the caller.
    unsafe { check::slice_mut(p.add(r * stride), n, "answers") }
}

/// An array that is NULL, or aligned and of a possible size.
fn array<T>(p: *mut T, rows: usize, n: usize, stride: usize, name: &str) -> Result<()> {
    if p.is_null() {
        return Ok(());
    }
    check::pointer(p, name)?;
    if stride < n {
        return Err(Error::InvalidArgument(format!("{name}: the stride is {stride}, less than a row's {n}")));
    }
    if rows.checked_mul(stride).is_none_or(|all| all > isize::MAX as usize / size_of::<T>()) {
        return Err(Error::InvalidArgument(format!("{name}: {rows} rows {stride} apart exceed memory")));
    }
    Ok(())
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

/// The most likely tokens of one row. Draws nothing and advances nothing.
///
/// `source`: BREGMAN_OF_MODEL (the chain is not asked) or BREGMAN_OF_DECODED. `ids` and `logprobs` have `n` elements
/// and receive `*len` entries in descending order (ties: ascending id); `*len` is `n`, or the number of tokens that
/// have a positive probability if that is smaller, and -1 and -infinity fill the rest. BREGMAN_INVALID_ARGUMENT
/// (source, NULL, misaligned, vocab); other errors as bregman_decode.
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
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: a live handle or NULL, and the caller's arrays.
        unsafe {
            inside(sampler, |sampler| {
                check::pointer(len, "len")?;
                let source = match source {
                    BREGMAN_OF_MODEL => Source::Model,
                    BREGMAN_OF_DECODED => Source::Decoded,
                    other => {
                        let what = format!("source is {other}: it is BREGMAN_OF_MODEL or BREGMAN_OF_DECODED");
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
    })
}
