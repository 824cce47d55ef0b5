//! A candidate array: the sampler as a stage in an engine's own chain.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use super::types::*;
use crate::error::{Error, Result};
use crate::logits::Candidate;
use crate::sampler::{Applied, Order, Sampler};

/// Applies the chain to an engine's candidate array in place, as one stage of the engine's own chain, and advances the
/// random position by one.
///
/// The candidates may be any subset of the vocabulary, in any order; `p`, `selected` and `sorted` are not read. A
/// truncating stage moves the kept candidates to the front in descending order of logit: `size` is then their number,
/// `p` their probability, `sorted` 1 and `selected` -1. Without a truncating stage the array keeps its size and order,
/// and `p` and `selected` are unchanged; `sorted` becomes 0 if a mask, a bias or a stage may have changed which logits
/// are larger; masked tokens have logit -infinity, and those that a leading `xtc` drops are removed, with `selected`
/// -1. If the chain ends with a drawing stage, `selected` is the position of the token that it drew, and `p` is written
/// in either case.
///
/// The logits that are left are those of the stages' definitions, ln p after a bregman stage with alpha other than 1:
/// their softmax is the decoded distribution. They are finite; if the largest is beyond +-1024, all are taken relative
/// to it, because a float would lose their differences.
///
/// A call that fails changes nothing: BREGMAN_INVALID_ARGUMENT (NULL, misaligned, `size` above INT32_MAX),
/// BREGMAN_EMPTY_SUPPORT (`size` is 0, every logit is masked or -infinity, or bans leave none),
/// BREGMAN_INVALID_LOGITS, BREGMAN_NO_CONVERGENCE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_apply(sampler: *mut bregman_sampler, candidates: *mut bregman_candidates) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's array.
    unsafe { with_sampler(sampler, |sampler| apply(sampler, candidates)) }
}

/// # Safety
/// If not NULL, `candidates` and its data are valid, and nothing else uses them during the call.
pub(super) unsafe fn apply(sampler: &mut Sampler, candidates: *mut bregman_candidates) -> Result<()> {
    // SAFETY: as this function's.
    unsafe { change(candidates, |list| sampler.apply(list)) }
}

/// What an apply that failed can still do.
///
/// # Safety
/// As for [`apply`].
pub(super) unsafe fn fall_back(sampler: &mut Sampler, candidates: *mut bregman_candidates) -> Result<()> {
    // SAFETY: as this function's.
    unsafe { change(candidates, |list| Ok(sampler.fall_back(list))) }
}

/// # Safety
/// As for [`apply`].
unsafe fn change(
    candidates: *mut bregman_candidates,
    body: impl FnOnce(&mut [Candidate]) -> Result<Applied>,
) -> Result<()> {
    check::pointer(candidates, "candidates")?;
    // SAFETY: just checked; the caller's struct.
    let list = unsafe { &mut *candidates };
    if list.size == 0 {
        return Err(Error::EmptySupport);
    }
    if list.size > i32::MAX as usize {
        return Err(Error::InvalidArgument(format!("candidates->size is {}: at most INT32_MAX", list.size)));
    }
    // SAFETY: the caller's array.
    let applied = body(unsafe { check::slice_mut(list.data, list.size, "candidates->data") }?)?;
    match applied.order {
        Order::Sorted => list.sorted = 1,
        Order::Unsorted => list.sorted = 0,
        Order::AsBefore => {}
    }
    if let Some(selected) = applied.selected {
        list.selected = selected as i64;
    } else if applied.order == Order::Sorted || applied.size < list.size {
        // The position of before is another candidate's now.
        list.selected = -1;
    }
    list.size = applied.size;
    Ok(())
}
