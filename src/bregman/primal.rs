//! The primal decoder of the α family: minimise Σ d(x_i, p_i), so that f(x_i) = f(p_i) + ν on the support.
//!
//! docs/mathematics.md, 3 (closed forms and stable formulas), 4 (gains) and 6 (Newton, the A-test).

use super::a_test::Verdict;
use super::closed_form::{self, root_shift};
use super::estimate::{Estimate, sum_of_divergences};
use super::generator::{Alpha, Series};
use super::problem::{Problem, last_step, tolerance};
use super::root::{Probe, newton};
use super::solver::{Optimum, Solver};
use crate::error::Result;
use crate::math::{exp, expm1, list, ln, log1p, pow};

/// Above this α powers of p underflow, and the level form in logarithms is used.
const LEVEL_FORM: f64 = 8.0;

/// For |b| below this the form that stays accurate as α goes to 1 is used.
const NEAR_ONE: f64 = 0.1;

/// Sparse renormalisation x_i = (p_i^b + b ν)^(1/b), or max(p_i, w) at α = ∞.
///
/// The problem's powers are p_i^b, and the unknown is their shift s = b ν. For b <= -0.1 that would subtract two large
/// numbers: there the powers are p_i^b - p_1^b, and the shift is x_1^b = p_1^b + b ν, from 1 to p_1^b.
pub(super) struct Primal {
    family: Alpha,
    lambda: f64,
    /// t_sure and t_floor: (α λ)^(1/α).
    t: f64,
    log_t: f64,
    /// For α = 1; see [`Solver::ratio`].
    ratio: Option<f64>,
    series: Series,
}

impl Primal {
    pub(super) fn new(alpha: f64, lambda: f64) -> Self {
        let t = if alpha.is_finite() { pow(alpha * lambda, 1.0 / alpha) } else { 0.0 };
        let family = Alpha::new(alpha);
        let ratio = (family.alpha == 1.0).then(|| expm1(lambda));
        Self { family, lambda, t, log_t: ln(t), ratio, series: Series::new(alpha) }
    }

    /// With the λ whose threshold t is this probability (docs/mathematics.md, 10).
    pub(super) fn with_floor(alpha: f64, floor: f64) -> Self {
        let lambda = if alpha.is_finite() { pow(floor, alpha) / alpha } else { 0.0 };
        Self { lambda, t: floor, log_t: ln(floor), ..Self::new(alpha, lambda) }
    }

    /// f(1) - f(S) for S = 1 - R.
    fn f_of_one_less(&self, head: f64, rest: f64) -> f64 {
        self.family.f_step(1.0, if rest < 0.5 { log1p(-rest) } else { ln(head) }).abs()
    }

    /// The factor of [`Solver::prices`]: for a large α the powers of small probabilities would underflow.
    fn scale(&self, problem: &Problem) -> f64 {
        if self.family.alpha > 2.0 { 1.0 / problem.p[0] } else { 1.0 }
    }

    /// The difference between p_i^b and the problem's powers.
    fn base(&self, problem: &Problem) -> f64 {
        if self.family.b <= -NEAR_ONE { exp(self.family.b * problem.log_p[0]) } else { 0.0 }
    }

    /// Writes x_i at a shift.
    fn x_at_shift(&self, problem: &Problem, shift: f64, x: &mut [f64]) {
        let b = self.family.b;
        let (p, power) = (&problem.p[..x.len()], &problem.power[..x.len()]);
        if b == 2.0 {
            x.iter_mut().zip(power).for_each(|(x, power)| *x = (power + shift).sqrt());
        } else if b.abs() < NEAR_ONE {
            // A ratio of -1 would need an infinite x.
            let ratio = |power: f64| list::at_least(-1.0 + f64::EPSILON, shift / power);
            x.iter_mut().zip(power).for_each(|(x, &power)| *x = ratio(power));
            problem.math.log1p(x);
            x.iter_mut().for_each(|x| *x /= b);
            problem.math.exp(x);
            x.iter_mut().zip(p).for_each(|(x, p)| *x *= p);
        } else {
            x.iter_mut().zip(power).for_each(|(x, power)| *x = list::at_least(f64::MIN_POSITIVE, power + shift));
            problem.math.pow(x, 1.0 / b);
        }
        // Not below p_i: for a large b the power of a tiny p_i underflows to zero.
        x.iter_mut().zip(p).for_each(|(x, &p)| *x = list::at_least(p, *x));
    }

