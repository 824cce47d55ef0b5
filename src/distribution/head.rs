//! The most likely tokens of a row in descending order, as far down as a stage needs them.
//!
//! Tokens are fetched from the vocabulary above a bound that certifies them (every token at or above it is there). They
//! wait in an unsorted pool, and only the part that is needed is selected from the pool and sorted: the vocabulary
//! never is.

use super::radix;
use crate::error::Result;
use crate::math::ListMath;
use crate::memory::make_room;
use crate::order::halfway;
use crate::vocab::{COLLECT_SPARE, FirstPass, RankedToken, Vocabulary};

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
    /// e^x of the first entries; shorter than `entries` where some were not needed yet, empty once an x changed.
    weights: Vec<f64>,
    /// Fetched, and below every entry.
    pool: Vec<RankedToken>,
    /// The second buffer of the radix sort.
    spare: Vec<RankedToken>,
}

/// A token with a log-weight below this is never eligible (docs/mathematics.md, 7: a probability that underflows).
/// Chosen so that a weight, and its share among 2^31 tokens, is a normal number: what a machine does with others does
/// not matter.
pub(crate) const LOWEST_LOG_WEIGHT: f64 = -680.0;

/// The fewest entries that are fetched: fewer would cost as much.
const LEAST: usize = 16;

/// A head that has more entries than this is long.
const LONG: usize = 256;

/// The tokens of a row in descending order of logit, ties by ascending id, as far down as they are known, and the
/// vocabulary that they come from.
pub(crate) struct Head<'r> {
    vocab: Vocabulary<'r>,
    scratch: &'r mut HeadScratch,
    math: &'static ListMath,
    /// The ids of a candidate array, where they are not the positions; ties go by them.
    ids: Option<&'r [i32]>,
    /// Every eligible token with a logit at or above it is in the entries or in the pool.
    floor: f32,
    /// The smallest logit that is eligible; known once the row was read.
    lowest: f32,
    /// The product of all 1/T so far: a log-weight is (logit - max) * scale.
    scale: f64,
    /// The largest logit that a token may have that the row does not list: what is not above it is not fetched, because
    /// others may come before it. -infinity if all are listed.
    bound: f32,
}

impl<'r> Head<'r> {
    pub(crate) fn new(vocab: Vocabulary<'r>, scratch: &'r mut HeadScratch, ids: Option<&'r [i32]>) -> Self {
        scratch.clear();
        let math = vocab.math();
        Self { vocab, scratch, math, ids, floor: f32::INFINITY, lowest: f32::MIN, scale: 1.0, bound: f32::NEG_INFINITY }
    }

