//! A draw from a bulk, in descending order, that few passes over the row decide.
//!
//! The token is defined by [`Vocabulary::end_of_prefix`], which adds f32 weights in groups, and f64 weights around the end.
//! Here the sums are taken otherwise: over the most likely tokens in f64, and else down to a logit that a sample of the row
//! suggests. Where the target is farther from the sums before and with a token than both ways can be off, they agree;
//! elsewhere, as between the lightest tokens of a flat row, the draw is left to the other way.

use super::bulk::FEW;
use super::kernels::collect::CollectRange;
use super::kernels::prefix::PrefixSum;
use super::nearest::NearestScratch;
use super::weighted::{Bracket, SearchTarget, params};
use super::{RankedToken, Scratch, Vocabulary};
use crate::math::exp;

/// Tokens of the head: those above a bound that at least so many are above. More lanes or more tokens are none.
const HEAD: usize = 32;
const MOST_LANES: u64 = 256;
const MOST_IN_HEAD: usize = 512;

/// The search goes down to this many tokens before it sorts them; more at one logit are left to the other way.
const LAST: usize = 64;
const MOST_LAST: usize = 128;

/// Standard deviations of the sample's estimate within which the end is sought, and the tokens of the sample by which its
/// bounds may be off. A sample that leaves this share of its tokens in between says too little.
const DEVIATIONS: f64 = 3.5;
const FEW_SAMPLED: usize = 48;
const TOO_WIDE: usize = 4;

/// A list is searched down to this part of it, and then only that.
const PART: usize = 8;

/// The relative error of adding sixteen positive numbers in f32, five roundings deep, and more.
const GROUPED: f64 = 5.05 / (1 << 24) as f64;

/// Lighter tokens may have an f32 weight of 0.
const LOWEST: f64 = -150.0;

/// The relative error of the f32 weight of a log-weight: see `kernels/exponential.rs`.
fn weight_error(x: f64) -> f64 {
    (3.2 + 28.0 + 2.0 * std::f64::consts::LOG2_E * -x) / f64::from(1 << 24)
}

/// A token of the bulk, drawn by inverting the cumulative distribution in descending order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BulkDraw {
    /// Position in the row.
    pub(crate) index: u32,
    pub(crate) rank: usize,
    pub(crate) logit: f32,
}

/// Tokens before the end, and the relative error of their sum.
#[derive(Clone, Copy)]
struct Before {
    down_to: f32,
    sum: PrefixSum,
    error: f64,
}

