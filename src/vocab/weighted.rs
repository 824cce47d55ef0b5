//! A list of logits with their weights, and the search for the end of a prefix of their descending order.

use super::dispatch::Kernels;
use super::kernels::collect::CollectRange;
use super::kernels::exponential::{ExpParams, binary_scale};
use super::kernels::lanes::LANES;
use super::kernels::prefix::{CHUNK, PrefixSum};
use super::kernels::ranked::RankedToken;
use super::kernels::run::Run;
use crate::error::{Error, Result};
use crate::order::halfway;
use std::alloc::{Layout, alloc_zeroed};

/// The weight or number of tokens at which a search is expected to end. It guides the search and decides nothing.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum SearchTarget {
    Weight(f64),
    Count(usize),
}

/// Some tokens of a row.
#[derive(Default)]
pub(super) struct WeightedLogits {
    /// The first `len` are used; -infinity pads them to a whole chunk.
    pub(super) logits: Vec<f32>,
    weights: Vec<f32>,
    pub(super) len: usize,
    /// The factor from weights to exp((l - max) * scale).
    unit: f64,
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
        Ok(())
    }

    /// The logits in whole chunks.
    pub(super) fn padded(&self) -> &[f32] {
        &self.logits[..self.len.next_multiple_of(CHUNK)]
    }

    /// Pads the last chunk and computes all weights at a scale; false if the logits are too large for that.
    pub(super) fn compute_weights(&mut self, kernels: &Kernels, max: f32, scale: f64) -> bool {
        let (c, padded) = (binary_scale(scale), self.len.next_multiple_of(CHUNK));
        if !ExpParams::fits(max, c) {
            return false;
        }
        let params = ExpParams::new(max, c);
        self.logits[self.len..padded].fill(f32::NEG_INFINITY);
        (kernels.weights)(Run::plain(&self.logits[..padded]), params, &mut self.weights[..padded]);
        self.unit = params.unit(max, c);
        true
    }

    /// The tokens with `logit >= low`.
    pub(super) fn prefix_sum(&self, kernels: &Kernels, low: f32) -> PrefixSum {
        let n = self.len.next_multiple_of(CHUNK);
        let PrefixSum { weight, count } = (kernels.prefix_sum)(&self.logits[..n], &self.weights[..n], low);
        PrefixSum { weight: weight * self.unit, count }
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
        mut b: Bracket,
        target: SearchTarget,
        few: usize,
        keeps: impl Fn(PrefixSum) -> bool,
    ) -> Bracket {
        let mut search = PrefixSearch { target, few, pull: [1.0; 2], moved: None, step: 0 };
        while b.at_low.count - b.at_high.count > few && b.high > b.low.next_up() {
            let pivot = search.pivot(&b);
            let at = self.prefix_sum(kernels, pivot);
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

    /// Appends the tokens of a bracket, with their position in this list as index.
    pub(super) fn collect(&self, kernels: &Kernels, b: &Bracket, blocks: &mut Vec<u32>, tokens: &mut Vec<RankedToken>) {
        let run = Run::plain(self.padded());
        blocks.clear();
        blocks.extend(0..run.blocks() as u32);
        (kernels.collect)(run, CollectRange { blocks, first: 0, low: b.low, high: b.high }, tokens);
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
