//! The largest tokens: bounds that certify a selection, and the collection above them.

use super::kernels::collect::CollectRange;
use super::kernels::lanes::{LANES, Vector};
use super::{RankedToken, Scratch, Vocabulary};
use crate::math::ln;

/// Bisection steps for a bound.
const STEPS: usize = 14;

/// Steps for the bound of a tail; two are usual.
const TAIL_STEPS: usize = 8;

/// How many nats further down the tail of a model's distribution is smaller by a factor of e.
const FIRST_RATE: f64 = 2.0;

/// By how much the logarithm of the number of tokens grows a nat at least, as far as a bound goes by it.
const LEAST_RATE: f64 = 0.5;

/// The logarithm of the factor by which the estimate of a tail may be off.
const TAIL_TOLERANCE: f64 = 0.06;

/// So little further down than the start, in nats, or with so few lanes above it a bound need not be better.
const NEAR: f64 = 0.25;
const FEW_LANES: f64 = 48.0;

/// So many times as many lanes as the estimate says are above a bound, and some more.
const MORE: f64 = 1.25;
const FEW_MORE: f64 = 8.0;

/// The tokens after the most likely ones.
#[derive(Clone, Copy)]
pub(crate) struct Tail {
    /// The last logit before them.
    pub(crate) from: f32,
    /// Their weight.
    pub(crate) weight: f64,
}

