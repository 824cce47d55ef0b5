//! Lists with one number for each run of equal tokens.
//!
//! On rows of few values most tokens are equal, and so is whatever is computed for each of them. Lists then have one number
//! for each run, and a sum adds it as often as the run has tokens: with the bits of the sum over a list of all tokens.

use crate::error::Result;
use crate::math::{list, repeated};
use crate::memory;

/// Shorter lists have a number for every token.
const LEAST: usize = 1024;

/// Runs serve where they have at least so many tokens on average.
const LONG: usize = 32;

/// Which of some tokens in descending order are equal.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// The number of tokens up to the end of each run. Empty if every token has a number of its own.
    ends: Vec<usize>,
}

impl Runs {
    /// Makes room for those of `n` tokens.
    pub(super) fn make_room(&mut self, n: usize) -> Result<()> {
        memory::make_room(&mut self.ends, most(n))
    }

    /// Gives every token a number of its own.
    pub(super) fn clear(&mut self) {
        self.ends.clear();
    }

    /// Finds the runs of equal numbers in a list that is in order, unless most are short.
    pub(super) fn find(&mut self, xs: &[f64]) {
        self.clear();
        let mut end = 0;
        while end < xs.len() && xs.len() >= LEAST {
            end += length_of_first(&xs[end..]);
            self.ends.push(end);
            if self.ends.len() >= most(end) {
                self.ends.clear();
                return;
            }
        }
    }

    /// Leaves a list of all tokens with the numbers of the runs.
    pub(super) fn compact(&self, xs: &mut Vec<f64>) {
        for (run, end) in self.ends.iter().enumerate() {
            xs[run] = xs[end - 1];
        }
        if !self.is_plain() {
            xs.truncate(self.ends.len());
        }
    }

    /// Appends a run of so many tokens.
    pub(super) fn push(&mut self, tokens: usize) {
        self.ends.push(self.ends.last().unwrap_or(&0) + tokens);
    }

    /// Whether every token has a number of its own.
    pub(super) fn is_plain(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many numbers the first `k` tokens have.
    pub(super) fn numbers(&self, k: usize) -> usize {
        if self.is_plain() || k == 0 { k } else { self.ends.partition_point(|&end| end < k) + 1 }
    }

    /// How many tokens the first `n` numbers stand for.
    pub(super) fn tokens(&self, n: usize) -> usize {
        if self.is_plain() || n == 0 { n } else { self.ends[n - 1] }
    }

    /// The number of the token at a place.
    pub(super) fn at(&self, xs: &[f64], place: usize) -> f64 {
        xs[self.numbers(place + 1) - 1]
    }

    /// The numbers that runs have, with how many of the first `k` tokens each stands for.
    fn counted<'a>(&'a self, xs: &'a [f64], k: usize) -> impl DoubleEndedIterator<Item = (f64, usize)> + 'a {
        let n = self.numbers(k);
        let count = move |i: usize| self.ends[i].min(k) - self.tokens(i);
        (0..n).map(move |i| (xs[i], count(i)))
    }

    /// [`list::sum`] over the first `k` tokens.
    pub(super) fn sum(&self, xs: &[f64], k: usize) -> f64 {
        if self.is_plain() {
            return list::sum(&xs[..k]);
        }
        // The last tokens are outside the four lanes.
        let (mut lanes, mut start, in_lanes) = ([0.0; 4], 0, k - k % 4);
        for (x, count) in self.counted(xs, in_lanes) {
            // Most lanes have the same sum before and as many tokens of the run.
            let mut last = (f64::NAN, 0, f64::NAN);
            for (lane, sum) in lanes.iter_mut().enumerate() {
                let before = |place: usize| (place + 3 - lane) / 4;
                let of_lane = before(start + count) - before(start);
                if (*sum, of_lane) != (last.0, last.1) {
                    last = (*sum, of_lane, repeated::add_times(*sum, x, of_lane));
                }
                *sum = last.2;
            }
            start += count;
        }
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]) + (in_lanes..k).map(|place| self.at(xs, place)).sum::<f64>()
    }

    /// The sum over the first `k` tokens, one after another.
    pub(super) fn sum_in_order(&self, xs: &[f64], k: usize) -> f64 {
        if self.is_plain() {
            return xs[..k].iter().sum();
        }
        self.counted(xs, k).fold(-0.0, |sum, (x, count)| repeated::add_times(sum, x, count))
    }

    /// The sum over the first `k` tokens from the last to the first, after `sum`.
    pub(super) fn sum_back(&self, sum: f64, xs: &[f64], k: usize) -> f64 {
        if self.is_plain() {
            return xs[..k].iter().rev().fold(sum, |sum, x| sum + x);
        }
        self.counted(xs, k).rev().fold(sum, |sum, (x, count)| repeated::add_times(sum, x, count))
    }

    /// Writes the sums of some numbers from each to the last of the first `k` tokens, after `behind`; and those of others
    /// from the first to each. One number more than tokens, or runs: [`Runs::sum_from`] and [`Runs::sum_to`] read them.
    pub(super) fn running_sums(
        &self,
        k: usize,
        (down, behind, from): (&[f64], f64, &mut Vec<f64>),
        (up, to): (&[f64], &mut Vec<f64>),
    ) {
        let n = self.numbers(k);
        from.resize(n + 1, 0.0);
        to.resize(n + 1, 0.0);
        let (mut after, mut before) = (behind, 0.0);
        (from[n], to[0]) = (after, before);
        // Both running sums in one loop: neither waits for the other.
        let sums = from[..n].iter_mut().rev().zip(&mut to[1..]);
        if self.is_plain() {
            for ((from, to), (last, first)) in sums.zip(down[..n].iter().rev().zip(&up[..n])) {
                after += last;
                before += first;
                (*from, *to) = (after, before);
            }
        } else {
            for ((from, to), (last, first)) in sums.zip(self.counted(down, k).rev().zip(self.counted(up, k))) {
                after = repeated::add_times(after, last.0, last.1);
                before = repeated::add_times(before, first.0, first.1);
                (*from, *to) = (after, before);
            }
        }
    }

    /// The sum of the tokens from place `k` on, of `n`.
    pub(super) fn sum_from(&self, from: &[f64], down: &[f64], k: usize, n: usize) -> f64 {
        if self.is_plain() || k == 0 {
            return from[k];
        }
        let numbers = self.numbers(k);
        repeated::add_times(from[numbers], down[numbers - 1], self.ends[numbers - 1].min(n) - k)
    }

    /// The sum of the tokens before place `k`.
    pub(super) fn sum_to(&self, to: &[f64], up: &[f64], k: usize) -> f64 {
        if self.is_plain() || k == 0 {
            return to[k];
        }
        let numbers = self.numbers(k);
        repeated::add_times(to[numbers - 1], up[numbers - 1], k - self.tokens(numbers - 1))
    }

    /// Writes the number of each of the first `k` tokens.
    pub(super) fn spread(&self, xs: &[f64], k: usize, out: &mut Vec<f64>) {
        out.clear();
        self.counted(xs, k).for_each(|(x, count)| out.resize(out.len() + count, x));
    }
}

