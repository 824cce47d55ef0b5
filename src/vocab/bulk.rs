//! The bulk: the tokens above a floor where they are too many to sort.
//!
//! Their logits and weights are stored side by side, without gaps, in order of index. The weight and the number of a
//! prefix of the descending order, and where it ends, then take a few passes over these lists; only the tokens around the
//! end are sorted.

use super::kernels::BLOCK;
use super::kernels::collect::CollectRange;
use super::nearest::NearestScratch;
use super::weighted::{Bracket, SearchTarget, WeightedLogits};
use super::{COLLECT_SPARE, PrefixSum, RankedToken, Scratch, Vocabulary};
use crate::error::Result;
use crate::logits::Row;
use crate::math::exp;
use crate::memory::make_room;

/// The search narrows to this many tokens before it sorts them.
const FEW: usize = 128;

/// A search goes on among the tokens of its bracket once these are so small a share of all.
const SHARE: usize = 2;

/// The end of a prefix of the descending order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrefixEnd {
    /// The last token of the prefix, with its position in the bulk as index.
    pub(crate) last: RankedToken,
    /// The whole prefix.
    pub(crate) above: PrefixSum,
    /// The first token after the prefix.
    pub(crate) next: Option<RankedToken>,
}

/// A bulk and its buffers.
#[derive(Default)]
pub(super) struct Bulk {
    pub(super) tokens: WeightedLogits,
    floor: f32,
    /// The blocks that the tokens come from, and the position at which each begins.
    blocks: Vec<u32>,
    starts: Vec<u32>,
    pub(super) near: Vec<RankedToken>,
}

impl Bulk {
    /// Reserves room for all tokens of the row.
    pub(super) fn reserve(&mut self, row: &Row<'_>) -> Result<()> {
        self.tokens.reserve(row.blocks() * BLOCK)?;
        make_room(&mut self.blocks, row.blocks())?;
        make_room(&mut self.starts, row.blocks())?;
        make_room(&mut self.near, row.vocab() + COLLECT_SPARE)
    }
}

