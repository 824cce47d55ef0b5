//! Truncation at a threshold, which serves every stage that keeps a prefix of known depth.

use super::bulk::MANY;
use super::{Distribution, LOWEST_LOG_WEIGHT};

/// What happens to tokens that tie with the last token kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ties {
    /// Those with a higher id are dropped: exactly the requested number is kept.
    Exact,
    /// They are kept.
    Keep,
}

/// Whether a token exactly at the threshold stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Inside,
    Outside,
}

/// The fewest tokens that a truncation keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Least {
    pub(crate) tokens: usize,
    pub(crate) ties: Ties,
}

impl Distribution<'_> {
    /// Keeps the tokens with a log-weight of at least `x` relative to the first (above it, if the edge is outside).
    pub(crate) fn keep_down_to(&mut self, x: f64, edge: Edge, least: Least) {
        // Nothing eligible lies below: the vocabulary stays whole.
        if x <= LOWEST_LOG_WEIGHT {
            return;
        }
        if edge == Edge::Inside && least.tokens <= MANY && self.can_be_bulk() {
            let floor = self.head.logit_of(x);
            if self.keep_bulk_above(floor) {
                return;
            }
        }
        let mut k = self.deepen_to(x);
        if edge == Edge::Outside {
            k = self.entries()[..k].partition_point(|e| e.x > x);
        }
        if k < least.tokens {
            self.keep_largest(least.tokens, least.ties);
        } else {
            self.truncate(k);
        }
    }

    /// Keeps the `k` largest tokens, at least one, or all if there are fewer.
    pub(crate) fn keep_largest(&mut self, k: usize, ties: Ties) {
        if k > MANY && self.can_be_bulk() && self.keep_bulk_largest(k, ties) {
            return;
        }
        let mut n = self.deepen(k).min(k.max(1));
        if ties == Ties::Keep {
            let last = self.entries()[n - 1].x;
            n = self.deepen_to(last);
        }
        self.truncate(n);
    }
}
