//! A list of logits with their weights, and the search for the end of a prefix of their descending order.

use super::dispatch::Kernels;
use super::kernels::collect::CollectRange;
use super::kernels::compress::{Compressed, Gathering};
use super::kernels::exponential::{ExpParams, binary_scale};
use super::kernels::lanes::{LANES, Vector};
use super::kernels::nearness::Level;
use super::kernels::prefix::{CHUNK, GROUP, PrefixSum};
use super::kernels::ranked::RankedToken;
use super::kernels::run::Run;
use crate::error::{Error, Result};
use crate::memory::make_room;
use crate::order::halfway;
use std::alloc::{Layout, alloc_zeroed};

/// The weight or number of tokens at which a search is expected to end. It guides the search and decides nothing.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum SearchTarget {
    Weight(f64),
    Count(usize),
}

/// Lists shorter than this have no tops.
const MANY: usize = 4096;

/// Some tokens of a row.
#[derive(Default)]
pub(super) struct WeightedLogits {
    /// The first `len` are used; -infinity pads them to a whole chunk.
    pub(super) logits: Vec<f32>,
    weights: Vec<f32>,
    pub(super) len: usize,
    /// The factor from weights to exp((l - max) * scale).
    unit: f64,
    /// The sum of the weights, and those of each lane of each group.
    total: f64,
    sums: Vec<Vector>,
    /// The largest logit of each group of tokens; empty if it was not found.
    tops: Vec<f32>,
}

/// The end of a prefix: it lies among the tokens with low <= logit < high.
#[derive(Clone, Copy)]
pub(super) struct Bracket {
    pub(super) low: f32,
    /// The tokens with logit >= low.
    pub(super) at_low: PrefixSum,
    pub(super) high: f32,
    /// The tokens with logit >= high.
    pub(super) at_high: PrefixSum,
}

/// So many zeros, in pages that are taken when they are written.
fn zeros(n: usize) -> Result<Vec<f32>> {
    let layout = Layout::array::<f32>(n).map_err(|_| Error::OutOfMemory)?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        return Err(Error::OutOfMemory);
    }
    // SAFETY: the global allocator's memory for `n` floats, all of them 0.
    Ok(unsafe { Vec::from_raw_parts(memory.cast(), n, n) })
}

impl WeightedLogits {
    /// Reserves room for `n` tokens and one vector more. Zeroed pages that are never written take no memory.
    pub(super) fn reserve(&mut self, n: usize) -> Result<()> {
        let room = n.next_multiple_of(CHUNK) + LANES;
        if self.logits.len() < room {
            let (logits, weights) = (zeros(room)?, zeros(room)?);
            (self.logits, self.weights) = (logits, weights);
        }
        make_room(&mut self.sums, room.div_ceil(GROUP))?;
        make_room(&mut self.tops, room.div_ceil(GROUP))
    }

    /// Begins a list of logits that were just written, which have no weights.
    pub(super) fn become_unweighted(&mut self, len: usize) {
        self.len = len;
        self.tops.clear();
        self.sums.clear();
    }

    /// Appends the logits of some blocks with `range.low <= logit < range.high`, for which there is room; the number of
    /// tokens above these.
    pub(super) fn append(
        &mut self,
        kernels: &Kernels,
        run: Run<'_>,
        range: CollectRange<'_>,
        starts: &mut Vec<u32>,
    ) -> usize {
        let Compressed { len, above } = (kernels.compress)(run, range, &mut self.logits, self.len, starts);
        self.len = len;
        above
    }

