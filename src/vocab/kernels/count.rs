//! How many tokens, lanes or blocks are at or above a logit.

use super::ROWS;
use super::format::Format;
use super::lanes::{LANES, Lanes, Vector};
use super::run::{Mask, TypedRun, for_each_block};

/// The number of tokens with `logit >= low`.
#[inline(always)]
pub(crate) fn count<L: Lanes, F: Format, M: Mask>(run: TypedRun<'_, F, M>, low: f32) -> u64 {
    let low = L::splat(low);
    let mut n = 0;
    for_each_block!(run, |b, block| {
        for v in 0..ROWS {
            n += u64::from(L::bits(run.vector::<L>(block, b, v).ge(low)).count_ones());
        }
    });
    n
}

/// The number of lanes whose maximum is at least `low`.
#[inline(always)]
pub(crate) fn lanes_at_least<L: Lanes>(maxima: &[Vector], low: f32) -> u64 {
    let (low, mut n) = (L::splat(low), 0);
    for max in maxima {
        n += u64::from(L::bits(L::load(max).ge(low)).count_ones());
    }
    n
}

/// Appends the numbers of the blocks with a lane whose maximum is at least `low`. The columns are tested first: each
/// rules out sixteen blocks at a time.
#[inline(always)]
pub(crate) fn blocks_at_least<L: Lanes>(maxima: &[Vector], columns: &[Vector], low: f32, blocks: &mut Vec<u32>) {
    let low = L::splat(low);
    let passes = |max: &Vector| L::bits(L::load(max).ge(low)) != 0;
    for (c, (_, maxima)) in columns.iter().zip(maxima.chunks(LANES)).enumerate().filter(|(_, (max, _))| passes(max)) {
        for (b, _) in maxima.iter().enumerate().filter(|(_, max)| passes(max)) {
            blocks.push((c * LANES + b) as u32);
        }
    }
}
