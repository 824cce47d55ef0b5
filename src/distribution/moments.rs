//! Sums over all tokens that are left, without sorting them.

use super::Distribution;
use crate::math::{exp, ln};

/// A head is usually smaller than this.
const FIRST_LOOK: usize = 16;

impl Distribution<'_> {
    /// The number of candidates: the row's length, banned ones included, until a stage has dropped tokens.
    pub(crate) fn size(&mut self) -> usize {
        if self.is_truncated() {
            return self.support();
        }
        self.lack_size();
        self.head.vocab().row().vocab()
    }

    /// Σ exp(x) over the entries.
    pub(crate) fn head_weight(&mut self) -> f64 {
        self.weights().iter().sum()
    }

    /// The weight of all tokens, the first one's being 1: the head in f64 and only the rest in f32.
    pub(crate) fn total(&mut self) -> f64 {
        let known = self.deepen_if_listed(FIRST_LOOK);
        if self.sums_otherwise() {
            let (head, listed) = (self.head_weight(), self.listed_beyond(known));
            return self.with_outside(head, listed, false);
        }
        self.head_weight() + self.beyond(known)
    }

    /// The same to f32's precision while the support is the whole vocabulary, without looking for the head.
    pub(crate) fn rough_total(&mut self) -> f64 {
        if self.is_truncated() {
            return self.head_weight();
        }
        if self.sums_otherwise() {
            return self.total();
        }
        let scale = self.scale();
        self.head.vocab_mut().total(scale)
    }

    /// The weight of the tokens that are not among the first `n` entries.
    pub(crate) fn beyond(&mut self, n: usize) -> f64 {
        if self.is_truncated() {
            return self.entries()[n..].iter().rev().map(|e| exp(e.x)).sum();
        }
        let listed = self.listed_beyond(n);
        if self.sums_otherwise() { self.with_outside(0.0, listed, true) } else { listed }
    }

    /// The weight of the row's tokens that are not among the first `n` entries.
    fn listed_beyond(&mut self, n: usize) -> f64 {
        let scale = self.scale();
        let (vocab, entries) = self.head.parts();
        vocab.total_without(entries[..n].iter().map(|e| e.index), scale)
    }

    /// Σ p²: the probability that two draws are the same token.
    pub(crate) fn collision(&mut self) -> f64 {
        if self.is_truncated() {
            let squares: f64 = self.entries().iter().map(|e| exp(2.0 * e.x)).sum();
            let total = self.head_weight();
            return squares / (total * total);
        }
        self.lack_statistics();
        let scale = self.scale();
        let vocab = self.head.vocab_mut();
        let (squares, total) = (vocab.squares(scale), vocab.total(scale));
        squares / (total * total)
    }

    /// The mean of the log-weights, at most 0: the entropy is ln(total) less this.
    pub(crate) fn mean_log_weight(&mut self) -> f64 {
        self.lack_statistics();
        let (total, moment) = if self.is_truncated() {
            let (entries, weights) = self.weighted();
            (weights.iter().sum(), entries.iter().zip(weights).map(|(e, weight)| weight * e.x).sum::<f64>())
        } else {
            let scale = self.scale();
            let vocab = self.head.vocab_mut();
            (vocab.total(scale), vocab.moment(scale) * scale)
        };
        moment / total
    }

    /// The entropy in nats.
    pub(crate) fn entropy(&mut self) -> f64 {
        // Two terms of one sign, each right relative to itself: a small entropy keeps its digits.
        let mean = self.mean_log_weight();
        (ln(self.total()) - mean).max(0.0)
    }

    /// The standard deviation of the log-weights, every token counting once; 0 if there are no more than `ddof`.
    pub(crate) fn deviation(&mut self, ddof: u32) -> f64 {
        if !self.is_truncated() {
            self.lack_statistics();
            return self.head.vocab_mut().deviation(ddof) * self.scale();
        }
        let entries = self.entries();
        let n = entries.len() as f64;
        let divisor = n - f64::from(ddof);
        if divisor <= 0.0 {
            return 0.0;
        }
        let mean = entries.iter().map(|e| e.x).sum::<f64>() / n;
        let squares: f64 = entries.iter().map(|e| (e.x - mean) * (e.x - mean)).sum();
        (squares / divisor).sqrt()
    }
}
