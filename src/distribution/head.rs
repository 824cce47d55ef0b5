//! The sorted head of a row, which deepens itself when a stage looks further down.
//!
//! Candidates are fetched from the vocabulary above a bound that certifies them (every token at or above it is
//! there), wait in a pool in no order, and only the part that somebody asked for is selected from the pool and
//! sorted: the vocabulary never is.

use crate::math::ListMath;
use crate::order::halfway;
use crate::vocab::{COLLECT_SPARE, RankedToken, USUAL_HEAD, Vocabulary, make_room};
use std::cmp::Ordering;

/// A token of the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Position in the row; the token id unless the row is a candidate array.
    pub(crate) index: u32,
    /// The logit as the row has it.
    pub(crate) raw: f32,
    /// The log-weight relative to the first entry's: 0 for it, at most 0 for the others.
    pub(crate) x: f64,
}

/// The memory of a head, kept from call to call.
#[derive(Default)]
pub(crate) struct HeadScratch {
    entries: Vec<Entry>,
    /// e^x of the first entries: of as many as somebody asked for, and of none whose x changed since.
    weights: Vec<f64>,
    pool: Vec<RankedToken>,
    /// What the sort of a long head goes through.
    spare: Vec<RankedToken>,
}

/// A token with a log-weight below this is never eligible (docs/mathematics.md, 7: a probability that underflows).
/// Chosen so that a weight, and its share among 2^31 tokens, is a normal number: what a machine does with others does
/// not matter.
pub(crate) const LOWEST_LOG_WEIGHT: f64 = -680.0;

/// Entries fetched at the least: a smaller head is as dear.
const LEAST: usize = 16;

/// A head that has more entries than this is long.
const LONG: usize = 256;

/// The tokens of a row in descending order of logit, ties by ascending id, as far down as anybody looked.
pub(crate) struct Head<'r> {
    scratch: &'r mut HeadScratch,
    math: &'static ListMath,
    /// The ids of a candidate array, where they are not the positions; ties go by them.
    ids: Option<&'r [i32]>,
    /// Every eligible token with a logit at or above it is in the entries or in the pool.
    floor: f32,
    /// The smallest logit that is eligible; known once a scale is.
    lowest: f32,
    scale: f64,
}

impl<'r> Head<'r> {
    pub(crate) fn new(scratch: &'r mut HeadScratch, math: &'static ListMath, ids: Option<&'r [i32]>) -> Self {
        scratch.entries.clear();
        scratch.weights.clear();
        scratch.pool.clear();
        Self { scratch, math, ids, floor: f32::INFINITY, lowest: f32::MIN, scale: 1.0 }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.scratch.entries
    }

    pub(crate) fn entries_mut(&mut self) -> &mut Vec<Entry> {
        self.scratch.weights.clear();
        &mut self.scratch.entries
    }

    /// Drops all but the first `n` entries.
    pub(crate) fn truncate(&mut self, n: usize) {
        self.scratch.entries.truncate(n);
        self.scratch.weights.truncate(n);
    }

    /// The entries with the weight e^x of each.
    pub(crate) fn weighed(&mut self) -> (&[Entry], &[f64]) {
        let HeadScratch { entries, weights, .. } = &mut *self.scratch;
        self.math.append_exp(entries[weights.len()..].iter().map(|e| e.x), weights);
        (entries, weights)
    }

    /// The weight e^x of each entry.
    pub(crate) fn weights(&mut self) -> &[f64] {
        self.weighed().1
    }

    /// The id of the token at a position of the row.
    pub(crate) fn id(&self, index: u32) -> i32 {
        self.ids.map_or(index as i32, |ids| ids[index as usize])
    }

