//! A draw from a range of the bulk, with the bits of adding the f64 weights one after the other in descending order of
//! logit, and without sorting them.
//!
//! As long as a running sum stays between two powers of two, adding a weight to it rounds the weight to a multiple of the
//! sum's last bit, whatever the sum is; only a weight exactly halfway between two multiples goes by the sum. So the
//! rounded weights between two such points add up exactly, in any order. The first tokens, those around a power of two and
//! those halfway are added one by one.

use super::kernels::lanes::LANES;
use super::kernels::prefix::PrefixSum;
use super::kernels::rounded::{Grid, RoundedSum};
use super::nearest::{LogitRange, NearestScratch};
use super::weighted::{Bracket, SearchTarget};
use super::{Scratch, Vocabulary, sample};
use crate::math::exp;
use std::ops::Range;

/// Tokens that are added one by one at first, and around a power of two.
const FIRST: usize = 256;
const FEW: usize = 128;

/// So many are summed apart from the others: there is room for them in the sample's list.
const SOME: usize = sample::VECTORS * LANES;

/// More tokens are not sorted.
const TOO_MANY: usize = 4096;

/// More weights halfway between two multiples, as a row of few values has, are left to the caller.
pub(super) const MOST_HALFWAY: usize = 64;
pub(super) const MOST_STEPS: usize = 512;

/// The relative error of f32 weights, and more.
const ERROR: f64 = 2e-5;

/// The running sum after all tokens down to a logit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    down_to: f32,
    sum: f64,
    /// Whether its tokens were added one by one.
    is_single: bool,
}

/// A token of a range, drawn by inverting the cumulative distribution in descending order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RangeDraw {
    /// Position in the row.
    pub(crate) index: u32,
    pub(crate) rank: usize,
    pub(crate) p: f64,
}

