//! How many tokens, lanes or blocks are at or above a logit.

use super::format::Format;
use super::lanes::{LANES, Lanes, Vector};
use super::run::{Mask, TypedRun, for_each_block};
use super::{ROWS, UNROLL};

/// The number of tokens with `logit >= low`.
#[inline(always)]
pub(crate) fn count<L: Lanes, F: Format, M: Mask>(run: TypedRun<'_, F, M>, low: f32) -> u64 {
    let (low, one, mut n) = (L::splat(low), L::splat(1.0), L::zero_sums());
    for_each_block!(run, |b, block| {
        let mut counts = [L::splat(0.0); UNROLL];
        for v in 0..ROWS {
            let i = v % UNROLL;
            counts[i] = counts[i].add(one.keep(run.vector::<L>(block, b, v).ge(low)));
        }
        counts[0].add(counts[1]).add(counts[2].add(counts[3])).add_to(&mut n);
    });
    L::reduce_sums(n) as u64
}

/// The number of lanes whose maximum is at least `low`.
#[inline(always)]
pub(crate) fn lanes_at_least<L: Lanes>(maxima: &[Vector], low: f32) -> u64 {
    let (low, one, mut n) = (L::splat(low), L::splat(1.0), L::zero_sums());
    // Lanes count in f32, which is exact for so many: two instructions instead of four.
    for maxima in maxima.chunks(1 << 22) {
        let mut counts = [L::splat(0.0); UNROLL];
        let (four, rest) = maxima.as_chunks::<UNROLL>();
        for maxima in four {
            for i in 0..UNROLL {
                counts[i] = counts[i].add(one.keep(L::load(&maxima[i]).ge(low)));
            }
        }
        for max in rest {
            counts[0] = counts[0].add(one.keep(L::load(max).ge(low)));
        }
        counts.into_iter().for_each(|count| count.add_to(&mut n));
    }
    L::reduce_sums(n) as u64
}

/// Lanes of blocks without a token at or above a logit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LanesBelow {
    /// Their weight.
    pub(crate) weight: f64,
    /// The number of the other lanes.
    pub(crate) others: usize,
}

/// The lanes whose maximum is below `low`.
#[inline(always)]
pub(crate) fn lanes_below<L: Lanes>(maxima: &[Vector], sums: &[Vector], low: f32) -> LanesBelow {
    let (low, mut total, mut others) = (L::splat(low), L::zero_sums(), 0);
    for (maxima, sums) in maxima.chunks(ROWS).zip(sums.chunks(ROWS)) {
        let mut below = L::splat(0.0);
        for (max, sum) in maxima.iter().zip(sums) {
            let is_below = L::load(max).lt(low);
            below = below.add(L::load(sum).keep(is_below));
            others += LANES - L::bits(is_below).count_ones() as usize;
        }
        below.add_to(&mut total);
    }
    LanesBelow { weight: L::reduce_sums(total), others }
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
