//! Soft values: the weights exp(v / α) of candidates and the logarithm of their mean (docs/mathematics.md, 15.2).
//!
//! For a host that steers a generation by a value of its continuations (SVDD) or weights samples of another proposal. Not for
//! drawing a candidate: the weights are a distribution, and `draw` over ln w does that.

use super::check;
use crate::error::Result;
use crate::math::{exp, expm1, ln, log1p};
use crate::memory;

/// The answer of [`soft_values`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SoftValues {
    /// Weights of the candidates, row after row; those of a row sum to 1.
    pub weights: Vec<f64>,
    /// The soft value of each row, in the unit of the values.
    pub values: Vec<f64>,
}

/// Weights and soft values of rows of `candidates` values: w_m ∝ exp(v_m / α + l_m), and α ln((1/M) Σ exp(v_m / α + l_m)).
///
/// `log_ratios`: None if the candidates were drawn from the model; otherwise one number for each value, l_m = ln of the
/// probability of the candidate under the model less ln of that under the proposal from which it was drawn. Values and
/// ratios are finite or -infinity, which gives a weight of 0. α > 0 is in the unit of the values: small for the best
/// candidate alone, large for equal weights.
///
/// # Errors
/// A value, a ratio or α out of its range; a row without a positive weight; lengths that do not fit.
pub fn soft_values(values: &[f64], log_ratios: Option<&[f64]>, candidates: usize, alpha: f64) -> Result<SoftValues> {
    check::rows(values, "values", candidates, "candidates")?;
    check::one(alpha, "alpha", "positive and finite", |alpha| alpha > 0.0 && alpha.is_finite())?;
    let must = "finite or -infinity";
    check::all(values, "values", must, |v| v < f64::INFINITY)?;
    if let Some(log_ratios) = log_ratios {
        check::same_length(log_ratios, "log_ratios", values, "values")?;
        check::all(log_ratios, "log_ratios", must, |l| l < f64::INFINITY)?;
    }
    let rows = values.len() / candidates;
    let mut answer = SoftValues { weights: memory::filled(values.len(), 0.0)?, values: memory::filled(rows, 0.0)? };
    for (row, values) in values.chunks_exact(candidates).enumerate() {
        let at = row * candidates..(row + 1) * candidates;
        let value = one_row(values, log_ratios.map(|l| &l[at.clone()]), alpha, &mut answer.weights[at]);
        let Some(value) = value else {
            return check::refuse(format!("row {row} of values has no candidate with a positive weight"));
        };
        answer.values[row] = value;
    }
    Ok(answer)
}

/// Writes the weights of one row and returns its soft value; None without a positive weight.
fn one_row(values: &[f64], log_ratios: Option<&[f64]>, alpha: f64, weights: &mut [f64]) -> Option<f64> {
    let ratio = |m: usize| log_ratios.map_or(0.0, |l| l[m]);
    let largest = |x: &mut dyn Iterator<Item = f64>| x.fold(f64::NEG_INFINITY, f64::max);
    let best = largest(&mut (0..values.len()).filter(|&m| ratio(m) > f64::NEG_INFINITY).map(|m| values[m]));
    if best == f64::NEG_INFINITY {
        return None;
    }
    // Relative to the best value, so that v / α cannot overflow.
    for (m, w) in weights.iter_mut().enumerate() {
        *w = if ratio(m) == f64::NEG_INFINITY { f64::NEG_INFINITY } else { (values[m] - best) / alpha + ratio(m) };
    }
    let top = largest(&mut weights.iter().copied());
    // Of the mean and of the mean less 1, which is accurate where all weights are nearly equal (a large α).
    let (mut total, mut less_one) = (0.0, 0.0);
    for w in weights.iter_mut() {
        less_one += expm1(*w - top);
        *w = exp(*w - top);
        total += *w;
    }
    weights.iter_mut().for_each(|w| *w /= total);
    let m = values.len() as f64;
    let log_mean = if less_one > -0.5 * m { log1p(less_one / m) } else { ln(total / m) };
    Some(best + alpha * (top + log_mean))
}
