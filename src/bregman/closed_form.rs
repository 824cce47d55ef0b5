//! The gains for α = 2 and α = 3/2 (docs/mathematics.md, 4), and k* from them.

use super::problem::Problem;

/// For α = 2, the first k whose gain is not above λ, if it is not below `from` (docs/mathematics.md, 6.1).
pub(super) fn size_at_two(problem: &Problem, lambda: f64, from: usize) -> usize {
    first_with(problem, from, |k| gain_at_two(problem, k) <= lambda)
}

/// The same for α = 3/2.
pub(super) fn size_at_three_halves(problem: &Problem, lambda: f64, from: usize) -> usize {
    let mut roots: f64 = problem.p[..from - 1].iter().map(|p| p.sqrt()).sum();
    first_with(problem, from, |k| {
        roots += problem.p[k - 1].sqrt();
        gain_at_three_halves(problem, k, roots) <= lambda
    })
}

fn first_with(problem: &Problem, from: usize, mut is_end: impl FnMut(usize) -> bool) -> usize {
    (from..problem.len()).find(|&k| is_end(k)).unwrap_or(problem.len())
}

/// The gain for α = 2: g = k z² / (2 (k + 1)) with z = p_{k+1} + R_k / k.
fn gain_at_two(problem: &Problem, k: usize) -> f64 {
    let n = k as f64;
    let z = problem.p[k] + problem.rest[k] / n;
    n * z * z / (2.0 * (n + 1.0))
}

/// For α = 3/2: c = ν/2, by which every root of a probability rises, and D (docs/mathematics.md, 3); `roots` is the sum of
/// the first k roots.
pub(super) fn root_shift(roots: f64, k: f64, rest: f64) -> (f64, f64) {
    let d = (roots * roots + k * rest).sqrt();
    (rest / (roots + d), d)
}

/// The gain for α = 3/2.
fn gain_at_three_halves(problem: &Problem, k: usize, roots: f64) -> f64 {
    let n = k as f64;
    let root = problem.p[k].sqrt();
    let (c, d) = root_shift(roots, n, problem.rest[k]);
    let (c_next, _) = root_shift(roots + root, n + 1.0, problem.rest[k + 1]);
    let s = root + c_next;
    let x_next = s * s;
    let delta = x_next / (2.0 * roots + n * (c + c_next));
    2.0 / 3.0 * x_next * s + 2.0 * delta * delta * (d - n * delta / 3.0)
}

#[cfg(test)]
mod tests {
    use super::super::primal::Primal;
    use super::super::problem::adversarial_weights;
    use super::super::solver::{Optimum, Solver, prepare};
    use super::*;
    use crate::math::ListMath;

    /// The scan may begin where the gains come near λ: as it does from the first token on.
    #[test]
    fn scans_find_the_first_gain_that_is_too_small() {
        for weights in adversarial_weights(3000) {
            let mut problem = Problem::default();
            problem.set(&ListMath::PORTABLE, &weights, 0.1 * weights[0], false);
            for lambda in [1e-1, 1e-3, 1e-5, 1e-7, 1e-8, 1e-10] {
                let (at_two, at_three_halves) = (Primal::new(2.0, lambda), Primal::new(1.5, lambda));
                assert_eq!(at_two.scan(&problem), Some(size_at_two(&problem, lambda, 1)));
                assert_eq!(at_three_halves.scan(&problem), Some(size_at_three_halves(&problem, lambda, 1)));
            }
        }
    }

    /// The divergence from sums is that of the solution.
    #[test]
    fn moved_by_sums_equals_the_divergence_of_the_solution() {
        for weights in adversarial_weights(500) {
            for alpha in [1.5, 2.0] {
                let (solver, mut problem) = (Primal::new(alpha, 1e-9), Problem::default());
                problem.set(&ListMath::PORTABLE, &weights, 0.3 * weights[0], false);
                prepare(&solver, &mut problem).unwrap();
                problem.take_logs();
                let n = problem.len();
                for k in [1, 2, 3, 17, 200, n].into_iter().filter(|&k| k <= n) {
                    let powers = problem.power.iter().take(k).sum();
                    let by_sums = solver.moved_by_sums(&problem, k, powers).unwrap();
                    let mut x = vec![];
                    let nu = solver.solve(&mut problem, k, &mut x).unwrap();
                    let moved = solver.moved(&mut problem, k, Optimum { x: &x, nu }).unwrap();
                    assert!((by_sums - moved).abs() <= 1e-12 * moved, "α {alpha}, k {k}: {by_sums:e} {moved:e}");
                }
            }
        }
    }
}
