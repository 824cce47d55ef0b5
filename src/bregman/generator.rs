//! Generators φ of Bregman divergences: the α family in closed form, or a user's own.

use crate::math::{exp, expm1, ln, log1p};
use std::sync::Arc;

/// A strictly convex function φ on [0, 1] with derivative f, evaluated on whole vectors, not token by token
/// (docs/mathematics.md, 9).
///
/// Each method writes `out[i]` from its argument's `[i]`; both have the same length. Constants and linear terms of φ
/// do not matter. For the primal φ(0) must be finite; f(0) may be -infinity. For the dual f(0) must be finite, too,
/// and x f'(x) nondecreasing. Methods may be called from any thread, must depend on nothing but their argument, and must
/// return. A NaN fails the decode with [`Error::NoConvergence`](crate::Error::NoConvergence).
pub trait Generator: Send + Sync {
    /// φ(x).
    fn phi(&self, x: &[f64], out: &mut [f64]);
    /// f(x) = φ'(x), strictly increasing.
    fn f(&self, x: &[f64], out: &mut [f64]);
    /// The inverse of f on [f(0), f(1)].
    fn f_inverse(&self, y: &[f64], out: &mut [f64]);
    /// f'(x) = φ''(x). Returns false if the generator has none; it can then be used for the primal only.
    fn f_prime(&self, x: &[f64], out: &mut [f64]) -> bool {
        let _ = (x, out);
        false
    }
}

/// Generators that a chain can refer to, by name.
pub(crate) type Generators<'a> = &'a [(&'a str, Arc<dyn Generator>)];

/// The α family: φ(x) = x^α / (α(α-1)), and x ln x at α = 1.
///
/// Throughout, b = α - 1, so that f(x) = x^b / b.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alpha {
    pub(crate) alpha: f64,
    pub(crate) b: f64,
}

impl Alpha {
    /// |α - 1| up to this counts as α = 1 (docs/mathematics.md, 11).
    const IS_ONE: f64 = 1e-9;

    /// Any α in (0, ∞]. At infinity the family has a limit for its solutions only (water-filling), not for φ.
    pub fn new(alpha: f64) -> Self {
        if (alpha - 1.0).abs() <= Self::IS_ONE { Self { alpha: 1.0, b: 0.0 } } else { Self { alpha, b: alpha - 1.0 } }
    }

    /// α.
    pub fn alpha(self) -> f64 {
        self.alpha
    }

    /// f(y) - f(x) for positive x and y, without cancellation: x^b (e^{b ln(y/x)} - 1) / b.
    pub(crate) fn f_step(self, x: f64, log_ratio: f64) -> f64 {
        if self.b == 0.0 { log_ratio } else { exp(self.b * ln(x)) * expm1(self.b * log_ratio) / self.b }
    }

    /// The divergence d(x, y) = φ(x) - φ(y) - f(y)(x - y), for x >= 0 and y > 0; accurate where x is near y
    /// (docs/mathematics.md, 4).
    pub fn divergence(self, x: f64, y: f64) -> f64 {
        if x == 0.0 {
            return exp(self.alpha * ln(y)) / self.alpha;
        }
        let r = x / y - 1.0;
        self.divergence_of_ratio(y, r, log1p(r))
    }

    /// d(x, y) for x = y (1 + r), with `log_ratio` = ln(1 + r): as accurate as r is, however small.
    pub(crate) fn divergence_of_ratio(self, y: f64, r: f64, log_ratio: f64) -> f64 {
        let Self { alpha, b } = self;
        let scale = exp(alpha * ln(y));
        // The closed form would cancel.
        if r.abs() < 0.3 && r.abs() * alpha < 0.5 {
            let mut term = 0.5 * r * r;
            let mut sum = term;
            let mut j = 3.0;
            while term.abs() > 1e-17 * sum.abs() && j < 100.0 {
                term *= r * (alpha - j + 1.0) / j;
                sum += term;
                j += 1.0;
            }
            return scale * sum;
        }
        let power = if b == 0.0 { log_ratio } else { expm1(b * log_ratio) / b };
        scale * ((1.0 + r) * power - r) / alpha
    }

    /// d(x, y) for x and y of any sizes: where x is far above a tiny y, from their powers.
    pub(crate) fn distance(self, x: f64, y: f64) -> f64 {
        let Self { alpha, b } = self;
        if b == 0.0 || x <= 1e6 * y {
            return self.divergence(x, y);
        }
        let power = |x: f64, exponent: f64| exp(exponent * ln(x));
        (power(x, alpha) + b * power(y, alpha) - alpha * x * power(y, b)) / (alpha * b)
    }

    /// d(p, 0), finite for α > 1 only.
    pub fn divergence_to_zero(self, p: f64) -> f64 {
        let Self { alpha, b } = self;
        if b > 0.0 { exp(alpha * ln(p)) / (alpha * b) } else { f64::INFINITY }
    }
}

/// ((1 + r)^c - 1 - c r) / (c (c - 1)) by its series r²/2 + (c-2) r³/6 + ..., for loops over lists: each term is the one
/// before times r (c - j) / (j + 1).
pub(super) struct Series([f64; 16]);

impl Series {
    /// The largest |r| for which the terms suffice, for c up to 16.
    pub(super) const MAX_RATIO: f64 = 0.1;

    pub(super) fn new(c: f64) -> Self {
        let mut coefficients = [0.5; 16];
        for j in 1..coefficients.len() {
            let n = j as f64;
            coefficients[j] = coefficients[j - 1] * (c - n - 1.0) / (n + 2.0);
        }
        Self(coefficients)
    }

    #[inline(always)]
    pub(super) fn at(&self, r: f64) -> f64 {
        r * r * self.0.iter().rev().fold(0.0, |sum, c| sum * r + c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_equals_the_divergence_near_one() {
        for c in [0.05, 0.5, 1.0, 1.0001, 1.5, 2.0, 2.5, 3.0, 7.9, 16.0] {
            let series = Series::new(c);
            for r in [-0.1, -0.01, -1e-9, 1e-300, 1e-7, 0.003, 0.05, 0.1] {
                let plain = Alpha::new(c).divergence_of_ratio(1.0, r, log1p(r));
                assert!((series.at(r) - plain).abs() <= 4e-15 * plain, "c {c}, r {r}: {} {plain}", series.at(r));
            }
        }
    }

    #[test]
    fn divergence_equals_the_definition() {
        for alpha in [0.25, 0.5, 1.0, 1.000_01, 1.5, 2.0, 3.0, 7.5, 16.0] {
            let family = Alpha::new(alpha);
            let b = alpha - 1.0;
            let phi = |x: f64| match alpha {
                1.0 if x == 0.0 => 0.0,
                1.0 => x * x.ln(),
                _ => x.powf(alpha) / (alpha * b),
            };
            let f = |x: f64| if alpha == 1.0 { x.ln() + 1.0 } else { x.powf(b) / b };
            for x in [0.0, 0.01, 0.1, 0.29, 0.31, 0.5, 0.9] {
                for y in [0.01, 0.1, 0.3, 0.5, 0.99] {
                    let literal = phi(x) - phi(y) - f(y) * (x - y);
                    let ours = family.divergence(x, y);
                    // The definition cancels terms of size 1 / (α b).
                    let slack = if alpha == 1.000_01 { 1e-10 } else { 1e-14 };
                    assert!(
                        (ours - literal).abs() <= slack * literal.abs().max(1.0),
                        "α {alpha}, d({x}, {y}): {ours} {literal}"
                    );
                }
            }
        }
    }
}
