//! Figures about a decoded row, computed on request: kept mass, log-probability under the model.

use crate::distribution::{Distribution, DistributionScratch};
use crate::math::{exp, ln, log1p};
use crate::vocab::{Kernels, Vocabulary};

/// The mass of the distribution's support, as the first dropping stage saw the distribution: S_k of the paper, and 1
/// where nothing was dropped.
pub(crate) fn kept_mass(
    dist: &mut Distribution<'_>,
    kernels: &'static Kernels,
    scratch: &mut DistributionScratch,
) -> f64 {
    let weights = if let Some((row, scale)) = dist.dropped_from() {
        match Distribution::open(row, scale, kernels, scratch) {
            Ok(mut first) => {
                // Of the tokens that are not listed, this one knows the edits.
                let (vocab, _) = first.vocabulary();
                let outside = dist.weight_outside(vocab.max(), scale, vocab.total(scale));
                support_weights(dist, vocab, scale, outside)
            }
            Err(_) => return f64::NAN,
        }
    } else if dist.is_truncated() {
        own_weights(dist)
    } else {
        return 1.0;
    };
    let share = weights.kept / (weights.kept + weights.dropped);
    // Never 0; NaN stays.
    if share < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { share }
}

/// ln of the mass that the support has in the row as the model left it, at the temperature that the first dropping stage
/// saw. From the weight outside, so that it is exact near 0. NaN if that row has no softmax.
pub(crate) fn ln_kept_mass(
    dist: &mut Distribution<'_>,
    kernels: &'static Kernels,
    scratch: &mut DistributionScratch,
) -> f64 {
    let dropped_from = dist.dropped_from();
    let weights = if dist.has_model_logits() && dropped_from.is_none() {
        if !dist.is_truncated() {
            return 0.0;
        }
        own_weights(dist)
    } else {
        let scale = dropped_from.map_or_else(|| dist.first_scale(), |(_, scale)| scale);
        match Distribution::open(dist.opened_with().untouched(), scale, kernels, scratch) {
            Ok(mut model) => {
                let max = model.vocabulary().0.max();
                let outside = model.weight_outside(max, scale, 1.0);
                support_weights(dist, model.vocabulary().0, scale, outside)
            }
            Err(_) => return f64::NAN,
        }
    };
    let odds = weights.dropped / weights.kept;
    if odds.is_finite() { -log1p(odds) } else { weights.ln_kept - ln(weights.dropped) }
}

/// The weights of the tokens that a distribution kept, and of all others.
struct SupportWeights {
    kept: f64,
    dropped: f64,
    /// ln `kept`, also where `kept` is too small a number; NaN where it is not.
    ln_kept: f64,
}

impl SupportWeights {
    /// `logs` are the logarithms of the kept weights.
    fn new(kept: f64, dropped: f64, logs: impl Iterator<Item = f64> + Clone) -> Self {
        if kept > SMALL {
            return Self { kept, dropped, ln_kept: f64::NAN };
        }
        let max = logs.clone().fold(f64::NEG_INFINITY, f64::max);
        Self { kept, dropped, ln_kept: max + ln(logs.map(|x| exp(x - max)).sum()) }
    }
}

/// Weights above this one may be divided by: no row weighs as much as 1e8 times its largest token.
const SMALL: f64 = 1e-290;

/// In the row that a truncated distribution comes from.
fn own_weights(dist: &mut Distribution<'_>) -> SupportWeights {
    let scale = dist.first_scale();
    let (vocab, entries) = dist.vocabulary();
    let max = f64::from(vocab.max());
    let logs = entries.iter().map(|e| (f64::from(e.raw) - max) * scale);
    let kept: f64 = logs.clone().map(exp).sum();
    let indices = entries.iter().map(|e| e.index);
    let (dropped, max) = (vocab.total_without(indices, scale), vocab.max());
    let weights = SupportWeights::new(kept, dropped, logs);
    SupportWeights { dropped: dropped + dist.weight_outside(max, scale, kept + dropped), ..weights }
}

/// In another row of the same tokens, beside tokens that it does not list, whose weight is `outside`.
fn support_weights(
    dist: &mut Distribution<'_>,
    first: &mut Vocabulary<'_>,
    scale: f64,
    outside: f64,
) -> SupportWeights {
    let (row, max) = (first.row(), f64::from(first.max()));
    let log = |index: u32| (f64::from(row.logit(index)) - max) * scale;
    if dist.is_truncated() {
        let indices = dist.entries().iter().map(|e| e.index);
        let logs = indices.clone().map(log);
        let kept: f64 = logs.clone().map(exp).sum();
        return SupportWeights::new(kept, first.total_without(indices, scale) + outside, logs);
    }
    let (lowest, now) = (dist.lowest(), dist.vocabulary().0.row());
    let is_dropped = |&i: &u32| now.logit(i) < lowest && row.logit(i) > f32::NEG_INFINITY;
    let dropped = || (0..row.vocab() as u32).filter(is_dropped);
    let kept = (0..row.vocab() as u32).filter(|&i| now.logit(i) >= lowest && row.logit(i) > f32::NEG_INFINITY);
    let weight_dropped = dropped().map(log).map(exp).sum::<f64>() + outside;
    SupportWeights::new(first.total_without(dropped(), scale), weight_dropped, kept.map(log))
}

/// ln p of a token under the row as the model left it: no mask, no bias, no temperature. NaN if that row has no
/// softmax (a NaN or an infinity under the mask).
pub(crate) fn model_logprob(
    dist: &mut Distribution<'_>,
    token: u32,
    kernels: &'static Kernels,
    scratch: &mut DistributionScratch,
) -> f64 {
    if dist.has_model_logits() {
        return logprob(dist, token);
    }
    match Distribution::open(dist.opened_with().untouched(), 1.0, kernels, scratch) {
        Ok(mut model) => logprob(&mut model, token),
        Err(_) => f64::NAN,
    }
}

/// ln p of a token under a row that was not changed.
pub(crate) fn logprob(model: &mut Distribution<'_>, token: u32) -> f64 {
    let (vocab, _) = model.vocabulary();
    let (x, total) = (f64::from(vocab.row().logit(token)) - f64::from(vocab.max()), vocab.total(1.0));
    let max = vocab.max();
    x - ln(total + model.weight_outside(max, 1.0, total))
}
