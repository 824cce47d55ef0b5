//! Shards of rows, reduced to the lists that sparse rows are made of.

use super::check;
use super::guard;
use super::rows::{batch_row, check_batch};
use super::types::*;
use crate::batch;
use crate::error::{Error, Result};
use crate::sampler::reduce;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reduces each row of a batch, which is a shard of a vocabulary or a whole one, to its `n` largest logits and what a sparse
/// row needs to know of the others: for tensor parallelism, where each rank has the logits of a part of the vocabulary, and
/// for engines that move logits.
///
/// `first` is the token of the shard's first element. `temperature` is that at which the chain first needs probabilities
/// (bregman_batch.rest_temperature); 0 stands for 1. `ids` and `logits` receive `n` elements for each row, in descending
/// order of logit (ties: ascending id); where the shard has no more, ids are -1 and logits -infinity. `log_rest` and `bound`
/// receive one element for each row. Dense rows in any format; `batch->mask` is NULL and `batch->flags` 0.
///
/// To decode, put the lists of all ranks one behind the other: `vocab` is n times the number of ranks, log_rest is the
/// logarithm of the sum of the exponentials of theirs, bound the largest of theirs. The tokens are those of the whole row, or
/// the status is BREGMAN_INCOMPLETE; then a rank that gathers the whole row decodes it at the same position.
///
/// Returns the status of the first row that failed (BREGMAN_INVALID_LOGITS: a NaN or +infinity), whose ids are -1 and whose
/// log_rest is NaN; or BREGMAN_OK. If an argument is invalid (BREGMAN_INVALID_ARGUMENT, BREGMAN_UNSUPPORTED), nothing is
/// written. There is no handle, so there is no message. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_reduce(
    batch: *const bregman_batch,
    first: i32,
    n: usize,
    temperature: f32,
    ids: *mut i32,
    logits: *mut f32,
    log_rest: *mut f64,
    bound: *mut f32,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller's struct and arrays.
        match unsafe { Shards::new(batch, (first, n, temperature), (ids, logits, log_rest, bound)) } {
            Ok(shards) => shards.reduce().unwrap_or_else(|e| status_of(&e)),
            Err(e) => status_of(&e),
        }
    })
}

struct Shards {
    batch: bregman_batch,
    first: i32,
    n: usize,
    temperature: f32,
    ids: *mut i32,
    logits: *mut f32,
    log_rest: *mut f64,
    bound: *mut f32,
}

// SAFETY: the batch is only read, and each row uses its own part of the outputs.
unsafe impl Sync for Shards {}

impl Shards {
    /// # Safety
    /// As for the module.
    unsafe fn new(
        batch: *const bregman_batch,
        (first, n, temperature): (i32, usize, f32),
        (ids, logits, log_rest, bound): (*mut i32, *mut f32, *mut f64, *mut f32),
    ) -> Result<Self> {
        // SAFETY: the caller's struct.
        let batch = unsafe { check::sized(batch, "batch") }?;
        check_batch(&batch)?;
        let refuse = |what: String| Err(Error::InvalidArgument(what));
        if batch.flags != 0 || !batch.mask.is_null() || !batch.ids.is_null() {
            return refuse("batch->flags, mask or ids: a shard is dense and has neither mask nor flags".into());
        }
        let Some(elements) = n.checked_mul(batch.rows) else {
            return refuse(format!("n is {n}: so many elements exceed memory"));
        };
        if first < 0 || batch.vocab > (i32::MAX - first) as usize {
            return refuse(format!("first is {first}: the ids of the shard must be in 0 to INT32_MAX"));
        }
        let temperature = if temperature == 0.0 { 1.0 } else { temperature };
        if !(temperature > 0.0 && temperature.is_finite()) {
            return refuse(format!("temperature is {temperature}: it must be a positive number, or 0 for 1"));
        }
        // SAFETY: the caller's arrays.
        unsafe {
            check::slice_mut(ids, elements, "ids")?;
            check::slice_mut(logits, elements, "logits")?;
            check::slice_mut(log_rest, batch.rows, "log_rest")?;
            check::slice_mut(bound, batch.rows, "bound")?;
        }
        Ok(Self { batch, first, n, temperature, ids, logits, log_rest, bound })
    }

    fn reduce(&self) -> Result<u32> {
        let failed = AtomicU64::new(u64::MAX);
        batch::for_each(&mut vec![(); self.batch.rows], self.batch.threads as usize, |r, ()| {
            let status = guard(BREGMAN_INTERNAL, || self.reduce_row(r).map_or_else(|e| status_of(&e), |()| BREGMAN_OK));
            if status != BREGMAN_OK {
                failed.fetch_min((r as u64) << 32 | u64::from(status), Ordering::Relaxed);
            }
        });
        // The lower half is the status.
        Ok(if failed.load(Ordering::Relaxed) == u64::MAX { BREGMAN_OK } else { failed.into_inner() as u32 })
    }

    fn reduce_row(&self, r: usize) -> Result<()> {
        let start = r * self.n;
        // SAFETY: the row's part of the caller's arrays, which were checked.
        let (ids, logits) = unsafe {
            (
                check::slice_mut(self.ids.wrapping_add(start), self.n, "ids")?,
                check::slice_mut(self.logits.wrapping_add(start), self.n, "logits")?,
            )
        };
        // SAFETY: the caller's rows, whose number and strides were checked.
        let row = unsafe { batch_row(&self.batch, r) };
        let reduced = row.and_then(|row| reduce(row, self.first, self.temperature, ids, logits));
        let (log_rest, bound) = reduced.as_ref().map_or((f64::NAN, f32::NAN), |rest| (rest.log_sum, rest.bound));
        // SAFETY: one element a row.
        unsafe {
            *self.log_rest.add(r) = log_rest;
            *self.bound.add(r) = bound;
        }
        if reduced.is_err() {
            ids.fill(-1);
            logits.fill(f32::NEG_INFINITY);
        }
        reduced.map(|_| ())
    }
}