    /// The same for α > 8, from the level w that a token of probability zero would get.
    fn x_at_level(&self, problem: &Problem, log_w: f64, x: &mut [f64]) {
        let b = self.family.b;
        let log_p = &problem.log_p[..x.len()];
        // The larger of p and w, and the contribution of the smaller.
        x.iter_mut().zip(log_p).for_each(|(x, log_p)| *x = -(b * (log_w - log_p)).abs());
        problem.math.exp(x);
        problem.math.log1p(x);
        x.iter_mut().zip(log_p).for_each(|(x, &log_p)| *x = list::at_least(log_w, log_p) + *x / b);
        problem.math.exp(x);
    }

    /// Solves for the shift (α < 2); ν.
    fn solve_for_shift(&self, problem: &Problem, k: usize, x: &mut [f64], terms: &mut [f64]) -> f64 {
        let (b, base) = (self.family.b, self.base(problem));
        let (p, power) = (&problem.p[..x.len()], &problem.power[..x.len()]);
        let (rest, head) = (problem.rest(k), problem.head(k));
        // f(p_j + R/k) - f(p_j) at both ends of the support, and f(1/k) - f(p_j) and f(1) - f(p_1) as outer bounds.
        let step = |j: usize, log_ratio: f64| (base + power[j]) * expm1(b * log_ratio) / b;
        let share = |j: usize| step(j, log1p(rest / k as f64 / p[j]));
        let level = |j: usize| step(j, -ln(k as f64) - problem.log_p[j]);
        let last = p.len() - 1;
        let (first, last, last_level) = (share(0), share(last), level(last));
        let low = first.min(last).max(level(0)).max(0.0);
        // If R is nearly zero, rounding may make a bound negative.
        let high = first.max(last).min(last_level).min(self.f_of_one_less(p[0], problem.rest(1))).max(0.0);
        let (low, high) = (low.min(high) * (1.0 - 1e-13), high * (1.0 + 1e-13));
        // Start right of the root, from where Newton's steps do not overshoot: at the step from ν = 0, where x = p.
        terms.iter_mut().zip(p.iter().zip(power)).for_each(|(term, (p, power))| *term = p / (base + power));
        let slope = problem.sum(terms, k) * exp((b - 1.0) * ln(head));
        let start = (self.f_of_one_less(head, rest) / slope).min(high);
        let shift = |nu: f64| if base > 0.0 { (base + b * nu).clamp(1.0, base.max(1.0)) } else { b * nu };
        let (low, high) = if b > 0.0 { (shift(low), shift(high)) } else { (shift(high), shift(low)) };
        let (shift, step) = newton(shift(start), [low, high], [tolerance(k), last_step(b)], |shift| {
            self.x_at_shift(problem, shift, x);
            terms.iter_mut().zip(x.iter().zip(power)).for_each(|(term, (x, power))| *term = x / (power + shift));
            let sum = problem.sum(x, k);
            let log_sum = log1p(sum - 1.0);
            let slope = exp((b - 1.0) * log_sum) * problem.sum(terms, k) / b;
            Probe { excess: sum - 1.0, value: expm1(b * log_sum) / b, slope }
        });
        x.iter_mut().zip(terms).for_each(|(x, term)| *x += step * *term / b);
        (shift + step - base) / b
    }

    /// Solves for the level w = (b ν)^(1/b) that a token of probability zero would get (α > 2); ν.
    fn solve_for_level(&self, problem: &Problem, k: usize, x: &mut [f64], terms: &mut [f64]) -> f64 {
        let Alpha { alpha, b } = self.family;
        // x is between max(p, w) and 2^(1/b) max(p, w), so the water level bounds w on both sides. The sum is convex in
        // w: Newton's steps from above are monotone.
        let high = problem.water_level(k);
        let low = (problem.rest(k) / k as f64 * (1.0 - 1e-13)).min(high);
        let (w, step) = newton(high, [low, high], [tolerance(k), last_step(b)], |w| {
            let log_w = ln(w);
            if alpha > LEVEL_FORM {
                self.x_at_level(problem, log_w, x);
                // dx/dw is (w / x)^(b-1).
                terms.iter_mut().zip(&*x).for_each(|(term, x)| *term = w / x);
                problem.math.pow(terms, b - 1.0);
            } else {
                let shift = exp(b * log_w);
                self.x_at_shift(problem, shift, x);
                for (term, (x, power)) in terms.iter_mut().zip(x.iter().zip(&problem.power)) {
                    *term = x / (power + shift) * (shift / w);
                }
            }
            let excess = problem.sum(x, k) - 1.0;
            Probe { excess, value: excess, slope: problem.sum(terms, k) }
        });
        x.iter_mut().zip(terms).for_each(|(x, term)| *x += step * *term);
        pow(w + step, b) / b
    }

