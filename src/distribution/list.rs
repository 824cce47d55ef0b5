//! What only a list can do: entries get other weights and another order.

use super::head::{Entry, HeadScratch, LOWEST_LOG_WEIGHT};
use super::{Distribution, Support, logit_of};
use crate::history::{Edit, find_edit};
use crate::math::{ListMath, ln};
use std::cmp::Ordering;

/// An edited logit is at most this large.
const LARGEST_EDITED: f64 = 1e300;

/// The entries of a distribution that has no other tokens.
pub(super) struct List<'a> {
    scratch: &'a mut HeadScratch,
    ids: Option<&'a [i32]>,
    scale: f64,
    offset: f64,
    /// The first entry's logit, once a stage gave the entries logits of its own.
    first_logit: &'a mut Option<f64>,
}

impl Distribution<'_> {
    /// The list that a truncated distribution is, sorted if it was a bulk; none while the support is the whole
    /// vocabulary.
    pub(super) fn list(&mut self) -> Option<List<'_>> {
        self.sort_bulk();
        let Support::List { first_logit, .. } = &mut self.support else { return None };
        let scale = self.head.scale();
        let (scratch, ids) = self.head.scratch();
        Some(List { scratch, ids, scale, offset: self.offset, first_logit })
    }
}

impl List<'_> {
    /// Multiplies the log-weights, and drops what has no weight left.
    pub(super) fn scale_by(&mut self, factor: f64) {
        self.scratch.entries_mut().iter_mut().for_each(|e| e.x *= factor);
        self.drop_ineligible();
        *self.first_logit = self.first_logit.map(|logit| logit * factor);
    }

    /// Gives the entries these probabilities, in descending order, one each.
    pub(super) fn set_probabilities(&mut self, math: &ListMath, p_hat: &[f64]) {
        let first = ln(p_hat[0]);
        self.scratch.set_logs(math, p_hat, first);
        *self.first_logit = Some(first);
    }

    /// Edits the logits of single tokens, of which the edits leave some.
    pub(super) fn edit(&mut self, edits: &[Edit]) {
        let (ids, logit) = (self.ids, logit_of(*self.first_logit, self.scale, self.offset));
        let edit = |e: &Entry| find_edit(edits, id_of(ids, e));
        let entries = self.scratch.entries_mut();
        if entries.iter().all(|e| edit(e).is_none()) {
            return;
        }
        for e in &mut *entries {
            let before = logit(e);
            // An edited logit stays finite, unless it is a ban's, so that differences of logits are numbers.
            let edited = |edit: &Edit| match edit.apply(before) {
                f64::NEG_INFINITY if edit.subtract == f64::INFINITY => f64::NEG_INFINITY,
                logit => logit.clamp(-LARGEST_EDITED, LARGEST_EDITED),
            };
            e.x = edit(e).map_or(before, edited);
        }
        self.sort();
        let entries = self.scratch.entries_mut();
        let first = entries[0].x;
        entries.iter_mut().for_each(|e| e.x -= first);
        self.drop_ineligible();
        *self.first_logit = Some(first);
    }

    /// The logit of the first entry.
    pub(super) fn first_logit(&mut self) -> f64 {
        let logit = logit_of(*self.first_logit, self.scale, self.offset);
        self.scratch.entries_mut().first().map_or(0.0, logit)
    }

    /// Gives every entry the logit `base + relative(place, x)`.
    pub(super) fn set_logits(&mut self, base: f64, relative: impl Fn(usize, f64) -> f64) {
        for (at, e) in self.scratch.entries_mut().iter_mut().enumerate() {
            e.x = relative(at, e.x);
        }
        self.sort();
        *self.first_logit = Some(base);
        self.rebase();
        self.drop_ineligible();
    }

    /// Adds `less` to the log-weights of the first `n` entries but those whose token is exempt.
    pub(super) fn demote_first(&mut self, n: usize, less: f64, is_exempt: impl Fn(i32) -> bool) {
        let (ids, largest) = (self.ids, self.first_logit());
        for e in self.scratch.entries_mut()[..n].iter_mut().filter(|e| !is_exempt(id_of(ids, e))) {
            e.x += less;
        }
        self.set_logits(largest, |_, x| x);
    }

    /// Drops the first `n` entries but those whose token is exempt.
    pub(super) fn drop_first(&mut self, n: usize, is_exempt: impl Fn(i32) -> bool) {
        let (ids, mut at) = (self.ids, 0);
        self.scratch.entries_mut().retain(|e| {
            at += 1;
            at > n || is_exempt(id_of(ids, e))
        });
        self.rebase();
    }

    /// Keeps the entries at these places, which ascend.
    pub(super) fn keep_places(&mut self, places: impl ExactSizeIterator<Item = usize>) {
        let (entries, n) = (self.scratch.entries_mut(), places.len());
        for (to, from) in places.enumerate() {
            entries[to] = entries[from];
        }
        entries.truncate(n);
        self.rebase();
    }

    /// Keeps the entries whose token is wanted; some is.
    pub(super) fn keep_ids(&mut self, is_wanted: impl Fn(i32) -> bool) {
        let ids = self.ids;
        self.scratch.entries_mut().retain(|e| is_wanted(id_of(ids, e)));
        self.rebase();
    }

    /// Makes the log-weights relative to the first entry again.
    pub(super) fn rebase(&mut self) {
        let entries = self.scratch.entries_mut();
        let first = entries[0].x;
        entries.iter_mut().for_each(|e| e.x -= first);
        *self.first_logit = self.first_logit.map(|logit| logit + first);
    }

    fn drop_ineligible(&mut self) {
        let entries = self.scratch.entries_mut();
        let n = entries.partition_point(|e| e.x >= LOWEST_LOG_WEIGHT);
        entries.truncate(n);
    }

    /// Puts entries whose log-weights were changed into descending order again, ties by ascending id.
    fn sort(&mut self) {
        let ids = self.ids;
        // 0 and -0 are a tie.
        let order = |a: &Entry, b: &Entry| b.x.partial_cmp(&a.x).unwrap_or(Ordering::Equal);
        self.scratch.entries_mut().sort_unstable_by(|a, b| order(a, b).then_with(|| id_of(ids, a).cmp(&id_of(ids, b))));
    }
}

fn id_of(ids: Option<&[i32]>, e: &Entry) -> i32 {
    ids.map_or(e.index as i32, |ids| ids[e.index as usize])
}
