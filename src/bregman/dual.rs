//! The dual decoder of the α family, α > 1: minimise Σ d(p_i, x_i), so that x_i^(b-1) (x_i - p_i) = ν on the support.
//!
//! docs/mathematics.md, 3, 4 and 6. For α = 2 primal and dual are the same, and `mod.rs` uses the primal.

use super::a_test::Verdict;
use super::estimate::{Estimate, sum_of_divergences};
use super::generator::{Alpha, Series};
use super::problem::{Problem, last_step};
use super::root::{Probe, newton};
use super::solver::{Optimum, Solver};
use crate::error::Result;
use crate::math::{exp, expm1, fast_pow, list, ln, log1p, pow};

/// From this α on Newton starts from water-filling, which is nearer to the solution than equal shares of the rest.
const WATER_FILLING: f64 = 4.0;

/// A relative step of this size is Newton's last: the remaining error is its square.
const LAST_STEP: f64 = 1e-8;

/// The minimiser of d(p, x).
pub(super) struct Dual {
    family: Alpha,
    lambda: f64,
    t_sure: f64,
    t_floor: f64,
    /// The x at which the gain of a token of probability zero is λ.
    x_of_zero: f64,
    /// For the exponents α and b.
    series: [Series; 2],
}

impl Dual {
    pub(super) fn new(alpha: f64, lambda: f64) -> Self {
        let b = alpha - 1.0;
        let t_sure = pow(alpha * b * lambda, 1.0 / alpha);
        let x_of_zero = pow(alpha * lambda / b, 1.0 / alpha);
        let t_floor = if alpha <= 2.0 { t_sure } else { x_of_zero };
        Self { family: Alpha::new(alpha), lambda, t_sure, t_floor, x_of_zero, series: [alpha, b].map(Series::new) }
    }

    /// With the λ whose t_floor is this probability (docs/mathematics.md, 10).
    pub(super) fn with_floor(alpha: f64, t_floor: f64) -> Self {
        let b = alpha - 1.0;
        let factor = if alpha <= 2.0 { 1.0 / b } else { b };
        Self { t_floor, ..Self::new(alpha, pow(t_floor, alpha) * factor / alpha) }
    }

    /// Writes the optimum for the first k tokens to `x` and returns ν.
    ///
    /// Newton's method for all x and ν together, in the rises d = x - p. In each step every d moves to where the tangent
    /// of x^(b-1) d equals ν, with the ν for which Σ d = R. That function of d is convex for α > 2 and concave for α < 2,
    /// so its tangents lie on one side of it and ν converges monotonically from any start.
    fn solve_jointly(&self, problem: &Problem, k: usize, x: &mut [f64], [rises, slopes]: [&mut [f64]; 2]) -> f64 {
        let b = self.family.b;
        let (p, rest) = (&problem.p[..x.len()], problem.rest(k));
        let level = if self.family.alpha < WATER_FILLING { 0.0 } else { problem.water_level(k) };
        let share = rest / k as f64;
        for (rise, p) in rises.iter_mut().zip(p) {
            *rise = if level > 0.0 { list::at_least(0.0, level - p) } else { share };
        }
        let mut nu = 0.0;
        for _ in 0..60 {
            x.iter_mut().zip(p.iter().zip(&*rises)).for_each(|(x, (p, rise))| *x = p + rise);
            // dd/dν, with powers relative to the last x so that none overflows; and the zero of the tangent.
            let scale = 1.0 / x[x.len() - 1];
            slopes.iter_mut().zip(&*x).for_each(|(slope, x)| *slope = x * scale);
            problem.math.pow(slopes, 1.0 - b);
            for ((slope, rise), x) in slopes.iter_mut().zip(&mut *rises).zip(&*x) {
                let inverse = 1.0 / (x + (b - 1.0) * *rise);
                *slope *= x * inverse;
                *rise *= (b - 1.0) * *rise * inverse;
            }
            let step = (rest - problem.sum(rises, k)) / problem.sum(slopes, k);
            nu = step * fast_pow(scale, 1.0 - b);
            for ((rise, slope), (x, p)) in rises.iter_mut().zip(&*slopes).zip(x.iter_mut().zip(p)) {
                *rise = list::at_least(0.0, *rise + step * slope);
                // Positive if this step was not the last.
                *x = (p + *rise - *x).abs() - LAST_STEP * *x;
            }
            if list::largest(x) == 0.0 {
                break;
            }
        }
        x.iter_mut().zip(p.iter().zip(&*rises)).for_each(|(x, (p, rise))| *x = p + rise);
        nu
    }