    /// Writes x_i at the ν that puts a token, whose ln p is `next`, at the threshold: f(x_i) = f(p_i) + f(t) - f(p_next).
    fn x_at_threshold(&self, problem: &Problem, next: f64, x: &mut [f64]) {
        let b = self.family.b;
        // b ν = t^b - p_next^b.
        let fall = expm1(b * (next - self.log_t));
        if fall == 0.0 {
            x.copy_from_slice(&problem.p[..x.len()]);
        } else if self.family.alpha > LEVEL_FORM {
            self.x_at_level(problem, self.log_t + ln(-fall) / b, x);
        } else {
            self.x_at_shift(problem, self.base(problem) - exp(b * self.log_t) * fall, x);
        }
    }

    /// The A-test for token k + 1; if it is ambiguous, by the derivatives dx_i/dν = x_i^(1-b).
    fn a_test(&self, problem: &Problem, k: usize, x: &mut [f64]) -> Verdict {
        let (b, t) = (self.family.b, self.t);
        self.x_at_threshold(problem, problem.runs.at(&problem.log_p, k), x);
        let mass = problem.sum(x, k);
        let verdict = Verdict::of(mass, t, k);
        if verdict != Verdict::Ambiguous {
            return verdict;
        }
        // By ν t^(1-b), so that no power overflows. The derivative of ln x^(1-b) by ν is (1-b) x^-b.
        x.iter_mut().for_each(|x| *x /= t);
        problem.math.pow(x, 1.0 - b);
        let curvature = 2.0 * (1.0 - b).abs().max(b) * if b > 0.0 { 1.0 / t } else { pow(t, b - 1.0) };
        Verdict::by_derivatives(mass, t, k, [problem.sum(x, k), 1.0], curvature)
    }

    /// Writes x_i / y_i - 1 of two optima.
    fn ratios_less_1(&self, problem: &Problem, x: Optimum<'_>, y: Optimum<'_>, ratios: &mut [f64]) {
        let Alpha { alpha, b } = self.family;
        if alpha <= 2.0 {
            ratios.iter_mut().zip(x.x.iter().zip(y.x)).for_each(|(ratio, (x, y))| *ratio = x / y - 1.0);
        } else if alpha <= LEVEL_FORM {
            // x_i^b = y_i^b + b (ν_x - ν_y). From ν, not from x: see `Optimum`.
            let (more, shift) = (b * (x.nu - y.nu), b * y.nu);
            ratios.iter_mut().zip(&problem.power).for_each(|(ratio, power)| *ratio = more / (power + shift));
            problem.math.log1p(ratios);
            ratios.iter_mut().for_each(|ratio| *ratio /= b);
            problem.math.expm1(ratios);
        } else {
            // ln(x_i / p_i) = ln(1 + b ν / p_i^b) / b.
            let (log_x, log_y) = (ln(b * x.nu), ln(b * y.nu));
            for (ratio, log_p) in ratios.iter_mut().zip(&problem.log_p) {
                let log_rise = |log_b_nu: f64| softplus(log_b_nu - b * log_p);
                *ratio = expm1((log_rise(log_x) - log_rise(log_y)) / b);
            }
        }
    }

    /// The smallest k whose water level is at most the floor: the limit of the rule as α goes to infinity.
    fn scan_levels(&self, problem: &Problem) -> usize {
        let (mut low, mut high) = (1, problem.size_bound(self.t));
        while low < high {
            let mid = (low + high) / 2;
            if problem.water_level(mid) <= self.t { high = mid } else { low = mid + 1 }
        }
        low
    }
}

