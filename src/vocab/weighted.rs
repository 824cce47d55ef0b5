//! Logits with their weights beside them, and the search for the end of a prefix of their descending order.

use super::dispatch::Kernels;
use super::kernels::CollectRange;
use super::kernels::exponential::{ExpParams, binary_scale};
use super::kernels::lanes::LANES;
use super::kernels::prefix::{CHUNK, PrefixSum};
use super::{RankedToken, Run};
use crate::order::halfway;

/// Where a search will end, as far as the searcher knows.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum SearchTarget {
    Weight(f64),
    Count(usize),
}

/// Some tokens of a row.
#[derive(Default)]
pub(super) struct WeightedLogits {
    /// As many as there ever were; of these `len` count, and -infinity follows them up to a whole chunk.
    pub(super) logits: Vec<f32>,
    weights: Vec<f32>,
    pub(super) len: usize,
    /// Brings the weights to exp((l - max) * scale).
    unit: f64,
}

/// The end of a prefix: it lies among the tokens with low <= logit < high.
#[derive(Clone, Copy)]
pub(super) struct Bracket {
    pub(super) low: f32,
    pub(super) at_low: PrefixSum,
    pub(super) high: f32,
    pub(super) at_high: PrefixSum,
}

impl WeightedLogits {
    /// Room for `n` tokens and one vector more. Memory that nobody has written to costs nothing yet.
    pub(super) fn reserve(&mut self, n: usize) {
        let room = n.next_multiple_of(CHUNK) + LANES;
        if self.logits.len() < room {
            (self.logits, self.weights) = (vec![0.0; room], vec![0.0; room]);
        }
    }

    /// All of them, in whole chunks.
    pub(super) fn padded(&self) -> &[f32] {
        &self.logits[..self.len.next_multiple_of(CHUNK)]
    }

    /// Fills up the last chunk and weighs all at a scale; false if the logits are too large for that.
    pub(super) fn weigh(&mut self, kernels: &Kernels, max: f32, scale: f64) -> bool {
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

    /// What stands at or above a logit.
    pub(super) fn above(&self, kernels: &Kernels, low: f32) -> PrefixSum {
        let n = self.len.next_multiple_of(CHUNK);
        let PrefixSum { weight, count } = (kernels.above)(&self.logits[..n], &self.weights[..n], low);
        PrefixSum { weight: weight * self.unit, count }
    }

    /// The bracket of all between two logits.
    pub(super) fn between(&self, kernels: &Kernels, low: f32, high: f32) -> Bracket {
        Bracket { low, at_low: self.above(kernels, low), high, at_high: self.above(kernels, high) }
    }

    /// Narrows a bracket in which a prefix ends down to `few` tokens, or to one logit. `keeps(above)` says whether the
    /// token that comes after these is kept; once it says no it says so from there on.
    pub(super) fn narrow(
        &self,
        kernels: &Kernels,
        mut b: Bracket,
        aim: SearchTarget,
        few: usize,
        keeps: impl Fn(PrefixSum) -> bool,
    ) -> Bracket {
        let mut search = PrefixSearch { aim, few, pull: [1.0; 2], moved: None, step: 0 };
        while b.at_low.count - b.at_high.count > few && b.high > b.low.next_up() {
            let pivot = search.pivot(&b);
            let at = self.above(kernels, pivot);
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

    /// Appends the tokens of a bracket; their index is their place here.
    pub(super) fn collect(&self, kernels: &Kernels, b: &Bracket, blocks: &mut Vec<u32>, hits: &mut Vec<RankedToken>) {
        let run = Run::plain(self.padded());
        blocks.clear();
        blocks.extend(0..run.blocks() as u32);
        let wanted = CollectRange { blocks, first: 0, low: b.low, high: b.high };
        (kernels.collect)(run, wanted, hits);
    }
}

const LOW: usize = 0;
const HIGH: usize = 1;

/// A search for the end of a prefix: false position, with the Illinois rule against an end that stays where it is, and
/// halves now and then, which end it whatever the row is.
struct PrefixSearch {
    aim: SearchTarget,
    few: usize,
    /// How much of each end's distance from the aim counts.
    pull: [f64; 2],
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
        let (target, value): (f64, fn(PrefixSum) -> f64) = match self.aim {
            SearchTarget::Weight(weight) => (weight, |above| above.weight),
            SearchTarget::Count(count) => (count as f64, |above| above.count as f64),
        };
        let (at_low, at_high) = (value(b.at_low), value(b.at_high));
        // A few tokens beyond the aim as seen from the end that moved last, so that the other one moves next.
        let a_token = (at_low - at_high) / (b.at_low.count - b.at_high.count) as f64;
        let beyond = a_token * self.few as f64 / 4.0 * if self.moved == Some(HIGH) { 1.0 } else { -1.0 };
        let above_target = (at_low - target - beyond).max(0.0) * self.pull[LOW];
        let below_target = (target + beyond - at_high).max(0.0) * self.pull[HIGH];
        let (low, high) = (f64::from(b.low), f64::from(b.high));
        let guess = (low + (high - low) * (above_target / (above_target + below_target))) as f32;
        match self.step {
            ..FEW_STEPS if guess > b.low && guess < b.high => guess,
            ..MANY_STEPS if self.step.is_multiple_of(2) => (low + (high - low) * 0.5) as f32,
            ..MANY_STEPS if guess > b.low && guess < b.high => guess,
            // By rank: 32 such steps are enough for any two floats.
            _ => halfway(b.low, b.high),
        }
        .clamp(b.low.next_up(), b.high.next_down())
    }
}

/// More steps than most searches take.
const FEW_STEPS: usize = 8;

/// More than all but strange rows take.
const MANY_STEPS: usize = 24;