    /// Writes x - p for a given ν, if it has a closed form for this α; else false.
    fn closed_form(&self, p: &[f64], nu: f64, rises: &mut [f64]) -> bool {
        let entries = rises.iter_mut().zip(p);
        if self.family.alpha == 3.0 {
            entries.for_each(|(rise, p)| *rise = 2.0 * nu / (p + (p * p + 4.0 * nu).sqrt()));
        } else if self.family.alpha == 1.5 {
            entries.for_each(|(rise, p)| *rise = 0.5 * nu * (nu + (nu * nu + 4.0 * p).sqrt()));
        } else {
            return false;
        }
        true
    }

    /// The A-test for token k + 1, which has the mass `x_t` at its threshold, where ln ν is `log_nu`; if it is ambiguous, by
    /// the derivatives.
    fn a_test(&self, problem: &Problem, k: usize, x_t: f64, log_nu: f64, lists: [&mut [f64]; 3]) -> Verdict {
        let b = self.family.b;
        let [logs, rises, errors] = lists;
        if !self.closed_form(&problem.p[..rises.len()], exp(log_nu), rises)
            && let Some(verdict) = self.verdict_or_rises(problem, k, x_t, log_nu, [logs, &mut *rises, errors])
        {
            return verdict;
        }
        let mass = problem.head(k) + problem.sum(rises, k);
        let verdict = Verdict::without_bound(mass, x_t, k);
        if verdict != Verdict::Ambiguous {
            return verdict;
        }
        // dx/dν = x^(1-b) x / (x + (b-1) (x - p)), by ν x_t^(1-b) so that no power overflows.
        let share = |x: f64, rise: f64| x / (x + (b - 1.0) * rise);
        let slopes = logs;
        let entries = || rises.iter().zip(&problem.p);
        slopes.iter_mut().zip(entries()).for_each(|(slope, (rise, p))| *slope = (p + rise) / x_t);
        problem.math.pow(slopes, 1.0 - b);
        slopes.iter_mut().zip(entries()).for_each(|(slope, (rise, p))| *slope *= share(p + rise, *rise));
        // Its logarithm changes by at most this times x^-b per unit of ν.
        let curvature = ((b - 1.0).abs() * b.max(2.0) / (b.min(1.0) * b.min(1.0))).max(b.max(1.0));
        Verdict::by_derivatives(
            mass,
            x_t,
            k,
            [problem.sum(slopes, k), share(x_t, x_t - problem.p(k))],
            2.0 * curvature / x_t,
        )
    }

    /// The verdict, if it becomes certain before x - p has converged; else none, and x - p in `rises`.
    ///
    /// Newton's method for v = ln(x - p), by which (b-1) ln(p + e^v) + v = ln ν is nearly linear: its derivative lies
    /// between 1 and b. That bounds the remaining error, and most verdicts are certain after a step or two.
    fn verdict_or_rises(
        &self,
        problem: &Problem,
        k: usize,
        x_t: f64,
        log_nu: f64,
        [logs, rises, errors]: [&mut [f64]; 3],
    ) -> Option<Verdict> {
        let b = self.family.b;
        let (p, log_p) = (&problem.p[..logs.len()], &problem.log_p[..logs.len()]);
        // For u = v - ln p the equation is u + (b-1) ln(1 + e^u) = ln ν - b ln p, convex or concave: it lies on one side of
        // its tangents at -infinity, 0 and infinity. Starting at the nearest of them, no step overshoots.
        let at_zero = (b - 1.0) * std::f64::consts::LN_2;
        for (v, log_p) in logs.iter_mut().zip(log_p) {
            let c = log_nu - b * log_p;
            let tangents = [c, (c - at_zero) * 2.0 / (1.0 + b), c / b];
            let nearest = if b > 1.0 { list::at_most } else { list::at_least };
            *v = log_p + nearest(nearest(tangents[0], tangents[1]), tangents[2]);
        }
        for _ in 0..20 {
            rises.copy_from_slice(logs);
            problem.math.exp(rises);
            let mass = problem.head(k) + problem.sum(rises, k);
            errors.iter_mut().zip(rises.iter().zip(p)).for_each(|(x, (rise, p))| *x = p + rise);
            problem.math.ln(errors);
            for ((error, v), (rise, p)) in errors.iter_mut().zip(&mut *logs).zip(rises.iter_mut().zip(p)) {
                *error = (b - 1.0) * *error + *v - log_nu;
                *v -= *error * (p + *rise) / (p + b * *rise);
                *error = error.abs();
                *rise *= *error;
            }
            // Bounds the error of each v; a rise is off by at most a factor of e to the power of it.
            let error = list::largest(errors) / b.min(1.0);
            if error <= LAST_STEP {
                break;
            }
            let slack = problem.sum(rises, k) / b.min(1.0) * (1.0 + error);
            if error <= 1.0 && (mass - slack >= 1.0 || mass + slack + x_t < 1.0) {
                return Some(Verdict::without_bound(mass, x_t, k));
            }
        }
        rises.copy_from_slice(logs);
        problem.math.exp(rises);
        None
    }

