//! Face 2: a stage in somebody else's chain.

use super::check;
use super::handle::{bregman_sampler, with_sampler};
use super::types::*;
use crate::error::{Error, Result};
use crate::sampler::{Order, Sampler};

/// Applies the chain to an engine's candidates in place, as one stage of the engine's own chain.
///
/// The candidates may be in any order and any subset of the vocabulary; `p` is not read. If the chain drops tokens, the
/// kept ones are moved to the front in descending order (`size` shrinks, `sorted` becomes 1, `selected` -1) with `p`
/// filled in; else the array keeps its order. Logits stay the engine's own, divided by the temperature; after a
/// bregman stage with alpha other than 1 they are ln p, so that a later softmax gives the decoded distribution back.
/// If the chain ends with a drawing stage, `selected` is the position of its token and every `p` is filled in.
///
/// Advances the random position by one. A failed call changes nothing. BREGMAN_INVALID_ARGUMENT (NULL, misaligned),
/// BREGMAN_EMPTY_SUPPORT (`size` 0, all -infinity), BREGMAN_INVALID_LOGITS, BREGMAN_NO_CONVERGENCE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_apply(sampler: *mut bregman_sampler, candidates: *mut bregman_candidates) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's array.
    unsafe { with_sampler(sampler, |sampler| apply(sampler, candidates)) }
}

/// # Safety
/// If not NULL, `candidates` and its data are the caller's and nobody else touches them.
pub(super) unsafe fn apply(sampler: &mut Sampler, candidates: *mut bregman_candidates) -> Result<()> {
    check::pointer(candidates, "candidates")?;
    // SAFETY: checked just now; the caller's struct.
    let list = unsafe { &mut *candidates };
    if list.size == 0 {
        return Err(Error::EmptySupport);
    }
    if list.size > i32::MAX as usize {
        return Err(Error::InvalidArgument(format!("candidates->size is {}: at most INT32_MAX", list.size)));
    }
    // SAFETY: the caller's array.
    let applied = sampler.apply(unsafe { check::slice_mut(list.data, list.size, "candidates->data") }?)?;
    list.size = applied.size;
    match applied.order {
        Order::Sorted => (list.sorted, list.selected) = (1, -1),
        Order::Unsorted => list.sorted = 0,
        Order::AsBefore => {}
    }
    if let Some(selected) = applied.selected {
        list.selected = selected as i64;
    }
    Ok(())
}
