//! The largest tokens: bounds that certify a selection, and the collection above them.

use super::kernels::collect::CollectRange;
use super::kernels::lanes::{LANES, Vector};
use super::{RankedToken, Scratch, Vocabulary};

/// Bisection steps for a bound.
const STEPS: usize = 14;

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
