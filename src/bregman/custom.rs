//! Decoders for a generator φ of the user's (docs/mathematics.md, 9): the same search, with derivative-free root finding.

use super::a_test::Verdict;
use super::generator::Generator;
use super::problem::{Problem, normalise};
use super::root::{false_position, first_positive};
use super::solver::{Optimum, Solver};
use super::{Mode, Size};
use crate::error::{Error, Result};
use std::sync::Arc;

/// If Σ x differs from 1 by more than this, the result is `Error::NoConvergence`.
const TOLERANCE: f64 = 1e-9;

/// Grid points below this are checked by their absolute error.
const TINY: f64 = 1e-9;

/// A generator that has passed the checks, for one direction and one λ.
pub(super) struct Custom {
    call: Caller,
    mode: Mode,
    lambda: f64,
    t_sure: f64,
    t_floor: Option<f64>,
    phi_0: f64,
    /// f(0), which must be finite for the dual; 0 for the primal, which does not use it.
    f_0: f64,
    f_1: f64,
}

impl Custom {
    pub(super) fn new(name: &str, generator: Arc<dyn Generator>, mode: Mode, size: Size) -> Result<Self> {
        let call = Caller { name: name.into(), generator };
        let phi_0 = call.phi(0.0)?;
        let f_0 = if mode == Mode::Dual { call.f(0.0)? } else { 0.0 };
        let mut new = Self { mode, lambda: 0.0, t_sure: 0.0, t_floor: None, phi_0, f_0, f_1: call.f(1.0)?, call };
        new.check_grid()?;
        match size {
            Size::Lambda(lambda) if lambda > 0.0 => new.lambda = lambda,
            Size::Floor(t) => {
                new.lambda = match mode {
                    Mode::Primal => new.distance_from_zero(t)?,
                    Mode::Dual => new.distance_to_zero(t)?.max(new.gain_of_zero(t)?),
                }
            }
            _ => return Ok(new),
        }
        let lambda = new.lambda;
        match mode {
            Mode::Primal => {
                new.t_sure = first_positive(|t| Ok(new.distance_from_zero(t)? - lambda))?;
                new.t_floor = Some(new.t_sure);
            }
            // For some φ t_floor is not at an end of the interval, so the dual has no bound K(p).
            Mode::Dual => new.t_sure = first_positive(|t| Ok(new.distance_to_zero(t)? - lambda))?,
        }
        Ok(new)
    }

    /// d(0, x) = φ(0) - φ(x) + x f(x).
    fn distance_from_zero(&self, x: f64) -> Result<f64> {
        if x <= 0.0 {
            return Ok(0.0);
        }
        Ok(self.phi_0 - self.call.phi(x)? + x * self.call.f(x)?)
    }

    /// d(p, 0) = φ(p) - φ(0) - p f(0).
    fn distance_to_zero(&self, p: f64) -> Result<f64> {
        Ok(self.call.phi(p)? - self.phi_0 - p * self.f_0)
    }

    /// The gain of a token of probability zero at x: x² f'(x) - d(0, x).
    fn gain_of_zero(&self, x: f64) -> Result<f64> {
        Ok(x * x * self.call.f_prime(x)? - self.distance_from_zero(x)?)
    }

    /// For the dual: h(x) = d(0, x) - p (f(x) - f(0)).
    fn h(&self, p: f64, x: f64) -> Result<f64> {
        Ok(self.distance_from_zero(x)? - p * (self.call.f(x)? - self.f_0))
    }

