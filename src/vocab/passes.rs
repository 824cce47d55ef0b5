//! The passes over the vocabulary, each with one job, written once over [`Lanes`].
//!
//! A pass takes a run of whole blocks (only the row's last block may be short) in whatever format and behind whatever
//! mask the model left it. Maxima and sums stay in their sixteen lanes, one vector a block: a lane of a block is a
//! column of sixteen tokens, which can be looked at or summed again alone, and nothing is added up across lanes where
//! the row is read.

use super::exponential::{Weigh, Weighting};
use super::lanes::{LANES, Lanes, Vector};
use super::run::{Allowed, Format, Source};
use crate::logits::BLOCK;

/// Vectors in a block.
pub(crate) const ROWS: usize = BLOCK / LANES;

/// Vectors worked on side by side, so that none waits for another.
const UNROLL: usize = 4;

/// A token met by [`collect`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hit {
    /// Position in the row.
    pub(crate) index: u32,
    pub(crate) logit: f32,
}

/// What a pass saw of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) max: f32,
    /// The smallest logit; -infinity where that was not asked for.
    pub(crate) min: f32,
    /// Whether no logit is NaN. (+infinity shows in the maximum.)
    pub(crate) ordered: bool,
}

/// The maximum of each lane of each block.
#[inline(always)]
pub(super) fn maxima<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, maxima: &mut [Vector]) -> Extent {
    let mut ordered = L::splat(0.0).ordered(L::splat(0.0));
    let mut all = L::splat(f32::NEG_INFINITY);
    for (b, out) in maxima.iter_mut().enumerate().take(run.blocks()) {
        let mut padded = F::padded();
        let block = run.block(b, &mut padded);
        let (mut even, mut odd) = (L::splat(f32::NEG_INFINITY), L::splat(f32::NEG_INFINITY));
        for v in (0..ROWS).step_by(2) {
            let (x, y) = (run.vector::<L>(block, b, v), run.vector::<L>(block, b, v + 1));
            (even, odd) = (x.max(even), y.max(odd));
            ordered = L::and(ordered, x.ordered(y));
        }
        let max = even.max(odd);
        all = max.max(all);
        max.store(out);
    }
    Extent { max: all.largest(), min: f32::NEG_INFINITY, ordered: L::bits(ordered) == u32::from(u16::MAX) }
}

/// The maximum and the sum of the weights of each lane of each block.
#[inline(always)]
pub(super) fn sums<L: Lanes, F: Format, A: Allowed>(
    run: Source<'_, F, A>,
    weighting: Weighting,
    maxima: &mut [Vector],
    sums: &mut [Vector],
) -> Extent {
    let weigh = Weigh::<L>::new(weighting);
    let mut ordered = L::splat(0.0).ordered(L::splat(0.0));
    let (mut largest, mut smallest) = (L::splat(f32::NEG_INFINITY), L::splat(f32::INFINITY));
    for (b, (out_max, out_sum)) in maxima.iter_mut().zip(sums).enumerate().take(run.blocks()) {
        let mut padded = F::padded();
        let block = run.block(b, &mut padded);
        let (mut max, mut sum) = (L::splat(f32::NEG_INFINITY), L::splat(0.0));
        for v in (0..ROWS).step_by(UNROLL) {
            let mut x = [L::splat(0.0); UNROLL];
            let mut weight = [(L::splat(0.0), L::splat(0.0)); UNROLL];
            for i in 0..UNROLL {
                x[i] = run.vector::<L>(block, b, v + i);
                weight[i] = weigh.factors(x[i]);
            }
            for i in 0..UNROLL {
                sum = weight[i].0.fma(weight[i].1, sum);
                max = x[i].max(max);
                smallest = x[i].min(smallest);
            }
            for i in (0..UNROLL).step_by(2) {
                ordered = L::and(ordered, x[i].ordered(x[i + 1]));
            }
        }
        largest = max.max(largest);
        max.store(out_max);
        // The product of the factors is negative.
        L::splat(0.0).sub(sum).store(out_sum);
    }
    let mut lanes = [0.0; LANES];
    smallest.store(&mut lanes);
    Extent {
        max: largest.largest(),
        min: lanes.into_iter().fold(f32::INFINITY, f32::min),
        ordered: L::bits(ordered) == u32::from(u16::MAX),
    }
}

