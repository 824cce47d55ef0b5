//! The logits of some blocks above a floor, without gaps.

use super::lanes::Lanes;
use super::run::{Allowed, Format, TypedRun};
use super::{CollectRange, ROWS};

/// Writes the logits of some blocks that reach `wanted.low` one behind the other into `out`, from place `len` on, and
/// to `starts` how many stand before each block; returns how many there are in all. `out` has room for a vector more.
#[inline(always)]
pub(crate) fn compress<L: Lanes, F: Format, A: Allowed>(
    run: TypedRun<'_, F, A>,
    wanted: CollectRange<'_>,
    out: &mut [f32],
    mut len: usize,
    starts: &mut Vec<u32>,
) -> usize {
    let (low, last) = (L::splat(wanted.low), run.last());
    for &number in wanted.blocks {
        let b = number as usize - wanted.first;
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
