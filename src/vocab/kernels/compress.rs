//! The logits of some blocks above a floor, without gaps.

use super::ROWS;
use super::collect::CollectRange;
use super::format::Format;
use super::lanes::Lanes;
use super::run::{Mask, TypedRun};

/// Writes the logits of some blocks with `logit >= range.low` to `out` from position `len` on, without gaps, and
/// appends to `starts` the position at which each block begins; returns the new length. `range.high` is not used. `out`
/// needs room for one vector beyond the result.
#[inline(always)]
pub(crate) fn compress<L: Lanes, F: Format, M: Mask>(
    run: TypedRun<'_, F, M>,
    range: CollectRange<'_>,
    out: &mut [f32],
    mut len: usize,
    starts: &mut Vec<u32>,
) -> usize {
    let (low, last) = (L::splat(range.low), run.last());
    for &number in range.blocks {
        let b = number as usize - range.first;
        let Some(block) = run.whole().get(b).or(last.as_ref()) else { break };
        starts.push(len as u32);
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let Some(place) = out[len..].first_chunk_mut() else { break };
            len += x.compress(x.ge(low), place);
        }
    }
    len
}
