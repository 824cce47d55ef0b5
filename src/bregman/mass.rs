//! The size of the support by budget: docs/mathematics.md, 16.
//!
//! Top-p keeps the smallest prefix with a mass of P and renormalises it, which costs a divergence ε from the model. The
//! decoder keeps the fewest tokens whose optimum costs no more. All terms of the comparison are non-negative, and those
//! of the tokens that top-p drops are on both sides and are left out.

use super::estimate::Estimate;
use super::problem::{Problem, tolerance};
use super::solver::{Optimum, Solver};
use crate::error::Result;
use std::ops::Range;

/// Masses this close to the target are equal to it: of equal tokens some prefix often is, and sums are rounded in another
/// way for every order of the candidates.
pub(crate) const EQUAL_MASS: f64 = 2e-7;

/// Whether top-p keeps one more token after this mass.
pub(crate) fn is_below(mass: f64, target: f64) -> bool {
    mass < target * (1.0 - EQUAL_MASS)
}

/// The number of tokens that top-p keeps.
pub(super) fn nucleus(problem: &Problem, p: f64) -> usize {
    first_without(0..problem.len(), |k| is_below(problem.head(k), p)).max(1)
}

/// The fewest of the first `nucleus` tokens whose optimum is no farther from the model than these tokens renormalised; or
/// `most`, if those are more.
pub(super) fn best_size(solver: &dyn Solver, problem: &mut Problem, nucleus: usize, most: usize) -> Result<usize> {
    // At α = 1 the optimum is the tokens renormalised, and every token less costs more.
    if solver.ratio().is_some() {
        return Ok(nucleus);
    }
    let mut search = Search::new(solver, problem);
    let found = search.smallest(nucleus, most);
    let Search { problem, lists, .. } = search;
    [problem.dropped, problem.y, problem.prices] = lists;
    found
}

/// Intervals longer than this are narrowed by estimates first.
const LONG: usize = 64;

struct Search<'a> {
    solver: &'a dyn Solver,
    problem: &'a mut Problem,
    /// Sums of the prices from each token on: the cost of dropping it and all after it; then sums of powers or a solution;
    /// then prices.
    lists: [Vec<f64>; 3],
    /// Whether the divergence follows from the sums of the powers.
    has_sums: bool,
    /// The number of tokens that top-p keeps.
    nucleus: usize,
    budget: f64,
    /// A size that is certain not to fit, as all below it, and one that is certain to, as all above.
    known: (usize, usize),
}

impl<'a> Search<'a> {
    fn new(solver: &'a dyn Solver, problem: &'a mut Problem) -> Self {
        let lists = [&mut problem.dropped, &mut problem.y, &mut problem.prices].map(std::mem::take);
        Self { solver, problem, lists, has_sums: false, nucleus: 0, budget: 0.0, known: (0, usize::MAX) }
    }

