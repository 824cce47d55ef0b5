//! Entmax, over logits: docs/mathematics.md, 17.

use super::problem::{Problem, normalise, tolerance};
use super::root::{Probe, newton};
use crate::math::{list, pow};

/// The α-entmax of logits, α > 1.
pub(crate) struct Entmax {
    b: f64,
}

impl Entmax {
    pub(crate) fn new(alpha: f64) -> Self {
        Self { b: alpha - 1.0 }
    }

    /// How far below the largest logit a token of the support may be.
    pub(crate) fn reach(&self) -> f64 {
        1.0 / self.b
    }

    /// Writes the probabilities of the support to the problem's solution. `falls` are the distances from the largest logit,
    /// in ascending order; the first is 0.
    pub(crate) fn solve(&self, problem: &mut Problem, falls: impl Iterator<Item = f64>) {
        let Problem { p: d, x, y, .. } = problem;
        d.clear();
        d.extend(falls);
        let k = self.support(d);
        let d = &d[..k];
        x.clear();
        x.resize(k, 0.0);
        y.clear();
        y.resize(k, 0.0);
        let (n, sum) = (k as f64, list::sum(d));
        if self.b == 1.0 {
            let level = (1.0 + sum) / n;
            x.iter_mut().zip(d).for_each(|(x, d)| *x = level - d);
        } else if self.b == 0.5 {
            let squares: f64 = d.iter().map(|d| d * d).sum();
            let level = (sum + (sum * sum - n * (squares - 4.0)).max(0.0).sqrt()) / (2.0 * n);
            x.iter_mut().zip(d).for_each(|(x, d)| *x = (level - 0.5 * d) * (level - 0.5 * d));
        } else if self.b < 1.0 {
            self.solve_for_level(d, x, y);
        } else {
            self.solve_for_last(d, x, y);
        }
        // What underflows has no logarithm.
        let kept = x.partition_point(|&x| x > 1e-290).max(1);
        x.truncate(kept);
        normalise(x);
    }

    /// The size of the support: token k + 1 is in it if the first k do not reach 1 with the level at which it gets nothing.
    fn support(&self, d: &[f64]) -> usize {
        let is_in = |k: usize| {
            let terms = d[..k].iter().map(|d_i| self.power(self.b * (d[k] - d_i), 1.0 / self.b));
            terms.sum::<f64>() < 1.0
        };
        let (mut low, mut high) = (1, d.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_in(middle) { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn power(&self, x: f64, y: f64) -> f64 {
        if x > 0.0 { pow(x, y) } else { 0.0 }
    }

    /// α < 2: the level w = p_1^b; the sum of (w - b d_i)^(1/b) is convex in it.
    fn solve_for_level(&self, d: &[f64], x: &mut [f64], slopes: &mut [f64]) {
        let (b, last) = (self.b, d[d.len() - 1]);
        let write = |w: f64, x: &mut [f64]| {
            x.iter_mut().zip(d).for_each(|(x, d)| *x = self.power(w - b * d, 1.0 / b));
        };
        let (w, step) = newton(1.0, [b * last, 1.0], [tolerance(d.len()), 1e-15], |w| {
            write(w, x);
            slopes.iter_mut().zip(d).for_each(|(s, d)| *s = self.power(w - b * d, 1.0 / b - 1.0) / b);
            let excess = list::sum(x) - 1.0;
            Probe { excess, value: excess, slope: list::sum(slopes) }
        });
        write(w + step, x);
    }

    /// α > 2: the last token's share t; the sum of (t^b + b (d_k - d_i))^(1/b) is convex in it.
    fn solve_for_last(&self, d: &[f64], x: &mut [f64], slopes: &mut [f64]) {
        let (b, last) = (self.b, d[d.len() - 1]);
        let write = |t: f64, x: &mut [f64]| {
            let base = self.power(t, b);
            x.iter_mut().zip(d).for_each(|(x, d)| *x = self.power(base + b * (last - d), 1.0 / b).max(t));
        };
        let high = 1.0 / d.len() as f64;
        let (t, step) = newton(high, [0.0, high], [tolerance(d.len()), 1e-15], |t| {
            write(t, x);
            slopes.iter_mut().zip(&*x).for_each(|(s, x)| *s = self.power(t / x, b - 1.0));
            let excess = list::sum(x) - 1.0;
            Probe { excess, value: excess, slope: list::sum(slopes) }
        });
        write(t + step, x);
    }
}
