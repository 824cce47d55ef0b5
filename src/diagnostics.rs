//! What was kept and with how much mass: figures about a decoded row, computed only when somebody asks.

use crate::law::{Law, LawScratch};
use crate::math::{exp, ln};
use crate::vocab::{Kernels, Vocabulary};

/// The model's mass on the law's support, at the temperature that the first dropping stage saw: S_k of the paper, and
/// 1 where nothing was dropped.
pub(crate) fn kept_mass(law: &mut Law<'_>) -> f64 {
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

/// The law's entropy in nats.
pub(crate) fn entropy(law: &mut Law<'_>) -> f64 {
    let (total, moment) = if law.is_closed() {
        let weighted = |e: &crate::head::Entry| exp(e.x) * e.x;
        (law.head_weight(), law.entries().iter().map(weighted).sum::<f64>())
    } else {
        let scale = law.scale();
        let (vocab, _) = law.vocabulary();
        (vocab.total(scale), vocab.moment(scale) * scale)
    };
    // -Σ p ln p with p = e^x / total.
    (ln(total) - moment / total).max(0.0)
}

/// ln p of a token under the row as the model left it: no mask, no bias, no temperature. NaN if that row has no
/// softmax (a NaN or an infinity under the mask).
pub(crate) fn model_logprob(law: &mut Law<'_>, token: u32, kernels: &'static Kernels, scratch: &mut LawScratch) -> f64 {
    let (vocab, _) = law.vocabulary();
    let row = vocab.row();
    if !row.is_touched() {
        return logprob(vocab, token);
    }
    match Law::open(row.untouched(), kernels, scratch) {
        Ok(mut model) => logprob(model.vocabulary().0, token),
        Err(_) => f64::NAN,
    }
}

/// ln p of a token under a row.
pub(crate) fn logprob(vocab: &mut Vocabulary<'_>, token: u32) -> f64 {
    f64::from(vocab.row().logit(token)) - f64::from(vocab.max()) - ln(vocab.total(1.0))
}
