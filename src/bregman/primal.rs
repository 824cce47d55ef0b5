//! The primal decoder of the α family: minimise Σ d(x_i, p_i), so that f(x_i) = f(p_i) + ν on the support.
//!
//! MATH.md, 3 (closed forms and stable kernels), 4 (gains) and 6 (Newton, the A-test).

use super::generator::Alpha;
use super::method::{Method, Optimum, Verdict};
use super::problem::{Problem, normalise, tolerance};
use super::root::{Probe, newton};
use crate::error::Result;
use crate::math::{exp, expm1, fast_pow, ln, log1p, pow};

/// Above this α powers of p underflow and the level form in logarithms is used.
const LEVEL_FORM: f64 = 8.0;

/// |b| below this: the form that stays exact as α goes to 1.
const NEAR_ONE: f64 = 0.1;

/// Sparse renormalisation x_i = (p_i^b + b ν)^(1/b), or max(p_i, w) at α = ∞.
pub(super) struct Primal {
    family: Alpha,
    lambda: f64,
    /// The probability that a kept token exceeds: (α λ)^(1/α).
    t: f64,
}

impl Primal {
    pub(super) fn new(alpha: f64, lambda: f64) -> Self {
        let t = if alpha.is_finite() { pow(alpha * lambda, 1.0 / alpha) } else { 0.0 };
        Self { family: Alpha::new(alpha), lambda, t }
    }

    /// λ from a floor in probabilities (MATH.md, 10): the λ whose threshold t is the floor.
    pub(super) fn with_floor(alpha: f64, floor: f64) -> Self {
        let lambda = if alpha.is_finite() { pow(floor, alpha) / alpha } else { 0.0 };
        Self { family: Alpha::new(alpha), lambda, t: floor }
    }

    /// f(1) - f(S) for S = 1 - R.
    fn f_of_one_less(&self, head: f64, rest: f64) -> f64 {
        self.family.f_step(1.0, if rest < 0.5 { log1p(-rest) } else { ln(head) }).abs()
    }

    fn newton(&self, problem: &Problem, k: usize, x: &mut [f64]) -> f64 {
        let Alpha { alpha, b } = self.family;
        let (p, log_p, power) = (&problem.p, &problem.log_p, &problem.power);
        let (rest, head) = (problem.rest[k], problem.head[k]);
        // f(p_j + R/k) - f(p_j) at both ends of the support, and f(1/k) - f(p_j) and f(1) - f(p_1) as outer bounds.
        let share = |j: usize| self.family.f_step(p[j], log1p(rest / k as f64 / p[j]));
        let level = |j: usize| self.family.f_step(p[j], -ln(k as f64) - log_p[j]);
        let (first, last) = (share(0), share(k - 1));
        let low = first.min(last).max(level(0)).max(0.0);
        // Where nearly nothing is to be spread, rounding may leave a bound below zero.
        let high = first.max(last).min(level(k - 1)).min(self.f_of_one_less(p[0], problem.rest[1])).max(0.0);
        let (low, high) = (low.min(high) * (1.0 - 1e-13), high * (1.0 + 1e-13));
        // The step from ν = 0, where x = p.
        let slope: f64 = (0..k).map(|i| p[i] / power[i]).sum::<f64>() * exp((b - 1.0) * ln(head));
        let step = self.f_of_one_less(head, rest) / slope;
        let start = if alpha < 2.0 { step.min(high) } else { step.max(low) };
        let finish = |sum: f64, derivative: f64| {
            let log_sum = log1p(sum - 1.0);
            (expm1(b * log_sum) / b, exp((b - 1.0) * log_sum) * derivative)
        };
        if b <= -NEAR_ONE {
            // In z = x_1^b, which lies in [1, p_1^b]: p_i^b + bν would subtract two large numbers.
            let z_of = |nu: f64| power[0] + b * nu;
            let spread = |i: usize| power[0] * expm1(b * (log_p[i] - log_p[0]));
            let (z_low, z_high) = (z_of(high).max(1.0), z_of(low).min(power[0]).max(1.0));
            let z = newton(z_of(start), z_low.min(z_high), z_high, tolerance(k), |z| {
                let (mut sum, mut derivative) = (0.0, 0.0);
                for (i, x) in x[..k].iter_mut().enumerate() {
                    let y = z + spread(i);
                    *x = fast_pow(y, 1.0 / b).max(p[i]);
                    sum += *x;
                    derivative += *x / y;
                }
                let (value, slope) = finish(sum, derivative);
                Probe { excess: sum - 1.0, value, slope: slope / b }
            });
            return (z - power[0]) / b;
        }
        newton(start, low, high, tolerance(k), |nu| {
            let (mut sum, mut derivative) = (0.0, 0.0);
            for (i, x) in x[..k].iter_mut().enumerate() {
                let y = power[i] + b * nu;
                // Never below p_i: with a large b the power of a tiny p_i is zero, and x_i would be.
                *x = if b.abs() < NEAR_ONE {
                    p[i] * exp(log1p(b * nu / power[i]) / b)
                } else {
                    fast_pow(y, 1.0 / b).max(p[i])
                };
                sum += *x;
                derivative += *x / y;
            }
            let (value, slope) = finish(sum, derivative);
            Probe { excess: sum - 1.0, value, slope }
        })
    }

