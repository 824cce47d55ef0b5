//! The candidates of one row, with the sums and powers that every step shares.

use crate::math::ListMath;

/// The largest probabilities of a distribution in descending order, and the mass beyond them.
///
/// Everything is in f64 and nothing is normalised away: `p` are the model's own probabilities, so that the head and
/// the mass beyond it together are 1.
#[derive(Debug, Default)]
pub(crate) struct Problem {
    /// The elementary functions of the row's instruction set.
    pub(super) math: &'static ListMath,
    pub(super) p: Vec<f64>,
    /// `rest[k]` is R_k, the mass of everything but the first k: a suffix sum, because 1 - S_k would cancel.
    pub(super) rest: Vec<f64>,
    /// `head[k]` is S_k.
    pub(super) head: Vec<f64>,
    /// ln p, where the method wants it.
    pub(super) log_p: Vec<f64>,
    /// A power of p, or f(p) for a user's generator: what the method makes of it.
    pub(super) power: Vec<f64>,
    /// Two solutions: for k and for k + 1 tokens.
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    /// Lists that a step fills and forgets.
    pub(super) spare: [Vec<f64>; 4],
}

impl Problem {
    /// Takes weights in descending order, with `beyond`, the weight of all other tokens together. Weights of zero are
    /// not eligible (docs/mathematics.md, 7) and are left out.
    pub(crate) fn set(&mut self, math: &'static ListMath, weights: impl Iterator<Item = f64>, beyond: f64) {
        self.math = math;
        self.p.clear();
        self.p.extend(weights.take_while(|&w| w > 0.0));
        let n = self.p.len();
        let total = beyond + self.p.iter().rev().sum::<f64>();
        self.p.iter_mut().for_each(|p| *p /= total);
        self.rest.resize(n + 1, 0.0);
        self.rest[n] = beyond / total;
        for k in (0..n).rev() {
            self.rest[k] = self.rest[k + 1] + self.p[k];
        }
        self.head.clear();
        self.head.push(0.0);
        self.head.extend(self.p.iter().scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        }));
        self.log_p.clear();
        self.power.clear();
    }

    /// Fills `log_p`.
    pub(super) fn take_logs(&mut self) {
        self.log_p.extend_from_slice(&self.p);
        self.math.ln(&mut self.log_p);
    }

    /// Lends lists of `n` numbers to a step, which finds anything in them.
    pub(super) fn with_lists<T, const N: usize>(
        &mut self,
        n: usize,
        step: impl FnOnce(&Self, [&mut [f64]; N]) -> T,
    ) -> T {
        let mut lists: [Vec<f64>; N] = std::array::from_fn(|i| std::mem::take(&mut self.spare[i]));
        lists.iter_mut().for_each(|list| list.resize(n, 0.0));
        let answer = step(self, lists.each_mut().map(|list| &mut **list));
        self.spare.iter_mut().zip(lists).for_each(|(spare, list)| *spare = list);
        answer
    }

    /// Number of candidates.
    pub(super) fn len(&self) -> usize {
        self.p.len()
    }

    /// The number of candidates with a probability above `t`.
    pub(super) fn above(&self, t: f64) -> usize {
        self.p.partition_point(|&p| p > t)
    }

    /// docs/mathematics.md, 5, bound 3: no more than this many tokens are kept when every kept one exceeds `t` at the
    /// next to the last step; with slack for candidates that came from f32.
    pub(super) fn at_most(&self, t: f64) -> usize {
        let t = t * (1.0 - 1e-5);
        let n = self.above(t);
        let room = (self.rest[n] / t).floor();
        if room >= self.len() as f64 { self.len() } else { (2 + n + room as usize).min(self.len()) }
    }
}

/// Divides by the sum: the last ulp. Another ulp may stand between tokens that are all but equal: the order is p's.
pub(super) fn normalise(x: &mut [f64]) {
    let (sum, mut last) = (x.iter().sum::<f64>(), f64::INFINITY);
    for x in x {
        last = last.min(*x / sum);
        *x = last;
    }
}

/// Where Newton's iteration may stop for `k` tokens (docs/mathematics.md, 6.3).
pub(super) fn tolerance(k: usize) -> f64 {
    4e-16 * (k as f64).sqrt().max(4.0)
}

/// What a last step may be of a point, for a solution that depends on the point's power b or 1/b: see
/// [`super::root::newton`].
pub(super) fn last_step(b: f64) -> f64 {
    1e-8 * b.abs().min(1.0 / b.abs())
}