    /// The checks at creation on x = 2^(-j/4), from 1e-30 to 1.
    fn check_grid(&self) -> Result<()> {
        let x: Vec<f64> =
            (0..=398).rev().map(|j| crate::math::exp(-std::f64::consts::LN_2 * f64::from(j) / 4.0)).collect();
        let refuse = |what: String| Err(Error::InvalidArgument(format!("generator `{}`: {what}", self.call.name)));
        let (mut phi, mut f, mut back, mut prime) =
            (vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; x.len()]);
        let generator = &self.call.generator;
        generator.phi(&x, &mut phi);
        generator.f(&x, &mut f);
        generator.f_inverse(&f, &mut back);
        if !self.phi_0.is_finite() {
            return refuse("phi(0) is not finite, so no token could ever be dropped".into());
        }
        for (i, &x_i) in x.iter().enumerate() {
            if !phi[i].is_finite() || !f[i].is_finite() {
                return refuse(format!("phi or f is not finite at {x_i:e}"));
            }
            // A constant in f cancels the digits of a tiny x; only its order matters there.
            if back[i].is_nan() || (back[i] - x_i).abs() > 1e-6 * x_i.max(TINY) {
                return refuse(format!("f_inverse(f({x_i:e})) is {:e}", back[i]));
            }
            if i == 0 {
                continue;
            }
            if !(f[i] > f[i - 1] || (x_i < TINY && f[i] == f[i - 1])) {
                return refuse(format!("f does not increase at {x_i:e}: phi must be strictly convex"));
            }
            // By convexity the slope of the chord lies between the slopes at its ends, up to the rounding of φ.
            let (chord, step) = (phi[i] - phi[i - 1], x_i - x[i - 1]);
            let rounding =
                4.0 * f64::EPSILON * (phi[i].abs() + phi[i - 1].abs() + step * f[i].abs() + step * f[i - 1].abs());
            if !(f[i - 1] * step <= chord + rounding && chord <= f[i] * step + rounding) {
                return refuse(format!("f is not the derivative of phi near {x_i:e}"));
            }
        }
        if self.mode == Mode::Primal {
            return Ok(());
        }
        if !self.f_0.is_finite() {
            return refuse("the dual needs f(0) finite: otherwise no token could ever be dropped".into());
        }
        if !generator.f_prime(&x, &mut prime) {
            return refuse("the dual needs f_prime".into());
        }
        for i in 0..x.len() {
            let (here, before) = (x[i] * prime[i], if i == 0 { 0.0 } else { x[i - 1] * prime[i - 1] });
            if !(here.is_finite() && here >= before * (1.0 - 1e-9)) {
                return refuse(format!(
                    "x f'(x) decreases at {:e}: discrete convexity of the dual is not guaranteed (docs/mathematics.md, T2)",
                    x[i]
                ));
            }
        }
        Ok(())
    }

    /// Writes the x with f(x_i) = f(p_i) + ν for the first k tokens; returns their sum.
    fn primal_at(&self, power: &[f64], nu: f64, sums: &mut Vec<f64>, x: &mut [f64]) -> Result<f64> {
        // Beyond f(1) the inverse may not exist; no solution is there.
        sums.clear();
        sums.extend(power[..x.len()].iter().map(|f| (f + nu).min(self.f_1)));
        self.call.generator.f_inverse(sums, x);
        self.call.finite(x, "f_inverse")?;
        Ok(x.iter().sum())
    }

    /// Writes the x with f'(x_i) (x_i - p_i) = ν for the first k tokens, by bisection of all of them together; returns
    /// their sum.
    fn dual_at(&self, p: &[f64], nu: f64, [low, high, prime]: [&mut Vec<f64>; 3], x: &mut [f64]) -> Result<f64> {
        let k = x.len();
        low.clear();
        low.extend_from_slice(&p[..k]);
        high.clear();
        high.resize(k, 1.0);
        prime.clear();
        prime.resize(k, 0.0);
        for _ in 0..64 {
            for (x, (low, high)) in x.iter_mut().zip(low.iter().zip(high.iter())) {
                *x = 0.5 * (low + high);
            }
            self.call.generator.f_prime(x, prime);
            self.call.finite(prime, "f_prime")?;
            for i in 0..k {
                if prime[i] * (x[i] - p[i]) > nu { high[i] = x[i] } else { low[i] = x[i] }
            }
        }
        Ok(x.iter().sum())
    }
}

impl Solver for Custom {
    fn prepare(&self, problem: &mut Problem) -> Result<()> {
        problem.power.resize(problem.p.len(), 0.0);
        let Problem { p, power, .. } = problem;
        self.call.generator.f(p, power);
        self.call.finite(power, "f")
    }

    /// A generator may give equal numbers at other places of a list other bits.
    fn takes_runs(&self, _: bool) -> bool {
        false
    }

