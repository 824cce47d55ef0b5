//! The distortion of a sequence by truncation with local renormalisation (docs/mathematics.md, 15.6).
//!
//! For a host that compares sampled sequences with the model's own law, or corrects for the difference by weights. Not a
//! measure of quality: it says how far, not whether that was good.

use super::check;
use crate::error::Result;

/// ln q - ln p of a sequence whose distributions were truncated and renormalised: -Σ ln S_t, in nats, where S_t is the
/// mass that was kept for token t. q is the law that was sampled, p the model's truncated by nothing.
///
/// `log_kept` has ln S_t, at most 0, one for each token. S_t itself is too coarse where it is near 1, as it mostly is: f32
/// knows no number between 1 - 6e-8 and 1.
///
/// # Errors
/// A `log_kept` that is above 0, NaN or -infinity (no token was kept).
pub fn distortion(log_kept: &[f64]) -> Result<f64> {
    check::all(log_kept, "log_kept", "finite and at most 0", |x| x <= 0.0 && x.is_finite())?;
    Ok(0.0 - log_kept.iter().sum::<f64>())
}

/// The same for any decoder, such as Bregman's with α ≠ 1, which does more than renormalise: Σ (ln p̂_t - ln p_t) over the
/// sequence's tokens, in nats.
///
/// `decoded`: ln p̂_t of each token under the decoded distribution, finite. `model`: ln p_t under the model, finite.
///
/// # Errors
/// A log-probability that is above 0 or not finite, different lengths.
pub fn distortion_of_logprobs(decoded: &[f64], model: &[f64]) -> Result<f64> {
    check::same_length(model, "model", decoded, "decoded")?;
    let is_logprob = |x: f64| x <= 0.0 && x.is_finite();
    check::all(decoded, "decoded", "finite and at most 0", is_logprob)?;
    check::all(model, "model", "finite and at most 0", is_logprob)?;
    Ok(decoded.iter().zip(model).fold(0.0, |sum, (decoded, model)| sum + (decoded - model)))
}
