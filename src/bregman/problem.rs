//! The candidates of one row, with the sums and powers that the steps of a decode share.

use super::runs::Runs;
use crate::error::Result;
use crate::math::ListMath;
use crate::memory;

/// The largest probabilities of a distribution in descending order, and the mass beyond them.
///
/// All in f64. `p` are the model's probabilities, not renormalised: the head and the mass beyond it sum to 1. Where most
/// tokens are equal the lists have one number for each run of equal ones (`runs.rs`), and methods answer for tokens.
#[derive(Debug, Default)]
pub(crate) struct Problem {
    /// The elementary functions of the row's instruction set.
    pub(super) math: &'static ListMath,
    pub(super) runs: Runs,
    /// Which blocks of candidates are equal: `entmax.rs`.
    pub(super) block_runs: Runs,
    pub(super) p: Vec<f64>,
    /// `rest[k]` is R_k, the mass of everything but the first k: a suffix sum, because 1 - S_k would cancel.
    pub(super) rest: Vec<f64>,
    /// `head[k]` is S_k.
    pub(super) head: Vec<f64>,
    /// Whether the solver has filled what it uses of the next two.
    pub(super) is_prepared: bool,
    /// ln p, if the solver uses it.
    pub(super) log_p: Vec<f64>,
    /// A power of p, or f(p) for a user's generator, as the solver defines it.
    pub(super) power: Vec<f64>,
    /// Two optima, for k and for k + 1 tokens.
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    /// What dropping tokens costs: `mass.rs`.
    pub(super) dropped: Vec<f64>,
    /// Scratch lists.
    pub(super) spare: [Vec<f64>; 4],
    /// What dropping each token costs, one by one.
    pub(super) prices: Vec<f64>,
}

impl Problem {
    /// Makes room for `n` candidates in all lists.
    pub(crate) fn make_room(&mut self, n: usize) -> Result<()> {
        let Self {
            math: _,
            is_prepared: _,
            runs,
            block_runs,
            p,
            rest,
            head,
            log_p,
            power,
            x,
            y,
            dropped,
            spare,
            prices,
        } = self;
        let mut lists = [p, rest, head, log_p, power, x, y, dropped, prices].into_iter().chain(spare);
        runs.make_room(n)?;
        block_runs.make_room(n)?;
        // One more than candidates: sums before and after each.
        lists.try_for_each(|list| memory::make_room(list, n + 1))
    }

    /// Sets the problem: weights in descending order, and `beyond`, the total weight of all other tokens. Weights of zero
    /// are not eligible (docs/mathematics.md, 7) and are left out. `by_runs` is whether equal tokens may share a number.
    pub(crate) fn set(&mut self, math: &'static ListMath, weights: &[f64], beyond: f64, by_runs: bool) {
        let Self { runs, p, rest, head, .. } = self;
        let weights = &weights[..weights.partition_point(|&w| w > 0.0)];
        if by_runs {
            runs.find(weights)
        } else {
            runs.clear()
        }
        p.clear();
        let total = if runs.is_plain() {
            let total = beyond + weights.iter().rev().sum::<f64>();
            p.extend(weights.iter().map(|w| w / total));
            total
        } else {
            p.extend((0..runs.numbers(weights.len())).map(|i| weights[runs.tokens(i)]));
            let total = beyond + runs.sum_back(-0.0, p, weights.len());
            p.iter_mut().for_each(|p| *p /= total);
            total
        };
        runs.running_sums(weights.len(), (p, beyond / total, rest), (p, head));
        self.math = math;
        self.is_prepared = false;
        self.log_p.clear();
        self.power.clear();
    }

    /// Fills `log_p`.
    pub(super) fn take_logs(&mut self) {
        self.log_p.extend_from_slice(&self.p);
        self.math.ln(&mut self.log_p);
    }

    /// Calls `step` with scratch lists for the first `k` tokens, whose content is unspecified.
    pub(super) fn with_lists<T, const N: usize>(
        &mut self,
        k: usize,
        step: impl FnOnce(&Self, [&mut [f64]; N]) -> T,
    ) -> T {
        let n = self.numbers(k);
        let mut lists: [Vec<f64>; N] = std::array::from_fn(|i| std::mem::take(&mut self.spare[i]));
        lists.iter_mut().for_each(|list| list.resize(n, 0.0));
        let answer = step(self, lists.each_mut().map(|list| &mut **list));
        self.spare.iter_mut().zip(lists).for_each(|(spare, list)| *spare = list);
        answer
    }

    /// The number of candidates.
    pub(super) fn len(&self) -> usize {
        self.runs.tokens(self.p.len())
    }

    /// How many numbers of a list the first `k` tokens have.
    pub(super) fn numbers(&self, k: usize) -> usize {
        self.runs.numbers(k)
    }

    /// The probability of the token at a place.
    pub(super) fn p(&self, place: usize) -> f64 {
        self.runs.at(&self.p, place)
    }

