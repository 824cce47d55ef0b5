//! The size of the support: k*, the k with the least cost.
//!
//! cost(k+1) - cost(k) = λ - g_k, and the gains g_k do not increase (discrete convexity: docs/mathematics.md, T1 and T2).
//! So k* is the first k whose gain is not above λ. It is found by a scan if gains have a closed form, else by a search with
//! the A-test, which needs no root finding.

use super::a_test::Verdict;
use super::problem::{F32_SLACK, Problem};
use super::solver::{Optimum, Solver, prepare};
use crate::error::Result;

/// k*, and ν if the search solved for that k; then `problem.x` is the solution.
pub(super) fn best_size(solver: &dyn Solver, problem: &mut Problem) -> Result<(usize, Option<f64>)> {
    if let Some(k) = solver.scan(problem) {
        return Ok((k, None));
    }
    let (low, high) = bounds(solver, problem);
    // Where no token is in doubt, as on most flat rows, the powers are not needed for the search.
    if low < high {
        prepare(solver, problem)?;
    }
    let mut search = SupportSearch::between((low, high));
    let mut solved = None;
    while let Some(k) = search.next(solver.fraction()) {
        match solver.verdict(problem, k)? {
            Verdict::Include { at_most, steps } => search.at_least(k, at_most, steps),
            Verdict::Exclude { steps } => search.at_most(k, steps),
            Verdict::Exactly(k) => search = SupportSearch::between((k, k)),
            // A_k increases by at least x_t per token, so this happens for one k only: k* is k or k + 1.
            Verdict::Ambiguous => {
                let (gain, nus) = exact_gain(solver, problem, k)?;
                solved = Some((k, nus));
                let k = if gain > solver.lambda() { k + 1 } else { k };
                search = SupportSearch::between((k, k));
            }
        }
    }
    let k_star = search.low;
    Ok((
        k_star,
        match solved {
            Some((k, (nu, _))) if k == k_star => Some(nu),
            Some((k, (_, nu))) if k + 1 == k_star => {
                std::mem::swap(&mut problem.x, &mut problem.y);
                Some(nu)
            }
            _ => None,
        },
    ))
}

/// Chooses the next k to test: the root of the line through the last two estimates of the distance to k* (secant method),
/// or the middle of the interval where that is slow.
struct SupportSearch {
    low: usize,
    high: usize,
    /// The last k tested, and the estimated distance from it to k*.
    last: Option<(f64, f64)>,
    /// The decrease of the estimated distance per unit of k; at least 1.
    rate: f64,
    /// The size of the interval before the last test, and the number of tests in a row that did not halve it.
    size: usize,
    slow: u32,
}

impl SupportSearch {
    fn between((low, high): (usize, usize)) -> Self {
        Self { low, high, last: None, rate: 1.25, size: high - low, slow: 0 }
    }

    /// The next k in `low..high`, or none if that is empty. `fraction` is where in the interval to begin.
    fn next(&mut self, fraction: f64) -> Option<usize> {
        let size = self.high - self.low;
        if size == 0 {
            return None;
        }
        self.slow = if size > self.size / 2 { self.slow + 1 } else { 0 };
        self.size = size;
        let guess = match self.last {
            // More than two slow steps: the line is a poor model.
            _ if self.slow > 2 => {
                self.slow = 0;
                0.5 * (self.low + self.high) as f64
            }
            Some((k, steps)) => k + steps / self.rate,
            None => self.low as f64 + fraction * size as f64,
        };
        Some((guess.round().max(self.low as f64) as usize).min(self.high - 1))
    }

    fn at_least(&mut self, k: usize, at_most: usize, steps: f64) {
        self.low = k + 1;
        self.high = self.high.min(at_most.max(self.low));
        self.record(k as f64, steps);
    }

    fn at_most(&mut self, k: usize, steps: f64) {
        self.high = k;
        self.record(k as f64, steps);
    }

    fn record(&mut self, k: f64, steps: f64) {
        if let Some((before, distance)) = self.last.filter(|(before, _)| *before != k) {
            let rate = (distance - steps) / (k - before);
            if rate.is_finite() {
                self.rate = rate.max(1.0);
            }
        }
        self.last = Some((k, steps)).filter(|(_, steps)| steps.is_finite());
    }
}

/// Lower and upper bound of k* (docs/mathematics.md, 5): n_sure, K(p) and bound 4.
fn bounds(solver: &dyn Solver, problem: &Problem) -> (usize, usize) {
    let low = problem.above(solver.t_sure()).max(1);
    let mut high = solver.t_floor().map_or(problem.len(), |t| problem.size_bound(t));
    if let Some(p) = solver.kept_floor(problem.p[0]) {
        high = high.min(problem.above(p * F32_SLACK) + 1);
    }
    (low, high.clamp(low, problem.len()))
}

