//! The weight and the number of the tokens at or above a logit.

use super::lanes::{LANES, Lanes};
use super::{ROWS, UNROLL};

/// What stands at or above a logit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PrefixSum {
    /// The row's first token weighs 1.
    pub(crate) weight: f64,
    pub(crate) count: usize,
}

/// Tokens in a chunk, of which there is a whole number.
pub(crate) const CHUNK: usize = UNROLL * LANES;

/// The weight, in the weights' own unit, and the number of the tokens that reach `low`; of whole chunks.
#[inline(always)]
pub(crate) fn above<L: Lanes>(logits: &[f32], weights: &[f32], low: f32) -> PrefixSum {
    let (low, mut total, mut count) = (L::splat(low), L::no_sums(), 0);
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
    PrefixSum { weight: L::sum(total), count }
}
