//! Entmax, over logits: docs/mathematics.md, 17.

use super::problem::{Problem, normalise, tolerance};
use super::root::{Probe, newton};
use super::runs::Runs;
use crate::math::{ListMath, exp, list, ln, pow};
use std::ops::Range;

/// From so many candidates on, for α below 1.5, the level is solved for by list functions, to their precision.
const MANY: usize = 64;

/// Candidates of a block, by whose means the level is estimated.
const BLOCK: usize = 64;

/// Sums that differ from 1 by more than this do so for certain, however they were rounded.
const UNSURE: f64 = 1e-9;

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
    pub(crate) fn solve(&self, math: &'static ListMath, problem: &mut Problem, falls: impl Iterator<Item = f64>) {
        let Problem { runs, p: d, x, y, block_runs, .. } = problem;
        d.clear();
        d.extend(falls);
        let k = if self.b < 0.5 && d.len() >= MANY {
            runs.find(d);
            runs.compact(d);
            self.solve_many(math, Falls { runs, d }, x, (y, block_runs))
        } else {
            runs.clear();
            self.solve_few(math, d, x, y);
            x.len()
        };
        // What underflows has no logarithm.
        let kept = x.partition_point(|&x| x > 1e-290).max(1);
        x.truncate(kept);
        let k = k.min(runs.tokens(kept));
        normalise(runs.sum_in_order(x, k), x);
        problem.spread_solution(k);
    }

    fn solve_few(&self, math: &ListMath, d: &[f64], x: &mut Vec<f64>, y: &mut Vec<f64>) {
        // A sum of few terms is as cheap as any bound.
        let unsure = if d.len() < 8 { 1..d.len() } else { self.unsure(math, d, x, y) };
        let falls = Falls { runs: &Runs::default(), d };
        let k = self.support(falls, unsure, |k| self.is_in(math, d, k, x));
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
    }

    /// By list functions, on all candidates: those that get nothing at the level are not in the support. Returns how many
    /// are.
    fn solve_many(
        &self,
        math: &ListMath,
        falls: Falls<'_>,
        x: &mut Vec<f64>,
        means: (&mut Vec<f64>, &mut Runs),
    ) -> usize {
        let level = self.level(math, falls, x, means);
        let k = self.support(falls, self.around(falls, level), |k| self.sum_below(falls, k, x) < 1.0);
        x.resize(falls.runs.numbers(k), 0.0);
        self.write_shares(math, |d| level - self.b * d, falls.d, x);
        k
    }

    /// The size of the support: token k + 1 is in it if the first k do not reach 1 with the level at which it gets nothing.
    /// `is_in` says so for the k that are `unsure`; for a smaller one they do not, for a larger one they do.
    fn support(&self, falls: Falls<'_>, unsure: Range<usize>, mut is_in: impl FnMut(usize) -> bool) -> usize {
        let (mut low, mut high) = (1, falls.len());
        // What was found for the last token that was looked at is true for its equals, which add nothing to its sum.
        let (mut last, mut last_is_in) = (f64::NAN, false);
        while low < high {
            let middle = low + (high - low) / 2;
            if !unsure.contains(&middle) {
                last_is_in = middle < unsure.start;
            } else if falls.at(middle) != last {
                last_is_in = is_in(middle);
            }
            last = falls.at(middle);
            if last_is_in { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Whether token k + 1 is in the support, by lists where these leave no doubt.
    fn is_in(&self, math: &ListMath, d: &[f64], k: usize, x: &mut Vec<f64>) -> bool {
        if self.b > 1.0 && k >= BLOCK {
            x.resize(k, 0.0);
            // The difference first: for a large b it must be right relative to itself.
            self.write_shares(math, |d_i| self.b * (d[k] - d_i), d, x);
            let sum = list::sum(x);
            if (sum - 1.0).abs() > UNSURE {
                return sum < 1.0;
            }
        }
        self.sum_below(Falls { runs: &Runs::default(), d }, k, x) < 1.0
    }

    /// The shares of the first k tokens at the level at which token k + 1 gets nothing.
    fn sum_below(&self, falls: Falls<'_>, k: usize, x: &mut Vec<f64>) -> f64 {
        let (mut memo, next) = (Memo::new(), falls.at(k));
        x.resize(falls.runs.numbers(k), 0.0);
        for (x, &d) in x.iter_mut().zip(falls.d) {
            *x = memo.of(d, |d| self.power(self.b * (next - d), 1.0 / self.b));
        }
        falls.runs.sum_in_order(x, k)
    }

    /// The k for which that sum may be rounded to the wrong side of 1.
    fn unsure(&self, math: &ListMath, d: &[f64], x: &mut Vec<f64>, y: &mut Vec<f64>) -> Range<usize> {
        if self.b == 1.0 || self.b == 0.5 {
            return self.unsure_by_gaps(d);
        } else if self.b < 1.0 {
            let falls = Falls { runs: &Runs::default(), d };
            let level = self.level(math, falls, x, (y, &mut Runs::default()));
            return self.around(falls, level);
        }
        1..d.len()
    }

    /// The same for α = 1.5 and 2, where the sum grows from token to token by products of gaps: nothing cancels.
    fn unsure_by_gaps(&self, d: &[f64]) -> Range<usize> {
        let (mut start, mut sum, mut squares) = (d.len(), 0.0, 0.0);
        for k in 1..d.len() {
            // Of the distances of the first k to token k + 1.
            let (n, gap) = (k as f64, d[k] - d[k - 1]);
            squares += gap * (2.0 * sum + n * gap);
            sum += n * gap;
            let shares = if self.b == 1.0 { sum } else { 0.25 * squares };
            if shares > 1.0 - UNSURE {
                start = start.min(k);
            }
            if shares > 1.0 + UNSURE {
                return start..k;
            }
        }
        start..d.len()
    }

    /// The same from the level: the sum's slope is at least 1 at it, and a chord's below it.
    fn around(&self, falls: Falls<'_>, level: f64) -> Range<usize> {
        let below = |limit: f64| falls.runs.tokens(falls.d.partition_point(|d| self.b * d < limit));
        below(level - UNSURE)..below(level + UNSURE)
    }

    /// α < 2: the level at which the shares of all candidates have the sum 1, by Newton's method for the 1/b-norm of
    /// what the level leaves of each, which is convex and nearly linear. It begins at the level for the means of blocks,
    /// which is not below, as a share is convex in the distance.
    fn level(
        &self,
        math: &ListMath,
        falls: Falls<'_>,
        x: &mut Vec<f64>,
        (means, block_runs): (&mut Vec<f64>, &mut Runs),
    ) -> f64 {
        falls.write_means(means, block_runs);
        // The last block may be shorter.
        let (last, size_of_last) = (means.len() - 1, (falls.len() - 1) % BLOCK + 1);
        let sizes = |at: usize| if at == last { size_of_last as f64 } else { BLOCK as f64 };
        let low = exp(-self.b * ln(falls.len() as f64)) * (1.0 - 1e-12);
        let means = Falls { runs: block_runs, d: means };
        let start = self.level_of(math, means, sizes, [low, 1.0], 1.0, x);
        self.level_of(math, falls, |_| 1.0, [low, 1.0], start * (1.0 + 1e-12), x)
    }

    fn level_of(
        &self,
        math: &ListMath,
        falls: Falls<'_>,
        weight: impl Fn(usize) -> f64,
        bracket: [f64; 2],
        start: f64,
        x: &mut Vec<f64>,
    ) -> f64 {
        let (b, Falls { runs, d }, n) = (self.b, falls, falls.len());
        x.resize(d.len(), 0.0);
        let (level, step) = newton(start, bracket, [tolerance(n), 1e-8 * b], |w| {
            self.write_shares(math, |d| w - b * d, d, x);
            x.iter_mut().enumerate().for_each(|(i, x)| *x *= weight(i));
            let sum = runs.sum(x, n);
            if sum <= 0.0 {
                return Probe { excess: -1.0, value: -1.0, slope: 1.0 };
            }
            x.iter_mut().zip(d).for_each(|(x, d)| *x = if *x > 0.0 { *x / (w - b * d) } else { 0.0 });
            let log_sum = ln(sum);
            let norm = exp(b * log_sum);
            Probe { excess: sum - 1.0, value: norm - 1.0, slope: norm / sum * runs.sum(x, n) }
        });
        level + step
    }

    /// Writes the shares of the first tokens, from what the level leaves of each.
    fn write_shares(&self, math: &ListMath, left: impl Fn(f64) -> f64, d: &[f64], x: &mut [f64]) {
        x.iter_mut().zip(d).for_each(|(x, &d)| *x = list::at_least(f64::MIN_POSITIVE, left(d)));
        math.pow(x, 1.0 / self.b);
        x.iter_mut().zip(d).for_each(|(x, &d)| *x = if left(d) > 0.0 { *x } else { 0.0 });
    }

    fn power(&self, x: f64, y: f64) -> f64 {
        if x > 0.0 { pow(x, y) } else { 0.0 }
    }

    /// α < 2: the level w = p_1^b; the sum of (w - b d_i)^(1/b) is convex in it.
    fn solve_for_level(&self, d: &[f64], x: &mut [f64], slopes: &mut [f64]) {
        let (b, last) = (self.b, d[d.len() - 1]);
        let write = |w: f64, x: &mut [f64]| {
            let mut memo = Memo::new();
            x.iter_mut().zip(d).for_each(|(x, d)| *x = memo.of(*d, |d| self.power(w - b * d, 1.0 / b)));
        };
        let (w, step) = newton(1.0, [b * last, 1.0], [tolerance(d.len()), 1e-15], |w| {
            write(w, x);
            let mut memo = Memo::new();
            slopes.iter_mut().zip(d).for_each(|(s, d)| *s = memo.of(*d, |d| self.power(w - b * d, 1.0 / b - 1.0) / b));
            let excess = list::sum(x) - 1.0;
            Probe { excess, value: excess, slope: list::sum(slopes) }
        });
        write(w + step, x);
    }

    /// α > 2: the last token's share t; the sum of (t^b + b (d_k - d_i))^(1/b) is convex in it.
    fn solve_for_last(&self, d: &[f64], x: &mut [f64], slopes: &mut [f64]) {
        let (b, last) = (self.b, d[d.len() - 1]);
        let write = |t: f64, x: &mut [f64]| {
            let (base, mut memo) = (self.power(t, b), Memo::new());
            x.iter_mut()
                .zip(d)
                .for_each(|(x, d)| *x = memo.of(*d, |d| self.power(base + b * (last - d), 1.0 / b).max(t)));
        };
        let high = 1.0 / d.len() as f64;
        let (t, step) = newton(high, [0.0, high], [tolerance(d.len()), 1e-15], |t| {
            write(t, x);
            let mut memo = Memo::new();
            slopes.iter_mut().zip(&*x).for_each(|(s, x)| *s = memo.of(*x, |x| self.power(t / x, b - 1.0)));
            let excess = list::sum(x) - 1.0;
            Probe { excess, value: excess, slope: list::sum(slopes) }
        });
        write(t + step, x);
    }
}

/// Candidates' distances from the largest logit, with a number for each run of equal ones where most are equal.
#[derive(Clone, Copy)]
struct Falls<'a> {
    runs: &'a Runs,
    d: &'a [f64],
}

impl Falls<'_> {
    /// The number of candidates.
    fn len(&self) -> usize {
        self.runs.tokens(self.d.len())
    }

    /// The distance of the candidate at a place.
    fn at(&self, place: usize) -> f64 {
        self.runs.at(self.d, place)
    }

    /// Writes the mean of each block of candidates, also with a number for each run of equal blocks.
    fn write_means(&self, means: &mut Vec<f64>, block_runs: &mut Runs) {
        let mean = |block: &[f64]| list::sum(block) / block.len() as f64;
        means.clear();
        block_runs.clear();
        if self.runs.is_plain() {
            means.extend(self.d.chunks(BLOCK).map(mean));
            return;
        }
        let (mut place, mut block) = (0, [0.0; BLOCK]);
        while place < self.len() {
            let block = &mut block[..BLOCK.min(self.len() - place)];
            block.iter_mut().zip(place..).for_each(|(d, place)| *d = self.at(place));
            means.push(mean(block));
            let end_of_run = self.runs.tokens(self.runs.numbers(place + 1));
            let equal = ((end_of_run - place) / block.len()).max(1);
            block_runs.push(equal);
            place += equal * block.len();
        }
    }
}

