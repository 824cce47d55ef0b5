//! The end of the `k` largest tokens where they are too many to sort.
//!
//! Tokens are counted, not weighed, until their end is known. Those around it, as a sample says, are listed without gaps.

use super::bulk::{Bulk, FEW, PrefixEnd};
use super::kernels::collect::CollectRange;
use super::nearest::NearestScratch;
use super::reads::Pass;
use super::weighted::{Bracket, SearchTarget, params};
use super::{PrefixSum, RankedToken, Scratch, Vocabulary};
use crate::math::exp;

/// A search goes on among the tokens of its bracket once these are so small a share of those that it counts.
const SHARE: usize = 2;

/// Blocks in which a token is looked for at once.
const TILE_BLOCKS: usize = 8;

/// Of the tokens about this share is only counted.
const NOT_LISTED: f64 = 0.7;

impl Vocabulary<'_> {
    /// Makes the `k` largest tokens, or all down to `lowest` if there are fewer, and more of them the bulk; where those end.
    /// None if the logits are too large for weights.
    pub(crate) fn bulk_of_largest(&mut self, k: usize, lowest: f32, scale: f64) -> Option<PrefixEnd> {
        params(self.max, scale)?;
        if !self.is_large(k) {
            return self.listed_bulk_of_largest(k, lowest, scale);
        }
        let mut attempt = 0;
        let (floor, listed_to, above, count) = loop {
            let floor = self.bound_for_rank(k, attempt).max(lowest);
            let listed_to = self.bound_to_list(k, floor);
            let above = self.list_between(floor, listed_to);
            match above + self.scratch.nearest.near.len {
                count if count < k && floor > lowest => attempt += 1,
                count => break (floor, listed_to, above, count),
            }
        };
        if count <= k {
            let all = self.begin_bulk(floor, scale)?;
            return Some(PrefixEnd { last: RankedToken::new(u32::MAX, floor), above: all, next: None });
        }
        let bulk = &mut self.scratch.bulk;
        (bulk.is_listed, bulk.floor, bulk.scale) = (false, floor, scale);
        let (mut bracket, listed_to) = self.narrow_by_count(k, (floor, count), (listed_to, above));
        if bracket.at_high.count > 0 {
            bracket.at_high.weight = self.weigh_tokens(floor, bracket.high, scale, count == self.row.vocab())?.0;
        }
        self.end_of_count(k, bracket, listed_to, scale)
    }

    /// The same with lists of logits and weights.
    fn listed_bulk_of_largest(&mut self, k: usize, lowest: f32, scale: f64) -> Option<PrefixEnd> {
        let mut attempt = 0;
        let (floor, all) = loop {
            let floor = self.bound_for_rank(k, attempt).max(lowest);
            match self.gather(floor, scale)? {
                all if all.count < k && floor > lowest => attempt += 1,
                all => break (floor, all),
            }
        };
        let from = RankedToken::new(u32::MAX, floor);
        if all.count <= k {
            return Some(PrefixEnd { last: from, above: all, next: None });
        }
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { bulk: Bulk { tokens, .. }, nearest, blocks, .. } = &mut **scratch;
        let NearestScratch { near: few, halfway: spare, .. } = nearest;
        let counted = |count| PrefixSum { weight: f64::NAN, count };
        let (high, none) = (max.next_up(), PrefixSum::default());
        let bracket = Bracket { low: floor, at_low: counted(all.count), high, at_high: none };
        // Once the bracket has few of the tokens only these are counted.
        let (share, mut above) = (tokens.len / SHARE, None);
        let mut bracket = bracket.narrow(
            SearchTarget::Count(k),
            FEW,
            |at| at.count <= k,
            |b, low| {
                if above.is_none() && b.at_low.count - b.at_high.count <= share {
                    tokens.compress_into(kernels, b, (blocks, spare), few);
                    above = Some(b.at_high.count);
                }
                counted(above.map_or_else(|| tokens.count(kernels, low), |above| above + few.count(kernels, low)))
            },
        );
        bracket.at_high = tokens.prefix_sum(kernels, bracket.high);
        Some(self.end_in(bracket, from, scale, |_, with| with.count <= k))
    }

    /// Above which logit tokens are counted and not listed, so that the `k`-th largest is usually below it.
    fn bound_to_list(&mut self, k: usize, floor: f32) -> f32 {
        let bound = self.bound_for_rank((k as f64 * NOT_LISTED) as usize, 0);
        if bound > floor { bound } else { f32::INFINITY }
    }

    /// Lists the logits with `low <= logit < high` without weights, apart from the bulk; the number of tokens above.
    pub(super) fn list_between(&mut self, low: f32, high: f32) -> usize {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { block, blocks, maxima, columns, nearest, .. } = &mut **scratch;
        let NearestScratch { near: list, halfway: starts, .. } = nearest;
        blocks.clear();
        starts.clear();
        list.become_unweighted(0);
        (kernels.blocks_at_least)(maxima, columns, low, blocks);
        let mut above = 0;
        row.for_each_run_with(blocks, block, |first, run, blocks| {
            above += list.append(kernels, run, CollectRange { blocks, first, low, high }, starts);
        });
        list.pad();
        above
    }

    /// A bracket around the end of the `k` largest tokens, of which there are `count` from `floor` up, `above` of them not
    /// listed; and up to where tokens are listed then. It has the sums of no weights.
    fn narrow_by_count(
        &mut self,
        k: usize,
        (floor, count): (f32, usize),
        (mut listed_to, mut above): (f32, usize),
    ) -> (Bracket, f32) {
        let counted = |count| PrefixSum { weight: f64::NAN, count };
        let Self { row, kernels, scratch, max, .. } = self;
        let Scratch { bulk: Bulk { tokens: some, .. }, nearest, blocks, block, .. } = &mut **scratch;
        let NearestScratch { near: listed, halfway: spare, .. } = nearest;
        let bracket =
            Bracket { low: floor, at_low: counted(count), high: max.next_up(), at_high: PrefixSum::default() };
        let bracket = bracket.narrow(
            SearchTarget::Count(k),
            FEW,
            |at| at.count <= k,
            |b, low| {
                // Once the bracket has few of the listed tokens only these are counted.
                if b.high <= listed_to && b.at_low.count - b.at_high.count <= listed.len / SHARE {
                    listed.compress_into(kernels, b, (blocks, spare), some);
                    std::mem::swap(listed, some);
                    (listed_to, above) = (b.high, b.at_high.count);
                }
                if low <= listed_to {
                    return counted(above + listed.count(kernels, low));
                }
                let mut n = 0;
                row.for_each_run(Pass::Count, 0..row.blocks(), block, |_, run| n += (kernels.count)(run, low));
                counted(n as usize)
            },
        );
        (bracket, listed_to)
    }

    /// The end of the `k` largest of the bulk's tokens, which has more of them, in a bracket.
    fn end_of_count(&mut self, k: usize, bracket: Bracket, listed_to: f32, scale: f64) -> Option<PrefixEnd> {
        if bracket.high > listed_to {
            self.list_between(bracket.low, bracket.high);
        }
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { bulk: Bulk { tokens: some, .. }, nearest, blocks, .. } = &mut **scratch;
        nearest.near.compress_into(kernels, &bracket, (blocks, &mut nearest.halfway), some);
        let logits = some.sort();
        let Bracket { high, at_high: mut above, .. } = bracket;
        let mut last = high;
        for &logit in logits {
            let weight = exp((f64::from(logit) - f64::from(*max)) * scale);
            if above.count == k {
                break;
            }
            above = PrefixSum { weight: above.weight + weight, count: above.count + 1 };
            last = logit;
        }
        let equal = |&&logit: &&f32| logit == last;
        let (kept, dropped) = logits.split_at(above.count - bracket.at_high.count);
        let (ties, next) = (kept.iter().rev().take_while(equal).count(), dropped.first().copied());
        // Of those that tie at the end, the first by index are kept.
        let index = if ties > 0 && next == Some(last) { self.nth_with_logit(ties - 1, last)? } else { u32::MAX };
        let next = next.map(|logit| RankedToken::new(u32::MAX, logit));
        Some(PrefixEnd { last: RankedToken::new(index, last), above, next })
    }

    /// The index of the token with this logit that `n` others are before.
    pub(super) fn nth_with_logit(&mut self, n: usize, logit: f32) -> Option<u32> {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { bulk: Bulk { near, .. }, block, blocks, maxima, columns, .. } = &mut **scratch;
        blocks.clear();
        near.clear();
        (kernels.blocks_at_least)(maxima, columns, logit, blocks);
        for blocks in blocks.chunks(TILE_BLOCKS) {
            row.for_each_run_with(blocks, block, |first, run, blocks| {
                (kernels.collect)(run, CollectRange { blocks, first, low: logit, high: logit.next_up() }, near);
            });
            if let Some(token) = near.get(n) {
                return Some(token.index());
            }
        }
        None
    }
}
