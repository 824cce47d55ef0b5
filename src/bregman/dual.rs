//! The dual decoder of the α family, α > 1: minimise Σ d(p_i, x_i), so that x_i^(b-1) (x_i - p_i) = ν on the support.
//!
//! docs/mathematics.md, 3, 4 and 6. At α = 2 primal and dual are the same, and `mod.rs` takes the primal.

use super::generator::{Alpha, Series};
use super::method::{Method, Optimum, Verdict};
use super::primal::water_level;
use super::problem::{Problem, last_step, normalise};
use super::root::{Probe, newton};
use crate::error::Result;
use crate::math::{exp, expm1, fast_pow, list, ln, log1p, pow};

/// From this α on the solution is nearer to filled water than to equal shares of the rest.
const LIKE_WATER: f64 = 4.0;

/// A step of this size, relative to x, is Newton's last: what it leaves is its square.
const LAST_STEP: f64 = 1e-8;

/// Renormalisation towards d(p, x).
pub(super) struct Dual {
    family: Alpha,
    lambda: f64,
    sure: f64,
    floor: f64,
    /// The x at which a token of probability zero is worth λ.
    far: f64,
    /// Of α and of b.
    series: [Series; 2],
}

impl Dual {
    pub(super) fn new(alpha: f64, lambda: f64) -> Self {
        let b = alpha - 1.0;
        let sure = pow(alpha * b * lambda, 1.0 / alpha);
        let far = pow(alpha * lambda / b, 1.0 / alpha);
        let floor = if alpha <= 2.0 { sure } else { far };
        Self { family: Alpha::new(alpha), lambda, sure, floor, far, series: [alpha, b].map(Series::new) }
    }

    /// λ from a floor in probabilities (docs/mathematics.md, 10): the λ whose t_floor it is.
    pub(super) fn with_floor(alpha: f64, floor: f64) -> Self {
        let b = alpha - 1.0;
        let factor = if alpha <= 2.0 { 1.0 / b } else { b };
        Self { floor, ..Self::new(alpha, pow(floor, alpha) * factor / alpha) }
    }

    /// The optimum for the first k tokens, into `x`; ν.
    ///
    /// Newton's steps for all x and ν at once, in the rises d = x - p: every d goes where the tangent of x^(b-1) d
    /// reaches ν, with the ν that makes Σ d = R. The function is convex in d for α > 2 and concave for α < 2; so the
    /// tangent promises too much of every d, or too little, and ν rises, or falls, steadily to its limit from any
    /// start.
    fn solve_together(&self, problem: &Problem, x: &mut [f64], [rises, slopes]: [&mut [f64]; 2]) -> f64 {
        let (b, k) = (self.family.b, x.len());
        let (p, rest) = (&problem.p[..k], problem.rest[k]);
        let level = if self.family.alpha < LIKE_WATER { 0.0 } else { water_level(problem, k) };
        let share = rest / k as f64;
        for (rise, p) in rises.iter_mut().zip(p) {
            *rise = if level > 0.0 { list::at_least(0.0, level - p) } else { share };
        }
        let mut nu = 0.0;
        for _ in 0..60 {
            x.iter_mut().zip(p.iter().zip(&*rises)).for_each(|(x, (p, rise))| *x = p + rise);
            // dd/dν at the rise: powers relative to the last one's, so that none overflows; and where the tangent
            // vanishes.
            let scale = 1.0 / x[k - 1];
            slopes.iter_mut().zip(&*x).for_each(|(slope, x)| *slope = x * scale);
            problem.math.pow(slopes, 1.0 - b);
            for ((slope, rise), x) in slopes.iter_mut().zip(&mut *rises).zip(&*x) {
                let part = 1.0 / (x + (b - 1.0) * *rise);
                *slope *= x * part;
                *rise *= (b - 1.0) * *rise * part;
            }
            let step = (rest - list::sum(rises)) / list::sum(slopes);
            nu = step * fast_pow(scale, 1.0 - b);
            for ((rise, slope), (x, p)) in rises.iter_mut().zip(&*slopes).zip(x.iter_mut().zip(p)) {
                *rise = list::at_least(0.0, *rise + step * slope);
                // Above zero while there is a step to take.
                *x = (p + *rise - *x).abs() - LAST_STEP * *x;
            }
            if list::largest(x) == 0.0 {
                break;
            }
        }
        x.iter_mut().zip(p.iter().zip(&*rises)).for_each(|(x, (p, rise))| *x = p + rise);
        nu
    }

