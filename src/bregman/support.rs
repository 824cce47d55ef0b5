//! The size of the support: k*, the k with the least cost.
//!
//! cost(k+1) - cost(k) = λ - g_k, and the gains g_k do not increase (discrete convexity: MATH.md, T1 and T2). So k* is
//! the first k whose gain is not above λ: found by a scan where gains have a closed form, else by bisection with the
//! A-test, which needs no roots.

use super::method::{Method, Optimum, Verdict};
use super::problem::Problem;
use crate::error::Result;

/// k*, and ν if the search happened to solve for this k: then `problem.x` holds the solution.
pub(super) fn best_size(method: &dyn Method, problem: &mut Problem) -> Result<(usize, Option<f64>)> {
    if let Some(k) = method.closed_form(problem) {
        return Ok((k, None));
    }
    let (mut low, mut high) = bounds(method, problem);
    let mut solved = None;
    while low < high {
        let k = (low + high) / 2;
        match method.verdict(problem, k)? {
            Verdict::Include { at_most } => {
                low = k + 1;
                high = high.min(at_most.max(low));
            }
            Verdict::Exclude => high = k,
            Verdict::Ambiguous => {
                let (gain, nus) = exact_gain(method, problem, k)?;
                solved = Some((k, nus));
                if gain > method.lambda() { low = k + 1 } else { high = k }
            }
        }
    }
    Ok((
        low,
        match solved {
            Some((k, (nu, _))) if k == low => Some(nu),
            Some((k, (_, nu))) if k + 1 == low => {
                std::mem::swap(&mut problem.x, &mut problem.y);
                Some(nu)
            }
            _ => None,
        },
    ))
}

/// MATH.md, 5: n_sure <= k* <= K(p), and rule 4; the upper bounds with slack for candidates that came from f32.
fn bounds(method: &dyn Method, problem: &Problem) -> (usize, usize) {
    let low = problem.above(method.sure()).max(1);
    let mut high = method.floor().map_or(problem.len(), |t| problem.at_most(t));
    if let Some(p) = method.rule_four(problem.p[0]) {
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