    /// Becomes the list that `fill` makes, with weights if it `stores` them; the sum of those of at least `least`.
    pub(super) fn fill(
        &mut self,
        kernels: &Kernels,
        (params, unit): (ExpParams, f64),
        (least, stores): (f32, bool),
        fill: impl FnOnce(&mut Gathering<'_>),
    ) -> f64 {
        let mut list = Gathering::new(params, &mut self.logits, &mut self.sums);
        list.least = least;
        if stores {
            list.weights = &mut self.weights;
        }
        fill(&mut list);
        let (weighed, len) = (list.weighed, list.len);
        self.tops.clear();
        (self.len, self.unit) = (len, unit);
        let padded = self.pad().len();
        let rest = if stores { &mut self.weights[weighed..padded] } else { &mut [] };
        (kernels.weigh)(&self.logits[weighed..padded], params, least, rest, &mut self.sums);
        self.total = (kernels.total)(&self.sums);
        self.total * unit
    }

    /// The logits in whole chunks.
    pub(super) fn padded(&self) -> &[f32] {
        &self.logits[..self.len.next_multiple_of(CHUNK)]
    }

    /// Pads the last chunk and computes all weights at a scale; false if the logits are too large for that.
    pub(super) fn compute_weights(&mut self, kernels: &Kernels, max: f32, scale: f64) -> bool {
        let Some(params) = params(max, scale) else { return false };
        let len = self.len;
        self.fill(kernels, params, (f32::NEG_INFINITY, true), |list| list.len = len);
        true
    }

    /// Pads the last chunk; the logits in whole chunks.
    pub(super) fn pad(&mut self) -> &[f32] {
        let padded = self.len.next_multiple_of(CHUNK);
        self.logits[self.len..padded].fill(f32::NEG_INFINITY);
        &self.logits[..padded]
    }

    /// All tokens, none of which is -infinity: the bits of [`WeightedLogits::prefix_sum`].
    pub(super) fn all(&self) -> PrefixSum {
        PrefixSum { weight: self.total * self.unit, count: self.len }
    }

    /// The tokens with `logit >= low`.
    pub(super) fn prefix_sum(&self, kernels: &Kernels, low: f32) -> PrefixSum {
        let n = self.len.next_multiple_of(CHUNK);
        let PrefixSum { weight, count } = (kernels.prefix_sum)(&self.logits[..n], &self.weights[..n], &self.tops, low);
        PrefixSum { weight: weight * self.unit, count }
    }

    /// Removes the logits of at least `floor`, and appends these, for which there is room. Weights are lost.
    pub(super) fn replace_from(&mut self, floor: f32, logits: impl ExactSizeIterator<Item = f32>) {
        let (len, n) = (self.len, logits.len());
        self.logits[..len].iter_mut().filter(|logit| **logit >= floor).for_each(|logit| *logit = f32::NEG_INFINITY);
        self.logits[len..len + n].iter_mut().zip(logits).for_each(|(out, logit)| *out = logit);
        self.become_unweighted(len + n);
    }

    /// The weight of the tokens from a place in the list on.
    pub(super) fn weight_from(&self, place: usize) -> f64 {
        self.weights[place..self.len].iter().map(|&weight| f64::from(weight)).sum::<f64>() * self.unit
    }

    /// The sum of the squared weights of the tokens with `low <= logit < high`.
    pub(super) fn squares(&self, low: f32, high: f32) -> f64 {
        // A weight's square would overflow.
        const UNIT: f32 = 8.673_617_4e-19; // 2^-60
        let mut sums = [0.0; LANES];
        let (logits, _) = self.padded().as_chunks::<LANES>();
        for (logits, weights) in logits.iter().zip(self.weights.as_chunks::<LANES>().0) {
            for i in 0..LANES {
                let weight = if (logits[i] >= low) & (logits[i] < high) { weights[i] * UNIT } else { 0.0 };
                sums[i] += weight * weight;
            }
        }
        let unit = self.unit / f64::from(UNIT);
        sums.into_iter().map(f64::from).sum::<f64>() * unit * unit
    }

    /// Multiplies their weights, and none in the total.
    pub(super) fn scale_weights_from(&mut self, place: usize, factor: f64) {
        self.weights[place..self.len].iter_mut().for_each(|weight| *weight *= factor as f32);
    }

    /// Sorts the logits, the largest first, and forgets the weights; -0 becomes 0, with which it ties.
    pub(super) fn sort(&mut self) -> &[f32] {
        let logits = &mut self.logits[..self.len];
        logits.iter_mut().for_each(|logit| *logit += 0.0);
        logits.sort_unstable_by(|a, b| b.total_cmp(a));
        self.become_unweighted(self.len);
        &self.logits[..self.len]
    }

    /// Finds the groups' largest logits, so that sums above a high logit skip most groups. Until the next weights.
    pub(super) fn find_tops(&mut self, kernels: &Kernels) {
        if self.len >= MANY && self.tops.is_empty() {
            (kernels.tops)(&self.logits[..self.len.next_multiple_of(CHUNK)], &mut self.tops);
        }
    }

    /// The number of tokens with `logit >= low`, which needs no weights.
    pub(super) fn count(&self, kernels: &Kernels, low: f32) -> usize {
        (kernels.lanes_at_least)(self.padded().as_chunks().0, low) as usize
    }

    /// Writes the logits with `low <= logit < high` to another list, which has room for them, and pads it.
    /// `spare` is overwritten.
    pub(super) fn compress_into(
        &self,
        kernels: &Kernels,
        b: &Bracket,
        (blocks, spare): (&mut Vec<u32>, &mut Vec<u32>),
        out: &mut Self,
    ) {
        let run = Run::plain(self.padded());
        blocks.clear();
        spare.clear();
        blocks.extend(0..run.blocks() as u32);
        let range = CollectRange { blocks, first: 0, low: b.low, high: b.high };
        out.become_unweighted(0);
        out.append(kernels, run, range, spare);
        out.pad();
    }

    /// The bracket between two logits.
    pub(super) fn between(&self, kernels: &Kernels, low: f32, high: f32) -> Bracket {
        Bracket { low, at_low: self.prefix_sum(kernels, low), high, at_high: self.prefix_sum(kernels, high) }
    }

    /// Narrows a bracket around the end of a prefix down to `few` tokens, or to one logit. `keeps(prefix)` is whether the
    /// token after that prefix is kept; once it is false it stays false.
    pub(super) fn narrow(
        &self,
        kernels: &Kernels,
        b: Bracket,
        target: SearchTarget,
        few: usize,
        keeps: impl Fn(PrefixSum) -> bool,
    ) -> Bracket {
        b.narrow(target, few, keeps, |_, low| self.prefix_sum(kernels, low))
    }

    /// Appends the tokens of a bracket, with their position in this list as index.
    pub(super) fn collect(&self, kernels: &Kernels, b: &Bracket, blocks: &mut Vec<u32>, tokens: &mut Vec<RankedToken>) {
        let run = Run::plain(self.padded());
        let has_any = |&block: &u32| self.tops.get(block as usize).is_none_or(|&top| top >= b.low);
        blocks.clear();
        blocks.extend((0..run.blocks() as u32).filter(has_any));
        (kernels.collect)(run, CollectRange { blocks, first: 0, low: b.low, high: b.high }, tokens);
    }

    /// Becomes the tokens of another list, with their nearness to a level in place of their logits, and their weights at
    /// its scale; false if the logits are too large for that. Pads the other list.
    pub(super) fn become_near(&mut self, kernels: &Kernels, tokens: &mut Self, level: Level) -> bool {
        let Some((params, unit)) = params(level.max, level.scale) else { return false };
        (self.len, self.unit) = (tokens.len, unit);
        let logits = tokens.pad();
        self.sums.clear();
        (kernels.weigh)(logits, params, f32::NEG_INFINITY, &mut self.weights[..logits.len()], &mut self.sums);
        self.total = (kernels.total)(&self.sums);
        (kernels.nearness)(logits, level, &mut self.logits);
        true
    }

    /// The tokens with `logit >= low`, where `logits` are those of these tokens and this list has their nearness.
    pub(super) fn prefix_sum_by(&self, kernels: &Kernels, logits: &[f32], low: f32) -> PrefixSum {
        let PrefixSum { weight, count } = (kernels.prefix_sum)(logits, &self.weights[..logits.len()], &[], low);
        PrefixSum { weight: weight * self.unit, count }
    }
}

/// How weights are computed at a scale, and their unit; none if the logits are too large for that.
pub(super) fn params(max: f32, scale: f64) -> Option<(ExpParams, f64)> {
    let c = binary_scale(scale);
    ExpParams::fits(max, c).then(|| (ExpParams::new(max, c), ExpParams::new(max, c).unit(max, c)))
}

impl Bracket {
    /// See [`WeightedLogits::narrow`]; `at_least(bracket, low)` is the prefix of the tokens at or above a logit, which lies in
    /// the bracket so far.
    pub(super) fn narrow(
        self,
        target: SearchTarget,
        few: usize,
        keeps: impl Fn(PrefixSum) -> bool,
        mut at_least: impl FnMut(&Self, f32) -> PrefixSum,
    ) -> Self {
        let mut b = self;
        let mut search = PrefixSearch { target, few, pull: [1.0; 2], moved: None, step: 0 };
        while b.at_low.count - b.at_high.count > few && b.high > b.low.next_up() {
            let pivot = search.pivot(&b);
            let at = at_least(&b, pivot);
            let end = if keeps(at) {
                (b.high, b.at_high) = (pivot, at);
                HIGH
            } else {
                (b.low, b.at_low) = (pivot, at);
                LOW
            };
            search.moved(end);
        }
        b
    }
}

const LOW: usize = 0;
const HIGH: usize = 1;

/// The search for the end of a prefix: false position with the Illinois rule, then bisection in between, which ends it
/// on any row.
struct PrefixSearch {
    target: SearchTarget,
    few: usize,
    /// The factor of each end's distance from the target (Illinois).
    pull: [f64; 2],
    /// The end that moved last.
    moved: Option<usize>,
    step: usize,
}

impl PrefixSearch {
    fn moved(&mut self, end: usize) {
        self.pull[1 - end] *= if self.moved == Some(end) { 0.5 } else { 1.0 };
        self.pull[end] = 1.0;
        self.moved = Some(end);
        self.step += 1;
    }