    /// α > 8: the level w that a token of probability zero would get, x_i = (p_i^b + w^b)^(1/b) in logarithms.
    fn by_level(&self, problem: &Problem, k: usize, x: &mut [f64]) -> f64 {
        let b = self.family.b;
        // x lies between max(p, w) and 2^(1/b) max(p, w), so the water level bounds w on both sides; the sum is convex
        // in w, and Newton from above converges steadily.
        let high = water_level(problem, k);
        let low = (problem.rest[k] / k as f64 * (1.0 - 1e-13)).min(high);
        let w = newton(high, low, high, tolerance(k), |w| {
            let (mut sum, mut derivative) = (0.0, 0.0);
            for (x, log_p) in x[..k].iter_mut().zip(&problem.log_p) {
                let u = b * (ln(w) - log_p);
                *x = exp(log_p + softplus(u) / b);
                sum += *x;
                derivative += *x / (1.0 + exp(-u));
            }
            Probe { excess: sum - 1.0, value: sum - 1.0, slope: derivative / w }
        });
        pow(w, b) / b
    }

    /// x_i(ν) where ν puts a token of probability `next` exactly at the threshold: f(x_i) = f(p_i) + f(t) - f(next).
    fn at_threshold(&self, problem: &Problem, i: usize, next: usize) -> f64 {
        let (b, log_t) = (self.family.b, ln(self.t));
        let (log_p, log_next) = (problem.log_p[i], problem.log_p[next]);
        if b == 0.0 {
            return exp(log_p + log_t - log_next);
        }
        if self.family.alpha > LEVEL_FORM {
            let fall = -expm1(b * (log_next - log_t));
            if fall <= 0.0 {
                return problem.p[i];
            }
            let log_w = log_t + ln(fall) / b;
            return exp(log_p + softplus(b * (log_w - log_p)) / b);
        }
        // b ν = t^b - next^b; relative to p_i^b it must stay above -1, or no finite x reaches so far.
        let b_nu = problem.power[next] * expm1(b * (log_t - log_next));
        let ratio = b_nu / problem.power[i];
        if ratio <= -1.0 {
            return f64::INFINITY;
        }
        exp(log_p + log1p(ratio) / b)
    }

    /// MATH.md, 6.1: the first k whose gain is not above λ.
    fn scan(&self, problem: &Problem, gain: impl Fn(&Problem, usize, f64) -> f64) -> usize {
        let mut roots = 0.0;
        for k in 1..problem.len() {
            roots += problem.power.get(k - 1).copied().unwrap_or(0.0);
            if gain(problem, k, roots) <= self.lambda {
                return k;
            }
        }
        problem.len()
    }

    /// The smallest k whose water level does not exceed the floor: the limit of the rule as α goes to infinity.
    fn scan_levels(&self, problem: &Problem) -> usize {
        let (mut low, mut high) = (1, problem.at_most(self.t));
        while low < high {
            let mid = (low + high) / 2;
            if water_level(problem, mid) <= self.t { high = mid } else { low = mid + 1 }
        }
        low
    }
}

impl Method for Primal {
    fn prepare(&self, problem: &mut Problem) -> Result<()> {
        let Alpha { alpha, b } = self.family;
        if alpha == 1.5 {
            problem.power.extend(problem.p.iter().map(|p| p.sqrt()));
        } else if b != 0.0 && alpha <= LEVEL_FORM {
            problem.power.extend(problem.log_p.iter().map(|l| exp(b * l)));
        }
        Ok(())
    }

    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn sure(&self) -> f64 {
        self.t
    }

    fn floor(&self) -> Option<f64> {
        Some(self.t)
    }

    /// MATH.md, 5, bound 4: with α < 1 a token that is kept beside the first exceeds this probability.
    fn rule_four(&self, p_1: f64) -> Option<f64> {
        let b = self.family.b;
        if b >= 0.0 {
            return None;
        }
        Some(pow(pow(self.t, b) + expm1(b * ln(p_1)), 1.0 / b))
    }

