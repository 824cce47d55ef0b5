//! The dual decoder of the α family, α > 1: minimise Σ d(p_i, x_i), so that x_i^(b-1) (x_i - p_i) = ν on the support.
//!
//! MATH.md, 3, 4 and 6. At α = 2 primal and dual are the same, and `mod.rs` takes the primal.

use super::generator::Alpha;
use super::method::{Method, Optimum, Verdict};
use super::problem::{Problem, normalise, tolerance};
use super::root::{Probe, newton};
use crate::error::Result;
use crate::math::{exp, expm1, fast_pow, ln, log1p, pow};

/// Renormalisation towards d(p, x).
pub(super) struct Dual {
    family: Alpha,
    lambda: f64,
    sure: f64,
    floor: f64,
}

impl Dual {
    pub(super) fn new(alpha: f64, lambda: f64) -> Self {
        let b = alpha - 1.0;
        let sure = pow(alpha * b * lambda, 1.0 / alpha);
        let floor = if alpha <= 2.0 { sure } else { pow(alpha * lambda / b, 1.0 / alpha) };
        Self { family: Alpha::new(alpha), lambda, sure, floor }
    }

    /// λ from a floor in probabilities (MATH.md, 10): the λ whose t_floor it is.
    pub(super) fn with_floor(alpha: f64, floor: f64) -> Self {
        let b = alpha - 1.0;
        let factor = if alpha <= 2.0 { 1.0 / b } else { b };
        Self { floor, ..Self::new(alpha, pow(floor, alpha) * factor / alpha) }
    }

    /// The x >= p with x^(b-1) (x - p) = ν, and dx/dν; `far` is ν^(1/b), the x of a token of probability zero.
    fn x(&self, p: f64, log_p: f64, nu: f64, far: f64) -> (f64, f64) {
        let Alpha { alpha, b } = self.family;
        if alpha == 3.0 {
            let root = (p * p + 4.0 * nu).sqrt();
            return (0.5 * (p + root), 1.0 / root);
        }
        if alpha == 1.5 {
            let root = (nu * nu + 4.0 * p).sqrt();
            let s = 0.5 * (nu + root);
            return (s * s, s * (1.0 + nu / root));
        }
        // From the side on which Newton's steps do not overshoot.
        let near = nu * exp((1.0 - b) * log_p);
        let mut x = p + if b > 1.0 { far.min(near) } else { far.max(near) };
        let mut slope = 1.0;
        for _ in 0..60 {
            let power = fast_pow(x, b - 1.0);
            slope = power * (b - (b - 1.0) * p / x);
            let step = (power * (x - p) - nu) / slope;
            x = (x - step).max(p);
            // A tighter tolerance would never be met; the step after this one is below the last ulp.
            if step.abs() <= 1e-8 * x {
                break;
            }
        }
        (x, 1.0 / slope)
    }

    /// The x >= p at which a token of probability p is exactly worth λ: x^b ((b/α) x - ((b-1)/b) p) = λ.
    fn x_at_threshold(&self, p: f64) -> f64 {
        let Alpha { alpha, b } = self.family;
        let (weight, pull) = (b / alpha, (b - 1.0) / b * p);
        let ends = (self.floor.max(p), self.sure.max(pow(self.lambda / weight, 1.0 / alpha)).max(p));
        newton(ends.1, ends.0 * (1.0 - 1e-12), ends.1 * (1.0 + 1e-12), 4e-15, |x| {
            let power = fast_pow(x, b - 1.0);
            let value = power * x * (weight * x - pull) - self.lambda;
            // The derivative of x^b ((b/α) x - ((b-1)/b) p) is x^(b-1) (b x - (b-1) p).
            Probe { excess: value / self.lambda, value, slope: power * (b * x - (b - 1.0) * p) }
        })
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
    fn prepare(&self, _: &mut Problem) -> Result<()> {
        Ok(())
    }

    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn sure(&self) -> f64 {
        self.sure
    }

    fn floor(&self) -> Option<f64> {
        Some(self.floor)
    }

    fn solve(&self, problem: &mut Problem, k: usize, x: &mut Vec<f64>) -> Result<f64> {
        let Alpha { alpha, b } = self.family;
        let (p, rest) = (&problem.p, problem.rest[k]);
        x.clear();
        x.extend_from_slice(&p[..k]);
        if k == 1 {
            x[0] = 1.0;
            return Ok(problem.rest[1]);
        }
        if rest <= 0.0 {
            normalise(x);
            return Ok(0.0);
        }
        // With ν from an equal share of the rest, that token gets just this share.
        let share = rest / k as f64;
        let nu_of = |j: usize| pow(p[j] + share, b - 1.0) * share;
        let (low, high) = (nu_of(0).min(nu_of(k - 1)), nu_of(0).max(nu_of(k - 1)));
        let (low, high) = (low * (1.0 - 1e-13), high * (1.0 + 1e-13));
        let start = if alpha < 2.0 { high } else { low };
        let nu = newton(start, low, high, tolerance(k), |nu| {
            let (mut sum, mut derivative, far) = (0.0, 0.0, fast_pow(nu, 1.0 / b));
            for (x, (&p, &log_p)) in x.iter_mut().zip(p.iter().zip(&problem.log_p)) {
                let (x_i, slope) = self.x(p, log_p, nu, far);
                *x = x_i;
                sum += x_i;
                derivative += slope;
            }
            let log_sum = log1p(sum - 1.0);
            Probe { excess: sum - 1.0, value: expm1(b * log_sum) / b, slope: exp((b - 1.0) * log_sum) * derivative }
        });
        normalise(x);
        Ok(nu)
    }

    fn verdict(&self, problem: &mut Problem, k: usize) -> Result<Verdict> {
        let b = self.family.b;
        let next = problem.p[k];
        if next > self.sure {
            return Ok(Verdict::Include { at_most: usize::MAX });
        }
        let x_t = self.x_at_threshold(next);
        let nu = exp((b - 1.0) * ln(x_t)) * (x_t - next);
        // ν = 0 is the threshold of a token that needs no shift: there x = p.
        let (mut sum, far) = (if nu > 0.0 { 0.0 } else { problem.head[k] }, fast_pow(nu, 1.0 / b));
        for (&p, &log_p) in problem.p[..k].iter().zip(&problem.log_p).take_while(|_| nu > 0.0) {
            sum += self.x(p, log_p, nu, far).0;
            if sum >= 1.0 {
                return Ok(Verdict::Exclude);
            }
        }
        // x_t differs from token to token here, so it bounds no further step.
        match Verdict::of(sum, x_t, k) {
            Verdict::Include { .. } => Ok(Verdict::Include { at_most: usize::MAX }),
            other => Ok(other),
        }
    }

    fn gain(&self, problem: &mut Problem, k: usize, x: Optimum<'_>, y: Optimum<'_>) -> Result<f64> {
        let Alpha { alpha, b } = self.family;
        // x - p = ν x^(1-b), from ν and not from x: see `Optimum`.
        let rise = |at: Optimum<'_>, i: usize| at.nu * pow(at.x[i], 1.0 - b);
        let moved: f64 = (0..k).map(|i| self.excess(problem.p[i], y.x[i], rise(x, i) - rise(y, i))).sum();
        let last = y.x[k];
        Ok(moved + pow(last, b) * (b / alpha * last - (b - 1.0) / b * problem.p[k]))
    }
}
