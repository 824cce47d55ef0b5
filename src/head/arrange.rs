//! Entries in another arrangement than the logits gave: after a stage that keeps a window, or changes the weights.

use super::{Entry, Head};
use crate::vocab::Hit;

impl Head<'_> {
    /// The token's id: what ties go by.
    pub(crate) fn id(&self, index: u32) -> i64 {
        self.ids.map_or(i64::from(index), |ids| i64::from(ids[index as usize]))
    }

    /// Makes these tokens the entries, in descending order of logit.
    pub(crate) fn place(&mut self, hits: &[Hit], max: f32) {
        self.scratch.entries.clear();
        self.scratch.weights.clear();
        self.scratch.pool.clear();
        self.scratch.pool.extend_from_slice(hits);
        self.take(hits.len(), max);
    }

    /// Sorts the entries by their weights, ties by ascending id.
    pub(crate) fn sort_by_weight(&mut self) {
        let ids = self.ids;
        let id = |e: &Entry| ids.map_or(i64::from(e.index), |ids| i64::from(ids[e.index as usize]));
        self.entries_mut().sort_unstable_by(|a, b| b.x.total_cmp(&a.x).then_with(|| id(a).cmp(&id(b))));
    }
}