    fn solve(&self, problem: &mut Problem, k: usize, x: &mut Vec<f64>) -> Result<f64> {
        let (alpha, rest) = (self.family.alpha, problem.rest[k]);
        x.clear();
        x.extend_from_slice(&problem.p[..k]);
        if k == 1 && alpha.is_finite() {
            x[0] = 1.0;
            return Ok(self.f_of_one_less(problem.p[0], problem.rest[1]));
        }
        if rest <= 0.0 {
            normalise(x);
            return Ok(0.0);
        }
        let nu = if alpha == 1.0 {
            self.f_of_one_less(problem.head[k], rest)
        } else if alpha == 2.0 {
            let nu = rest / k as f64;
            x.iter_mut().for_each(|x| *x += nu);
            nu
        } else if alpha == 1.5 {
            let roots: f64 = problem.power[..k].iter().sum();
            let c = rest / (roots + (roots * roots + k as f64 * rest).sqrt());
            x.iter_mut().zip(&problem.power).for_each(|(x, root)| *x = (root + c) * (root + c));
            2.0 * c
        } else if alpha == f64::INFINITY {
            let level = water_level(problem, k);
            x.iter_mut().for_each(|x| *x = x.max(level));
            level
        } else if alpha > LEVEL_FORM {
            self.by_level(problem, k, x)
        } else {
            self.newton(problem, k, x)
        };
        normalise(x);
        Ok(nu)
    }

    fn verdict(&self, problem: &mut Problem, k: usize) -> Result<Verdict> {
        let next = problem.p[k];
        if next > self.t {
            return Ok(Verdict::Include { at_most: usize::MAX });
        }
        let mut sum = 0.0;
        for i in 0..k {
            sum += self.at_threshold(problem, i, k);
            if sum >= 1.0 {
                return Ok(Verdict::Exclude);
            }
        }
        Ok(Verdict::of(sum, self.t, k))
    }

    fn gain(&self, problem: &mut Problem, k: usize, x: Optimum<'_>, y: Optimum<'_>) -> Result<f64> {
        let Alpha { alpha, b } = self.family;
        let last = self.family.divergence(0.0, y.x[k]);
        if alpha <= 2.0 {
            return Ok(last + (0..k).map(|i| self.family.divergence(x.x[i], y.x[i])).sum::<f64>());
        }
        // ln(x_i / p_i) = ln(1 + b ν / p_i^b) / b, from ν and not from x: see `Optimum`.
        let (log_x, log_y) = (ln(b * x.nu), ln(b * y.nu));
        let rise = |log_b_nu: f64, i: usize| softplus(log_b_nu - b * problem.log_p[i]) / b;
        let moved = |i: usize| {
            let log_ratio = rise(log_x, i) - rise(log_y, i);
            self.family.divergence_of_ratio(y.x[i], expm1(log_ratio), log_ratio)
        };
        Ok(last + (0..k).map(moved).sum::<f64>())
    }

    fn closed_form(&self, problem: &Problem) -> Option<usize> {
        match self.family.alpha {
            1.0 => {
                let ratio = expm1(self.lambda);
                let kept = |k: usize| problem.p[k] > ratio * problem.head[k];
                Some((1..problem.len()).find(|&k| !kept(k)).unwrap_or(problem.len()))
            }
            1.5 => Some(self.scan(problem, gain_at_three_halves)),
            2.0 => Some(self.scan(problem, |problem, k, _| gain_at_two(problem, k))),
            f64::INFINITY => Some(self.scan_levels(problem)),
            _ => None,
        }
    }
}

/// MATH.md, 4, α = 2: z = p_{k+1} + R_k / k, g = k z² / (2 (k + 1)).
fn gain_at_two(problem: &Problem, k: usize) -> f64 {
    let n = k as f64;
    let z = problem.p[k] + problem.rest[k] / n;
    n * z * z / (2.0 * (n + 1.0))
}

/// MATH.md, 4, α = 3/2; `roots` is the sum of the first k square roots.
fn gain_at_three_halves(problem: &Problem, k: usize, roots: f64) -> f64 {
    let n = k as f64;
    let shift = |roots: f64, k: f64, rest: f64| {
        let d = (roots * roots + k * rest).sqrt();
        (rest / (roots + d), d)
    };
    let root = problem.power[k];
    let (c, d) = shift(roots, n, problem.rest[k]);
    let (c_next, _) = shift(roots + root, n + 1.0, problem.rest[k + 1]);
    let s = root + c_next;
    let x_next = s * s;
    let delta = x_next / (2.0 * roots + n * (c + c_next));
    2.0 / 3.0 * x_next * s + 2.0 * delta * delta * (d - n * delta / 3.0)
}

/// α = ∞: the level w with Σ max(p_i, w) = 1 over the first k tokens.
fn water_level(problem: &Problem, k: usize) -> f64 {
    let level = |j: usize| problem.rest[j] / (k - j) as f64;
    // p_{j+1} <= w_j holds from some j on.
    let (mut low, mut high) = (0, k - 1);
    while low < high {
        let mid = (low + high) / 2;
        if problem.p[mid] <= level(mid) { high = mid } else { low = mid + 1 }
    }
    level(low)
}

fn softplus(z: f64) -> f64 {
    z.max(0.0) + log1p(exp(-z.abs()))
}