    /// The x >= p at which the gain of a token of probability p is λ: x^b ((b/α) x - ((b-1)/b) p) = λ.
    fn x_at_threshold(&self, p: f64) -> f64 {
        let Alpha { alpha, b } = self.family;
        let (of_x, of_p) = (b / alpha, (b - 1.0) / b * p);
        let ends = (self.t_floor.max(p), self.t_sure.max(self.x_of_zero).max(p));
        let (x, step) = newton(ends.1, [ends.0 * (1.0 - 1e-12), ends.1 * (1.0 + 1e-12)], [4e-15, last_step(b)], |x| {
            let power = fast_pow(x, b - 1.0);
            let value = power * x * (of_x * x - of_p) - self.lambda;
            // The derivative of x^b ((b/α) x - ((b-1)/b) p) is x^(b-1) (b x - (b-1) p).
            Probe { excess: value / self.lambda, value, slope: power * (b * x - (b - 1.0) * p) }
        });
        (x + step).max(p)
    }

    /// h(x) - h(y) - h'(y) (x - y) for h(x) = x^α/α - p x^b/b and x = y + `step`: the integral of (x - s) h''(s) from y to
    /// x.
    fn divergence_of_h(&self, p: f64, y: f64, step: f64) -> f64 {
        let Alpha { alpha, b } = self.family;
        let r = step / y;
        if r.abs() < 0.3 {
            let half = 0.5 * step;
            return GAUSS
                .iter()
                .flat_map(|&(node, weight)| [(node, weight), (-node, weight)])
                .map(|(node, weight)| {
                    let s = y + half * (1.0 + node);
                    weight * half * half * (1.0 - node) * pow(s, b - 2.0) * (b * s - (b - 1.0) * p)
                })
                .sum();
        }
        let (y_b, log_ratio) = (pow(y, b), log1p(r));
        y_b * (y * expm1(alpha * log_ratio) / alpha - p * expm1(b * log_ratio) / b - (1.0 - p / y) * step)
    }
}

/// The 8-point Gauss-Legendre rule: positive nodes with their weights.
const GAUSS: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];

impl Solver for Dual {
    fn prepare(&self, problem: &mut Problem) -> Result<()> {
        problem.take_logs();
        Ok(())
    }

    fn needs_powers(&self, _: &Problem, _: usize) -> bool {
        false
    }

    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn fraction(&self) -> f64 {
        (1.0 - 1.0 / self.family.alpha).max(0.0)
    }

    fn t_sure(&self) -> f64 {
        self.t_sure
    }

    fn t_floor(&self) -> Option<f64> {
        Some(self.t_floor)
    }

    fn solve(&self, problem: &mut Problem, k: usize, x: &mut Vec<f64>) -> Result<f64> {
        x.clear();
        x.extend_from_slice(&problem.p[..problem.numbers(k)]);
        if k == 1 {
            x[0] = 1.0;
            return Ok(problem.rest(1));
        }
        if problem.rest(k) <= 0.0 {
            problem.normalise(x, k);
            return Ok(0.0);
        }
        let nu = problem.with_lists(k, |problem, lists| self.solve_jointly(problem, k, x, lists));
        problem.normalise(x, k);
        Ok(nu)
    }

