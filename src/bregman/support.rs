//! The size of the support: k*, the k with the least cost.
//!
//! cost(k+1) - cost(k) = λ - g_k, and the gains g_k do not increase (discrete convexity: docs/mathematics.md, T1 and
//! T2). So k* is the first k whose gain is not above λ: found by a scan where gains have a closed form, else by a
//! search with the A-test, which needs no roots.

use super::method::{Method, Optimum, Verdict};
use super::problem::Problem;
use crate::error::Result;

/// k*, and ν if the search happened to solve for this k: then `problem.x` holds the solution.
pub(super) fn best_size(method: &dyn Method, problem: &mut Problem) -> Result<(usize, Option<f64>)> {
    if let Some(k) = method.closed_form(problem) {
        return Ok((k, None));
    }
    let mut search = SupportSearch::between(bounds(method, problem));
    let mut solved = None;
    while let Some(k) = search.next(method.fraction()) {
        match method.verdict(problem, k)? {
            Verdict::Include { at_most, steps } => search.at_least(k, at_most, steps),
            Verdict::Exclude { steps } => search.at_most(k, steps),
            Verdict::Exactly(k) => search = SupportSearch::between((k, k)),
            // A_k grows by x_t at least, so no other k is: it is k or k + 1.
            Verdict::Ambiguous => {
                let (gain, nus) = exact_gain(method, problem, k)?;
                solved = Some((k, nus));
                let k = if gain > method.lambda() { k + 1 } else { k };
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

/// Where to look next: at the root of a line through the last two guesses of how far k* is, or in the middle where that
/// is no better.
struct SupportSearch {
    low: usize,
    high: usize,
    /// The last k, and how many steps further k* was said to be.
    last: Option<(f64, f64)>,
    /// How much less is said to be left after a step: not by 1 but by more.
    rate: f64,
    /// The size of the interval before the last guess, and how many guesses in a row did not halve it.
    size: usize,
    slow: u32,
}

impl SupportSearch {
    fn between((low, high): (usize, usize)) -> Self {
        Self { low, high, last: None, rate: 1.25, size: high - low, slow: 0 }
    }

    /// Some k that is not below `low` and below `high`, or none if these meet. `fraction` is where to begin.
    fn next(&mut self, fraction: f64) -> Option<usize> {
        let size = self.high - self.low;
        if size == 0 {
            return None;
        }
        self.slow = if size > self.size / 2 { self.slow + 1 } else { 0 };
        self.size = size;
        let guess = match self.last {
            // Two slow ones: the line says little.
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
        self.learn(k as f64, steps);
    }

    fn at_most(&mut self, k: usize, steps: f64) {
        self.high = k;
        self.learn(k as f64, steps);
    }

    fn learn(&mut self, k: f64, steps: f64) {
        if let Some((before, left)) = self.last.filter(|(before, _)| *before != k) {
            let rate = (left - steps) / (k - before);
            if rate.is_finite() {
                self.rate = rate.max(1.0);
            }
        }
        self.last = Some((k, steps)).filter(|(_, steps)| steps.is_finite());
    }
}

/// docs/mathematics.md, 5: n_sure <= k* <= K(p), and rule 4; the upper bounds with slack for candidates that came from
/// f32.
fn bounds(method: &dyn Method, problem: &Problem) -> (usize, usize) {
    let low = problem.above(method.sure()).max(1);
    let mut high = method.floor().map_or(problem.len(), |t| problem.at_most(t));
    if let Some(p) = method.kept_floor(problem.p[0]) {
        high = high.min(problem.above(p * (1.0 - 1e-5)) + 1);
    }
    (low, high.clamp(low, problem.len()))
}

/// g_k from the optima for k and k + 1 tokens, which stay in `problem.x` and `problem.y`; both ν.
fn exact_gain(method: &dyn Method, problem: &mut Problem, k: usize) -> Result<(f64, (f64, f64))> {
    let (mut x, mut y) = (std::mem::take(&mut problem.x), std::mem::take(&mut problem.y));
    let solved = method
        .solve(problem, k, &mut x)
        .and_then(|nu| Ok((nu, method.solve(problem, k + 1, &mut y)?)))
        .and_then(|nus| {
            let (x, y) = (Optimum { x: &x, nu: nus.0 }, Optimum { x: &y, nu: nus.1 });
            Ok((method.gain(problem, k, x, y)?, nus))
        });
    (problem.x, problem.y) = (x, y);
    solved
}

#[cfg(test)]
mod tests {
    use super::super::{dual::Dual, primal::Primal};
    use super::*;
    use crate::math::ListMath;

    type Make = fn(f64, f64) -> Box<dyn Method>;

    fn primal(alpha: f64, lambda: f64) -> Box<dyn Method> {
        Box::new(Primal::new(alpha, lambda))
    }

    fn dual(alpha: f64, lambda: f64) -> Box<dyn Method> {
        Box::new(Dual::new(alpha, lambda))
    }

    /// Whatever a verdict says, from masses or from slopes, is what the exact gain says.
    #[test]
    fn a_verdict_is_that_of_the_exact_gain() {
        let (mut by_slopes, mut open) = (0, 0);
        let primals = [0.25, 0.5, 0.95, 1.05, 1.25, 1.7, 2.5, 3.0, 5.0, 8.0, 12.0].map(|alpha| (alpha, primal as Make));
        let duals = [1.05, 1.25, 1.5, 1.75, 2.5, 3.0, 5.0, 8.0].map(|alpha| (alpha, dual as Make));
        for (alpha, make) in primals.into_iter().chain(duals) {
            for exponent in [-0.5, -1.0, -1.5] {
                let mut problem = Problem::default();
                problem.set(&ListMath::PORTABLE, (1..=300).map(|i| crate::math::pow(f64::from(i), exponent)), 2.0);
                make(alpha, 1.0).prepare(&mut problem).unwrap();
                for k in [2, 9, 40, 41, 130, 280] {
                    let (gain, _) = exact_gain(&*make(alpha, 1.0), &mut problem, k).unwrap();
                    for lambda in [0.9, 0.99, 1.0 - 1e-5, 1.0 + 1e-5, 1.01, 1.1].map(|near| gain * near) {
                        let verdict = make(alpha, lambda).verdict(&mut problem, k).unwrap();
                        let keeps = match verdict {
                            Verdict::Include { .. } => true,
                            Verdict::Exclude { .. } => false,
                            Verdict::Exactly(k_star) => {
                                by_slopes += 1;
                                k_star == k + 1
                            }
                            Verdict::Ambiguous => {
                                open += 1;
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
        assert!(by_slopes > 200 && open > 200, "{by_slopes} by slopes, {open} left open: both have to occur");
    }

    /// The search finds any k, whatever it is told of the distance, and soon.
    #[test]
    fn a_search_ends_whatever_the_guesses() {
        for (k_star, size) in [(1, 1), (1, 900), (900, 900), (333, 1000), (70_000, 100_000)] {
            for lie in [1.0, 0.0, -3.0, 1e300, f64::NAN, f64::INFINITY] {
                let (mut search, mut asked) = (SupportSearch::between((1, size)), 0);
                while let Some(k) = search.next(0.3) {
                    assert!((search.low..search.high).contains(&k));
                    let steps = (k_star as f64 - k as f64) * lie;
                    if k < k_star {
                        search.at_least(k, usize::MAX, steps)
                    } else {
                        search.at_most(k, steps)
                    }
                    asked += 1;
                }
                assert_eq!(search.low, k_star);
                assert!(asked <= 4 * (size.ilog2() as usize + 1), "{asked} for {k_star} of {size}, {lie}");
            }
        }
    }
}
