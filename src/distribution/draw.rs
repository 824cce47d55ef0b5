//! A token drawn from a distribution.

use super::bulk::MANY;
use super::{Distribution, Support};
use crate::math::{exp, repeated};

/// A token that a drawing stage took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drawn {
    /// Position in the row.
    pub(crate) index: u32,
    /// Position among the entries; 0 where the support is the whole vocabulary.
    pub(crate) rank: usize,
    /// Its probability.
    pub(crate) p: f64,
}

impl Distribution<'_> {
    /// The most likely token; the others are dropped.
    pub(crate) fn take_first(&mut self) -> Drawn {
        self.keep_first();
        Drawn { index: self.entries()[0].index, rank: 0, p: 1.0 }
    }

    /// Draws by inverting the cumulative distribution, `u` in (0, 1): in descending order of probability, or over the
    /// whole vocabulary in order of index.
    pub(crate) fn draw(&mut self, u: f64) -> Drawn {
        match self.support {
            Support::Whole { .. } => {
                let scale = self.scale();
                let index = self.head.vocab_mut().quantile(scale, u);
                let x = self.head.log_weight(self.head.vocab().row().logit(index));
                Drawn { index, rank: 0, p: exp(x) / self.head.vocab_mut().total(scale) }
            }
            Support::Bulk { prefix, .. } => self.draw_from_bulk(prefix, u),
            Support::Range { range, .. } => self.draw_from_range(range, u).unwrap_or_else(|| {
                self.sort_bulk();
                self.draw(u)
            }),
            Support::List { .. } => {
                // The whole row keeps so many as a bulk, whose weights are f32.
                let is_many = self.head.entries().len() >= MANY;
                let u = if is_many { self.doubtful_share(u) } else { u };
                let (entries, weights) = self.head.weighted();
                let total = repeated::sum_in_order(weights);
                let rank = repeated::first_above(weights, u * total);
                Drawn { index: entries[rank].index, rank, p: weights[rank] / total }
            }
        }
    }
}
