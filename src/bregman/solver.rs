//! The interface between the search for the support and a decoder: primal or dual, in closed form or with a user's
//! generator.

use super::a_test::Verdict;
use super::estimate::Estimate;
use super::problem::Problem;
use crate::error::Result;

/// The optimum for some k, as [`Solver::solve`] found it.
#[derive(Clone, Copy)]
pub(super) struct Optimum<'a> {
    pub(super) x: &'a [f64],
    /// Gives x - p where the difference is below the rounding error of x: for a large α the gain is far smaller than the
    /// square of that error.
    pub(super) nu: f64,
}

/// Fills the problem's powers, unless they are there.
pub(super) fn prepare(solver: &dyn Solver, problem: &mut Problem) -> Result<()> {
    if !problem.is_prepared {
        solver.prepare(problem)?;
        problem.is_prepared = true;
    }
    Ok(())
}

/// A decoder for one divergence, one direction and one λ.
pub(super) trait Solver: Send + Sync {
    /// Fills the problem's powers.
    fn prepare(&self, problem: &mut Problem) -> Result<()>;

    /// Whether lists may have one number for each run of equal tokens; `is_scanned` is whether [`Solver::scan`] is called.
    fn takes_runs(&self, is_scanned: bool) -> bool {
        let _ = is_scanned;
        true
    }

    /// Whether [`Solver::solve`] for k tokens uses them.
    fn needs_powers(&self, problem: &Problem, k: usize) -> bool {
        let _ = (problem, k);
        true
    }

    /// The price of a kept token.
    fn lambda(&self) -> f64;

    /// t_sure: tokens with a larger probability are kept (docs/mathematics.md, 5).
    fn t_sure(&self) -> f64;

    /// t_floor: the threshold behind the bound K(p); None if there is no such bound.
    fn t_floor(&self) -> Option<f64>;

    /// Where between n_sure and K(p) k* usually is.
    fn fraction(&self) -> f64 {
        0.5
    }

    /// Bound 4: the probability that every kept token but the first exceeds, given the first's; None if the bound is void.
    fn kept_floor(&self, p_1: f64) -> Option<f64> {
        let _ = p_1;
        None
    }

    /// If p̂ is p renormalised (α = 1): token k + 1 is kept iff its weight exceeds this multiple of the sum of the first k
    /// weights.
    fn ratio(&self) -> Option<f64> {
        None
    }

    /// Writes the optimum on the first k tokens to `x` and returns ν.
    fn solve(&self, problem: &mut Problem, k: usize, x: &mut Vec<f64>) -> Result<f64>;

    /// The A-test for token k + 1.
    fn verdict(&self, problem: &mut Problem, k: usize) -> Result<Verdict>;

    /// The gain of token k + 1, G(k) - G(k + 1), from the optima for k and k + 1.
    fn gain(&self, problem: &mut Problem, k: usize, x: Optimum<'_>, y: Optimum<'_>) -> Result<f64>;

    /// Writes what dropping each of the tokens of the first `out.len()` numbers costs: d(0, p_i), or d(p_i, 0) for the dual. This and the
    /// next two may have a common factor, so that no power underflows.
    fn prices(&self, problem: &mut Problem, out: &mut [f64]) -> Result<()>;

    /// The divergence of the first k tokens' optimum from their probabilities: Σ d(x_i, p_i), or Σ d(p_i, x_i).
    fn moved(&self, problem: &mut Problem, k: usize, x: Optimum<'_>) -> Result<f64>;

    /// The same for the first k tokens from sums alone, where there is such a form; `powers` is the sum of their powers.
    fn moved_by_sums(&self, problem: &Problem, k: usize, powers: f64) -> Option<f64> {
        let _ = (problem, k, powers);
        None
    }

    /// The same by list functions, with a bound of the error; `prices` are what [`Solver::prices`] wrote. None if they do not
    /// serve.
    fn estimate_moved(&self, problem: &mut Problem, k: usize, x: &[f64], prices: &[f64]) -> Option<Estimate> {
        let _ = (problem, k, x, prices);
        None
    }

    /// The same for the first k tokens renormalised, p_i / S_k; `prices` is the sum of what [`Solver::prices`] wrote for
    /// them.
    fn renormalised(&self, problem: &mut Problem, k: usize, prices: f64) -> Result<f64>;

    /// k* by a scan, if gains have a closed form and a scan is cheaper than a search. The powers need not be there.
    fn scan(&self, problem: &Problem) -> Option<usize> {
        let _ = problem;
        None
    }
}