/// g_k from the optima for k and k + 1 tokens, which are left in `problem.x` and `problem.y`; and both ν.
fn exact_gain(solver: &dyn Solver, problem: &mut Problem, k: usize) -> Result<(f64, (f64, f64))> {
    let (mut x, mut y) = (std::mem::take(&mut problem.x), std::mem::take(&mut problem.y));
    let solved = solver
        .solve(problem, k, &mut x)
        .and_then(|nu| Ok((nu, solver.solve(problem, k + 1, &mut y)?)))
        .and_then(|nus| {
            let (x, y) = (Optimum { x: &x, nu: nus.0 }, Optimum { x: &y, nu: nus.1 });
            Ok((solver.gain(problem, k, x, y)?, nus))
        });
    (problem.x, problem.y) = (x, y);
    solved
}

#[cfg(test)]
mod tests {
    use super::super::{dual::Dual, primal::Primal};
    use super::*;
    use crate::math::ListMath;

    type Make = fn(f64, f64) -> Box<dyn Solver>;

    fn primal(alpha: f64, lambda: f64) -> Box<dyn Solver> {
        Box::new(Primal::new(alpha, lambda))
    }

    fn dual(alpha: f64, lambda: f64) -> Box<dyn Solver> {
        Box::new(Dual::new(alpha, lambda))
    }

    #[test]
    fn verdicts_agree_with_the_exact_gain() {
        let (mut by_derivatives, mut ambiguous) = (0, 0);
        let primals = [0.25, 0.5, 0.95, 1.05, 1.25, 1.7, 2.5, 3.0, 5.0, 8.0, 12.0].map(|alpha| (alpha, primal as Make));
        let duals = [1.05, 1.25, 1.5, 1.75, 2.5, 3.0, 5.0, 8.0].map(|alpha| (alpha, dual as Make));
        for (alpha, make) in primals.into_iter().chain(duals) {
            for exponent in [-0.5, -1.0, -1.5] {
                let mut problem = Problem::default();
                let weights: Vec<f64> = (1..=300).map(|i| crate::math::pow(f64::from(i), exponent)).collect();
                problem.set(&ListMath::PORTABLE, &weights, 2.0, true);
                make(alpha, 1.0).prepare(&mut problem).unwrap();
                for k in [2, 9, 40, 41, 130, 280] {
                    let (gain, _) = exact_gain(&*make(alpha, 1.0), &mut problem, k).unwrap();
                    for lambda in [0.9, 0.99, 1.0 - 1e-5, 1.0 + 1e-5, 1.01, 1.1].map(|near| gain * near) {
                        let verdict = make(alpha, lambda).verdict(&mut problem, k).unwrap();
                        let keeps = match verdict {
                            Verdict::Include { .. } => true,
                            Verdict::Exclude { .. } => false,
                            Verdict::Exactly(k_star) => {
                                by_derivatives += 1;
                                k_star == k + 1
                            }
                            Verdict::Ambiguous => {
                                ambiguous += 1;
                                continue;
                            }
                        };
                        assert_eq!(
                            keeps,
                            gain > lambda,
                            "α {alpha}, k {k} of i^{exponent}, λ {lambda:e}, gain {gain:e}"
                        );
                    }
                }
            }
        }
        assert!(by_derivatives > 200 && ambiguous > 200, "{by_derivatives} {ambiguous}: both must occur");
    }

    #[test]
    fn search_finds_k_star_in_few_steps_for_any_estimates() {
        for (k_star, size) in [(1, 1), (1, 900), (900, 900), (333, 1000), (70_000, 100_000)] {
            for error in [1.0, 0.0, -3.0, 1e300, f64::NAN, f64::INFINITY] {
                let (mut search, mut steps_taken) = (SupportSearch::between((1, size)), 0);
                while let Some(k) = search.next(0.3) {
                    assert!((search.low..search.high).contains(&k));
                    let steps = (k_star as f64 - k as f64) * error;
                    if k < k_star {
                        search.at_least(k, usize::MAX, steps)
                    } else {
                        search.at_most(k, steps)
                    }
                    steps_taken += 1;
                }
                assert_eq!(search.low, k_star);
                assert!(
                    steps_taken <= 4 * (size.ilog2() as usize + 1),
                    "{steps_taken} for {k_star} of {size}, {error}"
                );
            }
        }
    }
}
