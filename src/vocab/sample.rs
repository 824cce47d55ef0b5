//! A sample of the row, for estimates of where a prefix of the descending order ends.

use super::kernels::lanes::LANES;
use super::kernels::prefix::PrefixSum;
use super::weighted::{Bracket, SearchTarget};
use super::{Scratch, Vocabulary};
use crate::logits::Values;

/// Vectors in a sample.
pub(super) const VECTORS: usize = 256;

/// Room for the largest tokens of the row beside the sample.
pub(super) const TOP: usize = 1024;

/// Tokens of the sample by which an estimate may be off.
const FEW: usize = 32;

/// How far down the first bracket goes, in nats.
const FIRST_STEP: f64 = 4.0;

/// A token with a lower log-weight weighs nothing in f32.
const NO_WEIGHT: f64 = -200.0;

/// An estimate of the tokens that have a given share of the weight below some logit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrefixEstimate {
    /// About how many tokens.
    pub(crate) tokens: usize,
    /// Whether they may be many.
    pub(crate) are_many: bool,
    /// If they may: a number that they probably do not exceed, and a logit that they are above; none if the sample has too
    /// few of them.
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
        let plain = match row.values() {
            Values::F32(logits) if !row.is_touched() => logits.as_chunks::<LANES>().0,
            _ => &[],
        };
        for vector in (0..vectors).step_by(step) {
            let start = vector * LANES;
            let out = &mut sample.logits[sample.len..][..LANES.min(row.vocab() - start)];
            match (plain.get(vector), out.first_chunk_mut()) {
                (Some(logits), Some(out)) => *out = *logits,
                _ => row.write(start, out),
            }
            sample.len += out.len();
        }
        sample.len
    }

    /// Estimates which tokens have a share of the weight of the tokens in [lowest, high), from the largest down, and whether
    /// that is a number of tokens that `is_many`. None if the sample has no such tokens, or if it shows at once that they are
    /// not many: where it has the share above a logit that is guessed to be the last one's.
    pub(crate) fn estimate_prefix(
        &mut self,
        share: f64,
        (lowest, high): (f32, f32),
        scale: f64,
        guess: Option<f32>,
        is_many: impl Fn(usize) -> bool,
    ) -> Option<PrefixEstimate> {
        let sampled = self.sample();
        let Self { row, kernels, scratch, max, .. } = self;
        let sample = &mut scratch.sample;
        if !sample.compute_weights(kernels, *max, scale) {
            return None;
        }
        let before = sample.prefix_sum(kernels, high);
        // Below this every weight is 0.
        let is_all = (f64::from(lowest) - f64::from(*max)) * scale < NO_WEIGHT;
        let all = if is_all { sample.all() } else { sample.prefix_sum(kernels, lowest) }.weight - before.weight;
        if all <= 0.0 {
            return None;
        }
        // It is infinite where the bracket's tokens have no weight.
        let per_sampled = row.vocab() as f64 / sampled as f64;
        let scaled = |n: f64| ((n * per_sampled) as usize).min(row.vocab());
        if let Some(guess) = guess.filter(|&guess| guess >= lowest && guess < high) {
            let at = sample.prefix_sum(kernels, guess);
            // The bracket's low end is at or above the guess, or has at most its few tokens more.
            let most = at.count - before.count + FEW;
            if at.weight >= before.weight + share * all && !is_many(scaled(most as f64)) {
                return None;
            }
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
        let count = end.at_low.count.saturating_sub(before.count);
        // As if the tokens of the bracket had the same weight.
        let part = (before.weight + share * all - end.at_high.weight) / (end.at_low.weight - end.at_high.weight);
        let about = count as f64 - (1.0 - part) * (end.at_low.count - end.at_high.count) as f64;
        let tokens = scaled(about);
        // Two standard deviations above the share, as if each token had the same weight.
        let sure = share + 2.0 * (share * (1.0 - share) / count.max(1) as f64).sqrt();
        let most = if sure < 1.0 { scaled(count as f64) } else { tokens };
        let are_many = is_many(most);
        let bound = (sure < 1.0 && are_many).then(|| (most, bracket_of(end.high, sure).low));
        Some(PrefixEstimate { tokens, are_many, bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::Row;
    use crate::testing::Lcg;
    use crate::vocab::{FirstPass, Scratch, kernels};

    /// A guess of the last logit saves the search only where that changes no decision.
    #[test]
    fn estimate_says_the_same_with_and_without_a_guess() {
        let (mut random, mut saved) = (Lcg::new(8), 0);
        for vocab in [3000, 49_152, 130_000] {
            for (spread, step) in [(1.0, 0.0), (3.0, 0.0), (2.5, 0.25), (5.0, 1.0)] {
                let normal = |random: &mut Lcg| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
                let round = |x: f64| if step > 0.0 { (x / step).round() * step } else { x };
                let logits: Vec<f32> = (0..vocab).map(|_| round(spread * normal(&mut random)) as f32).collect();
                let mut scratch = Scratch::new();
                let mut vocabulary = Vocabulary::new(Row::from_f32(&logits).unwrap(), kernels().unwrap(), &mut scratch);
                vocabulary.read(FirstPass::Total, 1.0).unwrap();
                let max = vocabulary.max();
                for share in [0.0, 0.02, 0.3, 0.9, 1.0] {
                    for high in [max.next_up(), max - 1.0] {
                        for down in [0.5, 1.0, 2.0, 4.0, 8.0, 30.0] {
                            for least in [20, 400, 3000] {
                                let range = (max - 25.0, high);
                                let mut of = |guess| {
                                    let is_many = |most| most > least;
                                    vocabulary.estimate_prefix(share, range, 1.0, guess, is_many)
                                };
                                let (plain, guessed) = (of(None), of(Some(max - down)));
                                let are_many = |estimate: Option<PrefixEstimate>| estimate.is_some_and(|e| e.are_many);
                                assert_eq!(
                                    are_many(plain),
                                    are_many(guessed),
                                    "{vocab} {spread} {share} {down} {least}"
                                );
                                saved += usize::from(plain.is_some() && guessed.is_none());
                            }
                        }
                    }
                }
            }
        }
        assert!(saved > 100, "{saved}");
    }
}
