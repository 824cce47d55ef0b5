//! Entries in another arrangement than the logits gave: after a stage that keeps a window, or changes the weights.

use super::{Entry, Head};
use crate::vocab::Hit;
use std::cmp::Ordering;

impl Head<'_> {
    /// Makes these tokens the entries, in descending order of logit.
    pub(crate) fn place(&mut self, hits: &[Hit], max: f32) {
        self.scratch.entries.clear();
        self.scratch.weights.clear();
        self.scratch.pool.clear();
        self.scratch.pool.extend_from_slice(hits);
        self.take(hits.len(), max);
    }

    /// Puts entries whose log-weights were changed into descending order again, ties by ascending id.
    pub(crate) fn sort(&mut self) {
        let ids = self.ids;
        let id = |e: &Entry| ids.map_or(e.index as i32, |ids| ids[e.index as usize]);
        // 0 and -0 are a tie.
        let order = |a: &Entry, b: &Entry| b.x.partial_cmp(&a.x).unwrap_or(Ordering::Equal);
        self.entries_mut().sort_unstable_by(|a, b| order(a, b).then_with(|| id(a).cmp(&id(b))));
    }
}
