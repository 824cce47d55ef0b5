//! The logits of some blocks in a range, without gaps.

use super::ROWS;
use super::collect::CollectRange;
use super::format::Format;
use super::lanes::Lanes;
use super::run::{Mask, TypedRun};

/// Writes the logits of some blocks with `range.low <= logit < range.high` to `out` from position `len` on, without gaps,
/// and appends to `starts` the position at which each block begins; returns the new length. `out` needs room for one
/// vector beyond the result.
#[inline(always)]
pub(crate) fn compress<L: Lanes, F: Format, M: Mask>(
    run: TypedRun<'_, F, M>,
    range: CollectRange<'_>,
    out: &mut [f32],
    len: usize,
    starts: &mut Vec<u32>,
) -> usize {
    // Usually there is no upper bound: an instance of its own.
    if range.high == f32::INFINITY {
        compress_range::<L, F, M, false>(run, range, out, len, starts)
    } else {
        compress_range::<L, F, M, true>(run, range, out, len, starts)
    }
}

#[inline(always)]
fn compress_range<L: Lanes, F: Format, M: Mask, const HIGH: bool>(
    run: TypedRun<'_, F, M>,
    range: CollectRange<'_>,
    out: &mut [f32],
    mut len: usize,
    starts: &mut Vec<u32>,
) -> usize {
    let (low, high, last) = (L::splat(range.low), L::splat(range.high), run.last());
    for &number in range.blocks {
        let b = number as usize - range.first;
        let Some(block) = run.whole().get(b).or(last.as_ref()) else { break };
        starts.push(len as u32);
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let inside = if HIGH { L::and(x.ge(low), x.lt(high)) } else { x.ge(low) };
            let Some(place) = out[len..].first_chunk_mut() else { break };
            len += x.compress(inside, place);
        }
    }
    len
}
