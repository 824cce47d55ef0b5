//! The largest tokens: bounds that certify a selection, and the collection above them.

use super::RankedToken;
use super::kernels::CollectRange;
use super::{LANES, Scratch, Vector, Vocabulary};

/// Steps of the search for a bound: each halves what the bound may miss.
const STEPS: usize = 14;

impl Vocabulary<'_> {
    /// A logit that about `k` tokens reach and no more than some multiple: where to look for the k largest.
    ///
    /// While `k` is small against the number of blocks, at least k disjoint groups of tokens have a maximum that
    /// reaches it, and so at least k tokens certainly do: first groups as large as blocks, then the lanes of blocks.
    /// Beyond, it is a rank in a sample of the row, with slack that grows with each `attempt`: the caller counts what
    /// it finds, and asks again. -infinity once the sample has nothing lower.
    pub(crate) fn bound_for_rank(&mut self, k: usize, attempt: u32) -> f32 {
        if attempt == 0 && k <= self.scratch.maxima.len() / 4 {
            return self.bound(k, &self.scratch.columns);
        }
        if attempt == 0 && k <= self.scratch.maxima.len() * LANES / 4 {
            return self.bound(k, &self.scratch.maxima);
        }
        let sampled = self.sample();
        // The expected rank and four standard deviations above it.
        let rank = k as f64 * sampled as f64 / self.row.vocab() as f64;
        let rank = (rank + 4.0 * rank.sqrt() + 4.0) * f64::from(1u32 << (2 * attempt).min(30));
        if rank >= sampled as f64 {
            return f32::NEG_INFINITY;
        }
        let (vectors, _) = self.scratch.sample.logits[..sampled].as_chunks();
        self.bound(rank as usize, vectors)
    }

    /// A number that at least `k` of the groups' maxima reach, and not many more: by bisection, which reads the maxima
    /// a few times but moves none. -infinity if fewer than `k` groups have a finite maximum.
    fn bound(&self, k: usize, groups: &[Vector]) -> f32 {
        let reach = |low: f32| (self.kernels.lanes_at_least)(groups, low) as usize;
        // Between the two there is always the k-th largest. Most maxima are near the largest: look there first.
        let (mut low, mut high) = (self.max - 1.0, self.max);
        let mut step = 4.0;
        while reach(low) < k {
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
            match reach(middle) {
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

    /// No more than the number of tokens that reach a logit, and not many fewer if those are few; 0 for less than some.
    pub(crate) fn count_lower_bound(&self, low: f32, some: usize) -> usize {
        let Scratch { maxima, columns, .. } = &*self.scratch;
        // A quarter of as many columns have them, unless they stand together.
        if (self.kernels.lanes_at_least)(columns, low) as usize >= some.min(columns.len() * LANES) / 4 {
            (self.kernels.lanes_at_least)(maxima, low) as usize
        } else {
            0
        }
    }

    /// Appends the tokens with `low <= logit < high` in order of index, reading only blocks that reach `low`.
    pub(crate) fn collect(&mut self, low: f32, high: f32, hits: &mut Vec<RankedToken>) {
        let Self { row, kernels, scratch, .. } = self;
        scratch.blocks.clear();
        (kernels.blocks_at_least)(&scratch.maxima, &scratch.columns, low, &mut scratch.blocks);
        row.for_each_run_with(&scratch.blocks, &mut scratch.copied, |first, run, blocks| {
            (kernels.collect)(run, CollectRange { blocks, first, low, high }, hits);
        });
    }
}