impl Vocabulary<'_> {
    /// Draws from the range that [`Vocabulary::nearest`] found last; none if that takes a sorted list.
    pub(crate) fn draw_from_range(&mut self, range: LogitRange, u: f64) -> Option<RangeDraw> {
        self.descend(range)?;
        let NearestScratch { steps, .. } = &self.scratch.nearest;
        let total = steps.last()?.sum;
        let target = u * total;
        let at = steps.iter().position(|step| step.sum > target)?;
        let begin = Step { down_to: range.high, sum: 0.0, is_single: true };
        let (before, step) = (if at == 0 { begin } else { steps[at - 1] }, steps[at]);
        let (above, mut sum, mut end) = (self.prefix_of_bulk(range.high), before.sum, (step.down_to, before.down_to));
        if !step.is_single {
            (sum, end) = self.narrow_step(before, step, target, range.scale)?;
        }
        self.collect_from_bulk(end.0, end.1)?;
        let Scratch { bulk, nearest: NearestScratch { weights, .. }, .. } = &*self.scratch;
        for (i, token) in bulk.near.iter().rev().enumerate() {
            let weight = weights[token.index() as usize];
            sum += weight;
            if sum > target {
                let (position, rank) = (token.index(), self.prefix_of_bulk(end.1).count - above.count + i);
                return Some(RangeDraw { index: self.bulk_token(position), rank, p: weight / total });
            }
        }
        None
    }

    /// Some tokens of a step among which its sum exceeds the target, and the sum before them.
    fn narrow_step(&mut self, before: Step, step: Step, target: f64, scale: f64) -> Option<(f64, (f32, f32))> {
        let grid = Grid::of(before.sum);
        let (at_low, at_high) = (self.prefix_of_bulk(step.down_to), self.prefix_of_bulk(before.down_to));
        // By f32 weights, whose share of the step is the target's.
        let share = (target - before.sum) / (step.sum - before.sum);
        let weight = at_high.weight + share * (at_low.weight - at_high.weight);
        let bracket = Bracket { low: step.down_to, at_low, high: before.down_to, at_high };
        let end = self.narrow_by_weight(bracket, weight, scale);
        let sum_to = |low: f32| before.sum + self.rounded_sum(low..before.down_to, grid).sum;
        let sum = sum_to(end.high);
        (sum <= target && sum_to(end.low) > target).then_some((sum, (end.low, end.high)))
    }

    /// Narrows a bracket down to a few tokens, by f32 weights. Once it has few enough, only these are summed.
    fn narrow_by_weight(&mut self, bracket: Bracket, target: f64, scale: f64) -> Bracket {
        let keeps = |at: PrefixSum| at.weight < target;
        let search = SearchTarget::Weight(target);
        let near = bracket.narrow(search, SOME, keeps, |_, low| self.prefix_of_bulk(low));
        if near.at_low.count - near.at_high.count > SOME {
            // They have one logit.
            return near;
        }
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { bulk, sample: some, nearest, blocks, .. } = &mut **scratch;
        bulk.tokens.compress_into(kernels, &near, (blocks, &mut nearest.halfway), some);
        if !some.compute_weights(kernels, *max, scale) {
            return near;
        }
        near.narrow(search, FEW, keeps, |_, low| {
            let PrefixSum { weight, count } = some.prefix_sum(kernels, low);
            PrefixSum { weight: near.at_high.weight + weight, count: near.at_high.count + count }
        })
    }

    /// Fills the steps from the largest token of a range to the smallest.
    fn descend(&mut self, range: LogitRange) -> Option<()> {
        self.scratch.nearest.steps.clear();
        let mut at = Step { down_to: range.high, sum: 0.0, is_single: true };
        // Weights must be small against the sum.
        let (mut k, mut singles) = (FIRST, 0);
        while singles < FEW && at.down_to > range.low {
            let down_to = self.bound_for_rank(k, 0).max(range.low);
            if down_to < at.down_to {
                at = self.add_singly(at, down_to)?;
                singles += self.scratch.bulk.near.len();
            }
            k *= 4;
        }
        let (all, first) = (self.prefix_of_bulk(range.low), self.prefix_of_bulk(range.high));
        // What f32 weights are divided by to be relative to the largest token of the range.
        let unit = exp((f64::from(range.largest) - f64::from(self.max)) * range.scale);
        let mut top = Bracket { low: range.low, at_low: all, high: range.high, at_high: first };
        while at.down_to > range.low {
            let limit = 2.0 * f64::from_bits(at.sum.to_bits() & 0x7ff0_0000_0000_0000);
            if ((all.weight - first.weight) / unit) * (1.0 + ERROR) < limit {
                at = self.add_rounded(at, range.low, limit)?;
                continue;
            }
            let target = first.weight + limit * (1.0 - ERROR) * unit;
            (top.low, top.at_low) = (range.low, all);
            if top.high != at.down_to {
                (top.high, top.at_high) = (at.down_to, self.prefix_of_bulk(at.down_to));
            }
            let end = self.narrow_by_weight(top, target, range.scale);
            if end.high < at.down_to {
                at = self.add_rounded(at, end.high, limit)?;
            }
            at = self.add_singly(at, end.low)?;
            (top.high, top.at_high) = (end.low, end.at_low);
        }
        Some(())
    }

    /// Adds the tokens down to a logit one by one.
    fn add_singly(&mut self, from: Step, down_to: f32) -> Option<Step> {
        self.collect_from_bulk(down_to, from.down_to)?;
        let Scratch { bulk, nearest: NearestScratch { weights, steps, .. }, .. } = &mut *self.scratch;
        let mut sum = from.sum;
        bulk.near.iter().rev().for_each(|token| sum += weights[token.index() as usize]);
        push(steps, Step { down_to, sum, is_single: true })
    }

    /// Adds the tokens down to a logit as a sum of rounded weights; none if that reaches `limit`, the next power of two.
    fn add_rounded(&mut self, from: Step, down_to: f32, limit: f64) -> Option<Step> {
        let (grid, mut at) = (Grid::of(from.sum), from);
        let mut rest = self.rounded_sum(down_to..from.down_to, grid);
        if rest.has_halfway {
            at = self.add_to_last_halfway(from, down_to, grid)?;
            rest = self.rounded_sum(down_to..at.down_to, grid);
        }
        at = Step { down_to, sum: at.sum + rest.sum, is_single: false };
        if at.sum >= limit {
            return None;
        }
        push(&mut self.scratch.nearest.steps, at)
    }

    /// The same down to the last weight that lies halfway between two multiples.
    fn add_to_last_halfway(&mut self, from: Step, down_to: f32, grid: Grid) -> Option<Step> {
        let Self { kernels, scratch, .. } = self;
        let Scratch { bulk, nearest: NearestScratch { weights, halfway, .. }, .. } = &mut **scratch;
        let logits = bulk.tokens.padded();
        halfway.clear();
        (kernels.halfway)(logits, weights, down_to..from.down_to, grid, halfway);
        if halfway.len() > MOST_HALFWAY {
            return None;
        }
        halfway.sort_unstable_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
        let mut at = from;
        for i in 0..halfway.len() {
            let Scratch { bulk, nearest: NearestScratch { weights, halfway, .. }, .. } = &*self.scratch;
            let place = *halfway.get(i)? as usize;
            // -0 ties with 0.
            let (logit, weight) = (bulk.tokens.padded()[place] + 0.0, weights[place]);
            let above = logit.next_up();
            if above < at.down_to {
                let sum = at.sum + self.rounded_sum(above..at.down_to, grid).sum;
                at = push(&mut self.scratch.nearest.steps, Step { down_to: above, sum, is_single: false })?;
            }
            // Equals are added one after the other.
            at = Step { down_to: logit, sum: at.sum + weight, is_single: true };
            let steps = &mut self.scratch.nearest.steps;
            match steps.last_mut() {
                Some(last) if last.is_single && last.down_to == logit => *last = at,
                _ => _ = push(steps, at)?,
            }
        }
        Some(at)
    }

    fn rounded_sum(&self, range: Range<f32>, grid: Grid) -> RoundedSum {
        let Scratch { bulk, nearest, .. } = &*self.scratch;
        (self.kernels.rounded_sum)(bulk.tokens.padded(), &nearest.weights, range, grid)
    }

    /// The tokens of the bulk with `logit >= low`, with their f32 weights.
    fn prefix_of_bulk(&self, low: f32) -> PrefixSum {
        let Scratch { bulk, nearest, .. } = &*self.scratch;
        nearest.near.prefix_sum_by(self.kernels, bulk.tokens.padded(), low)
    }

    /// Sorts the bulk's tokens with `low <= logit < high`, the largest last; none if they are too many.
    fn collect_from_bulk(&mut self, low: f32, high: f32) -> Option<()> {
        let Self { kernels, scratch, .. } = self;
        let Scratch { bulk, blocks, .. } = &mut **scratch;
        bulk.near.clear();
        let none = PrefixSum::default();
        let bracket = Bracket { low, at_low: none, high, at_high: none };
        bulk.tokens.collect(kernels, &bracket, blocks, &mut bulk.near);
        if bulk.near.len() > TOO_MANY {
            return None;
        }
        bulk.near.sort_unstable();
        Some(())
    }
}

fn push(steps: &mut Vec<Step>, step: Step) -> Option<Step> {
    (steps.len() < MOST_STEPS).then(|| {
        steps.push(step);
        step
    })
}
