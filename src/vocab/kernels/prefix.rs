//! The weight and the number of the tokens at or above a logit.

use super::exponential::{ExpKernel, ExpParams};
use super::lanes::{LANES, Lanes, Vector};
use super::{ROWS, UNROLL};

/// The tokens of a prefix of the descending order: their total weight and their number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PrefixSum {
    /// In units of the weight of the row's largest logit.
    pub(crate) weight: f64,
    pub(crate) count: usize,
}

/// Tokens in a chunk: the lists that [`prefix_sum`] takes have whole chunks.
pub(crate) const CHUNK: usize = UNROLL * LANES;

/// Tokens in a group, of which [`tops`] has the largest logit.
pub(crate) const GROUP: usize = ROWS * LANES;

/// The sum of the weights, in their own unit, and the number of the tokens with `logit >= low`. Groups whose top is below
/// `low` are skipped, which changes no bit; `tops` may be empty.
#[inline(always)]
pub(crate) fn prefix_sum<L: Lanes>(logits: &[f32], weights: &[f32], tops: &[f32], low: f32) -> PrefixSum {
    let least = low;
    let (low, mut total, mut count) = (L::splat(low), L::zero_sums(), 0);
    let logits = logits.as_chunks::<LANES>().0.as_chunks::<UNROLL>().0;
    let weights = weights.as_chunks::<LANES>().0.as_chunks::<UNROLL>().0;
    for (g, (logits, weights)) in logits.chunks(ROWS / UNROLL).zip(weights.chunks(ROWS / UNROLL)).enumerate() {
        if tops.get(g).is_some_and(|&top| top < least) {
            continue;
        }
        let mut sums = [L::splat(0.0); UNROLL];
        for (logits, weights) in logits.iter().zip(weights) {
            for i in 0..UNROLL {
                let inside = L::load(&logits[i]).ge(low);
                sums[i] = sums[i].add(L::load(&weights[i]).keep(inside));
                count += L::bits(inside).count_ones() as usize;
            }
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).add_to(&mut total);
    }
    PrefixSum { weight: L::reduce_sums(total), count }
}

/// Appends the sums of each lane of each group of the tokens with `logit >= least`; their total has the bits of
/// [`prefix_sum`]. `out` gets the weight of each token, if it is not empty; then `least` must be -infinity. Both lists have
/// whole chunks.
#[inline(always)]
pub(crate) fn weigh<L: Lanes>(logits: &[f32], params: ExpParams, least: f32, out: &mut [f32], sums: &mut Vec<Vector>) {
    // An instance each: the loop is bound by its number of instructions.
    if !out.is_empty() {
        weigh_with::<L, true, false>(logits, params, least, out, sums);
    } else if least == f32::NEG_INFINITY {
        weigh_with::<L, false, false>(logits, params, least, out, sums);
    } else {
        weigh_with::<L, false, true>(logits, params, least, out, sums);
    }
}

#[inline(always)]
fn weigh_with<L: Lanes, const STORES: bool, const BOUND: bool>(
    logits: &[f32],
    params: ExpParams,
    least: f32,
    out: &mut [f32],
    sums: &mut Vec<Vector>,
) {
    let (exp, least) = (ExpKernel::<L>::new(params), L::splat(least));
    let logits = logits.as_chunks::<LANES>().0.as_chunks::<UNROLL>().0;
    let mut out = out.as_chunks_mut::<LANES>().0.as_chunks_mut::<UNROLL>().0.iter_mut();
    for logits in logits.chunks(ROWS / UNROLL) {
        // Of negative weights, which spares a subtraction each.
        let mut below = [L::splat(0.0); UNROLL];
        for logits in logits {
            let mut stored = if STORES { out.next() } else { None };
            for i in 0..UNROLL {
                let x = L::load(&logits[i]);
                let (p, power) = exp.factors(x);
                let mut product = p.mul(power);
                if let Some(stored) = &mut stored {
                    L::splat(0.0).sub(product).store(&mut stored[i]);
                }
                if BOUND {
                    product = product.keep(x.ge(least));
                }
                below[i] = below[i].add(product);
            }
        }
        let mut sum = [0.0; LANES];
        L::splat(0.0).sub(below[0].add(below[1]).add(below[2].add(below[3]))).store(&mut sum);
        sums.push(sum);
    }
}

/// Writes the largest logit of each group.
#[inline(always)]
pub(crate) fn tops<L: Lanes>(logits: &[f32], out: &mut Vec<f32>) {
    out.clear();
    for group in logits.as_chunks::<LANES>().0.chunks(ROWS) {
        let mut top = L::splat(f32::NEG_INFINITY);
        for logits in group {
            top = L::load(logits).max(top);
        }
        out.push(top.reduce_max());
    }
}
