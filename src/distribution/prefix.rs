//! Truncation to a prefix that ends where its weight says: the nucleus.

use super::bulk::MANY;
use super::{Distribution, Least, Ties};

/// From so many tokens on a list that grows is foreseen.
const LONG: usize = 128;

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
        let mut estimates = true;
        let total = self.total();
        let target = share * total;
        let keeps = |before: f64, with: f64| keeps(before, with, target);
        let (mut k, mut sum) = (0, 0.0);
        'deepen: loop {
            for weight in &self.weights()[k..] {
                let with = sum + weight;
                if k >= least.tokens && !keeps(sum, with) {
                    break 'deepen;
                }
                sum = with;
                k += 1;
            }
            let mut wanted = k + 1;
            // Where no bulk will do, the estimate saves fetching and selecting again and again from some size on.
            if (foresees || k >= LONG && !self.is_truncated()) && std::mem::take(&mut estimates) {
                // Those that tie with the last are still to come.
                let last = self.entries().last().map_or(f32::INFINITY, |e| e.raw.next_up());
                let share = (target - sum) / (total - sum);
                let bounds = (self.head.lowest(), last);
                let scale = self.scale();
                if let Some(foreseen) = self.head.vocab_mut().estimate_prefix(share.clamp(0.0, 1.0), bounds, scale) {
                    wanted += foreseen.tokens + foreseen.tokens / 4;
                    if foresees && wanted > 2 * MANY && self.keep_bulk_while(target, foreseen.floor, least, keeps) {
                        return None;
                    }
                }
            }
            if self.deepen(wanted) == k {
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
