//! The size of the support by budget: docs/mathematics.md, 16.
//!
//! Top-p keeps the smallest prefix with a mass of P and renormalises it, which costs a divergence ε from the model. The
//! decoder keeps the fewest tokens whose optimum costs no more. All terms of the comparison are non-negative, and those
//! of the tokens that top-p drops are on both sides and are left out.

use super::problem::Problem;
use super::solver::{Optimum, Solver};
use crate::error::Result;

/// Masses this close to the target are equal to it: of equal tokens some prefix often is, and sums are rounded in another
/// way for every order of the candidates.
pub(crate) const EQUAL_MASS: f64 = 2e-7;

/// Whether top-p keeps one more token after this mass.
pub(crate) fn is_below(mass: f64, target: f64) -> bool {
    mass < target * (1.0 - EQUAL_MASS)
}

/// The number of tokens that top-p keeps.
pub(super) fn nucleus(problem: &Problem, p: f64) -> usize {
    problem.head[..problem.len()].partition_point(|&before| is_below(before, p)).max(1)
}

/// The fewest of the first `nucleus` tokens whose optimum is no farther from the model than these tokens renormalised; or
/// `most`, if those are more.
pub(super) fn best_size(solver: &dyn Solver, problem: &mut Problem, nucleus: usize, most: usize) -> Result<usize> {
    // At α = 1 the optimum is the tokens renormalised, and every token less costs more.
    if solver.ratio().is_some() {
        return Ok(nucleus);
    }
    let mut dropped = std::mem::take(&mut problem.dropped);
    let mut y = std::mem::take(&mut problem.y);
    let found = smallest(solver, problem, (nucleus, most), &mut dropped, &mut y);
    (problem.dropped, problem.y) = (dropped, y);
    found
}

fn smallest(
    solver: &dyn Solver,
    problem: &mut Problem,
    (nucleus, most): (usize, usize),
    dropped: &mut Vec<f64>,
    y: &mut Vec<f64>,
) -> Result<usize> {
    // dropped[k] becomes the cost of dropping all but the first k.
    dropped.clear();
    dropped.resize(nucleus + 1, 0.0);
    solver.prices(problem, &mut dropped[..nucleus])?;
    // Closed forms need no more than the sums of the powers. In one loop with the other sums: neither waits for the other.
    let has_sums = solver.moved_by_sums(problem, 1, 0.0).is_some();
    y.clear();
    y.resize(nucleus + 1, 0.0);
    let (mut cost, mut sum) = (0.0, 0.0);
    let powers = problem.power.iter().copied().chain(std::iter::repeat(0.0));
    for ((dropped, y), power) in dropped[..nucleus].iter_mut().rev().zip(&mut y[1..]).zip(powers) {
        cost += *dropped;
        sum += power;
        (*dropped, *y) = (cost, sum);
    }
    let budget = solver.renormalised(problem, nucleus, dropped[0])?;
    let mut fits = |k: usize| -> Result<bool> {
        let moved = if has_sums {
            solver.moved_by_sums(problem, k, y[k]).unwrap_or(f64::NAN)
        } else {
            let nu = solver.solve(problem, k, y)?;
            solver.moved(problem, Optimum { x: y, nu })?
        };
        Ok(moved + dropped[k] <= budget)
    };
    // What is dropped costs too much alone for fewer than this; and with all of them there is nothing to show.
    let mut high = nucleus.min(most);
    let mut low = dropped.partition_point(|&cost| cost > budget).clamp(1, high);
    let mut step = 1;
    while low < high {
        let k = (low + step - 1).min(high - 1);
        if fits(k)? {
            high = k;
            break;
        }
        low = k + 1;
        step *= 2;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if fits(middle)? { high = middle } else { low = middle + 1 }
    }
    Ok(low)
}