    pub(crate) fn vocab(&self) -> &Vocabulary<'r> {
        &self.vocab
    }

    pub(crate) fn vocab_mut(&mut self) -> &mut Vocabulary<'r> {
        &mut self.vocab
    }

    /// The vocabulary and the entries.
    pub(crate) fn parts(&mut self) -> (&mut Vocabulary<'r>, &[Entry]) {
        (&mut self.vocab, &self.scratch.entries)
    }

    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// Sets the scale of what is fetched from now on; entries that are there keep their log-weights.
    pub(crate) fn set_scale(&mut self, scale: f64) {
        self.scale = scale;
    }

    /// Sets the largest logit of a token that the row does not list.
    pub(crate) fn set_bound(&mut self, bound: f32) {
        self.bound = bound;
    }

    /// Whether every eligible token with a log-weight of at least `x` has a logit above the bound.
    pub(crate) fn reaches(&self, x: f64) -> bool {
        logit_at(self.vocab.max(), self.scale, x.max(LOWEST_LOG_WEIGHT)) > self.bound
    }

    /// Reads the row in one pass.
    pub(crate) fn read(&mut self, pass: FirstPass) -> Result<()> {
        self.vocab.read(pass, self.scale)?;
        self.reserve(self.vocab.row().vocab())?;
        self.restart();
        Ok(())
    }

    /// Drops what was fetched; the next fetch begins at the top, at the present scale.
    pub(crate) fn restart(&mut self) {
        self.scratch.clear();
        self.floor = f32::INFINITY;
        self.lowest = logit_at(self.vocab.max(), self.scale, LOWEST_LOG_WEIGHT).max(self.bound.next_up());
    }

    /// The log-weight of a logit of the row.
    pub(crate) fn log_weight(&self, logit: f32) -> f64 {
        (f64::from(logit) - f64::from(self.vocab.max())) * self.scale
    }

    /// The list functions of the row's instruction set.
    pub(crate) fn math(&self) -> &'static ListMath {
        self.math
    }

    /// The entries' memory and the ids of a candidate array.
    pub(crate) fn scratch(&mut self) -> (&mut HeadScratch, Option<&'r [i32]>) {
        (self.scratch, self.ids)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.scratch.entries
    }

    /// Drops all but the first `n` entries.
    pub(crate) fn truncate(&mut self, n: usize) {
        self.scratch.entries.truncate(n);
        self.scratch.weights.truncate(n);
    }

    /// The entries with the weight e^x of each.
    pub(crate) fn weighted(&mut self) -> (&[Entry], &[f64]) {
        self.scratch.weighted(self.math)
    }

    /// The id of the token at a position of the row.
    pub(crate) fn id(&self, index: u32) -> i32 {
        self.ids.map_or(index as i32, |ids| ids[index as usize])
    }

    /// The ids of a candidate array; none where the position is the id.
    pub(crate) fn ids(&self) -> Option<&'r [i32]> {
        self.ids
    }

    /// Reserves what most rows of this many tokens need, so that later rows do not allocate; a flat row's head may be
    /// larger.
    fn reserve(&mut self, vocab: usize) -> Result<()> {
        make_room(&mut self.scratch.entries, vocab)?;
        make_room(&mut self.scratch.weights, vocab)?;
        make_room(&mut self.scratch.pool, vocab + COLLECT_SPARE)?;
        make_room(&mut self.scratch.spare, vocab)
    }

    /// The smallest logit that is eligible.
    pub(crate) fn lowest(&self) -> f32 {
        self.lowest
    }

    /// Finds the first entry, at the price of sorting the ties for it.
    pub(crate) fn first(&mut self) {
        if self.scratch.entries.is_empty() {
            self.fetch(self.vocab.max());
            self.take(1);
        }
    }

    /// Extends the entries to `n`, or to all eligible tokens if there are fewer; returns how many there are.
    pub(crate) fn deepen(&mut self, n: usize) -> usize {
        let have = self.scratch.entries.len();
        if n <= have {
            return have;
        }
        // At least doubled, so that one more at a time costs no more than all at once.
        let n = n.max(2 * have).max(LEAST);
        // A fetch scans the row, so over-fetch 4x once the head is long.
        let fetched = if have >= LONG { n.saturating_mul(4) } else { n };
        let mut attempt = 0;
        while have + self.scratch.pool.len() < n && self.floor > self.lowest {
            let bound = self.vocab.bound_for_rank(fetched, attempt).max(self.lowest);
            self.fetch(bound);
            attempt += 1;
        }
        self.take(n - have);
        self.scratch.entries.len()
    }

    /// Extends the entries to every eligible token with a logit of at least `bound`, or of these, so many as they are, to the
    /// first `first(n)`; returns how many there are.
    pub(crate) fn deepen_above(&mut self, bound: f32, first: impl FnOnce(usize) -> usize) -> usize {
        self.fetch(bound.max(self.lowest));
        let have = self.scratch.entries.len();
        self.take(first(have + self.scratch.pool.len()).saturating_sub(have));
        self.scratch.entries.len()
    }

    /// Extends the entries to every eligible token with a log-weight of at least `x`; returns how many those are.
    pub(crate) fn deepen_to(&mut self, x: f64) -> usize {
        let bound = self.logit_of(x);
        self.fetch(bound);
        let in_pool = self.scratch.pool.iter().filter(|hit| hit.logit() >= bound).count();
        self.take(in_pool);
        self.scratch.entries.partition_point(|e| e.x >= x)
    }

    /// Fetches what `deepen_to` would, without sorting it; returns how many tokens are known then. None, and nothing is
    /// fetched, if there are clearly more than `enough`.
    pub(crate) fn fetch_to(&mut self, x: f64, enough: usize) -> Option<usize> {
        let bound = self.logit_of(x);
        if enough < self.vocab.row().vocab() && self.vocab.count_lower_bound(bound, enough) > enough {
            return None;
        }
        self.fetch(bound);
        Some(self.scratch.entries.len() + self.scratch.pool.len())
    }

    /// Makes the first `n` tokens, which all have a logit of at least `floor`, the entries.
    pub(crate) fn take_all(&mut self, floor: f32, n: usize) {
        self.fetch(floor);
        self.take(n.saturating_sub(self.scratch.entries.len()));
    }

    /// Makes the tokens with `low <= logit < high` the entries, of which there are none yet.
    pub(crate) fn take_range(&mut self, low: f32, high: f32) {
        self.vocab.collect(low, high, &mut self.scratch.pool);
        self.take(self.scratch.pool.len());
    }

    /// The smallest eligible logit with a log-weight of at least `x`.
    pub(crate) fn logit_of(&self, x: f64) -> f32 {
        logit_at(self.vocab.max(), self.scale, x).max(self.lowest)
    }

    /// Brings the pool down to a bound.
    fn fetch(&mut self, bound: f32) {
        if bound < self.floor {
            self.vocab.collect(bound, self.floor, &mut self.scratch.pool);
            self.floor = bound;
        }
    }

    /// Moves the first `n` of the pool, sorted, to the end of the entries; with ids, also those that tie with the last.
    fn take(&mut self, n: usize) {
        let (max, scale) = (f64::from(self.vocab.max()), self.scale);
        let HeadScratch { entries, pool, spare, .. } = &mut *self.scratch;
        let n = n.min(pool.len());
        if n == 0 {
            return;
        }
        // The best go to the end of the pool, where removing them moves no others.
        let mut split = pool.len() - n;
        // To sort all in linear time is faster than to select most of them.
        if split > 0 && n < radix::LONG.max(split) {
            // Ties that stay behind are sorted the faster for their order.
            if n < split / 8 && split >= radix::LONG {
                radix::move_largest_up(pool, n, spare);
            } else {
                pool.select_nth_unstable(split);
            }
            if self.ids.is_some() {
                let (worse, best) = pool.split_at_mut(split);
                split = bring_ties_up(worse, best[0].logit());
            }
            radix::sort(&mut pool[split..], spare);
        } else {
            radix::sort(pool, spare);
            while self.ids.is_some() && split > 0 && pool[split - 1].logit() == pool[split].logit() {
                split -= 1;
            }
        }
        let first = entries.len();
        entries.extend(pool[split..].iter().rev().map(|hit| Entry {
            index: hit.index(),
            raw: hit.logit(),
            x: (f64::from(hit.logit()) - max) * scale,
        }));
        pool.truncate(split);
        if let Some(ids) = self.ids {
            for ties in entries[first..].chunk_by_mut(|a, b| a.raw == b.raw) {
                ties.sort_unstable_by_key(|e| ids[e.index as usize]);
            }
        }
    }

    /// Makes these tokens the entries, in descending order of logit.
    pub(crate) fn place(&mut self, hits: &[RankedToken]) {
        self.scratch.clear();
        self.scratch.pool.extend_from_slice(hits);
        self.take(hits.len());
    }
}

