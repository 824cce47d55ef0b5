//! The objective, term by term: what a decoder's answer can be checked against.

use super::Mode;
use super::generator::Alpha;

/// d(x, y) of some divergence, for x and y in [0, 1].
pub trait Divergence {
    /// d(x, y); infinite where the definition is.
    fn between(&self, x: f64, y: f64) -> f64;
}

impl Divergence for Alpha {
    fn between(&self, x: f64, y: f64) -> f64 {
        match (x > 0.0, y > 0.0) {
            (false, false) => 0.0,
            (true, false) => self.divergence_to_zero(x),
            _ => self.divergence(x, y),
        }
    }
}

/// The paper's objective for a distribution `p_hat` against the model's `p`, token by token: Σ d(p̂_i, p_i), or
/// Σ d(p_i, p̂_i) for the dual, plus `lambda` for every token with p̂_i > 0.
///
/// ```
/// use bregman::bregman::{Alpha, Mode, objective};
/// let p = [0.5, 0.3, 0.2];
/// // α = 2: half the squared distance, and three tokens kept.
/// assert_eq!(objective(&Alpha::new(2.0), Mode::Primal, 0.1, &p, &p), 3.0 * 0.1);
/// ```
pub fn objective(divergence: &dyn Divergence, mode: Mode, lambda: f64, p_hat: &[f64], p: &[f64]) -> f64 {
    assert_eq!(p_hat.len(), p.len(), "one probability for each token in both distributions");
    let kept = p_hat.iter().filter(|&&x| x > 0.0).count();
    let distance: f64 = p_hat
        .iter()
        .zip(p)
        .map(|(&x, &y)| match mode {
            Mode::Primal => divergence.between(x, y),
            Mode::Dual => divergence.between(y, x),
        })
        .sum();
    distance + lambda * kept as f64
}