    /// The ids of a candidate array; none where the position is the id.
    pub(crate) fn ids(&self) -> Option<&'r [i32]> {
        self.ids
    }

    /// Makes room for what most rows of so many tokens need, so that no later one asks for memory; a flat row's head
    /// may be larger.
    pub(crate) fn reserve(&mut self, vocab: usize) {
        let n = vocab.min(USUAL_HEAD);
        make_room(&mut self.scratch.entries, n);
        make_room(&mut self.scratch.weights, n);
        make_room(&mut self.scratch.pool, n + COLLECT_SPARE);
        make_room(&mut self.scratch.spare, n);
    }

    /// Forgets what was fetched and fetches with log-weights `(l - max) * scale` from now on.
    pub(crate) fn rescale(&mut self, max: f32, scale: f64) {
        self.scratch.entries.clear();
        self.scratch.weights.clear();
        self.scratch.pool.clear();
        self.floor = f32::INFINITY;
        self.scale = scale;
        self.lowest = logit_at(max, scale, LOWEST_LOG_WEIGHT);
    }

    /// The smallest logit that is eligible.
    pub(crate) fn lowest(&self) -> f32 {
        self.lowest
    }

    /// Makes sure of the first entry, at the price of the ties for it.
    pub(crate) fn first(&mut self, vocab: &mut Vocabulary<'_>) {
        if self.scratch.entries.is_empty() {
            self.fetch(vocab.max(), vocab);
            self.take(1, vocab.max());
        }
    }

    /// Makes sure of `n` entries, or of all eligible tokens if there are fewer; returns how many there are.
    pub(crate) fn deepen(&mut self, n: usize, vocab: &mut Vocabulary<'_>) -> usize {
        let have = self.scratch.entries.len();
        if n <= have {
            return have;
        }
        // At least as much again, so that a stage that asks for one more each time costs no more than one that asked
        // for all at once.
        let n = n.max(2 * have).max(LEAST);
        // Who deepens a long head will come back: each fetch reads the row.
        let fetched = if have >= LONG { n.saturating_mul(4) } else { n };
        let mut attempt = 0;
        while have + self.scratch.pool.len() < n && self.floor > self.lowest {
            let bound = vocab.bound_for_rank(fetched, attempt).max(self.lowest);
            if bound < self.floor {
                self.fetch(bound, vocab);
            }
            attempt += 1;
        }
        self.take(n - have, vocab.max());
        self.scratch.entries.len()
    }

    /// Makes sure of every eligible token with a log-weight of at least `x`; returns how many those are.
    pub(crate) fn deepen_to(&mut self, x: f64, vocab: &mut Vocabulary<'_>) -> usize {
        let bound = self.logit_of(x, vocab);
        if bound < self.floor {
            self.fetch(bound, vocab);
        }
        let in_pool = self.scratch.pool.iter().filter(|hit| hit.logit() >= bound).count();
        self.take(in_pool, vocab.max());
        self.scratch.entries.partition_point(|e| e.x >= x)
    }

    /// Fetches what `deepen_to` would, without putting it in order.
    pub(crate) fn fetch_to(&mut self, x: f64, vocab: &mut Vocabulary<'_>) -> usize {
        let bound = self.logit_of(x, vocab);
        if bound < self.floor {
            self.fetch(bound, vocab);
        }
        self.scratch.entries.len() + self.scratch.pool.len()
    }

    /// Makes the `n` first tokens, which all have a logit of at least `floor`, the entries.
    pub(crate) fn take_all(&mut self, floor: f32, n: usize, vocab: &mut Vocabulary<'_>) {
        if floor < self.floor {
            self.fetch(floor, vocab);
        }
        self.take(n.saturating_sub(self.scratch.entries.len()), vocab.max());
    }

    /// The smallest logit with a log-weight of at least `x`, if that is eligible; else the smallest that is.
    pub(crate) fn logit_of(&self, x: f64, vocab: &Vocabulary<'_>) -> f32 {
        logit_at(vocab.max(), self.scale, x).max(self.lowest)
    }

    fn fetch(&mut self, bound: f32, vocab: &mut Vocabulary<'_>) {
        vocab.collect(bound, self.floor, &mut self.scratch.pool);
        self.floor = bound;
    }

    /// Moves the `n` first of the pool, sorted, to the end of the entries; with ids, also those that tie with the last.
    fn take(&mut self, n: usize, max: f32) {
        let HeadScratch { entries, pool, spare, .. } = &mut *self.scratch;
        let n = n.min(pool.len());
        if n == 0 {
            return;
        }
        // The best are at the end of the pool, whence they leave without moving the others.
        let mut split = pool.len() - n;
        if split > 0 {
            let (worse, last, _) = pool.select_nth_unstable(split);
            if self.ids.is_some() {
                let (last, mut at) = (last.logit(), 0);
                // The ties for the last move up beside it.
                while at < split {
                    if worse[at].logit() == last {
                        split -= 1;
                        worse.swap(at, split);
                    } else {
                        at += 1;
                    }
                }
            }
        }
        super::radix::sort(&mut pool[split..], spare);
        let first = entries.len();
        entries.extend(pool.drain(split..).rev().map(|hit| Entry {
            index: hit.index(),
            raw: hit.logit(),
            x: (f64::from(hit.logit()) - f64::from(max)) * self.scale,
        }));
        if let Some(ids) = self.ids {
            for ties in entries[first..].chunk_by_mut(|a, b| a.raw == b.raw) {
                ties.sort_unstable_by_key(|e| ids[e.index as usize]);
            }
        }
    }

    /// Makes these tokens the entries, in descending order of logit.
    pub(crate) fn place(&mut self, hits: &[RankedToken], max: f32) {
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

/// The smallest f32 logit whose log-weight `(l - max) * scale` is at least `x`; finite, and `max` if there is none.
fn logit_at(max: f32, scale: f64, x: f64) -> f32 {
    let reaches = |l: f32| (f64::from(l) - f64::from(max)) * scale >= x;
    let guess = ((f64::from(max) + x / scale) as f32).clamp(f32::MIN, max);
    if guess > f32::MIN && reaches(guess) && !reaches(guess.next_down()) {
        return guess;
    }
    // Many logits may have one log-weight in f64: all those near zero, if the largest is not. By halves, then, over the
    // floats in their order as whole numbers.
    let (mut low, mut high) = (f32::MIN, max);
    while low < high {
        let middle = halfway(low, high);
        if reaches(middle) { high = middle } else { low = middle.next_up() }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_logit_is_exact() {
        // The last ones have a log-weight that a thousand million floats share.
        for (max, scale, x) in [
            (3.0, 1.0, -2.0),
            (-7.25, 1.25, -745.0),
            (1e30, 0.1, -3.5),
            (0.0, 1e-9, -745.0),
            (2.5, 1.0, 0.0),
            (1.5, 1.0, -1.5),
            (20.0, 0.5, -10.0),
        ] {
            let l = logit_at(max, scale, x);
            let log_weight = |l: f32| (f64::from(l) - f64::from(max)) * scale;
            assert!(log_weight(l) >= x || l == max);
            assert!(l == f32::MIN || log_weight(l.next_down()) < x);
        }
    }
}