    fn lambda(&self) -> f64 {
        self.lambda
    }

    fn t_sure(&self) -> f64 {
        self.t_sure
    }

    fn t_floor(&self) -> Option<f64> {
        self.t_floor
    }

    fn solve(&self, problem: &mut Problem, k: usize, x: &mut Vec<f64>) -> Result<f64> {
        let Problem { p, rest, power, spare: [one, two, three, _], .. } = problem;
        let rest = rest[k];
        x.clear();
        x.extend_from_slice(&p[..k]);
        if k == 1 {
            x[0] = 1.0;
            return Ok(match self.mode {
                Mode::Primal => self.f_1 - power[0],
                Mode::Dual => self.call.f_prime(1.0)? * rest,
            });
        }
        if rest <= 0.0 {
            normalise(x.iter().sum(), x);
            return Ok(0.0);
        }
        // ν_j would give token j an equal share of the rest; ν lies between the smallest and the largest of them.
        let share = rest / k as f64;
        one.clear();
        one.extend(x.iter().map(|p| p + share));
        two.clear();
        two.resize(k, 0.0);
        match self.mode {
            Mode::Primal => self.call.generator.f(one, two),
            Mode::Dual => {
                self.call.generator.f_prime(one, two);
            }
        }
        let nu_of = |j: usize| match self.mode {
            Mode::Primal => two[j] - power[j],
            Mode::Dual => two[j] * share,
        };
        let (low, high) = (0..k).map(nu_of).fold((f64::INFINITY, 0.0f64), |(l, h), nu| (l.min(nu), h.max(nu)));
        if !(low.is_finite() && high.is_finite()) {
            return Err(self.call.diverged(if self.mode == Mode::Primal { "f" } else { "f_prime" }));
        }
        let (nu, excess) = false_position((low * (1.0 - 1e-12)).max(0.0), high * (1.0 + 1e-12), 1e-15, |nu| {
            let sum = match self.mode {
                Mode::Primal => self.primal_at(power, nu, one, x)?,
                Mode::Dual => self.dual_at(p, nu, [one, two, three], x)?,
            };
            Ok(sum - 1.0)
        })?;
        if excess.abs() > TOLERANCE {
            return Err(Error::NoConvergence(format!(
                "generator `{}`: no ν makes {k} tokens a distribution (their sum stays at {})",
                self.call.name,
                1.0 + excess
            )));
        }
        normalise(x.iter().sum(), x);
        Ok(nu)
    }

    fn verdict(&self, problem: &mut Problem, k: usize) -> Result<Verdict> {
        let next = problem.p[k];
        if next > self.t_sure {
            return Ok(Verdict::Include { at_most: usize::MAX, steps: f64::NAN });
        }
        let mut x = std::mem::take(&mut problem.spare[3]);
        x.clear();
        x.resize(k, 0.0);
        let Problem { p, power, spare: [one, two, three, _], .. } = problem;
        let verdict = match self.mode {
            Mode::Primal => {
                let nu = self.call.f(self.t_sure)? - power[k];
                Verdict::of(self.primal_at(power, nu, one, &mut x)?, self.t_sure, k)
            }
            Mode::Dual => {
                let gain_less_lambda = |x: f64| {
                    let x = x.max(next);
                    Ok(self.call.f_prime(x)? * (x - next) * x - self.h(next, x)? - self.lambda)
                };
                let x_t = first_positive(gain_less_lambda)?.max(next);
                if x_t >= 1.0 {
                    Verdict::Exclude { steps: f64::NAN }
                } else {
                    let nu = self.call.f_prime(x_t)? * (x_t - next);
                    Verdict::without_bound(self.dual_at(p, nu, [one, two, three], &mut x)?, x_t, k)
                }
            }
        };
        problem.spare[3] = x;
        Ok(verdict)
    }

    fn prices(&self, problem: &mut Problem, out: &mut [f64]) -> Result<()> {
        let p = &problem.p[..out.len()];
        self.call.generator.phi(p, out);
        for ((price, p), f) in out.iter_mut().zip(p).zip(&problem.power) {
            let cost = match self.mode {
                Mode::Primal => self.phi_0 - *price + p * f,
                Mode::Dual => *price - self.phi_0 - p * self.f_0,
            };
            // At least 0, but for rounding.
            *price = if cost < 0.0 { 0.0 } else { cost };
        }
        self.call.finite(out, "phi")
    }