impl Solver for Primal {
    fn prepare(&self, problem: &mut Problem) -> Result<()> {
        let Alpha { alpha, b } = self.family;
        if alpha == 1.5 {
            problem.power.extend(problem.p.iter().map(|p| p.sqrt()));
        }
        if [1.0, 1.5, 2.0, f64::INFINITY].contains(&alpha) {
            return Ok(());
        }
        problem.take_logs();
        let base = self.base(problem);
        let Problem { math, log_p, power, .. } = problem;
        if base > 0.0 {
            power.extend(log_p.iter().map(|l| b * (l - log_p[0])));
            math.expm1(power);
            power.iter_mut().for_each(|power| *power *= base);
        } else if alpha <= LEVEL_FORM {
            power.extend(log_p.iter().map(|l| b * l));
            math.exp(power);
        }
        Ok(())
    }

    fn needs_powers(&self, problem: &Problem, k: usize) -> bool {
        k > 1 && problem.rest(k) > 0.0
    }

    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn fraction(&self) -> f64 {
        (1.0 - 1.0 / self.family.alpha).max(0.0)
    }

    fn t_sure(&self) -> f64 {
        self.t
    }

    fn t_floor(&self) -> Option<f64> {
        Some(self.t)
    }

    /// docs/mathematics.md, 5, bound 4. It is void for α >= 1.
    fn kept_floor(&self, p_1: f64) -> Option<f64> {
        let b = self.family.b;
        if b >= 0.0 {
            return None;
        }
        Some(pow(pow(self.t, b) + expm1(b * ln(p_1)), 1.0 / b))
    }

    fn ratio(&self) -> Option<f64> {
        self.ratio
    }

    fn solve(&self, problem: &mut Problem, k: usize, x: &mut Vec<f64>) -> Result<f64> {
        let (alpha, rest) = (self.family.alpha, problem.rest(k));
        x.clear();
        x.extend_from_slice(&problem.p[..problem.numbers(k)]);
        if k == 1 && alpha.is_finite() {
            x[0] = 1.0;
            return Ok(self.f_of_one_less(problem.p[0], problem.rest(1)));
        }
        if rest <= 0.0 {
            problem.normalise(x, k);
            return Ok(0.0);
        }
        let nu = if alpha == 1.0 {
            self.f_of_one_less(problem.head(k), rest)
        } else if alpha == 2.0 {
            let nu = rest / k as f64;
            x.iter_mut().for_each(|x| *x += nu);
            nu
        } else if alpha == 1.5 {
            let roots = problem.sum_in_order(&problem.power, k);
            let (c, _) = root_shift(roots, k as f64, rest);
            x.iter_mut().zip(&problem.power).for_each(|(x, root)| *x = (root + c) * (root + c));
            2.0 * c
        } else if alpha == f64::INFINITY {
            let level = problem.water_level(k);
            x.iter_mut().for_each(|x| *x = x.max(level));
            level
        } else if alpha > 2.0 {
            problem.with_lists(k, |problem, [terms]| self.solve_for_level(problem, k, x, terms))
        } else {
            problem.with_lists(k, |problem, [terms]| self.solve_for_shift(problem, k, x, terms))
        };
        problem.normalise(x, k);
        Ok(nu)
    }

    fn verdict(&self, problem: &mut Problem, k: usize) -> Result<Verdict> {
        if problem.p(k) > self.t {
            return Ok(Verdict::Include { at_most: usize::MAX, steps: f64::NAN });
        }
        Ok(problem.with_lists(k, |problem, [x]| self.a_test(problem, k, x)))
    }

    fn gain(&self, problem: &mut Problem, k: usize, x: Optimum<'_>, y: Optimum<'_>) -> Result<f64> {
        let last = self.family.divergence(0.0, problem.runs.at(y.x, k));
        let moved = problem.with_lists(k, |problem, [ratios, powers]| {
            self.ratios_less_1(problem, x, y, ratios);
            if ratios.iter().all(|r| r.abs() <= Series::MAX_RATIO) {
                powers.copy_from_slice(&y.x[..powers.len()]);
                problem.math.pow(powers, self.family.alpha);
                powers.iter_mut().zip(&*ratios).for_each(|(power, ratio)| *power *= self.series.at(*ratio));
                problem.sum(powers, k)
            } else {
                for (moved, (&r, &y)) in powers.iter_mut().zip(ratios.iter().zip(y.x)) {
                    *moved = self.family.divergence_of_ratio(y, r, log1p(r));
                }
                problem.sum_in_order(powers, k)
            }
        });
        Ok(last + moved)
    }