    /// R_k, the mass of everything but the first k.
    pub(super) fn rest(&self, k: usize) -> f64 {
        self.runs.sum_from(&self.rest, &self.p, k, self.len())
    }

    /// S_k, the mass of the first k.
    pub(super) fn head(&self, k: usize) -> f64 {
        self.runs.sum_to(&self.head, &self.p, k)
    }

    /// The sum of a list over the first `k` tokens, in four lanes.
    pub(super) fn sum(&self, xs: &[f64], k: usize) -> f64 {
        self.runs.sum(xs, k)
    }

    /// The same, one token after another.
    pub(super) fn sum_in_order(&self, xs: &[f64], k: usize) -> f64 {
        self.runs.sum_in_order(xs, k)
    }

    /// The number of candidates with a probability above `t`.
    pub(super) fn above(&self, t: f64) -> usize {
        self.runs.tokens(self.p.partition_point(|&p| p > t))
    }

    /// [`size_bound`] for a threshold, at most the number of candidates.
    pub(super) fn size_bound(&self, t: f64) -> usize {
        let t = t * F32_SLACK;
        let above = self.above(t);
        size_bound(above, self.rest(above), t).min(self.len())
    }

    /// The level w with Σ max(p_i, w) = 1 over the first k tokens: the solution for α = ∞.
    pub(super) fn water_level(&self, k: usize) -> f64 {
        let level = |j: usize| self.rest(j) / (k - j) as f64;
        // p_{j+1} <= w_j holds from some j on.
        let (mut low, mut high) = (0, k - 1);
        while low < high {
            let mid = (low + high) / 2;
            if self.p(mid) <= level(mid) { high = mid } else { low = mid + 1 }
        }
        level(low)
    }

    /// Gives the solution on the first `k` tokens a number for every token.
    pub(super) fn spread_solution(&mut self, k: usize) {
        if !self.runs.is_plain() {
            std::mem::swap(&mut self.x, &mut self.y);
            self.runs.spread(&self.y, k, &mut self.x);
        }
    }

    /// Divides a list by its sum over the first `k` tokens, which corrects the last ulp. Rounding must not change the order
    /// of nearly equal tokens: each is at most the one before.
    pub(super) fn normalise(&self, x: &mut [f64], k: usize) {
        normalise(self.sum_in_order(x, k), x);
    }
}

/// The factor by which thresholds on candidates are lowered: their probabilities, and the total behind these, may come from
/// f32 (docs/mathematics.md, 5).
pub(crate) const F32_SLACK: f64 = 1.0 - 1e-5;

/// K(p), an upper bound on k* (docs/mathematics.md, 5, bound 3), plus 1 for rounding: `above` tokens exceed the threshold
/// `t`, and all others have the mass `rest`.
pub(crate) fn size_bound(above: usize, rest: f64, t: f64) -> usize {
    // Limited, so that the sum does not overflow.
    above.saturating_add(2).saturating_add((rest / t).min(1e15) as usize)
}

/// See [`Problem::normalise`].
pub(super) fn normalise(sum: f64, x: &mut [f64]) {
    let mut last = f64::INFINITY;
    for x in x {
        last = last.min(*x / sum);
        *x = last;
    }
}

/// The error of the sum at which Newton's iteration for `k` tokens stops (docs/mathematics.md, 6.3).
pub(super) fn tolerance(k: usize) -> f64 {
    4e-16 * (k as f64).sqrt().max(4.0)
}

/// The largest relative step that may be Newton's last, for a solution that depends on the point's power b or 1/b: see
/// [`super::root::newton`].
pub(super) fn last_step(b: f64) -> f64 {
    1e-8 * b.abs().min(1.0 / b.abs())
}

/// Weights in descending order that make searches hard: flat, of few values, nearly equal, with one that dominates, wide.
#[cfg(test)]
pub(super) fn adversarial_weights(n: usize) -> Vec<Vec<f64>> {
    let mut random = crate::testing::Lcg::new(11);
    let shapes: [fn(usize, f64) -> f64; 9] = [
        |_, _| 0.0,
        |_, u| if u < 0.5 { 0.0 } else { -1.0 },
        |_, u| -(16.0 * u).floor() / 4.0,
        |_, u| -1e-13 * (1000.0 * u).floor(),
        |i, u| if i == 0 { 0.0 } else { -14.0 - 3.0 * u },
        |i, _| -1e-3 * i as f64,
        |_, u| -600.0 * u,
        |_, u| 2.0 * crate::math::ln(u),
        |_, u| if u < 0.5 { 0.0 } else { -20.0 },
    ];
    shapes
        .into_iter()
        .map(|shape| {
            let mut logs: Vec<f64> = (0..n).map(|i| shape(i, random.unit())).collect();
            logs.sort_unstable_by(|a, b| b.total_cmp(a));
            logs.iter().map(|log| crate::math::exp(log - logs[0])).collect()
        })
        .collect()
}
