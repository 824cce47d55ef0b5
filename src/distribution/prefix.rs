//! Truncation to a prefix that ends where its weight says: the nucleus.

use super::bulk::MANY;
use super::{Distribution, Least, Ties};

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
        let (mut k, mut sum, mut estimates, mut rest) = (0, 0.0, true, None);
        'deepen: loop {
            for weight in &self.weights()[k..] {
                let with = sum + weight;
                if k >= least.tokens && !keeps(sum, with) {
                    break 'deepen;
                }
                sum = with;
                k += 1;
            }
            // Those that tie with the last are still to come.
            let next = self.entries().last().map_or(f32::INFINITY, |e| e.raw.next_up());
            let (first, share, below) = *rest.get_or_insert((k, (target - sum) / (total - sum), next));
            // No token left weighs more than the last, and about half as much, so there are twice as many as this.
            let least_rest = self.weights().last().map_or(0.0, |last| (target - sum) / last);
            let is_long = k < least.tokens || k as f64 + 2.0 * least_rest >= LONG as f64;
            let mut wanted = if is_long { k + 1 } else { GROWTH * k + 1 };
            // A sample of the row costs more than some more entries do.
            if is_long && !self.is_truncated() && std::mem::take(&mut estimates) {
                let (bounds, scale) = ((self.head.lowest(), below), self.scale());
                if let Some(foreseen) = self.head.vocab_mut().estimate_prefix(share.clamp(0.0, 1.0), bounds, scale) {
                    let with_slack = |tokens| first + 1 + tokens + tokens / 4;
                    wanted = wanted.max(with_slack(foreseen.tokens));
                    let most = foreseen.bound.map_or(foreseen.tokens, |(most, _)| most);
                    let are_many = foresees && with_slack(most) > 2 * MANY;
                    if are_many && self.keep_bulk_while(target, foreseen, least, keeps) {
                        return None;
                    }
                }
            }
            // Fewer than are wanted may be enough, of a sparse row too.
            if self.deepen_if_listed(wanted) == k {
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
}
