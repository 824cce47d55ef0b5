//! The weight and the number of the tokens at or above a logit.

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

/// The sum of the weights, in their own unit, and the number of the tokens with `logit >= low`.
#[inline(always)]
pub(crate) fn prefix_sum<L: Lanes>(logits: &[f32], weights: &[f32], low: f32) -> PrefixSum {
    let (low, mut total, mut count) = (L::splat(low), L::zero_sums(), 0);
    let logits = logits.as_chunks::<LANES>().0.as_chunks::<UNROLL>().0;
    let weights = weights.as_chunks::<LANES>().0.as_chunks::<UNROLL>().0;
    for (logits, weights) in logits.chunks(ROWS / UNROLL).zip(weights.chunks(ROWS / UNROLL)) {
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
