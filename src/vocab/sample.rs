//! A sample of the row, for estimates of where a prefix of the descending order ends.

use super::kernels::lanes::LANES;
use super::kernels::prefix::PrefixSum;
use super::weighted::{Bracket, SearchTarget};
use super::{Scratch, Vocabulary};

/// Vectors in a sample.
pub(super) const VECTORS: usize = 256;

/// Room for the largest tokens of the row beside the sample.
pub(super) const TOP: usize = 1024;

/// Tokens of the sample by which an estimate may be off.
const FEW: usize = 32;

/// How far down the first bracket goes, in nats.
const FIRST_STEP: f64 = 4.0;

/// An estimate of the tokens that have a given share of the weight below some logit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrefixEstimate {
    /// About how many tokens.
    pub(crate) tokens: usize,
    /// More than that with high probability, and a logit that they are above; none if the sample has too few of them.
    pub(crate) bound: Option<(usize, f32)>,
}

impl Vocabulary<'_> {
    /// Fills the sample: evenly spaced vectors of the row, or all vectors of a short row. Returns its length in logits.
    pub(super) fn sample(&mut self) -> usize {
        let Self { row, scratch, .. } = self;
        let Scratch { sample, .. } = &mut **scratch;
        let vectors = row.vocab().div_ceil(LANES);
        let step = vectors.div_ceil(VECTORS);
        sample.len = 0;
        for vector in (0..vectors).step_by(step) {
            let start = vector * LANES;
            let out = &mut sample.logits[sample.len..][..LANES.min(row.vocab() - start)];
            row.write(start, out);
            sample.len += out.len();
        }
        sample.len
    }

    /// Estimates which tokens have a share of the weight of the tokens in [lowest, high), from the largest down. None if
    /// the sample has no such tokens.
    pub(crate) fn estimate_prefix(
        &mut self,
        share: f64,
        (lowest, high): (f32, f32),
        scale: f64,
    ) -> Option<PrefixEstimate> {
        let sampled = self.sample();
        let Self { row, kernels, scratch, max, .. } = self;
        let sample = &mut scratch.sample;
        if !sample.compute_weights(kernels, *max, scale) {
            return None;
        }
        let before = sample.prefix_sum(kernels, high);
        let all = sample.prefix_sum(kernels, lowest).weight - before.weight;
        if all <= 0.0 {
            return None;
        }
        // A bracket of the logit at which a share is complete, below `high`.
        let bracket_of = |mut high: f32, share: f64| {
            let weight = before.weight + share * all;
            let keeps = |at: PrefixSum| at.weight < weight;
            // Not 0 at an extreme scale, where it would never grow.
            let mut step = ((FIRST_STEP / scale) as f32).max(f32::MIN_POSITIVE);
            let mut low = (high - step).max(lowest);
            let mut bracket = sample.between(kernels, low, high);
            while keeps(bracket.at_low) && low > lowest {
                step *= 2.0;
                (high, low) = (low, (low - step).max(lowest));
                bracket = Bracket { low, at_low: sample.prefix_sum(kernels, low), high, at_high: bracket.at_low };
            }
            if keeps(bracket.at_low) {
                bracket
            } else {
                sample.narrow(kernels, bracket, SearchTarget::Weight(weight), FEW, keeps)
            }
        };
        let end = bracket_of(high, share);
        let per_sampled = row.vocab() as f64 / sampled as f64;
        let count = end.at_low.count.saturating_sub(before.count);
        // As if the tokens of the bracket had the same weight.
        let part = (before.weight + share * all - end.at_high.weight) / (end.at_low.weight - end.at_high.weight);
        let about = count as f64 - (1.0 - part) * (end.at_low.count - end.at_high.count) as f64;
        // It is infinite where the bracket's tokens have no weight.
        let scaled = |n: f64| ((n * per_sampled) as usize).min(row.vocab());
        // Two standard deviations above the share, as if each token had the same weight.
        let sure = share + 2.0 * (share * (1.0 - share) / count.max(1) as f64).sqrt();
        let bound = (sure < 1.0).then(|| (scaled(count as f64), bracket_of(end.high, sure).low));
        Some(PrefixEstimate { tokens: scaled(about), bound })
    }
}