/// The last value of a function: equal tokens are adjacent.
struct Memo {
    at: f64,
    value: f64,
}

impl Memo {
    fn new() -> Self {
        Self { at: f64::NAN, value: 0.0 }
    }

    fn of(&mut self, at: f64, f: impl FnOnce(f64) -> f64) -> f64 {
        if at != self.at {
            *self = Self { at, value: f(at) };
        }
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::adversarial_weights;
    use super::*;

    const ALPHAS: [f64; 14] = [1.01, 1.02, 1.05, 1.1, 1.2, 1.3, 1.4999, 1.5, 1.7, 1.95, 2.0, 2.3, 3.0, 64.0];

    /// Distances of candidates, some of which are farther away than the support can reach.
    fn distances(alpha: f64) -> impl Iterator<Item = Vec<f64>> {
        let sizes = [1, 2, 7, 8, 63, 64, 200, 2000];
        let reach = Entmax::new(alpha).reach();
        sizes.into_iter().flat_map(adversarial_weights).flat_map(move |weights| {
            [1.0, 0.01, reach].map(|factor| {
                let d = weights.iter().map(|w| -ln(*w) * factor).take_while(|&d| d <= reach);
                d.collect::<Vec<f64>>()
            })
        })
    }

    #[test]
    fn support_equals_that_of_all_sums() {
        for alpha in ALPHAS {
            let (entmax, math) = (Entmax::new(alpha), &ListMath::PORTABLE);
            let (mut x, mut y) = (vec![], vec![]);
            for d in distances(alpha) {
                let unsure = entmax.unsure(math, &d, &mut x, &mut y);
                let falls = Falls { runs: &Runs::default(), d: &d };
                let found = entmax.support(falls, unsure, |k| entmax.is_in(math, &d, k, &mut x));
                let (mut low, mut high) = (1, d.len());
                while low < high {
                    let k = low + (high - low) / 2;
                    let sum: f64 = d[..k].iter().map(|d_i| entmax.power(entmax.b * (d[k] - d_i), entmax.reach())).sum();
                    if sum < 1.0 { low = k + 1 } else { high = k }
                }
                assert_eq!(found, low, "α {alpha}, {} candidates", d.len());
            }
        }
    }

    #[test]
    fn runs_of_equal_candidates_change_no_bit() {
        for alpha in ALPHAS.into_iter().filter(|&alpha| alpha < 1.5) {
            let (entmax, math) = (Entmax::new(alpha), &ListMath::PORTABLE);
            let mut with_runs = 0;
            for weights in [1500, 4001].into_iter().flat_map(adversarial_weights) {
                let (mut d, mut x, mut plain) = (weights.iter().map(|w| -ln(*w)).collect::<Vec<_>>(), vec![], vec![]);
                let none = Runs::default();
                let k = entmax.solve_many(
                    math,
                    Falls { runs: &none, d: &d },
                    &mut plain,
                    (&mut vec![], &mut Runs::default()),
                );
                let mut runs = Runs::default();
                runs.find(&d);
                if runs.is_plain() {
                    continue;
                }
                runs.compact(&mut d);
                with_runs += 1;
                let means = (&mut vec![], &mut Runs::default());
                assert_eq!(entmax.solve_many(math, Falls { runs: &runs, d: &d }, &mut x, means), k);
                let mut spread = vec![];
                runs.spread(&x, k, &mut spread);
                assert_eq!(spread, plain);
            }
            assert!(with_runs >= 6);
        }
    }

    #[test]
    fn shares_by_lists_equal_those_by_single_powers() {
        for alpha in ALPHAS.into_iter().filter(|&alpha| alpha < 1.5) {
            let (entmax, math) = (Entmax::new(alpha), &ListMath::PORTABLE);
            for d in distances(alpha) {
                let (mut few, mut many, mut y) = (vec![], vec![], vec![]);
                entmax.solve_few(math, &d, &mut few, &mut y);
                let falls = Falls { runs: &Runs::default(), d: &d };
                entmax.solve_many(math, falls, &mut many, (&mut y, &mut Runs::default()));
                assert_eq!(few.len(), many.len());
                normalise(few.iter().sum(), &mut few);
                normalise(many.iter().sum(), &mut many);
                for (few, many) in few.iter().zip(&many) {
                    assert!((few - many).abs() <= 1e-14 + 1e-11 * few, "α {alpha}, {}: {few:e} {many:e}", d.len());
                }
            }
        }
    }
}
