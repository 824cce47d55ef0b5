//! The decoded distributions of many rows, one after the other in one list.

use super::check;
use super::guard;
use super::handle::{Refused, Ticket, bregman_sampler, repeated};
use super::rows::{batch_row, check_batch};
use super::types::*;
use crate::batch;
use crate::error::{Error, Result};
use crate::memory;
use std::ops::Range;

/// The decoded distributions of `batch->rows` rows, each as bregman_distribution gives it. Draws nothing and advances
/// nothing; the mask and the other inputs of a row apply as in bregman_decode_batch; `batch->flags` is 0.
///
/// `offsets` has `batch->rows` + 1 elements: the entries of row r are elements `offsets[r]` to `offsets[r + 1]` - 1 of `ids`
/// and `probs`, which have `capacity` elements. If `capacity` is too small, the status is BREGMAN_BUFFER_TOO_SMALL,
/// `offsets` is written all the same (its last element is the capacity needed), and what is in `ids` and `probs` is not
/// specified; with `capacity` 0 both may be NULL.
///
/// Returns the status of the first row that failed, or BREGMAN_OK; a row that fails has no entries, and its message is on
/// `samplers[r]`. A sampler that is in the batch twice fails from its second row on (BREGMAN_INVALID_ARGUMENT). If an
/// argument is invalid (BREGMAN_INVALID_ARGUMENT, BREGMAN_UNSUPPORTED), nothing is written and there is no message.
/// With `batch->threads` above 1 every row is decoded twice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_distribution_batch(
    samplers: *const *mut bregman_sampler,
    batch: *const bregman_batch,
    offsets: *mut usize,
    ids: *mut i32,
    probs: *mut f32,
    capacity: usize,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's struct and arrays.
        let all = unsafe { Rows::new(samplers, batch, offsets, (ids, probs, capacity)) };
        all.map_or_else(|e| status_of(&e), |(rows, offsets)| rows.write(offsets))
    })
}

struct Rows<'a> {
    samplers: &'a [*mut bregman_sampler],
    batch: bregman_batch,
    ids: *mut i32,
    probs: *mut f32,
    capacity: usize,
}

// SAFETY: each row uses only its own handle, which was entered for it alone, and its own part of the lists; the batch is
// only read.
unsafe impl Sync for Rows<'_> {}

/// What became of a row.
#[derive(Clone, Copy)]
struct Outcome {
    /// Whether its handle was entered for it.
    entered: bool,
    status: u32,
    /// Number of entries.
    n: usize,
}

impl<'a> Rows<'a> {
    /// # Safety
    /// As for the module.
    unsafe fn new(
        samplers: *const *mut bregman_sampler,
        batch: *const bregman_batch,
        offsets: *mut usize,
        (ids, probs, capacity): (*mut i32, *mut f32, usize),
    ) -> Result<(Self, &'a mut [usize])> {
        // SAFETY: the caller's struct and arrays.
        unsafe {
            let batch = check::sized(batch, "batch")?;
            check_batch(&batch)?;
            if batch.flags != 0 {
                return Err(Error::InvalidArgument("batch->flags must be 0: nothing is drawn".into()));
            }
            let samplers = check::slice(samplers, batch.rows, "samplers")?;
            check::slice_mut(ids, capacity, "ids")?;
            check::slice_mut(probs, capacity, "probs")?;
            let offsets = check::slice_mut(offsets, batch.rows.saturating_add(1), "offsets")?;
            Ok((Self { samplers, batch, ids, probs, capacity }, offsets))
        }
    }

    fn write(&self, offsets: &mut [usize]) -> u32 {
        let ticket = Ticket::new();
        let mut rows = Vec::new();
        if let Err(e) = memory::reserve(&mut rows, self.samplers.len()) {
            return status_of(&e);
        }
        rows.extend((0..self.samplers.len()).map(|r| self.enter(r, &ticket)));
        self.write_entered(&mut rows, offsets);
        for (row, &handle) in rows.iter().zip(self.samplers) {
            if row.entered {
                // SAFETY: entered, and its state is not used any more.
                unsafe { bregman_sampler::leave(handle) };
            }
        }
        let failed = rows.iter().map(|row| row.status).find(|&status| status != BREGMAN_OK);
        match failed {
            Some(status) => status,
            None if offsets[rows.len()] > self.capacity => BREGMAN_BUFFER_TOO_SMALL,
            None => BREGMAN_OK,
        }
    }

    /// One thread writes as it goes; several have to know first where each row begins.
    fn write_entered(&self, rows: &mut [Outcome], offsets: &mut [usize]) {
        let threads = self.batch.threads as usize;
        if threads > 1 {
            batch::for_each(rows, threads, |r, row| self.write_row(r, row, 0..0));
        }
        let mut end = 0;
        for (r, row) in rows.iter_mut().enumerate() {
            offsets[r] = end;
            if threads <= 1 {
                self.write_row(r, row, end.min(self.capacity)..self.capacity);
            }
            end += row.n;
        }
        offsets[rows.len()] = end;
        if threads > 1 && end <= self.capacity {
            batch::for_each(rows, threads, |r, row| self.write_row(r, row, offsets[r]..offsets[r + 1]));
        }
    }

    fn enter(&self, r: usize, ticket: &Ticket) -> Outcome {
        let handle = self.samplers[r];
        // SAFETY: a live handle or NULL.
        let status = match unsafe { bregman_sampler::enter(handle, ticket) } {
            Ok(()) => return Outcome { entered: true, status: BREGMAN_OK, n: 0 },
            Err(Refused::Invalid | Refused::Busy) => BREGMAN_INVALID_ARGUMENT,
            Err(Refused::Twice) => {
                // SAFETY: entered for an earlier row, and no row is being decoded yet.
                let state = unsafe { bregman_sampler::state(handle) };
                state.fail(&repeated(self.samplers, r))
            }
        };
        Outcome { entered: false, status, n: 0 }
    }

    /// Writes a row's entries to this part of the lists, if they fit, and counts them in any case.
    fn write_row(&self, r: usize, row: &mut Outcome, part: Range<usize>) {
        if row.status != BREGMAN_OK {
            return;
        }
        // SAFETY: the handle was entered for this row alone.
        let state = unsafe { bregman_sampler::state(self.samplers[r]) };
        row.status = state.run(|sampler| {
            // SAFETY: the caller's rows, whose number and strides were checked.
            let logits = unsafe { batch_row(&self.batch, r) }?;
            let (start, n) = (part.start, part.len());
            // SAFETY: a part of the caller's lists that no other row uses.
            let (ids, probs) = unsafe {
                (
                    check::slice_mut(self.ids.wrapping_add(start), n, "ids")?,
                    check::slice_mut(self.probs.wrapping_add(start), n, "probs")?,
                )
            };
            row.n = match sampler.distribution_into(logits, ids, probs) {
                Ok(n) | Err(Error::BufferTooSmall { needed: n, .. }) => n,
                Err(e) => return Err(e),
            };
            Ok(())
        });
        if row.status != BREGMAN_OK {
            row.n = 0;
        }
    }
}
