//! Entries in another arrangement than the logits gave: after a stage that keeps a window, or changes the weights.

use super::{Entry, Head, order};
use crate::vocab::Hit;

impl Head<'_> {
    /// The token's id: what ties go by.
    pub(crate) fn id(&self, index: u32) -> i64 {
        self.ids.map_or(i64::from(index), |ids| i64::from(ids[index as usize]))
    }

    /// Makes these tokens the entries, in descending order of logit.
    pub(crate) fn place(&mut self, hits: &mut [Hit], max: f32) {
        hits.sort_unstable_by(|a, b| order(a, b, self.ids));
        let scale = self.scale;
        self.scratch.entries.clear();
        self.scratch.entries.extend(hits.iter().map(|hit| Entry {
            index: hit.index,
            raw: hit.logit,
            x: (f64::from(hit.logit) - f64::from(max)) * scale,
        }));
    }

    /// Sorts the entries by their weights, ties by ascending id.
    pub(crate) fn sort_by_weight(&mut self) {
        let ids = self.ids;
        let id = |e: &Entry| ids.map_or(i64::from(e.index), |ids| i64::from(ids[e.index as usize]));
        self.scratch.entries.sort_unstable_by(|a, b| b.x.total_cmp(&a.x).then_with(|| id(a).cmp(&id(b))));
    }
}