    fn prices(&self, problem: &mut Problem, out: &mut [f64]) -> Result<()> {
        let alpha = self.family.alpha;
        // d(c x, c p) = c^α d(x, p).
        let scale = self.scale(problem);
        out.iter_mut().zip(&problem.p).for_each(|(out, p)| *out = p * scale);
        problem.math.pow(out, alpha);
        out.iter_mut().for_each(|price| *price /= alpha);
        Ok(())
    }

    fn moved(&self, problem: &mut Problem, k: usize, x: Optimum<'_>) -> Result<f64> {
        let b = self.family.b;
        // x_i^b = p_i^b + b ν. From ν where x is near p: see `Optimum`.
        let (scale, b_nu) = (self.scale(problem), b * x.nu);
        let has_digits = b_nu.abs() >= 1e-290;
        let each = |((&x, &p), &log_p): ((&f64, &f64), &f64)| {
            let rise = b_nu * exp(-b * log_p);
            if has_digits && rise.abs() < 0.3 * b.abs().min(1.0) {
                let log_ratio = log1p(rise) / b;
                self.family.divergence_of_ratio(p * scale, expm1(log_ratio), log_ratio)
            } else {
                self.family.distance(x * scale, p * scale)
            }
        };
        Ok(problem.with_lists(k, |problem, [moved]| {
            let all = x.x.iter().zip(&problem.p).zip(&problem.log_p);
            moved.iter_mut().zip(all.map(each)).for_each(|(moved, each)| *moved = each);
            problem.sum_in_order(moved, k)
        }))
    }

    /// Of the closed forms of docs/mathematics.md, 3.
    fn moved_by_sums(&self, problem: &Problem, k: usize, roots: f64) -> Option<f64> {
        let (n, rest) = (k as f64, problem.rest(k));
        if self.family.alpha == 2.0 {
            let rest = rest.max(0.0);
            return Some(rest * rest / (2.0 * n));
        } else if self.family.alpha != 1.5 {
            return None;
        }
        let nu = match k {
            1 => self.f_of_one_less(problem.p[0], problem.rest(1)),
            _ if rest <= 0.0 => 0.0,
            _ => 2.0 * root_shift(roots, n, rest).0,
        };
        let c = 0.5 * nu;
        Some(c * c * (2.0 * roots + 4.0 / 3.0 * n * c))
    }

    fn estimate_moved(&self, problem: &mut Problem, k: usize, x: &[f64], prices: &[f64]) -> Option<Estimate> {
        let alpha = self.family.alpha;
        problem.with_lists(k, |problem, [weights, ratios, powers]| {
            weights.iter_mut().zip(prices).for_each(|(weight, price)| *weight = alpha * price);
            ratios.iter_mut().zip(x.iter().zip(&problem.p)).for_each(|(ratio, (x, p))| *ratio = x / p - 1.0);
            sum_of_divergences(problem, k, alpha, &self.series, [weights, ratios, powers])
        })
    }

    fn renormalised(&self, problem: &mut Problem, k: usize, prices: f64) -> Result<f64> {
        // d(c p, p) = p^α d(c, 1), and c is 1/S.
        let more = problem.rest(k).max(0.0) / problem.head(k);
        Ok(self.family.alpha * prices * self.family.divergence_of_ratio(1.0, more, log1p(more)))
    }

    /// A scan goes from token to token.
    fn takes_runs(&self, is_scanned: bool) -> bool {
        !(is_scanned && [1.0, 1.5, 2.0].contains(&self.family.alpha))
    }

    fn scan(&self, problem: &Problem) -> Option<usize> {
        if let Some(ratio) = self.ratio {
            let kept = |k: usize| problem.p[k] > ratio * problem.head[k];
            return Some((1..problem.len()).find(|&k| !kept(k)).unwrap_or(problem.len()));
        }
        match self.family.alpha {
            1.5 => Some(closed_form::size_at_three_halves(problem, self.lambda, first_in_doubt(self.t, problem))),
            2.0 => Some(closed_form::size_at_two(problem, self.lambda, first_in_doubt(self.t, problem))),
            f64::INFINITY => Some(self.scan_levels(problem)),
            _ => None,
        }
    }
}

/// Token k + 1 is kept for every smaller k, whatever the gains' rounding errors (docs/mathematics.md, 5, bound 1).
fn first_in_doubt(t: f64, problem: &Problem) -> usize {
    problem.above(t * (1.0 + 1e-9)).max(1)
}

/// ln(1 + e^z) without overflow.
fn softplus(z: f64) -> f64 {
    z.max(0.0) + log1p(exp(-z.abs()))
}