impl Vocabulary<'_> {
    /// The first token of the bulk at which the running sum exceeds `target`, if that is certain. `last` is the last one
    /// of those that were kept, whose sum is `all`.
    pub(crate) fn draw_from_bulk(&mut self, (last, all): (RankedToken, PrefixSum), target: f64) -> Option<BulkDraw> {
        // With lists the other way is as fast.
        if self.scratch.bulk.is_listed {
            return None;
        }
        let head = match self.draw_from_head(last, target) {
            Ok(drawn) => return drawn,
            Err(head) => head,
        };
        let share = (target - head.sum.weight) / (all.weight - head.sum.weight);
        if share.is_nan() || share <= 0.0 || share >= 1.0 {
            return None;
        }
        let (low, high) = self.bracket_of_share((last.logit(), head.down_to), share)?;
        let before = self.list_in_bracket(low, high, head)?;
        let drawn = self.draw_from_listed(low, before, target)?;
        (drawn.rank < all.count).then_some(drawn)
    }

    fn log_weight_in_bulk(&self, logit: f32) -> f64 {
        (f64::from(logit) - f64::from(self.max)) * self.scratch.bulk.scale
    }

    /// The draw if it is of one of the most likely tokens, or these.
    fn draw_from_head(&mut self, last: RankedToken, target: f64) -> Result<Option<BulkDraw>, Before> {
        let none = Before { down_to: self.max.next_up(), sum: PrefixSum::default(), error: 0.0 };
        // No token weighs more than 1.
        if target > (2 * HEAD) as f64 {
            return Err(none);
        }
        let low = self.bound_for_rank(HEAD, 0).max(last.logit().next_up());
        if (self.kernels.lanes_at_least)(&self.scratch.maxima, low) > MOST_LANES {
            return Err(none);
        }
        let mut head = std::mem::take(&mut self.scratch.bulk.near);
        head.clear();
        self.collect(low, f32::INFINITY, &mut head);
        let result = if head.len() > MOST_IN_HEAD { Err(none) } else { self.first_in_head(&mut head, low, target) };
        self.scratch.bulk.near = head;
        result
    }

    fn first_in_head(&self, head: &mut [RankedToken], down_to: f32, target: f64) -> Result<Option<BulkDraw>, Before> {
        head.sort_unstable();
        let mut sum = 0.0;
        for (rank, token) in head.iter().rev().enumerate() {
            let (logit, x) = (token.logit(), self.log_weight_in_bulk(token.logit()));
            let (with, error) = (sum + exp(x), weight_error(x) + GROUPED);
            if x < LOWEST {
                return Ok(None);
            }
            if with * (1.0 - error) > target {
                let is_certain = sum * (1.0 + error) <= target;
                return Ok(is_certain.then_some(BulkDraw { index: token.index(), rank, logit }));
            }
            sum = with;
        }
        let error = weight_error(self.log_weight_in_bulk(down_to).max(LOWEST)) + GROUPED;
        Err(Before { down_to, sum: PrefixSum { weight: sum, count: head.len() }, error })
    }

    /// Two logits between which, as a sample says, this share of the weight of the tokens in [low, high) ends.
    fn bracket_of_share(&mut self, (low, high): (f32, f32), share: f64) -> Option<(f32, f32)> {
        let sampled = self.sample();
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { bulk, sample, .. } = &mut **scratch;
        if !sample.compute_weights(kernels, *max, bulk.scale) {
            return None;
        }
        let (at_low, at_high) = (sample.prefix_sum(kernels, low), sample.prefix_sum(kernels, high));
        let all = at_low.weight - at_high.weight;
        if all <= 0.0 {
            return None;
        }
        let spread = DEVIATIONS * (share * (1.0 - share) * sample.squares(low, high)).sqrt() / all;
        let end = |share: f64| {
            let weight = at_high.weight + share * all;
            let bracket = Bracket { low, at_low, high, at_high };
            sample.narrow(kernels, bracket, SearchTarget::Weight(weight), FEW_SAMPLED, |at| at.weight < weight)
        };
        let (mut below, mut above) = ((low, at_low), (high, at_high));
        if share + spread < 1.0 {
            let end = end(share + spread);
            below = (end.low, end.at_low);
        }
        if share > spread {
            let end = end(share - spread);
            above = (end.high, end.at_high);
        }
        (below.1.count - above.1.count < sampled / TOO_WIDE).then_some((below.0, above.0))
    }

    /// Lists the tokens in [low, high) with their weights, and sums those above.
    fn list_in_bracket(&mut self, low: f32, high: f32, head: Before) -> Option<Before> {
        let scale = self.scratch.bulk.scale;
        let is_head = high >= head.down_to;
        let high = high.min(head.down_to);
        let sum = if is_head {
            self.list_between(low, high);
            head.sum
        } else {
            self.list_and_weigh(low, high, scale)?
        };
        let before = if is_head { head } else { Before { down_to: high, sum, error: 2.0 * GROUPED } };
        let listed = &mut self.scratch.nearest.near;
        listed.compute_weights(self.kernels, self.max, scale).then_some(before)
    }

    /// Lists the tokens with `low <= logit < high` apart from the bulk, without weights; the sum of those above.
    fn list_and_weigh(&mut self, low: f32, high: f32, scale: f64) -> Option<PrefixSum> {
        let params = params(self.max, scale)?;
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { bulk, nearest, block, blocks, maxima, columns, .. } = &mut **scratch;
        let NearestScratch { near: list, halfway: starts, .. } = nearest;
        blocks.clear();
        starts.clear();
        (kernels.blocks_at_least)(maxima, columns, low, blocks);
        let weight = bulk.tokens.fill(kernels, params, (high, false), |list| {
            row.for_each_run_with(blocks, block, |first, run, blocks| {
                (kernels.gather)(run, CollectRange { blocks, first, low, high: f32::INFINITY }, list, starts);
            });
        });
        let none = PrefixSum::default();
        let bracket = Bracket { low, at_low: none, high, at_high: none };
        bulk.tokens.compress_into(kernels, &bracket, (blocks, starts), list);
        Some(PrefixSum { weight, count: bulk.tokens.len - list.len })
    }

    /// The draw if it is of one of the listed tokens, which are those from `low` up that are not before.
    fn draw_from_listed(&mut self, low: f32, before: Before, target: f64) -> Option<BulkDraw> {
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { bulk, nearest: NearestScratch { near: listed, halfway, .. }, blocks, sample: last, .. } =
            &mut **scratch;
        let (rest, all) = (target - before.sum.weight, listed.all());
        if rest < 0.0 || all.weight <= rest {
            return None;
        }
        let mut end = Bracket { low, at_low: all, high: before.down_to, at_high: PrefixSum::default() };
        let few = |end: &Bracket| end.at_low.count - end.at_high.count;
        loop {
            let (above, n) = (end.at_high, few(&end));
            end = end.narrow(
                SearchTarget::Weight(rest),
                (n / PART).max(LAST),
                |at| at.weight <= rest,
                |_, low| {
                    let PrefixSum { weight, count } = listed.prefix_sum(kernels, low);
                    PrefixSum { weight: above.weight + weight, count: above.count + count }
                },
            );
            if few(&end) <= LAST || few(&end) == n || end.high <= end.low.next_up() {
                break;
            }
            listed.compress_into(kernels, &end, (blocks, halfway), &mut bulk.tokens);
            std::mem::swap(listed, &mut bulk.tokens);
            if !listed.compute_weights(kernels, *max, bulk.scale) {
                return None;
            }
        }
        if few(&end) > MOST_LAST {
            return None;
        }
        listed.compress_into(kernels, &end, (blocks, halfway), last);
        last.sort();
        let (mut sum, mut rank) = (before.sum.weight + end.at_high.weight, before.sum.count + end.at_high.count);
        // The groups of each list have their own errors. Both ways may have f64 weights where the other has f32 weights: of few
        // tokens of any weight, and of those around the end.
        let lightest = self.log_weight_in_bulk(end.low);
        if lightest < LOWEST {
            return None;
        }
        let around = MOST_LAST as f64 * exp(self.log_weight_in_bulk(end.high));
        let (mut logit, mut ties) = (f32::INFINITY, 0);
        for at in 0..self.scratch.sample.len {
            let next = self.scratch.sample.logits[at];
            ties = if next == logit { ties + 1 } else { 0 };
            logit = next;
            let with = sum + exp(self.log_weight_in_bulk(logit));
            let error =
                before.error.max(2.0 * GROUPED) * with + weight_error(lightest) * (around + with.min(FEW as f64));
            if with - error > target {
                let is_certain = sum + error <= target;
                let index = if is_certain { self.nth_with_logit(ties, logit)? } else { return None };
                return Some(BulkDraw { index, rank, logit });
            }
            (sum, rank) = (with, rank + 1);
        }
        None
    }
}