impl Vocabulary<'_> {
    /// A logit that about `k` tokens are at or above: where to look for the k largest.
    ///
    /// While `k` is small against the number of blocks, the bound is certified: at least k disjoint groups of tokens (the
    /// lanes of sixteen blocks or, for larger k, of one block) have a maximum at or above it, so at least k tokens are.
    /// For larger k it is a rank in a sample of the row, with slack that grows with each `attempt`; the caller counts
    /// what it finds and tries again. -infinity once the sample has nothing lower.
    pub(crate) fn bound_for_rank(&mut self, k: usize, attempt: u32) -> f32 {
        if attempt == 0 && k <= self.scratch.maxima.len() / 4 {
            return self.bound(k, &self.scratch.columns);
        }
        if attempt == 0 && k <= self.scratch.maxima.len() * LANES / 4 {
            return self.bound(k, &self.scratch.maxima);
        }
        let sampled = self.sample();
        // The expected rank plus four standard deviations.
        let rank = k as f64 * sampled as f64 / self.row.vocab() as f64;
        let rank = (rank + 4.0 * rank.sqrt() + 4.0) * f64::from(1u32 << (2 * attempt).min(30));
        if rank >= sampled as f64 {
            return f32::NEG_INFINITY;
        }
        let (vectors, _) = self.scratch.sample.logits[..sampled].as_chunks();
        self.bound(rank as usize, vectors)
    }

    /// A number that at least `k` lanes of the groups are at or above, and usually not many more. Found by bisection,
    /// which reads the groups a few times but moves none. -infinity if fewer than `k` lanes are finite.
    fn bound(&self, k: usize, groups: &[Vector]) -> f32 {
        let count = |low: f32| (self.kernels.lanes_at_least)(groups, low) as usize;
        // The k-th largest lies in [low, high). Most lanes are near the maximum, so widen the interval from there.
        let (mut low, mut high) = (self.max - 1.0, self.max);
        let mut step = 4.0;
        while count(low) < k {
            if low == f32::MIN {
                return f32::NEG_INFINITY;
            }
            (low, high) = ((low - step).max(f32::MIN), low);
            step *= 4.0;
        }
        for _ in 0..STEPS {
            let middle = low + (high - low) * 0.5;
            if middle <= low || middle >= high {
                break;
            }
            match count(middle) {
                n if n < k => high = middle,
                n => {
                    low = middle;
                    if n <= k + k / 4 {
                        break;
                    }
                }
            }
        }
        low
    }

    /// A logit below which the tokens probably weigh at most `rest`, less than those of a tail, which are all after the first
    /// `known`. None if too many tokens are above it to tell.
    ///
    /// The lanes of blocks that have no token above a logit show how much weight the tokens below it have in a lane.
    pub(crate) fn bound_for_tail(&mut self, tail: Tail, known: usize, rest: f64, scale: f64) -> Option<f32> {
        let lanes = (self.scratch.maxima.len() * LANES) as f64;
        let from = f64::from(tail.from);
        // How much more than the rest it is, as a logarithm.
        let excess = |weight: f64| ln(weight / rest);
        let (mut above, mut below) = ((from, excess(tail.weight)), None);
        let mut logit = from - FIRST_RATE * above.1 / scale;
        for _ in 0..TAIL_STEPS {
            if !(logit > f64::from(f32::MIN) && logit < above.0) {
                return None;
            }
            let lanes_below = self.lanes_below(logit as f32, scale);
            let others = lanes_below.others as f64;
            if others > lanes / 2.0 {
                return None;
            }
            let at = excess(lanes_below.weight * lanes / (lanes - others));
            let is_near = (from - logit) * scale < NEAR || others <= FEW_LANES;
            if at < TAIL_TOLERANCE && (at > -2.0 * TAIL_TOLERANCE || is_near) {
                // At the rate at which the lanes became more so far.
                let rate = (ln(others / known as f64) / (from - logit)).max(LEAST_RATE * scale);
                return Some((logit - ln(MORE + FEW_MORE / others) / rate) as f32);
            }
            // By the line through the bracket's ends, or on from the two last points.
            let slope = if at > 0.0 {
                let so_far = (excess(tail.weight) - at).max(0.1) / (from - logit);
                above = (logit, at);
                below.map_or(so_far, |(low, below)| (at - below) / (logit - low))
            } else {
                below = Some((logit, at));
                (above.1 - at) / (above.0 - logit)
            };
            logit = above.0 - above.1 / slope;
        }
        None
    }

    /// A cheap lower bound of the number of tokens with `logit >= low`; 0 if that is clearly below `enough`.
    pub(crate) fn count_lower_bound(&self, low: f32, enough: usize) -> usize {
        let Scratch { maxima, columns, .. } = &*self.scratch;
        // Unless the tokens are adjacent, at least a quarter as many columns have one.
        if (self.kernels.lanes_at_least)(columns, low) as usize >= enough.min(columns.len() * LANES) / 4 {
            (self.kernels.lanes_at_least)(maxima, low) as usize
        } else {
            0
        }
    }

    /// Appends the tokens with `low <= logit < high` in order of index, reading only blocks with a logit of at least
    /// `low`.
    pub(crate) fn collect(&mut self, low: f32, high: f32, tokens: &mut Vec<RankedToken>) {
        let Self { row, kernels, scratch, .. } = self;
        scratch.blocks.clear();
        (kernels.blocks_at_least)(&scratch.maxima, &scratch.columns, low, &mut scratch.blocks);
        row.for_each_run_with(&scratch.blocks, &mut scratch.block, |first, run, blocks| {
            (kernels.collect)(run, CollectRange { blocks, first, low, high }, tokens);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::Row;
    use crate::testing::Lcg;
    use crate::vocab::{FirstPass, Scratch, kernels};

    /// Rows whose tail falls as a power of the rank, in random order.
    #[test]
    fn bound_for_tail_leaves_about_the_rest_below() {
        let mut random = Lcg::new(12);
        for (vocab, exponent) in [(32_000, 1.5), (49_152, 1.4), (128_256, 1.6), (262_144, 1.3)] {
            let mut logits: Vec<f32> = (1..=vocab).map(|rank| (-exponent * f64::from(rank).ln()) as f32).collect();
            let sorted = logits.clone();
            (1..logits.len()).for_each(|i| logits.swap(i, random.below(i + 1)));
            let weights: Vec<f64> = sorted.iter().map(|&l| f64::from(l).exp()).collect();
            let total: f64 = weights.iter().sum();
            let mut scratch = Scratch::new();
            let mut vocabulary = Vocabulary::new(Row::from_f32(&logits).unwrap(), kernels().unwrap(), &mut scratch);
            vocabulary.read(FirstPass::Total, 1.0).unwrap();
            for known in [16, 64] {
                for (share, most) in [(0.75, 0.8), (0.85, 0.89), (0.9, 0.93)] {
                    let known_weight: f64 = weights[..known].iter().sum();
                    let (tail, rest) = (total - known_weight, total * (1.0 - share));
                    if tail < 1.1 * rest {
                        continue;
                    }
                    let start = Tail { from: sorted[known - 1], weight: tail };
                    let Some(bound) = vocabulary.bound_for_tail(start, known, rest, 1.0) else {
                        panic!("{vocab} {known} {share}");
                    };
                    let above = sorted.partition_point(|&logit| logit >= bound);
                    let found = weights[..above].iter().sum::<f64>() / total;
                    assert!((share..most).contains(&found), "{vocab} {known} {share}: {found}, {above} tokens");
                }
            }
        }
    }
}
