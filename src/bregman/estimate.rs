//! The divergence of an optimum by list functions, with a bound of its error: enough to tell which sizes fit into a budget
//! (`mass.rs`), but for those very near to it.

use super::generator::Series;
use super::problem::{Problem, tolerance};
use crate::math::list;

/// A sum and what it may be off by.
#[derive(Clone, Copy)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) error: f64,
}

/// Weights below this, and powers above its inverse, may have been clamped.
const LEAST_WEIGHT: f64 = 1e-280;

/// Σ w_i ((1 + e_i)^α - 1 - α e_i) / (α b), from the e_i, which must be right to the tolerance of a solution. None if it
/// cannot be trusted. The sum is over the first `k` tokens; `powers` is memory.
pub(super) fn sum_of_divergences(
    problem: &Problem,
    k: usize,
    alpha: f64,
    series: &Series,
    [weights, e, powers]: [&mut [f64]; 3],
) -> Option<Estimate> {
    let b = alpha - 1.0;
    let is_near = |e: f64| e.abs() <= Series::MAX_RATIO;
    let far = e.iter().any(|&e| !is_near(e));
    if list_least(weights) < LEAST_WEIGHT || far && b.abs() < 1e-3 {
        return None;
    }
    powers.iter_mut().zip(weights.iter().zip(&*e)).for_each(|(moved, (w, e))| *moved = w * e.abs());
    let moved = problem.sum_in_order(powers, k);
    if far {
        powers.iter_mut().zip(&*e).for_each(|(power, e)| *power = 1.0 + e);
        problem.math.pow(powers, b);
        if list::largest(powers) > 1.0 / LEAST_WEIGHT {
            return None;
        }
    }
    for ((w, e), power) in weights.iter_mut().zip(&*e).zip(&*powers) {
        let direct = ((1.0 + e) * (power - 1.0) / b - e) / alpha;
        *w *= if is_near(*e) { series.at(*e) } else { direct };
    }
    let value = problem.sum(weights, k);
    // Each e is off by the rounding of two numbers and by what the solution's sum is.
    let error = 1e-9 * value + (1e-14 + 8.0 * tolerance(k)) * moved;
    (value + error).is_finite().then_some(Estimate { value, error })
}

/// The smallest number.
fn list_least(xs: &[f64]) -> f64 {
    xs.iter().fold(f64::INFINITY, |least, &x| list::at_most(least, x))
}