    fn verdict(&self, problem: &mut Problem, k: usize) -> Result<Verdict> {
        let b = self.family.b;
        let next = problem.p(k);
        if next > self.t_sure {
            return Ok(Verdict::Include { at_most: usize::MAX, steps: f64::NAN });
        }
        let x_t = self.x_at_threshold(next);
        if x_t <= next {
            // The threshold is at ν = 0, where x = p.
            return Ok(Verdict::without_bound(problem.head(k), x_t, k));
        }
        let log_nu = (b - 1.0) * ln(x_t) + ln(x_t - next);
        Ok(problem.with_lists(k, |problem, lists| self.a_test(problem, k, x_t, log_nu, lists)))
    }

    fn gain(&self, problem: &mut Problem, k: usize, x: Optimum<'_>, y: Optimum<'_>) -> Result<f64> {
        let Alpha { alpha, b } = self.family;
        let moved = problem.with_lists(k, |problem, [ratios, powers]| {
            // x - p = ν x^(1-b). From ν, not from x: see `Optimum`.
            let rise = |at: Optimum<'_>, list: &mut [f64]| {
                list.copy_from_slice(&at.x[..list.len()]);
                problem.math.ln(list);
                let log_nu = ln(at.nu);
                list.iter_mut().for_each(|log| *log = log_nu + (1.0 - b) * *log);
                problem.math.exp(list);
            };
            rise(x, ratios);
            rise(y, powers);
            let entries = || problem.p.iter().zip(y.x);
            for (ratio, (power, y)) in ratios.iter_mut().zip(powers.iter().zip(y.x)) {
                *ratio = (*ratio - power) / y;
            }
            if ratios.iter().any(|r| r.abs() > Series::MAX_RATIO) {
                for (power, (r, (&p, &y))) in powers.iter_mut().zip(ratios.iter().zip(entries())) {
                    *power = self.divergence_of_h(p, y, r * y);
                }
                return problem.sum_in_order(powers, k);
            }
            powers.copy_from_slice(&y.x[..powers.len()]);
            problem.math.pow(powers, b);
            let [of_alpha, of_b] = &self.series;
            for (power, (&r, (&p, &y))) in powers.iter_mut().zip(ratios.iter().zip(entries())) {
                *power *= b * y * of_alpha.at(r) - (b - 1.0) * p * of_b.at(r);
            }
            problem.sum(powers, k)
        });
        let last = problem.runs.at(y.x, k);
        Ok(moved + pow(last, b) * (b / alpha * last - (b - 1.0) / b * problem.p(k)))
    }

    fn prices(&self, problem: &mut Problem, out: &mut [f64]) -> Result<()> {
        let Alpha { alpha, b } = self.family;
        out.copy_from_slice(&problem.p[..out.len()]);
        problem.math.pow(out, alpha);
        out.iter_mut().for_each(|price| *price /= alpha * b);
        Ok(())
    }

    fn moved(&self, problem: &mut Problem, k: usize, x: Optimum<'_>) -> Result<f64> {
        let b = self.family.b;
        let each = |(&x_i, &p): (&f64, &f64)| {
            // x - p = ν x^(1-b). From ν where p is near x: see `Optimum`.
            let fall = x.nu * exp(-b * ln(x_i));
            if fall < 0.3 {
                self.family.divergence_of_ratio(x_i, -fall, log1p(-fall))
            } else {
                self.family.divergence(p, x_i)
            }
        };
        Ok(problem.with_lists(k, |problem, [moved]| {
            let all = x.x.iter().zip(&problem.p);
            moved.iter_mut().zip(all.map(each)).for_each(|(moved, each)| *moved = each);
            problem.sum_in_order(moved, k)
        }))
    }

    fn estimate_moved(&self, problem: &mut Problem, k: usize, x: &[f64], _: &[f64]) -> Option<Estimate> {
        let alpha = self.family.alpha;
        problem.with_lists(k, |problem, [weights, ratios, powers]| {
            weights.copy_from_slice(x);
            problem.math.pow(weights, alpha);
            ratios.iter_mut().zip(x.iter().zip(&problem.p)).for_each(|(ratio, (x, p))| *ratio = p / x - 1.0);
            sum_of_divergences(problem, k, alpha, &self.series[0], [weights, ratios, powers])
        })
    }

    fn renormalised(&self, problem: &mut Problem, k: usize, prices: f64) -> Result<f64> {
        // d(p, c p) = p^α d(1, c), and 1 is less than c = 1/S by R of it.
        let Alpha { alpha, b } = self.family;
        let (head, less) = (problem.head(k), problem.rest(k).max(0.0));
        Ok(alpha * b * prices * self.family.divergence_of_ratio(1.0 / head, -less, ln(head)))
    }
}
