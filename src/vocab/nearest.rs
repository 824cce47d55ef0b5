//! The tokens nearest to a level where they are too many to sort: a range of logits, whose tokens are gathered in the bulk.
//!
//! A list of how near each token is stands in the bulk's order, next to the f32 weights; the largest of these numbers are
//! the nearest tokens, so the end of the window is found as the end of a prefix is. f32 weights bring the search down to
//! some tokens around the end, and f64 weights decide among these. A window that they do not decide with certainty, for
//! the order in which they are summed, is left to the caller's plain way.

use super::kernels::nearness::Level;
use super::kernels::prefix::{CHUNK, PrefixSum};
use super::kernels::rounded::Grid;
use super::weighted::{Bracket, SearchTarget, WeightedLogits};
use super::{RankedToken, Scratch, Vocabulary, sample};
use crate::error::Result;
use crate::logits::Row;
use crate::math::exp;
use crate::memory::{make_room, resize};
use crate::order::halfway;

/// The search narrows to this many tokens before it sorts them.
const FEW: usize = 128;

/// More tokens at one distance are not sorted.
const TOO_MANY: usize = 4096;

/// Tokens of the sample by which the first range may be off.
const FEW_SAMPLED: usize = 16;

/// What is left outside the first range, as a share of what the sample says may be.
const SLACK: f64 = 0.85;

/// A range whose tokens do not suffice is widened by this factor.
const FURTHER: f64 = 1.1;

/// A token near the end of the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NearEnd {
    pub(crate) distance: f64,
    pub(crate) weight: f64,
    place: u32,
    logit: f32,
}

/// The tokens with a logit in a range, all of them in the bulk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogitRange {
    pub(crate) low: f32,
    /// The first logit above the range.
    pub(crate) high: f32,
    pub(crate) count: usize,
    /// The largest logit in it, and the scale of the weights.
    pub(super) largest: f32,
    pub(super) scale: f64,
}

/// The window to find.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) level: f64,
    pub(crate) scale: f64,
    /// Tokens below it are not eligible.
    pub(crate) lowest: f32,
    /// About the weight at which it ends.
    pub(crate) weight: f64,
    /// Fewer tokens are left to the caller.
    pub(crate) many: usize,
}

enum Found {
    Range(LogitRange),
    /// Tokens may be missing.
    Short,
    Uncertain,
}

/// The lists of a search and of what follows it. `largest.rs` and `bulk_draw.rs`, which never run while a range is kept, list
/// tokens around an end in `near`, and where their blocks begin in `halfway`.
#[derive(Default)]
pub(super) struct NearestScratch {
    /// How near the bulk's tokens are, and their f32 weights.
    pub(super) near: WeightedLogits,
    /// Their f64 weights relative to the largest logit of the range.
    pub(super) weights: Vec<f64>,
    ends: Vec<NearEnd>,
    /// Positions of weights halfway between two multiples, and what was summed so far; see `descent.rs`.
    pub(super) halfway: Vec<u32>,
    pub(super) steps: Vec<super::descent::Step>,
}

impl NearestScratch {
    /// Reserves room for all tokens of the row.
    pub(super) fn reserve(&mut self, row: &Row<'_>) -> Result<()> {
        let n = row.vocab().max(sample::VECTORS * super::LANES + sample::TOP);
        self.near.reserve(n.next_multiple_of(super::BLOCK))?;
        make_room(&mut self.weights, row.vocab().next_multiple_of(CHUNK))?;
        make_room(&mut self.ends, TOO_MANY)?;
        make_room(&mut self.halfway, row.blocks().max(super::descent::MOST_HALFWAY) + 1)?;
        make_room(&mut self.steps, super::descent::MOST_STEPS)
    }
}