    /// x - p for a given ν and those α that have a closed form; whether this is one.
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

    /// The A-test for token k + 1, which gets `x_t` at its threshold, where ν has the logarithm `log_nu`; and where
    /// that does not tell, the slopes.
    fn weigh(&self, problem: &Problem, k: usize, x_t: f64, log_nu: f64, lists: [&mut [f64]; 3]) -> Verdict {
        let b = self.family.b;
        let [logs, rises, errors] = lists;
        if !self.closed_form(&problem.p[..k], exp(log_nu), rises)
            && let Some(clear) = self.rise_until_clear(problem, x_t, log_nu, [logs, &mut *rises, errors])
        {
            return clear;
        }
        let mass = problem.head[k] + list::sum(rises);
        let verdict = Verdict::of_this_step(mass, x_t, k);
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
        // The logarithm of that changes by no more than this times x^-b of ν.
        let bend = ((b - 1.0).abs() * b.max(2.0) / (b.min(1.0) * b.min(1.0))).max(b.max(1.0));
        Verdict::by_slopes(mass, x_t, k, [list::sum(slopes), share(x_t, x_t - problem.p[k])], 2.0 * bend / x_t)
    }

    /// x - p for a given ν, or the verdict as soon as it is clear.
    ///
    /// Newton's steps for v = ln(x - p), in which (b-1) ln(p + e^v) + v = ln ν is nearly straight: its slope lies
    /// between 1 and b. That bounds what is missing, and most verdicts are clear after a step or two.
    fn rise_until_clear(
        &self,
        problem: &Problem,
        x_t: f64,
        log_nu: f64,
        [logs, rises, errors]: [&mut [f64]; 3],
    ) -> Option<Verdict> {
        let (b, k) = (self.family.b, logs.len());
        let (p, log_p) = (&problem.p[..k], &problem.log_p[..k]);
        // With v - ln p for v it is u + (b-1) ln(1 + e^u) = ln ν - b ln p: convex or concave, and so on one side of its
        // tangents far to the left, at 0 and far to the right. There a step does not overshoot.
        let bend = (b - 1.0) * std::f64::consts::LN_2;
        for (v, log_p) in logs.iter_mut().zip(log_p) {
            let c = log_nu - b * log_p;
            let tangents = [c, (c - bend) * 2.0 / (1.0 + b), c / b];
            let nearest = if b > 1.0 { list::at_most } else { list::at_least };
            *v = log_p + nearest(nearest(tangents[0], tangents[1]), tangents[2]);
        }
        for _ in 0..20 {
            rises.copy_from_slice(logs);
            problem.math.exp(rises);
            let mass = problem.head[k] + list::sum(rises);
            errors.iter_mut().zip(rises.iter().zip(p)).for_each(|(x, (rise, p))| *x = p + rise);
            problem.math.ln(errors);
            for ((error, v), (rise, p)) in errors.iter_mut().zip(&mut *logs).zip(rises.iter_mut().zip(p)) {
                *error = (b - 1.0) * *error + *v - log_nu;
                *v -= *error * (p + *rise) / (p + b * *rise);
                *error = error.abs();
                *rise *= *error;
            }
            // No v is off by more than this, and no rise by more than e to that.
            let off = list::largest(errors) / b.min(1.0);
            if off <= LAST_STEP {
                break;
            }
            let slack = list::sum(rises) / b.min(1.0) * (1.0 + off);
            if off <= 1.0 && (mass - slack >= 1.0 || mass + slack + x_t < 1.0) {
                return Some(Verdict::of_this_step(mass, x_t, k));
            }
        }
        rises.copy_from_slice(logs);
        problem.math.exp(rises);
        None
    }

