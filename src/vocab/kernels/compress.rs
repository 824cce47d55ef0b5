//! The logits of some blocks in a range, without gaps.

use super::collect::CollectRange;
use super::exponential::{ExpKernel, ExpParams};
use super::format::Format;
use super::lanes::{LANES, Lanes, Vector};
use super::prefix::GROUP;
use super::run::{Mask, TypedRun};
use super::{BLOCK, ROWS, UNROLL};

/// What a call of [`compress`] found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compressed {
    /// The new length.
    pub(crate) len: usize,
    /// The number of tokens with `logit >= range.high`.
    pub(crate) above: usize,
}

/// Writes the logits of some blocks with `range.low <= logit < range.high` to `out` from position `len` on, without gaps,
/// and appends to `starts` the position at which each block begins. `out` needs room for one vector beyond the result.
#[inline(always)]
pub(crate) fn compress<L: Lanes, F: Format, M: Mask>(
    run: TypedRun<'_, F, M>,
    range: CollectRange<'_>,
    out: &mut [f32],
    len: usize,
    starts: &mut Vec<u32>,
) -> Compressed {
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
    len: usize,
    starts: &mut Vec<u32>,
) -> Compressed {
    let (low, high, last) = (L::splat(range.low), L::splat(range.high), run.last());
    let (first, mut len, mut at_least_low) = (len, len, 0);
    for &number in range.blocks {
        let b = number as usize - range.first;
        let Some(block) = run.whole().get(b).or(last.as_ref()) else { break };
        starts.push(len as u32);
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let mut inside = x.ge(low);
            if HIGH {
                at_least_low += L::bits(inside).count_ones() as usize;
                inside = L::and(inside, x.lt(high));
            }
            len = put(x, inside, out, len);
        }
    }
    Compressed { len, above: if HIGH { at_least_low - (len - first) } else { 0 } }
}

/// Writes the lanes of a mask to `out` from position `len` on, without gaps; the new length.
#[inline(always)]
fn put<L: Lanes>(x: L, inside: L::Mask, out: &mut [f32], len: usize) -> usize {
    // Also where no lane is inside: a branch would often be mispredicted.
    match out.get_mut(len..len + LANES).and_then(|out| out.first_chunk_mut()) {
        Some(place) => len + x.compress(inside, place),
        None => len,
    }
}

/// A list in the making.
pub(crate) struct Gathering<'a> {
    pub(crate) params: ExpParams,
    /// Smaller logits have no part in the sums; -infinity if weights are stored.
    pub(crate) least: f32,
    /// The logits, the first `weighed` of which are weighed; with room for a block and a vector more than may be left. If it
    /// ends, those that wait are moved to its front.
    pub(crate) logits: &'a mut [f32],
    pub(crate) weighed: usize,
    pub(crate) len: usize,
    /// The weights; empty if they are not stored.
    pub(crate) weights: &'a mut [f32],
    /// The sums of each lane of each group.
    pub(crate) sums: &'a mut Vec<Vector>,
}

impl<'a> Gathering<'a> {
    pub(crate) fn new(params: ExpParams, logits: &'a mut [f32], sums: &'a mut Vec<Vector>) -> Self {
        sums.clear();
        Self { params, least: f32::NEG_INFINITY, logits, weighed: 0, len: 0, weights: &mut [], sums }
    }
}

/// Compresses the logits of some blocks with `logit >= range.low`, as [`compress`] does, and weighs groups of them as
/// `weigh` does, at most one for each block.
#[inline(always)]
pub(crate) fn gather<L: Lanes, F: Format, M: Mask>(
    run: TypedRun<'_, F, M>,
    range: CollectRange<'_>,
    list: &mut Gathering<'_>,
    starts: &mut Vec<u32>,
) {
    // An instance each, as of `weigh`.
    if !list.weights.is_empty() {
        gather_with::<L, F, M, true, false>(run, range, list, starts);
    } else if list.least == f32::NEG_INFINITY {
        gather_with::<L, F, M, false, false>(run, range, list, starts);
    } else {
        gather_with::<L, F, M, false, true>(run, range, list, starts);
    }
}

#[inline(always)]
fn gather_with<L: Lanes, F: Format, M: Mask, const STORES: bool, const BOUND: bool>(
    run: TypedRun<'_, F, M>,
    range: CollectRange<'_>,
    list: &mut Gathering<'_>,
    starts: &mut Vec<u32>,
) {
    let (exp, last) = (ExpKernel::<L>::new(list.params), run.last());
    let (low, least) = (L::splat(range.low), L::splat(list.least));
    for &number in range.blocks {
        let b = number as usize - range.first;
        let Some(block) = run.whole().get(b).or(last.as_ref()) else { break };
        if list.len + BLOCK + LANES > list.logits.len() {
            list.logits.copy_within(list.weighed..list.len, 0);
            (list.len, list.weighed) = (list.len - list.weighed, 0);
        }
        starts.push(list.len as u32);
        let (before, out) = list.logits.split_at_mut(list.len);
        let mut n = 0;
        if let Some(group) = before[list.weighed..].first_chunk::<GROUP>() {
            let mut weights = if STORES { list.weights[list.weighed..].first_chunk_mut::<GROUP>() } else { None };
            let (group, _) = group.as_chunks::<LANES>();
            // Of negative weights.
            let mut below = [L::splat(0.0); UNROLL];
            // Compressing and weighing occupy different parts of the processor: side by side they take less time.
            for v in (0..ROWS).step_by(UNROLL) {
                for i in 0..UNROLL {
                    let x = run.vector::<L>(block, b, v + i);
                    n = put(x, x.ge(low), out, n);
                    let x = L::load(&group[v + i]);
                    let (p, power) = exp.factors(x);
                    let mut product = p.mul(power);
                    if let Some(weights) = &mut weights {
                        L::splat(0.0).sub(product).store(&mut weights.as_chunks_mut().0[v + i]);
                    }
                    if BOUND {
                        product = product.keep(x.ge(least));
                    }
                    below[i] = below[i].add(product);
                }
            }
            let mut sum = [0.0; LANES];
            L::splat(0.0).sub(below[0].add(below[1]).add(below[2].add(below[3]))).store(&mut sum);
            list.sums.push(sum);
            list.weighed += GROUP;
        } else {
            for v in 0..ROWS {
                let x = run.vector::<L>(block, b, v);
                n = put(x, x.ge(low), out, n);
            }
        }
        list.len += n;
    }
}
