//! A sample of the row: what an answer will be about, before it is looked for.

use super::kernels::prefix::PrefixSum;
use super::weighed::{Bracket, SearchTarget};
use super::{LANES, Scratch, Vocabulary};

/// Vectors in a sample.
pub(super) const VECTORS: usize = 256;

/// Tokens of the sample that an estimate may be wrong by.
const FEW: usize = 32;

/// How far down the first look goes, in nats.
const FIRST_STEP: f64 = 4.0;

/// What a sample says of the tokens below some logit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrefixEstimate {
    /// How many it takes for a share of their weight.
    pub(crate) tokens: usize,
    /// Above it that share most probably lies.
    pub(crate) floor: f32,
}

impl Vocabulary<'_> {
    /// Fills the sample: vectors of the row at even distances, or all of a short one. Returns the logits in it.
    pub(super) fn sample(&mut self) -> usize {
        let Self { row, scratch, .. } = self;
        let Scratch { sample, .. } = &mut **scratch;
        let vectors = row.vocab().div_ceil(LANES);
        let step = vectors.div_ceil(VECTORS);
        sample.reserve(VECTORS * LANES);
        sample.len = 0;
        for vector in (0..vectors).step_by(step) {
            let start = vector * LANES;
            let out = &mut sample.logits[sample.len..][..LANES.min(row.vocab() - start)];
            row.write(start, out);
            sample.len += out.len();
        }
        sample.len
    }

    /// What it takes for a share of the weight of the tokens below `high`, down to `lowest`. None if the sample has no
    /// such tokens.
    pub(crate) fn estimate_prefix(
        &mut self,
        share: f64,
        (lowest, high): (f32, f32),
        scale: f64,
    ) -> Option<PrefixEstimate> {
        let sampled = self.sample();
        let Self { row, kernels, scratch, max, .. } = self;
        let sample = &mut scratch.sample;
        if !sample.weigh(kernels, *max, scale) {
            return None;
        }
        let before = sample.above(kernels, high);
        let all = sample.above(kernels, lowest).weight - before.weight;
        if all <= 0.0 {
            return None;
        }
        // Where a share is reached, at or below a logit.
        let reached = |mut high: f32, share: f64| {
            let weight = before.weight + share * all;
            let keeps = |at: PrefixSum| at.weight < weight;
            let mut step = (FIRST_STEP / scale) as f32;
            let mut low = (high - step).max(lowest);
            let mut bracket = sample.between(kernels, low, high);
            while keeps(bracket.at_low) && low > lowest {
                step *= 2.0;
                (high, low) = (low, (low - step).max(lowest));
                bracket = Bracket { low, at_low: sample.above(kernels, low), high, at_high: bracket.at_low };
            }
            if keeps(bracket.at_low) {
                bracket
            } else {
                sample.narrow(kernels, bracket, SearchTarget::Weight(weight), FEW, keeps)
            }
        };
        let here = reached(high, share);
        let of_row = row.vocab() as f64 / sampled as f64;
        let count = here.at_low.count.saturating_sub(before.count);
        // Two standard deviations of a share: tokens that carry as much weight each.
        let sure = share + 2.0 * (share * (1.0 - share) / count.max(1) as f64).sqrt();
        let floor = if sure < 1.0 { reached(here.high, sure).low } else { lowest };
        Some(PrefixEstimate { tokens: (count as f64 * of_row) as usize, floor })
    }
}
