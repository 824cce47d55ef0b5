//! What a stage may ask of the distribution as a whole: sums over all that is left, without sorting any of it.

use super::Distribution;
use crate::math::{exp, ln};

/// A head is usually smaller than this.
const FIRST_LOOK: usize = 16;

impl Distribution<'_> {
    /// The number of candidates: the row's length, banned ones included, until a stage has dropped tokens.
    pub(crate) fn size(&self) -> usize {
        if self.is_closed() { self.entries().len() } else { self.vocab.row().vocab() }
    }

    /// The weight of the whole distribution, the first token's being 1: the head in f64 and only the rest in f32.
    pub(crate) fn total(&mut self) -> f64 {
        let known = self.deepen(FIRST_LOOK);
        self.weights().iter().sum::<f64>() + self.beyond(known)
    }

    /// Σ p²: the probability that two draws are the same token.
    pub(crate) fn collision(&mut self) -> f64 {
        if self.is_closed() {
            let squares: f64 = self.entries().iter().map(|e| exp(2.0 * e.x)).sum();
            let total = self.head_weight();
            return squares / (total * total);
        }
        // The first pass may have found this one, and the next forgets it. At twice the scale a weight is exp(2 x).
        let total = self.vocab.total(self.scale);
        let squares = self.vocab.total(2.0 * self.scale);
        squares / (total * total)
    }

    /// The mean of the log-weights under the distribution, at most 0: the entropy is ln(total) less this.
    pub(crate) fn mean_log_weight(&mut self) -> f64 {
        let (total, moment) = if self.is_closed() {
            let (entries, weights) = self.weighed();
            (weights.iter().sum(), entries.iter().zip(weights).map(|(e, weight)| weight * e.x).sum::<f64>())
        } else {
            (self.vocab.total(self.scale), self.vocab.moment(self.scale) * self.scale)
        };
        moment / total
    }

    /// The distribution's entropy in nats.
    pub(crate) fn entropy(&mut self) -> f64 {
        // Two terms of one sign, each right relative to itself: a small entropy keeps its digits.
        let mean = self.mean_log_weight();
        (ln(self.total()) - mean).max(0.0)
    }

    /// The standard deviation of the log-weights, every token counting once; 0 if there are no more than `ddof`.
    pub(crate) fn deviation(&mut self, ddof: u32) -> f64 {
        if !self.is_closed() {
            return self.vocab.deviation(ddof) * self.scale;
        }
        let n = self.entries().len() as f64;
        let divisor = n - f64::from(ddof);
        if divisor <= 0.0 {
            return 0.0;
        }
        let mean = self.entries().iter().map(|e| e.x).sum::<f64>() / n;
        let squares: f64 = self.entries().iter().map(|e| (e.x - mean) * (e.x - mean)).sum();
        (squares / divisor).sqrt()
    }
}