    /// The x >= p at which a token of probability p is exactly worth λ: x^b ((b/α) x - ((b-1)/b) p) = λ.
    fn x_at_threshold(&self, p: f64) -> f64 {
        let Alpha { alpha, b } = self.family;
        let (weight, pull) = (b / alpha, (b - 1.0) / b * p);
        let ends = (self.floor.max(p), self.sure.max(self.far).max(p));
        let (x, step) = newton(ends.1, [ends.0 * (1.0 - 1e-12), ends.1 * (1.0 + 1e-12)], [4e-15, last_step(b)], |x| {
            let power = fast_pow(x, b - 1.0);
            let value = power * x * (weight * x - pull) - self.lambda;
            // The derivative of x^b ((b/α) x - ((b-1)/b) p) is x^(b-1) (b x - (b-1) p).
            Probe { excess: value / self.lambda, value, slope: power * (b * x - (b - 1.0) * p) }
        });
        (x + step).max(p)
    }

    /// h(x) - h(y) - h'(y) (x - y) for h(x) = x^α/α - p x^b/b and x = y + `step`: the integral of (x - s) h''(s) from
    /// y to x.
    fn excess(&self, p: f64, y: f64, step: f64) -> f64 {
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

impl Method for Dual {
    fn prepare(&self, problem: &mut Problem) -> Result<()> {
        problem.take_logs();
        Ok(())
    }

    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn fraction(&self) -> f64 {
        (1.0 - 1.0 / self.family.alpha).max(0.0)
    }

    fn sure(&self) -> f64 {
        self.sure
    }

    fn floor(&self) -> Option<f64> {
        Some(self.floor)
    }

    fn solve(&self, problem: &mut Problem, k: usize, x: &mut Vec<f64>) -> Result<f64> {
        x.clear();
        x.extend_from_slice(&problem.p[..k]);
        if k == 1 {
            x[0] = 1.0;
            return Ok(problem.rest[1]);
        }
        if problem.rest[k] <= 0.0 {
            normalise(x);
            return Ok(0.0);
        }
        let nu = problem.with_lists(k, |problem, lists| self.solve_together(problem, x, lists));
        normalise(x);
        Ok(nu)
    }

    fn verdict(&self, problem: &mut Problem, k: usize) -> Result<Verdict> {
        let b = self.family.b;
        let next = problem.p[k];
        if next > self.sure {
            return Ok(Verdict::Include { at_most: usize::MAX, steps: f64::NAN });
        }
        let x_t = self.x_at_threshold(next);
        if x_t <= next {
            // A token that needs no shift: there x = p.
            return Ok(Verdict::of_this_step(problem.head[k], x_t, k));
        }
        let log_nu = (b - 1.0) * ln(x_t) + ln(x_t - next);
        Ok(problem.with_lists(k, |problem, lists| self.weigh(problem, k, x_t, log_nu, lists)))
    }

    fn gain(&self, problem: &mut Problem, k: usize, x: Optimum<'_>, y: Optimum<'_>) -> Result<f64> {
        let Alpha { alpha, b } = self.family;
        let moved = problem.with_lists(k, |problem, [ratios, powers]| {
            // x - p = ν x^(1-b), from ν and not from x: see `Optimum`.
            let rise = |at: Optimum<'_>, list: &mut [f64]| {
                list.copy_from_slice(&at.x[..k]);
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
            if ratios.iter().any(|r| r.abs() > Series::REACH) {
                return ratios.iter().zip(entries()).map(|(r, (&p, &y))| self.excess(p, y, r * y)).sum();
            }
            powers.copy_from_slice(&y.x[..k]);
            problem.math.pow(powers, b);
            let [of_alpha, of_b] = &self.series;
            for (power, (&r, (&p, &y))) in powers.iter_mut().zip(ratios.iter().zip(entries())) {
                *power *= b * y * of_alpha.at(r) - (b - 1.0) * p * of_b.at(r);
            }
            list::sum(powers)
        });
        let last = y.x[k];
        Ok(moved + pow(last, b) * (b / alpha * last - (b - 1.0) / b * problem.p[k]))
    }
}
