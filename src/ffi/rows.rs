//! Rows of logits and arrays of answers from C: checked once per batch, then split by row.

use super::check;
use super::types::*;
use crate::answers::{Answers, Source, TokenRank};
use crate::error::{Error, Result};
use crate::logits::{Rest, Row, Values};
use crate::sampler::Want;
use std::ptr::null;

/// Checks the fields of a batch.
pub(super) fn check_batch(batch: &bregman_batch) -> Result<()> {
    let refuse = |what: String| Err(Error::InvalidArgument(what));
    let size = match batch.dtype {
        BREGMAN_F32 => 4,
        BREGMAN_F16 | BREGMAN_BF16 => 2,
        other => return refuse(format!("batch->dtype is {other}: must be BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16")),
    };
    let known = BREGMAN_WANT_KEPT_MASS
        | BREGMAN_WANT_MODEL_LOGPROB
        | BREGMAN_WANT_ENTROPY
        | BREGMAN_WANT_LN_KEPT
        | BREGMAN_ACCEPT
        | BREGMAN_STAY;
    if batch.flags & !known != 0 {
        return refuse(format!("batch->flags has unknown bits {:#x}", batch.flags & !known));
    }
    if batch.flags & BREGMAN_STAY != 0 && batch.flags & BREGMAN_ACCEPT != 0 {
        return refuse(
            "batch->flags has BREGMAN_STAY and BREGMAN_ACCEPT: a token is accepted or may be replaced".into(),
        );
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
    let rows = stored_rows(batch)?;
    let fits = |stride: usize, element: usize| {
        rows.checked_mul(stride).and_then(|n| n.checked_mul(element)).is_some_and(|n| n <= isize::MAX as usize)
    };
    if !fits(batch.row_stride, size) {
        return refuse(format!("batch->row_stride is {}: so many rows exceed memory", batch.row_stride));
    }
    if !batch.ids.is_null() {
        check_sparse(batch)?;
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

/// What the flags of a batch ask for.
pub(super) fn want(batch: &bregman_batch) -> Want {
    let flag = |bit: u32| batch.flags & bit != 0;
    Want {
        kept_mass: flag(BREGMAN_WANT_KEPT_MASS),
        ln_kept_mass: flag(BREGMAN_WANT_LN_KEPT),
        model_logprob: flag(BREGMAN_WANT_MODEL_LOGPROB),
        entropy: flag(BREGMAN_WANT_ENTROPY),
        accept: flag(BREGMAN_ACCEPT),
        stay: flag(BREGMAN_STAY),
    }
}

/// Checks the fields of sparse rows.
fn check_sparse(batch: &bregman_batch) -> Result<()> {
    check::pointer(batch.ids, "batch->ids")?;
    let aligned = [
        (batch.lengths.is_aligned(), "lengths"),
        (batch.log_rest.is_aligned(), "log_rest"),
        (batch.bound.is_aligned(), "bound"),
    ];
    if let Some((_, name)) = aligned.iter().find(|(is_aligned, _)| !is_aligned) {
        return Err(Error::InvalidArgument(format!("batch->{name} is misaligned")));
    }
    match batch.rest_temperature {
        t if t >= 0.0 && t.is_finite() => Ok(()),
        t => Err(Error::InvalidArgument(format!(
            "batch->rest_temperature is {t}: it must be a positive number, or 0 for 1"
        ))),
    }
}

/// The number of rows that the inputs of a batch have at the least.
fn stored_rows(batch: &bregman_batch) -> Result<usize> {
    if batch.row_index.is_null() {
        return Ok(batch.rows);
    }
    // SAFETY: `rows` indices.
    let indices = unsafe { check::slice(batch.row_index, batch.rows, "batch->row_index") }?;
    Ok(indices.iter().map(|r| r.saturating_add(1)).max().unwrap_or(0))
}

/// The row that the `i`-th sampler of a batch reads, with its mask.
///
/// # Safety
/// The batch passed [`check_batch`], its arrays are as long as it says, and `i` is below `batch.rows`.
pub(super) unsafe fn batch_row(batch: &bregman_batch, i: usize) -> Result<Row<'_>> {
    // SAFETY: an element for each sampler, checked for NULL and alignment.
    let r = if batch.row_index.is_null() { i } else { unsafe { *batch.row_index.add(i) } };
    let start = r * batch.row_stride;
    let is_dense = batch.ids.is_null();
    let lengths = if is_dense { null() } else { batch.lengths };
    // SAFETY: an element for each row, checked for alignment.
    let n = unsafe { at(lengths, r) }.map_or(batch.vocab, |n| n as usize);
    if n == 0 || n > batch.vocab {
        return Err(Error::InvalidArgument(format!(
            "batch->lengths[{r}] is {n}: must be 1 to vocab ({})",
            batch.vocab
        )));
    }
    let values = match batch.dtype {
        BREGMAN_F32 => {
            // SAFETY: the row's elements from its start on, aligned as checked.
            Values::F32(unsafe { check::slice(batch.logits.cast::<f32>().add(start), n, "logits") }?)
        }
        half => {
            // SAFETY: as above.
            let bits = unsafe { check::slice(batch.logits.cast::<u16>().add(start), n, "logits") }?;
            if half == BREGMAN_F16 { Values::F16(bits) } else { Values::Bf16(bits) }
        }
    };
    let row = if is_dense {
        Row::new(values)?
    } else {
        // SAFETY: laid out as the logits.
        let row = Row::sparse(values, unsafe { check::slice(batch.ids.add(start), n, "batch->ids") }?)?;
        // SAFETY: an element for each row.
        match unsafe { (at(batch.log_rest, r), at(batch.bound, r)) } {
            (None, _) => row,
            (Some(log_sum), bound) => row.with_rest(Rest {
                log_sum,
                temperature: if batch.rest_temperature == 0.0 { 1.0 } else { batch.rest_temperature },
                bound: bound.unwrap_or_else(|| row.smallest()),
            })?,
        }
    };
    if batch.mask.is_null() {
        return Ok(row);
    }
    let words = if is_dense { batch.mask_stride.min(n.div_ceil(32)) } else { batch.mask_stride };
    // SAFETY: the row's words, of which the caller has `mask_stride`.
    Ok(row.with_mask(unsafe { check::slice(batch.mask.add(r * batch.mask_stride), words, "mask") }?))
}

/// An element of an array that may be NULL.
///
/// # Safety
/// If not NULL, `p` has an element `r`.
unsafe fn at<T: Copy>(p: *const T, r: usize) -> Option<T> {
    // SAFETY: the caller's array.
    (!p.is_null()).then(|| unsafe { *p.add(r) })
}

/// # Safety
/// If not NULL, `logits` points to `vocab` floats that are not written while the row lives.
pub(super) unsafe fn row<'a>(logits: *const f32, vocab: usize) -> Result<Row<'a>> {
    check::pointer(logits, "logits")?;
    if vocab == 0 || vocab > i32::MAX as usize {
        return Err(Error::InvalidArgument(format!("vocab is {vocab}: a row has 1 to INT32_MAX logits")));
    }
    // SAFETY: the caller's row.
    Row::from_f32(unsafe { check::slice(logits, vocab, "logits") }?)
}

impl bregman_answers {
    /// # Safety
    /// The arrays passed [`bregman_answers::check`] and have the length that the struct states, and `r` is a row of the
    /// batch.
    pub(super) unsafe fn of_row<'a>(&self, r: usize) -> Result<Answers<'a>> {
        let kept_stride = if self.kept_offsets.is_null() { self.kept_stride } else { self.kept };
        // SAFETY: this row's part of the caller's arrays.
        unsafe {
            Ok(Answers {
                source: if self.source == BREGMAN_OF_DECODED { Source::Decoded } else { Source::Model },
                top_ids: part(self.top_ids, r, self.top_stride, self.top)?,
                top_logprobs: part(self.top_logprobs, r, self.top_stride, self.top)?,
                other_top_logprobs: part(self.other_top_logprobs, r, self.top_stride, self.top)?,
                other_logprob: part(self.other_logprobs, r, 1, 1)?.first_mut(),
                given_ids: match self.given_ids.is_null() {
                    true => &[],
                    false => check::slice(self.given_ids.add(r * self.given_stride), self.given, "answers->given_ids")?,
                },
                given_logprobs: part(self.given_logprobs, r, self.given_stride, self.given)?,
                given_ranks: part(self.given_ranks, r, self.given_stride, self.given)?,
                kept_ids: part(self.kept_ids, r, kept_stride, self.kept)?,
                kept_mask: part(self.kept_mask, r, self.kept_mask_stride, self.kept_mask_stride)?,
            })
        }
    }

    /// # Safety
    /// As [`bregman_answers::of_row`].
    pub(super) unsafe fn write_rank(&self, r: usize, token: TokenRank) {
        if !self.logprobs.is_null() {
            // SAFETY: one element a row.
            unsafe { *self.logprobs.add(r) = token.logprob as f32 };
        }
        if !self.ranks.is_null() {
            // SAFETY: as above.
            unsafe { *self.ranks.add(r) = token.rank as u32 };
        }
    }

    /// Closes the gaps between the rows' kept tokens and writes where each row's begin, if that was asked for;
    /// `supports` are the sizes of the rows' supports, 0 for one that failed.
    ///
    /// # Safety
    /// As [`bregman_answers::of_row`], for all rows; every row is finished.
    pub(super) unsafe fn close_gaps(&self, supports: impl ExactSizeIterator<Item = usize>) -> Result<()> {
        if self.kept_offsets.is_null() {
            return Ok(());
        }
        let rows = supports.len();
        // SAFETY: `rows` + 1 offsets.
        let offsets = unsafe { check::slice_mut(self.kept_offsets, rows + 1, "answers->kept_offsets") }?;
        // SAFETY: `rows` times `kept` ids.
        let ids = unsafe { part(self.kept_ids, 0, 0, rows * self.kept) }?;
        let mut end = 0;
        for (r, support) in supports.enumerate() {
            offsets[r] = end;
            let (first, n) = (r * self.kept, support.min(self.kept));
            if !ids.is_empty() {
                ids.copy_within(first..first + n, end);
            }
            end += n;
        }
        offsets[rows] = end;
        Ok(())
    }

    /// Checks the arrays for a batch of `rows` rows.
    pub(super) fn check(&self, rows: usize) -> Result<()> {
        let refuse = |what: &str| Err(Error::InvalidArgument(format!("answers->{what}")));
        if self.source > BREGMAN_OF_DECODED {
            return refuse(&format!("source is {}: must be BREGMAN_OF_MODEL or BREGMAN_OF_DECODED", self.source));
        }
        array(self.logprobs, rows, 1, 1, "answers->logprobs")?;
        array(self.ranks, rows, 1, 1, "answers->ranks")?;
        array(self.top_ids, rows, self.top, self.top_stride, "answers->top_ids")?;
        array(self.top_logprobs, rows, self.top, self.top_stride, "answers->top_logprobs")?;
        array(self.other_logprobs, rows, 1, 1, "answers->other_logprobs")?;
        array(self.other_top_logprobs, rows, self.top, self.top_stride, "answers->other_top_logprobs")?;
        array(self.given_ids, rows, self.given, self.given_stride, "answers->given_ids")?;
        array(self.given_logprobs, rows, self.given, self.given_stride, "answers->given_logprobs")?;
        array(self.given_ranks, rows, self.given, self.given_stride, "answers->given_ranks")?;
        if self.given > 0 && self.given_ids.is_null() && !(self.given_logprobs.is_null() && self.given_ranks.is_null())
        {
            return refuse("given_ids is NULL: which tokens?");
        }
        array(self.kept_mask, rows, self.kept_mask_stride.max(1), self.kept_mask_stride, "answers->kept_mask")?;
        if self.kept_offsets.is_null() {
            return array(self.kept_ids, rows, self.kept, self.kept_stride, "answers->kept_ids");
        }
        if self.kept_ids.is_null() {
            return refuse("kept_offsets are offsets into kept_ids, which is NULL");
        }
        array(self.kept_ids, rows, self.kept, self.kept, "answers->kept_ids")?;
        array(self.kept_offsets, rows.saturating_add(1), 1, 1, "answers->kept_offsets")
    }

    /// Checks them for rows that no sampler decodes: only answers about the model are there to give.
    pub(super) fn check_without_samplers(&self, rows: usize) -> Result<()> {
        self.check(rows)?;
        let refuse = |what: &str| {
            Err(Error::InvalidArgument(format!("answers->{what}: there is no decoded token without samplers")))
        };
        if self.source != BREGMAN_OF_MODEL {
            return refuse("source is BREGMAN_OF_DECODED");
        }
        for (is_null, name) in [
            (self.logprobs.is_null(), "logprobs"),
            (self.ranks.is_null(), "ranks"),
            (self.kept_ids.is_null(), "kept_ids"),
            (self.kept_mask.is_null(), "kept_mask"),
            (self.kept_offsets.is_null(), "kept_offsets"),
            (self.other_logprobs.is_null(), "other_logprobs"),
            (self.other_top_logprobs.is_null(), "other_top_logprobs"),
        ] {
            if !is_null {
                return refuse(name);
            }
        }
        Ok(())
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
    // SAFETY: row `r` of the caller's array.
    unsafe { check::slice_mut(p.add(r * stride), n, "answers") }
}

/// Checks an array: NULL, or aligned and of a possible size.
fn array<T>(p: *const T, rows: usize, n: usize, stride: usize, name: &str) -> Result<()> {
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