impl Vocabulary<'_> {
    /// Fills the bulk with the tokens with `logit >= floor`, weighted at this scale; none if the logits are too large for
    /// weights.
    pub(crate) fn gather(&mut self, floor: f32, scale: f64) -> Option<PrefixSum> {
        self.gather_logits(floor);
        self.reweigh_bulk(scale)
    }

    /// Fills the bulk with the tokens with `logit >= floor`, without weights; their number.
    pub(crate) fn gather_logits(&mut self, floor: f32) -> usize {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { bulk, block, maxima, columns, .. } = &mut **scratch;
        let Bulk { tokens, blocks, starts, .. } = bulk;
        blocks.clear();
        starts.clear();
        (kernels.blocks_at_least)(maxima, columns, floor, blocks);
        let mut len = 0;
        row.for_each_run_with(blocks, block, |first, run, blocks| {
            let range = CollectRange { blocks, first, low: floor, high: f32::INFINITY };
            len = (kernels.compress)(run, range, &mut tokens.logits, len, starts);
        });
        tokens.become_unweighted(len);
        bulk.floor = floor;
        len
    }

    /// Computes the bulk's weights again at another scale; none if the logits are too large for weights.
    pub(crate) fn reweigh_bulk(&mut self, scale: f64) -> Option<PrefixSum> {
        self.weigh_bulk(scale).then(|| self.scratch.bulk.tokens.all())
    }

    /// Computes the bulk's weights; false if the logits are too large for weights.
    pub(crate) fn weigh_bulk(&mut self, scale: f64) -> bool {
        self.scratch.bulk.tokens.compute_weights(self.kernels, self.max, scale)
    }

    /// The tokens of the bulk with `logit >= low`.
    pub(crate) fn bulk_at_least(&self, low: f32) -> PrefixSum {
        self.scratch.bulk.tokens.prefix_sum(self.kernels, low)
    }

    /// The end of the `k` largest of the bulk's tokens, which has more and their weights.
    pub(crate) fn end_of_largest(&mut self, k: usize, floor: f32, scale: f64) -> PrefixEnd {
        let Self { kernels, scratch, max, .. } = self;
        let Scratch {
            bulk: Bulk { tokens, .. },
            nearest: NearestScratch { near: few, halfway: spare, .. },
            blocks,
            ..
        } = &mut **scratch;
        let counted = |count| PrefixSum { weight: f64::NAN, count };
        let (at_low, high) = (counted(tokens.len), max.next_up());
        let bracket = Bracket { low: floor, at_low, high, at_high: PrefixSum::default() };
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
        self.end_in(bracket, RankedToken::new(u32::MAX, floor), scale, |_, with| with.count <= k)
    }

    /// The longest prefix of the descending order in which every token is kept, within the tokens from `from` up, which
    /// are `all` together. `keeps(before, with)` is whether a token is kept, given the prefix before it and the prefix
    /// that ends with it; once it is false it stays false. `target` is the weight at which the prefix is expected to end.
    pub(crate) fn end_of_prefix(
        &mut self,
        (from, all): (RankedToken, PrefixSum),
        scale: f64,
        target: f64,
        keeps: impl Fn(PrefixSum, PrefixSum) -> bool,
    ) -> PrefixEnd {
        let Self { kernels, scratch, max, .. } = self;
        let Bulk { tokens, .. } = &mut scratch.bulk;
        let (low, high) = (from.logit(), max.next_up());
        let mut bracket = Bracket { low, at_low: all, high, at_high: PrefixSum::default() };
        if keeps(all, all) {
            // All tokens are kept: the prefix ends with the last one.
            bracket = tokens.between(kernels, low, low.next_up());
        }
        bracket = tokens.narrow(kernels, bracket, SearchTarget::Weight(target), FEW, |at| keeps(at, at));
        self.end_in(bracket, from, scale, keeps)
    }

    /// The end of a prefix that lies in a bracket.
    fn end_in(
        &mut self,
        bracket: Bracket,
        from: RankedToken,
        scale: f64,
        keeps: impl Fn(PrefixSum, PrefixSum) -> bool,
    ) -> PrefixEnd {
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { bulk: Bulk { tokens, near, .. }, blocks, .. } = &mut **scratch;
        near.clear();
        tokens.collect(kernels, &bracket, blocks, near);
        near.retain(|&token| token >= from);
        near.sort_unstable();
        let (mut last, mut above) = (RankedToken::new(u32::MAX, bracket.high), bracket.at_high);
        for &token in near.iter().rev() {
            let weight = exp((f64::from(token.logit()) - f64::from(*max)) * scale);
            let with = PrefixSum { weight: above.weight + weight, count: above.count + 1 };
            if !keeps(above, with) {
                return PrefixEnd { last, above, next: Some(token) };
            }
            (last, above) = (token, with);
        }
        PrefixEnd { last, above, next: None }
    }

    /// Prepares for sums of the bulk's tokens above high logits.
    pub(crate) fn expect_high_sums(&mut self) {
        self.scratch.bulk.tokens.find_tops(self.kernels);
    }

    /// The token at a position in the bulk.
    pub(crate) fn bulk_token(&mut self, position: u32) -> u32 {
        let Scratch { bulk, block: buffer, .. } = &mut *self.scratch;
        let at = bulk.starts.partition_point(|&start| start <= position).saturating_sub(1);
        let (block, start) = (bulk.blocks[at] as usize, bulk.starts[at]);
        let logits = self.row.copied_block(block, buffer);
        let in_bulk = (0u32..).zip(logits).filter(|(_, logit)| **logit >= bulk.floor);
        let in_block = in_bulk.map(|(i, _)| i).nth((position - start) as usize).unwrap_or(0);
        (block * BLOCK) as u32 + in_block
    }
}