    fn moved(&self, problem: &mut Problem, _: usize, x: Optimum<'_>) -> Result<f64> {
        let Problem { p, power, spare: [one, two, three, _], .. } = problem;
        self.divergence(p, x.x, power, [one, two, three])
    }

    fn renormalised(&self, problem: &mut Problem, k: usize, _: f64) -> Result<f64> {
        let Problem { p, power, head, spare: [one, two, three, x], .. } = problem;
        x.clear();
        x.extend(p[..k].iter().map(|p| p / head[k]));
        self.divergence(p, x, power, [one, two, three])
    }

    fn gain(&self, problem: &mut Problem, k: usize, x: Optimum<'_>, y: Optimum<'_>) -> Result<f64> {
        let (x, y) = (x.x, y.x);
        let mut gain = 0.0;
        for i in 0..k {
            gain += match self.mode {
                Mode::Primal => self.call.phi(x[i])? - self.call.phi(y[i])? - self.call.f(y[i])? * (x[i] - y[i]),
                Mode::Dual => {
                    let p = problem.p[i];
                    let slope = self.call.f_prime(y[i])? * (y[i] - p);
                    self.h(p, x[i])? - self.h(p, y[i])? - slope * (x[i] - y[i])
                }
            };
        }
        let (p, y) = (problem.p[k], y[k]);
        Ok(gain
            + match self.mode {
                Mode::Primal => self.distance_from_zero(y)?,
                Mode::Dual => self.call.f_prime(y)? * (y - p) * y - self.h(p, y)?,
            })
    }
}

impl Custom {
    /// Σ d(x_i, p_i), or Σ d(p_i, x_i); `lists` is memory.
    fn divergence(&self, p: &[f64], x: &[f64], f_p: &[f64], lists: [&mut Vec<f64>; 3]) -> Result<f64> {
        let k = x.len();
        let [phi_x, phi_p, f_x] = lists;
        for list in [&mut *phi_x, &mut *phi_p, &mut *f_x] {
            list.clear();
            list.resize(k, 0.0);
        }
        self.call.generator.phi(x, phi_x);
        self.call.generator.phi(&p[..k], phi_p);
        self.call.generator.f(x, f_x);
        let each = |i: usize| match self.mode {
            Mode::Primal => phi_x[i] - phi_p[i] - f_p[i] * (x[i] - p[i]),
            Mode::Dual => phi_p[i] - phi_x[i] - f_x[i] * (p[i] - x[i]),
        };
        let sum: f64 = (0..k).map(|i| each(i).max(0.0)).sum();
        if sum.is_finite() { Ok(sum) } else { Err(self.call.diverged("phi or f")) }
    }
}

/// Calls the user's functions and checks their results.
struct Caller {
    name: String,
    generator: Arc<dyn Generator>,
}

impl Caller {
    fn phi(&self, x: f64) -> Result<f64> {
        self.scalar(x, "phi", |g, x, y| g.phi(x, y))
    }

    fn f(&self, x: f64) -> Result<f64> {
        self.scalar(x, "f", |g, x, y| g.f(x, y))
    }

    fn f_prime(&self, x: f64) -> Result<f64> {
        self.scalar(x, "f_prime", |g, x, y| {
            if !g.f_prime(x, y) {
                y[0] = f64::NAN;
            }
        })
    }

    fn scalar(&self, x: f64, what: &str, call: impl FnOnce(&dyn Generator, &[f64], &mut [f64])) -> Result<f64> {
        let mut y = [0.0];
        call(&*self.generator, &[x], &mut y);
        if y[0].is_nan() { Err(self.diverged(what)) } else { Ok(y[0]) }
    }

    fn finite(&self, values: &[f64], what: &str) -> Result<()> {
        if values.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(self.diverged(what)) }
    }

    fn diverged(&self, what: &str) -> Error {
        Error::NoConvergence(format!("generator `{}`: {what} returned NaN or an infinite value", self.name))
    }
}
