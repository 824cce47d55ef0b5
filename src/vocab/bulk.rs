//! The bulk: the tokens above a floor where they are too many to sort.
//!
//! Their logits and weights are stored side by side, without gaps, in order of index. The weight and the number of a
//! prefix of the descending order, and where it ends, then take a few passes over these lists; only the tokens around the
//! end are sorted.

use super::kernels::BLOCK;
use super::kernels::collect::CollectRange;
use super::weighted::{Bracket, SearchTarget, WeightedLogits};
use super::{COLLECT_SPARE, PrefixSum, RankedToken, Scratch, Vocabulary};
use crate::error::Result;
use crate::logits::Row;
use crate::math::exp;
use crate::memory::make_room;

/// The search narrows to this many tokens before it sorts them.
const FEW: usize = 128;

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
    tokens: WeightedLogits,
    floor: f32,
    /// The blocks that the tokens come from, and the position at which each begins.
    blocks: Vec<u32>,
    starts: Vec<u32>,
    near: Vec<RankedToken>,
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
        tokens.len = len;
        bulk.floor = floor;
        self.reweigh_bulk(scale)
    }

    /// Computes the bulk's weights again at another scale; none if the logits are too large for weights.
    pub(crate) fn reweigh_bulk(&mut self, scale: f64) -> Option<PrefixSum> {
        let Bulk { tokens, floor, .. } = &mut self.scratch.bulk;
        tokens.compute_weights(self.kernels, self.max, scale).then(|| tokens.prefix_sum(self.kernels, *floor))
    }

    /// The tokens of the bulk with `logit >= low`.
    pub(crate) fn bulk_at_least(&self, low: f32) -> PrefixSum {
        self.scratch.bulk.tokens.prefix_sum(self.kernels, low)
    }

    /// The longest prefix of the descending order in which every token is kept, within the tokens from `from` up, which
    /// are `all` together. `keeps(before, with)` is whether a token is kept, given the prefix before it and the prefix
    /// that ends with it; once it is false it stays false. `target` is where the prefix is expected to end.
    pub(crate) fn end_of_prefix(
        &mut self,
        (from, all): (RankedToken, PrefixSum),
        scale: f64,
        target: SearchTarget,
        keeps: impl Fn(PrefixSum, PrefixSum) -> bool,
    ) -> PrefixEnd {
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { bulk: Bulk { tokens, near, .. }, blocks, .. } = &mut **scratch;
        let (low, high) = (from.logit(), max.next_up());
        let mut bracket = Bracket { low, at_low: all, high, at_high: PrefixSum::default() };
        if keeps(all, all) {
            // All tokens are kept: the prefix ends with the last one.
            bracket = tokens.between(kernels, low, low.next_up());
        }
        bracket = tokens.narrow(kernels, bracket, target, FEW, |at| keeps(at, at));
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