impl Vocabulary<'_> {
    /// The tokens nearest to a level, ties by ascending position, as a range of logits; none if they are few or not
    /// certain. `kept(ends, before)` says how many of the tokens around the end, by distance, belong to them, given the
    /// weight before these: none if rounding might decide otherwise.
    pub(crate) fn nearest(
        &mut self,
        window: Window,
        kept: impl Fn(&[NearEnd], f64) -> Option<usize>,
    ) -> Option<LogitRange> {
        let level = Level { max: self.max, scale: window.scale, level: window.level };
        let mut radius = self.estimate_radius(level, window)?;
        for _ in 0..4 {
            match self.nearest_within(level, radius, window, &kept) {
                Found::Range(range) => return Some(range),
                Found::Uncertain => return None,
                Found::Short => radius *= FURTHER,
            }
        }
        None
    }

    /// The distance of the window's end, with some slack, as a sample of the row says; none if the tokens are few.
    fn estimate_radius(&mut self, level: Level, window: Window) -> Option<f64> {
        let sampled = self.sample();
        let top = self.replace_top_of_sample();
        let total = self.total(window.scale);
        let Self { kernels, scratch, row, .. } = self;
        let Scratch { sample, nearest: NearestScratch { near, .. }, .. } = &mut **scratch;
        if !near.become_near(kernels, sample, level) {
            return None;
        }
        // The sampled tokens stand for all but the top.
        let top_weight = near.weight_from(sampled);
        let per_sampled = (total - top_weight) / (near.all().weight - top_weight);
        if !per_sampled.is_finite() || per_sampled <= 0.0 {
            return None;
        }
        near.scale_weights_from(sampled, 1.0 / per_sampled);
        let outside = (total - window.weight) / per_sampled * SLACK;
        // Of light tokens far from the level the sample has many: what lies outside is known better than what is inside.
        let all = near.prefix_sum(kernels, f32::MIN);
        let target = all.weight - outside;
        let keeps = |at: PrefixSum| at.weight < target;
        let (mut low, mut high) = (-2.0f32, 0.0f32.next_up());
        let mut at_low = near.prefix_sum(kernels, low);
        let mut at_high = PrefixSum::default();
        while keeps(at_low) && at_low.count < all.count {
            (high, at_high) = (low, at_low);
            low *= 2.0;
            at_low = near.prefix_sum(kernels, low);
        }
        let bracket = Bracket { low, at_low, high, at_high };
        let end = near.narrow(kernels, bracket, SearchTarget::Weight(target), FEW_SAMPLED, keeps);
        let tokens = end.at_low.count.saturating_sub(top) * (row.vocab() / sampled);
        (tokens >= 2 * window.many).then_some(-f64::from(end.low))
    }

    /// Replaces the largest tokens in the sample by all of the row's, which weigh much and which a sample may miss; returns
    /// how many.
    fn replace_top_of_sample(&mut self) -> usize {
        let floor = self.bound_for_rank(sample::TOP / 2, 0);
        let mut top = std::mem::take(&mut self.scratch.bulk.near);
        top.clear();
        self.collect(floor, f32::INFINITY, &mut top);
        let fits = top.len() <= sample::TOP;
        if fits {
            self.scratch.sample.replace_from(floor, top.iter().map(|token| token.logit()));
        }
        let n = if fits { top.len() } else { 0 };
        self.scratch.bulk.near = top;
        n
    }

    fn nearest_within(
        &mut self,
        level: Level,
        radius: f64,
        window: Window,
        kept: impl Fn(&[NearEnd], f64) -> Option<usize>,
    ) -> Found {
        let floor = (f64::from(level.max) + (window.level - radius) / window.scale) as f32;
        let floor = floor.clamp(window.lowest, level.max);
        // Nothing nearer than this is missing.
        let below = window.level - level.log_weight(floor);
        let certain = if floor > window.lowest { below } else { f64::INFINITY };
        self.gather_logits(floor);
        let Self { kernels, scratch, .. } = self;
        let Scratch { bulk, nearest: NearestScratch { near, weights, ends, .. }, blocks, .. } = &mut **scratch;
        let (tokens, hits) = (&mut bulk.tokens, &mut bulk.near);
        if !near.become_near(kernels, tokens, level) {
            return Found::Uncertain;
        }
        let all = near.all();
        if all.weight < window.weight * (1.0 + 1e-4) {
            return if certain == f64::INFINITY { Found::Uncertain } else { Found::Short };
        }
        let farthest = (below.max(-window.level) as f32).next_up().min(f32::MAX);
        let bracket = Bracket { low: -farthest, at_low: all, high: 0.0f32.next_up(), at_high: PrefixSum::default() };
        let keeps = |at: PrefixSum| at.weight < window.weight;
        let end = near.narrow(kernels, bracket, SearchTarget::Weight(window.weight), FEW, keeps);
        hits.clear();
        near.collect(kernels, &end, blocks, hits);
        if hits.is_empty() || hits.len() > TOO_MANY {
            return Found::Uncertain;
        }
        let padded = tokens.padded();
        ends.clear();
        ends.extend(hits.iter().map(|hit: &RankedToken| {
            let (place, logit) = (hit.index(), padded[hit.index() as usize] + 0.0);
            NearEnd { distance: level.distance(logit), weight: exp(level.log_weight(logit)), place, logit }
        }));
        ends.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.place.cmp(&b.place)));
        // The largest logit of the tokens before the end and of those that f32 weights expect to belong to them.
        let nearness = near.padded();
        let before_end = (kernels.largest_near)(padded, nearness, end.high);
        let largest = |n: usize| ends[..n].iter().map(|e| e.logit).fold(before_end, f32::max) + 0.0;
        let mut sum = end.at_high.weight;
        let expected = ends.iter().take_while(|e| {
            sum += e.weight;
            sum <= window.weight
        });
        let expected = (expected.count() + 1).min(ends.len());
        if ends[expected - 1].distance >= certain {
            return Found::Short;
        }
        let mut first = largest(expected);
        if resize(weights, padded.len(), 0.0).is_err() {
            return Found::Uncertain;
        }
        let mut weigh = |first: f32| {
            (kernels.exact_weights)(padded, level, level.log_weight(first), weights);
            (kernels.rounded_sum)(nearness, weights, end.high..f32::INFINITY, Grid::NONE)
        };
        let before = weigh(first);
        let Some(n) = kept(ends, before.sum * exp(level.log_weight(first))).filter(|&n| n > 0) else {
            return Found::Uncertain;
        };
        let distance = ends[n - 1].distance;
        if distance >= certain {
            return Found::Short;
        }
        // Of tokens at one distance all or none.
        if ends.get(n).is_some_and(|next| next.distance <= distance) {
            return Found::Uncertain;
        }
        if largest(n) != first {
            first = largest(n);
            weigh(first);
        }
        let low = first_float(floor, level.max, |logit| window.level - level.log_weight(logit) <= distance);
        let high = first_float(low, level.max.next_up(), |logit| level.log_weight(logit) - window.level > distance);
        Found::Range(LogitRange { low, high, count: end.at_high.count + n, largest: first, scale: window.scale })
    }
}

/// The first float from `low` on for which `holds`, which then holds for all larger ones; `high` if it holds for none
/// before.
fn first_float(mut low: f32, mut high: f32, holds: impl Fn(f32) -> bool) -> f32 {
    while low < high {
        let middle = halfway(low, high);
        if holds(middle) { high = middle } else { low = middle.next_up() }
    }
    high
}