/// The sum over blocks and lanes, in f64: each lane over the blocks, then the lanes.
#[inline(always)]
pub(super) fn total<L: Lanes>(blocks: &[Vector]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane += f64::from(x);
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// The sum over the run of weight times (logit - max), which the entropy needs.
#[inline(always)]
pub(super) fn moment<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, weighting: Weighting, max: f32) -> f64 {
    let weigh = Weigh::<L>::new(weighting);
    // A weight of zero meets a finite factor: -infinity would make it NaN.
    let (max, lowest) = (L::splat(max), L::splat(f32::MIN));
    let mut total = 0.0;
    for b in 0..run.blocks() {
        let mut padded = F::padded();
        let block = run.block(b, &mut padded);
        let mut sum = L::splat(0.0);
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let (p, power) = weigh.factors(x);
            sum = p.mul(power).fma(x.sub(max).max(lowest), sum);
        }
        total -= sum.sum();
    }
    total
}

/// The weight of each token.
#[inline(always)]
pub(super) fn weights<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, weighting: Weighting, out: &mut [f32]) {
    let weigh = Weigh::<L>::new(weighting);
    for (b, out) in out.chunks_mut(BLOCK).enumerate() {
        let mut padded = F::padded();
        let block = run.block(b, &mut padded);
        for (v, out) in out.chunks_mut(LANES).enumerate() {
            let (p, power) = weigh.factors(run.vector::<L>(block, b, v));
            let mut lanes = [0.0; LANES];
            L::splat(0.0).sub(p.mul(power)).store(&mut lanes);
            out.copy_from_slice(&lanes[..out.len()]);
        }
    }
}

/// Appends the tokens with `low <= logit < high`; `first` is the index of the run's first token.
#[inline(always)]
pub(super) fn collect<L: Lanes, F: Format, A: Allowed>(
    run: Source<'_, F, A>,
    first: u32,
    low: f32,
    high: f32,
    hits: &mut Vec<Hit>,
) {
    let (low, high) = (L::splat(low), L::splat(high));
    let (mut indices, mut logits) = ([0; LANES], [0.0; LANES]);
    for b in 0..run.blocks() {
        let mut padded = F::padded();
        let block = run.block(b, &mut padded);
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let inside = L::and(x.ge(low), x.lt(high));
            if L::bits(inside) != 0 {
                let n = x.compress(inside, first + (b * BLOCK + v * LANES) as u32, &mut indices, &mut logits);
                hits.extend((0..n.min(LANES)).map(|i| Hit { index: indices[i], logit: logits[i] }));
            }
        }
    }
}

/// The number of tokens with `logit >= low`.
#[inline(always)]
pub(super) fn count<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, low: f32) -> u64 {
    let low = L::splat(low);
    let mut n = 0;
    for b in 0..run.blocks() {
        let mut padded = F::padded();
        let block = run.block(b, &mut padded);
        for v in 0..ROWS {
            n += u64::from(L::bits(run.vector::<L>(block, b, v).ge(low)).count_ones());
        }
    }
    n
}

/// Appends the numbers of the blocks with a lane that reaches `low`.
#[inline(always)]
pub(super) fn reaching<L: Lanes>(maxima: &[Vector], low: f32, blocks: &mut Vec<u32>) {
    let low = L::splat(low);
    for (b, max) in maxima.iter().enumerate() {
        if L::bits(L::load(max).ge(low)) != 0 {
            blocks.push(b as u32);
        }
    }
}

/// The number of lanes that reach `low`.
#[inline(always)]
pub(super) fn lanes_reaching<L: Lanes>(maxima: &[Vector], low: f32) -> u64 {
    let low = L::splat(low);
    maxima.iter().map(|max| u64::from(L::bits(L::load(max).ge(low)).count_ones())).sum()
}

/// The maximum of each lane over sixteen blocks at a time: as many groups of tokens as there are blocks.
#[inline(always)]
pub(super) fn columns<L: Lanes>(maxima: &[Vector], columns: &mut Vec<Vector>) {
    columns.clear();
    for blocks in maxima.chunks(LANES) {
        let max = blocks.iter().fold(L::splat(f32::NEG_INFINITY), |max, block| L::load(block).max(max));
        let mut out = [0.0; LANES];
        max.store(&mut out);
        columns.push(out);
    }
}