    fn smallest(&mut self, nucleus: usize, most: usize) -> Result<usize> {
        self.sum_prices(nucleus)?;
        // What is dropped costs too much alone for fewer than this; and with all of them there is nothing to show.
        let mut high = nucleus.min(most);
        let mut low = first_without(0..nucleus + 1, |k| self.dropped(k) > self.budget).clamp(1, high);
        if high - low > LONG && !self.has_sums {
            self.narrow(low, high)?;
        }
        let mut step = 1;
        while low < high {
            let k = (low + step - 1).min(high - 1);
            if self.fits(k)? {
                high = k;
                break;
            }
            low = k + 1;
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.fits(middle)? { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }

    /// Fills the lists and finds the budget.
    fn sum_prices(&mut self, nucleus: usize) -> Result<()> {
        let Self { solver, problem, lists: [dropped, y, prices], .. } = self;
        self.nucleus = nucleus;
        prices.clear();
        prices.resize(problem.numbers(nucleus), 0.0);
        solver.prices(problem, prices)?;
        // Closed forms need no more than the sums of the powers.
        self.has_sums = solver.moved_by_sums(problem, 1, 0.0).is_some();
        let powers = powers(problem, prices);
        problem.runs.running_sums(nucleus, (prices, 0.0, dropped), (powers, y));
        self.budget = solver.renormalised(problem, nucleus, dropped[0])?;
        Ok(())
    }

    /// The cost of dropping all but the first k of the nucleus.
    fn dropped(&self, k: usize) -> f64 {
        let [dropped, _, prices] = &self.lists;
        self.problem.runs.sum_from(dropped, prices, k, self.nucleus)
    }

    /// Whether the optimum on k tokens is within the budget.
    fn fits(&mut self, k: usize) -> Result<bool> {
        if k <= self.known.0 || k >= self.known.1 {
            return Ok(k >= self.known.1);
        }
        let dropped = self.dropped(k);
        let Self { solver, problem, lists: [_, y, prices], has_sums, .. } = self;
        let moved = if *has_sums {
            let powers = powers(problem, prices);
            solver.moved_by_sums(problem, k, problem.runs.sum_to(y, powers, k)).unwrap_or(f64::NAN)
        } else {
            let nu = solver.solve(problem, k, y)?;
            solver.moved(problem, k, Optimum { x: y, nu })?
        };
        Ok(moved + dropped <= self.budget)
    }

    /// Finds sizes that are certain to fit, and not to, until they are neighbours or an estimate is in doubt: by false
    /// position on the cost, which falls and is convex in k.
    fn narrow(&mut self, low: usize, high: usize) -> Result<()> {
        let Some(at_low) = self.estimate(low)? else { return Ok(()) };
        if at_low <= 0.0 {
            return Ok(());
        }
        // At `high` the cost may equal the budget, as on flat rows.
        let Some(at_high) = self.estimate(high - 1)? else { return Ok(()) };
        let ((mut a, mut at_a), (mut c, mut at_c)) = ((low as f64, at_low), ((high - 1) as f64, at_high));
        let (mut size, mut last_fits) = (c - a, None);
        for round in 0.. {
            let is_slow = round % 3 == 2 && c - a > 0.5 * size;
            if round % 3 == 2 {
                size = c - a;
            }
            if c - a <= 1.0 || at_c > 0.0 {
                break;
            }
            let chord = a + (c - a) * at_a / (at_a - at_c);
            let guess = if is_slow { 0.5 * (a + c) } else { chord };
            let k = guess.round().clamp(a + 1.0, c - 1.0);
            let Some(cost) = self.estimate(k as usize)? else { break };
            let fits = cost <= 0.0;
            // A point that stays twice gets half its value, so that the next chord ends on its side (Illinois).
            let share = if last_fits == Some(fits) { 0.5 } else { 1.0 };
            if fits {
                ((c, at_c), at_a) = ((k, cost), share * at_a);
            } else {
                ((a, at_a), at_c) = ((k, cost), share * at_c);
            }
            last_fits = Some(fits);
        }
        Ok(())
    }

    /// By how much the optimum on k tokens exceeds the budget, if that is certain; then `known` has it.
    fn estimate(&mut self, k: usize) -> Result<Option<f64>> {
        let dropped = self.dropped(k);
        let Self { solver, problem, lists: [_, y, prices], budget, .. } = self;
        let nu_error = 16.0 * tolerance(k) / problem.rest(k);
        solver.solve(problem, k, y)?;
        let Some(Estimate { value, error }) = solver.estimate_moved(problem, k, y, prices) else { return Ok(None) };
        let (excess, error) = (value + dropped - *budget, error + nu_error * value + 1e-9 * *budget);
        if excess > error {
            self.known.0 = self.known.0.max(k);
        } else if excess < -error {
            self.known.1 = self.known.1.min(k);
        } else {
            return Ok(None);
        }
        Ok(Some(excess))
    }
}

/// What a closed form may need the sums of: powers, or for one that uses none any list.
fn powers<'a>(problem: &'a Problem, prices: &'a [f64]) -> &'a [f64] {
    if problem.power.is_empty() { prices } else { &problem.power }
}

/// The first of some numbers of tokens for which something does not hold that holds for all before it.
fn first_without(sizes: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (sizes.start, sizes.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::super::problem::adversarial_weights;
    use super::super::solver::prepare;
    use super::super::{dual::Dual, primal::Primal};
    use super::*;
    use crate::math::ListMath;

    /// Narrowing changes no answer, and narrows.
    #[test]
    fn estimates_leave_the_size_as_it_is() {
        let primals =
            [0.25, 0.5, 0.97, 1.25, 2.5, 3.0, 12.0].map(|alpha| Box::new(Primal::new(alpha, 0.0)) as Box<dyn Solver>);
        let duals = [1.25, 1.5, 2.5, 6.0].map(|alpha| Box::new(Dual::new(alpha, 0.0)) as Box<dyn Solver>);
        let (mut cases, mut narrowed) = (0, 0);
        for solver in primals.into_iter().chain(duals) {
            for weights in adversarial_weights(200) {
                let mut problem = Problem::default();
                problem.set(&ListMath::PORTABLE, &weights, 0.01 * weights[0], true);
                prepare(&*solver, &mut problem).unwrap();
                for mass in [0.3, 0.9, 0.999] {
                    let nucleus = nucleus(&problem, mass);
                    let found = best_size(&*solver, &mut problem, nucleus, usize::MAX).unwrap();
                    let mut plain = Search::new(&*solver, &mut problem);
                    plain.sum_prices(nucleus).unwrap();
                    let smallest = (1..nucleus).find(|&k| plain.fits(k).unwrap());
                    assert_eq!(found, smallest.unwrap_or(nucleus), "{nucleus}");
                    if nucleus > LONG {
                        plain.narrow(1, nucleus).unwrap();
                        cases += 1;
                        narrowed += usize::from(plain.known.1.min(nucleus) <= plain.known.0 + 3);
                    }
                }
            }
        }
        assert!(cases > 50 && 3 * narrowed > cases, "{narrowed} of {cases}");
    }
}
