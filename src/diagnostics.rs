//! Figures about a decoded row, computed on request: kept mass, log-probability under the model.

use crate::distribution::{Distribution, DistributionScratch};
use crate::math::{exp, ln};
use crate::vocab::{Kernels, Vocabulary};

/// The model's mass on the distribution's support, as the first dropping stage saw the distribution: S_k of the paper,
/// and 1 where nothing was dropped.
pub(crate) fn kept_mass(
    dist: &mut Distribution<'_>,
    kernels: &'static Kernels,
    scratch: &mut DistributionScratch,
) -> f64 {
    if let Some((row, scale)) = dist.dropped_from() {
        return Distribution::open(row, scale, kernels, scratch)
            .map_or(f64::NAN, |mut first| mass(dist, first.vocabulary().0, scale));
    }
    if !dist.is_truncated() {
        return 1.0;
    }
    let scale = dist.first_scale();
    let (vocab, entries) = dist.vocabulary();
    let max = f64::from(vocab.max());
    let kept: f64 = entries.iter().map(|e| exp((f64::from(e.raw) - max) * scale)).sum();
    let indices = entries.iter().map(|e| e.index);
    kept / (kept + vocab.total_without(indices, scale))
}

/// The mass of the distribution's support in a vocabulary that the distribution was rewritten from.
fn mass(dist: &mut Distribution<'_>, first: &mut Vocabulary<'_>, scale: f64) -> f64 {
    let (row, max) = (first.row(), f64::from(first.max()));
    let weight = |index: u32| exp((f64::from(row.logit(index)) - max) * scale);
    if dist.is_truncated() {
        let kept: f64 = dist.entries().iter().map(|e| weight(e.index)).sum();
        let indices = dist.entries().iter().map(|e| e.index);
        return kept / (kept + first.total_without(indices, scale));
    }
    let now = dist.vocabulary().0.row();
    let is_dropped = |&i: &u32| now.logit(i) == f32::NEG_INFINITY && row.logit(i) > f32::NEG_INFINITY;
    let dropped = || (0..row.vocab() as u32).filter(is_dropped);
    let lost: f64 = dropped().map(weight).sum();
    let kept = first.total_without(dropped(), scale);
    kept / (kept + lost)
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
        return logprob(dist.vocabulary().0, token);
    }
    match Distribution::open(dist.opened_with().untouched(), 1.0, kernels, scratch) {
        Ok(mut model) => logprob(model.vocabulary().0, token),
        Err(_) => f64::NAN,
    }
}

/// ln p of a token under a row.
pub(crate) fn logprob(vocab: &mut Vocabulary<'_>, token: u32) -> f64 {
    f64::from(vocab.row().logit(token)) - f64::from(vocab.max()) - ln(vocab.total(1.0))
}
