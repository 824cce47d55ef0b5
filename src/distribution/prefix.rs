//! Truncation to a prefix that ends where its weight says: the nucleus.

use super::bulk::MANY;
use super::{Distribution, Least, Ties};
use crate::vocab::Tail;

/// From so many tokens on it is estimated how many there will be.
const LONG: usize = 64;

/// Until then the list grows by this factor.
const GROWTH: usize = 4;

impl Distribution<'_> {
    /// Keeps the most likely tokens as long as `keeps(before, with, target)` says so of each, from the weight before it
    /// and with it: about until they have the target, which is `share` of the whole; at least as many as `least` says.
    pub(crate) fn keep_while(&mut self, share: f64, least: Least, keeps: impl Fn(f64, f64, f64) -> bool) {
        let foresees = self.can_be_bulk();
        if let Some(k) = self.prefix(share, least, keeps, foresees) {
            self.truncate(k);
        }
    }

    /// The number of tokens that [`Distribution::keep_while`] keeps; none are dropped. None if it `foresees` that they are
    /// many and keeps them as a bulk.
    pub(crate) fn prefix(
        &mut self,
        share: f64,
        least: Least,
        keeps: impl Fn(f64, f64, f64) -> bool,
        foresees: bool,
    ) -> Option<usize> {
        let total = self.total();
        let target = share * total;
        let keeps = |before: f64, with: f64| keeps(before, with, target);
        let (mut k, mut sum, mut rest) = (0, 0.0, None);
        // Whether it is still to be foreseen that they are many, and after how many entries that is decided next.
        let mut estimates = !self.is_truncated();
        let (mut edge, mut guess) = (self.entries().len(), None);
        'deepen: loop {
            let seen = if estimates { edge.min(self.entries().len()) } else { self.entries().len() };
            for weight in &self.weights()[k..seen] {
                let with = sum + weight;
                if k >= least.tokens && !keeps(sum, with) {
                    break 'deepen;
                }
                sum = with;
                k += 1;
            }
            if estimates && k < edge && self.deepen_if_listed(edge) > k {
                continue;
            }
            // Those that tie with the last are still to come.
            let last = self.entries()[..k].last().map_or(f32::INFINITY, |e| e.raw);
            let (first, share, below) = *rest.get_or_insert((k, (target - sum) / (total - sum), last.next_up()));
            // No token left weighs more than the last, and about half as much, so there are twice as many as this.
            let least_rest = self.weights()[..k].last().map_or(0.0, |last| (target - sum) / last);
            let is_long = k < least.tokens || k as f64 + 2.0 * least_rest >= LONG as f64;
            let mut wanted = if is_long { k + 1 } else { GROWTH * k + 1 };
            let mut known = self.entries().len();
            let is_guessed = known == k && !self.is_truncated();
            if is_guessed {
                guess = self.guess_end(Tail { from: last, weight: total - sum }, total - target);
            }
            // A sample of the row costs more than some more entries do.
            if is_long && std::mem::take(&mut estimates) && (guess.is_none() || foresees) {
                let with_slack = |tokens| first + 1 + tokens + tokens / 4;
                let is_many = |most| foresees && with_slack(most) > 2 * MANY;
                let (bounds, scale) = ((self.head.lowest(), below), self.scale());
                let vocab = self.head.vocab_mut();
                if let Some(foreseen) = vocab.estimate_prefix(share.clamp(0.0, 1.0), bounds, scale, guess, is_many) {
                    if foreseen.are_many && self.keep_bulk_while(target, foreseen, least, keeps) {
                        return None;
                    }
                    if guess.is_none() {
                        wanted = wanted.max(with_slack(foreseen.tokens));
                    }
                }
            }
            edge = wanted.max(2 * k);
            if let Some(guess) = guess.filter(|_| is_guessed) {
                // If they may turn out to be too many to sort, no more are sorted than decide that.
                let is_open = estimates && foresees;
                known = self.head.deepen_above(guess, |n| if is_open && n > 2 * MANY { edge } else { n });
            }
            // Fewer than are wanted may be enough, of a sparse row too.
            if known == k && self.deepen_if_listed(wanted) == k {
                self.lack_tokens();
                break;
            }
        }
        if least.ties == Ties::Keep {
            let last = self.entries()[k - 1].x;
            k = self.deepen_to(last);
        }
        Some(k)
    }

    /// A logit that all tokens of the prefix are probably at or above, where those that are not in it weigh `rest` and those
    /// after the known entries are `tail`.
    fn guess_end(&mut self, tail: Tail, rest: f64) -> Option<f32> {
        let (known, lowest, scale) = (self.entries().len(), self.head.lowest(), self.scale());
        let bound = self.head.vocab_mut().bound_for_tail(tail, known, rest, scale)?;
        Some(bound.max(lowest))
    }
}