/// The most runs of `n` tokens.
fn most(n: usize) -> usize {
    n / LONG + LEAST / LONG
}

/// The number of equal numbers with which a list begins that is in order.
fn length_of_first(xs: &[f64]) -> usize {
    let mut step = 1;
    while step < xs.len() && xs[step] == xs[0] {
        step *= 2;
    }
    step / 2 + xs[step / 2..step.min(xs.len())].partition_point(|x| *x == xs[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    /// Lists in descending order with runs of any lengths.
    fn lists() -> impl Iterator<Item = Vec<f64>> {
        let mut random = Lcg::new(7);
        [1, 2, 5, 40].into_iter().cycle().take(60).map(move |values| {
            let n = LEAST + (random.unit() * 4000.0) as usize;
            let mut list: Vec<f64> = (0..values).map(|_| random.unit() * random.unit() / n as f64).collect();
            list.extend((values..n).map(|_| list[(random.unit() * values as f64) as usize]).collect::<Vec<_>>());
            list.sort_unstable_by(|a, b| b.total_cmp(a));
            list
        })
    }

    #[test]
    fn sums_of_runs_equal_sums_of_tokens() {
        let mut random = Lcg::new(8);
        for tokens in lists() {
            let (mut runs, plain) = (Runs::default(), Runs::default());
            runs.find(&tokens);
            assert!(!runs.is_plain());
            let mut numbers = tokens.clone();
            runs.compact(&mut numbers);
            let mut expected = tokens.clone();
            expected.dedup();
            assert_eq!(numbers, expected);
            let (mut sums, mut plain_sums) = ([vec![], vec![]], [vec![], vec![]]);
            for place in 0..20 {
                let n = if place == 0 { tokens.len() } else { 1 + (random.unit() * tokens.len() as f64) as usize };
                assert_eq!(runs.sum(&numbers, n), plain.sum(&tokens, n));
                assert_eq!(runs.sum_in_order(&numbers, n), plain.sum_in_order(&tokens, n));
                assert_eq!(runs.sum_back(0.1, &numbers, n), plain.sum_back(0.1, &tokens, n));
                for (runs, xs, [from, to]) in [(&runs, &numbers, &mut sums), (&plain, &tokens, &mut plain_sums)] {
                    runs.running_sums(n, (xs, 0.1, from), (xs, to));
                }
                for k in [0, 1, 2, n / 3, n - 1, n] {
                    let [of_runs, of_tokens] = [(&runs, &numbers, &sums), (&plain, &tokens, &plain_sums)]
                        .map(|(runs, xs, [from, to])| (runs.sum_from(from, xs, k, n), runs.sum_to(to, xs, k)));
                    assert_eq!(of_runs, of_tokens, "{k} of {n}");
                }
                let mut spread = vec![];
                runs.spread(&numbers, n, &mut spread);
                assert_eq!(spread, tokens[..n]);
            }
        }
    }

    #[test]
    fn lists_without_long_runs_stay_plain() {
        let mut runs = Runs::default();
        let falling = |every: usize| (0..5000).map(|i| -((i / every) as f64)).collect::<Vec<_>>();
        for (every, is_plain) in [(1, true), (16, true), (50, false), (5000, false)] {
            runs.find(&falling(every));
            assert_eq!(runs.is_plain(), is_plain, "{every}");
        }
        runs.find(&[1.0; LEAST - 1]);
        assert!(runs.is_plain());
    }
}