impl HeadScratch {
    fn clear(&mut self) {
        self.entries.clear();
        self.weights.clear();
        self.pool.clear();
    }

    /// The entries, for changes of their log-weights.
    pub(crate) fn entries_mut(&mut self) -> &mut Vec<Entry> {
        self.weights.clear();
        &mut self.entries
    }

    /// Gives the entries the log-weights of these probabilities, relative to one whose logarithm is `first`.
    pub(crate) fn set_logs(&mut self, math: &ListMath, p_hat: &[f64], first: f64) {
        let Self { entries, weights: logs, .. } = self;
        logs.clear();
        logs.extend_from_slice(p_hat);
        math.ln(logs);
        for ((e, log), p) in entries.iter_mut().zip(&*logs).zip(p_hat) {
            e.x = if *p > 0.0 { log - first } else { f64::NEG_INFINITY };
        }
        logs.clear();
    }

    /// The entries with the weight e^x of each.
    pub(crate) fn weighted(&mut self, math: &ListMath) -> (&[Entry], &[f64]) {
        math.append_exp(self.entries[self.weights.len()..].iter().map(|e| e.x), &mut self.weights);
        (&self.entries, &self.weights)
    }
}

/// Moves the tokens with this logit to the end of a list; returns where they begin.
fn bring_ties_up(tokens: &mut [RankedToken], logit: f32) -> usize {
    let (mut end, mut at) = (tokens.len(), 0);
    while at < end {
        if tokens[at].logit() == logit {
            end -= 1;
            tokens.swap(at, end);
        } else {
            at += 1;
        }
    }
    end
}

/// The smallest f32 logit whose log-weight `(l - max) * scale` is at least `x`; finite, and `max` if there is none.
fn logit_at(max: f32, scale: f64, x: f64) -> f32 {
    let is_above = |l: f32| (f64::from(l) - f64::from(max)) * scale >= x;
    let guess = ((f64::from(max) + x / scale) as f32).clamp(f32::MIN, max);
    if guess > f32::MIN && is_above(guess) && !is_above(guess.next_down()) {
        return guess;
    }
    // Many logits may share one log-weight in f64 (those near zero, if the largest is large): bisect over the floats in
    // their order as integers.
    let (mut low, mut high) = (f32::MIN, max);
    while low < high {
        let middle = halfway(low, high);
        if is_above(middle) { high = middle } else { low = middle.next_up() }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logit_at_is_the_smallest_logit_of_its_log_weight() {
        // In the last ones a thousand million floats share a log-weight.
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