    fn pivot(&self, b: &Bracket) -> f32 {
        let (target, value): (f64, fn(PrefixSum) -> f64) = match self.target {
            SearchTarget::Weight(weight) => (weight, |prefix| prefix.weight),
            SearchTarget::Count(count) => (count as f64, |prefix| prefix.count as f64),
        };
        let (at_low, at_high) = (value(b.at_low), value(b.at_high));
        // A few tokens past the target, seen from the end that moved last, so that the other end moves next.
        let per_token = (at_low - at_high) / (b.at_low.count - b.at_high.count) as f64;
        let beyond = per_token * self.few as f64 / 4.0 * if self.moved == Some(HIGH) { 1.0 } else { -1.0 };
        let above_target = (at_low - target - beyond).max(0.0) * self.pull[LOW];
        let below_target = (target + beyond - at_high).max(0.0) * self.pull[HIGH];
        let (low, high) = (f64::from(b.low), f64::from(b.high));
        let guess = (low + (high - low) * (above_target / (above_target + below_target))) as f32;
        match self.step {
            ..FEW_STEPS if guess > b.low && guess < b.high => guess,
            ..MANY_STEPS if self.step.is_multiple_of(2) => (low + (high - low) * 0.5) as f32,
            ..MANY_STEPS if guess > b.low && guess < b.high => guess,
            // By rank: at most 32 such steps for any two floats.
            _ => halfway(b.low, b.high),
        }
        .clamp(b.low.next_up(), b.high.next_down())
    }
}

/// Steps of false position alone; most searches take fewer.
const FEW_STEPS: usize = 8;

/// Steps before bisection by rank; all but pathological rows take fewer.
const MANY_STEPS: usize = 24;
