//! The weight and the number of the tokens at or above a logit.

use super::exponential::{ExpKernel, ExpParams};
use super::lanes::{LANES, Lanes};
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

/// Writes the weight of each token and returns the sum of [`prefix_sum`] over all of them. Both lists have whole chunks.
#[inline(always)]
pub(crate) fn weigh<L: Lanes>(logits: &[f32], params: ExpParams, out: &mut [f32]) -> f64 {
    let (exp, mut total) = (ExpKernel::<L>::new(params), L::zero_sums());
    let logits = logits.as_chunks::<LANES>().0.as_chunks::<UNROLL>().0;
    let out = out.as_chunks_mut::<LANES>().0.as_chunks_mut::<UNROLL>().0;
    for (logits, out) in logits.chunks(ROWS / UNROLL).zip(out.chunks_mut(ROWS / UNROLL)) {
        let mut sums = [L::splat(0.0); UNROLL];
        for (logits, out) in logits.iter().zip(out) {
            for i in 0..UNROLL {
                let weight = exp.weights(L::load(&logits[i]));
                weight.store(&mut out[i]);
                sums[i] = sums[i].add(weight);
            }
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3])).add_to(&mut total);
    }
    L::reduce_sums(total)
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
