//! The maximum of each lane of each block, and what a pass finds about the row as a whole.

use super::format::Format;
use super::lanes::{IdCheck, LANES, Lanes, Vector};
use super::run::{Mask, TypedRun, for_each_block, groups};
use super::{BLOCK, UNROLL};

/// What a pass found about a run as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) max: f32,
    /// The smallest logit; -infinity if the pass did not compute it.
    pub(crate) min: f32,
    /// Whether no logit is NaN. (+infinity shows in the maximum.)
    pub(crate) ordered: bool,
    /// Whether every candidate's id is its position; true for rows without ids.
    pub(crate) in_order: bool,
    /// What `SumsExtra` asks for; 0 if the pass did not compute it.
    pub(crate) extra: f64,
}

impl Extent {
    /// Of an empty run.
    pub(crate) const EMPTY: Self =
        Self { max: f32::NEG_INFINITY, min: f32::INFINITY, ordered: true, in_order: true, extra: 0.0 };

    /// Of two runs together.
    pub(crate) fn and(self, other: Self) -> Self {
        let (max, min) = (self.max.max(other.max), self.min.min(other.min));
        let (ordered, in_order) = (self.ordered && other.ordered, self.in_order && other.in_order);
        Self { max, min, ordered, in_order, extra: self.extra + other.extra }
    }
}

/// Where a pass writes the maxima of the lanes.
pub(crate) struct Maxima<'a> {
    /// One vector a block, from the run's first block on.
    pub(crate) blocks: &'a mut [Vector],
    /// One vector for every sixteen blocks of the row: a second level, to skip sixteen blocks at a time.
    pub(crate) columns: &'a mut [Vector],
    /// The number of the run's first block.
    pub(crate) first: usize,
}

impl Maxima<'_> {
    /// Writes the maxima of block `b` of the run.
    #[inline(always)]
    pub(crate) fn put<L: Lanes>(&mut self, b: usize, max: L) {
        max.store(&mut self.blocks[b]);
        let column = &mut self.columns[(self.first + b) / LANES];
        L::load(column).max(max).store(column);
    }

    /// The run's first token.
    #[inline(always)]
    pub(crate) fn first_token(&self) -> i32 {
        (self.first * BLOCK) as i32
    }
}

/// The lanes in which no logit is NaN. A sum passes NaN on and is cheaper than four comparisons; infinities could make
/// a NaN only if one of them is +infinity, which is refused as well.
#[inline(always)]
pub(super) fn all_ordered<L: Lanes>(x: [L; UNROLL]) -> L::Mask {
    x[0].add(x[1]).ordered(x[2].add(x[3]))
}

/// Writes the maximum of each lane of each block.
#[inline(always)]
pub(crate) fn maxima<L: Lanes, F: Format, M: Mask>(run: TypedRun<'_, F, M>, mut maxima: Maxima<'_>) -> Extent {
    let (mut ordered, mut ids) = (L::all(), L::IdCheck::new(maxima.first_token()));
    let mut largest = L::splat(f32::NEG_INFINITY);
    for_each_block!(run, |b, block| {
        let mut max = [L::splat(f32::NEG_INFINITY); UNROLL];
        for v in groups::<F>() {
            let mut x = [L::splat(0.0); UNROLL];
            for i in 0..UNROLL {
                x[i] = run.vector_permuted::<L>(block, b, v + i);
                max[i] = x[i].max(max[i]);
                F::check_ids::<L>(&mut ids, &block[v + i]);
            }
            ordered = L::and(ordered, all_ordered(x));
        }
        let max = max[0].max(max[1]).max(max[2].max(max[3]));
        largest = max.max(largest);
        maxima.put(b, run.unpermute(max));
    });
    Extent {
        max: largest.reduce_max(),
        min: f32::NEG_INFINITY,
        ordered: L::is_all(ordered),
        in_order: ids.ok(),
        extra: 0.0,
    }
}
