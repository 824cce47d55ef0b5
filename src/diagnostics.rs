//! What was kept and with how much mass: figures about a decoded row, computed only when somebody asks.

use crate::distribution::{Law, LawScratch};
use crate::math::{exp, ln};
use crate::vocab::{First, Kernels, Vocabulary};

/// The model's mass on the law's support, as the first dropping stage saw the law: S_k of the paper, and 1 where nothing
/// was dropped.
pub(crate) fn kept_mass(law: &mut Law<'_>, kernels: &'static Kernels, scratch: &mut LawScratch) -> f64 {
    if let Some((row, scale)) = law.dropped_from() {
        return Law::open(row, First::Total(scale), kernels, scratch)
            .map_or(f64::NAN, |mut first| mass(law, first.vocabulary().0, scale));
    }
    if !law.is_closed() {
        return 1.0;
    }
    let scale = law.first_scale();
    let (vocab, entries) = law.vocabulary();
    let max = f64::from(vocab.max());
    let kept: f64 = entries.iter().map(|e| exp((f64::from(e.raw) - max) * scale)).sum();
    let indices = entries.iter().map(|e| e.index);
    kept / (kept + vocab.total_without(indices, scale))
}

/// The mass of the law's support in a vocabulary that the law was rewritten from.
fn mass(law: &mut Law<'_>, first: &mut Vocabulary<'_>, scale: f64) -> f64 {
    let (row, max) = (first.row(), f64::from(first.max()));
    let weight = |index: u32| exp((f64::from(row.logit(index)) - max) * scale);
    if law.is_closed() {
        let kept: f64 = law.entries().iter().map(|e| weight(e.index)).sum();
        let indices = law.entries().iter().map(|e| e.index);
        return kept / (kept + first.total_without(indices, scale));
    }
    let now = law.vocabulary().0.row();
    let is_dropped = |&i: &u32| now.logit(i) == f32::NEG_INFINITY && row.logit(i) > f32::NEG_INFINITY;
    let dropped = || (0..row.vocab() as u32).filter(is_dropped);
    let lost: f64 = dropped().map(weight).sum();
    let kept = first.total_without(dropped(), scale);
    kept / (kept + lost)
}

/// ln p of a token under the row as the model left it: no mask, no bias, no temperature. NaN if that row has no
/// softmax (a NaN or an infinity under the mask).
pub(crate) fn model_logprob(law: &mut Law<'_>, token: u32, kernels: &'static Kernels, scratch: &mut LawScratch) -> f64 {
    if law.has_model_logits() {
        return logprob(law.vocabulary().0, token);
    }
    match Law::open(law.opened_with().untouched(), First::Total(1.0), kernels, scratch) {
        Ok(mut model) => logprob(model.vocabulary().0, token),
        Err(_) => f64::NAN,
    }
}

/// ln p of a token under a row.
pub(crate) fn logprob(vocab: &mut Vocabulary<'_>, token: u32) -> f64 {
    f64::from(vocab.row().logit(token)) - f64::from(vocab.max()) - ln(vocab.total(1.0))
}
