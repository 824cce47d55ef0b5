//! The bulk: the tokens that reach a floor, where they are too many to sort.
//!
//! Their logits and weights stand side by side, without gaps, in order of index. What a prefix of the descending order
//! weighs, how many it has and where it ends are then questions of a few passes over them, and only the tokens around
//! the end are sorted.

use super::kernels::BLOCK;
use super::kernels::CollectRange;
use super::kernels::prefix::PrefixSum;
use super::weighed::{Bracket, SearchTarget, WeightedLogits};
use super::{COLLECT_SPARE, RankedToken, Scratch, USUAL_HEAD, Vocabulary, make_room};
use crate::logits::Row;
use crate::math::exp;

/// Tokens around an end that are sorted.
const FEW: usize = 128;

/// The end of a prefix of the descending order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrefixEnd {
    /// Every token of the bulk from here up is in the prefix; its index is its place in the bulk.
    pub(crate) last: RankedToken,
    /// What the prefix has.
    pub(crate) above: PrefixSum,
    /// The first token that is not in it.
    pub(crate) next: Option<RankedToken>,
}

/// A bulk, and its memory.
#[derive(Default)]
pub(super) struct Bulk {
    tokens: WeightedLogits,
    floor: f32,
    /// The blocks that the tokens come from, and how many stand before each.
    blocks: Vec<u32>,
    starts: Vec<u32>,
    near: Vec<RankedToken>,
}

impl Bulk {
    /// Room for as many tokens as the row has.
    pub(super) fn reserve(&mut self, row: &Row<'_>) {
        self.tokens.reserve(row.blocks() * BLOCK);
        make_room(&mut self.blocks, row.blocks());
        make_room(&mut self.starts, row.blocks());
        make_room(&mut self.near, USUAL_HEAD.min(row.vocab()) + COLLECT_SPARE);
    }
}

impl Vocabulary<'_> {
    /// Gathers the tokens with `logit >= floor`, weighed at this scale; none if the logits are too large for weights.
    pub(crate) fn gather(&mut self, floor: f32, scale: f64) -> Option<PrefixSum> {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { bulk, copied, maxima, columns, .. } = &mut **scratch;
        let Bulk { tokens, blocks, starts, .. } = bulk;
        blocks.clear();
        starts.clear();
        (kernels.blocks_at_least)(maxima, columns, floor, blocks);
        let mut len = 0;
        row.for_each_run_with(blocks, copied, |first, run, blocks| {
            let wanted = CollectRange { blocks, first, low: floor, high: f32::INFINITY };
            len = (kernels.compress)(run, wanted, &mut tokens.logits, len, starts);
        });
        tokens.len = len;
        bulk.floor = floor;
        self.reweigh_bulk(scale)
    }

    /// Weighs the bulk, again, at a scale.
    pub(crate) fn reweigh_bulk(&mut self, scale: f64) -> Option<PrefixSum> {
        let Bulk { tokens, floor, .. } = &mut self.scratch.bulk;
        tokens.weigh(self.kernels, self.max, scale).then(|| tokens.above(self.kernels, *floor))
    }

    /// What of the bulk stands at or above a logit.
    pub(crate) fn bulk_at_least(&self, low: f32) -> PrefixSum {
        self.scratch.bulk.tokens.above(self.kernels, low)
    }

    /// The longest prefix of the descending order of all that is `from` or above, `all` in sum, whose tokens all are
    /// kept: `keeps(before, with)` says it of a token, from what stands before it and with it, and once it says no it
    /// says so of all that follow. `aim` is where that will be.
    pub(crate) fn end_of_prefix(
        &mut self,
        (from, all): (RankedToken, PrefixSum),
        scale: f64,
        aim: SearchTarget,
        keeps: impl Fn(PrefixSum, PrefixSum) -> bool,
    ) -> PrefixEnd {
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { bulk: Bulk { tokens, near, .. }, blocks, .. } = &mut **scratch;
        let (low, high) = (from.logit(), max.next_up());
        let mut bracket = Bracket { low, at_low: all, high, at_high: PrefixSum::default() };
        if keeps(all, all) {
            // All of them: the end is the last.
            bracket = tokens.between(kernels, low, low.next_up());
        }
        bracket = tokens.narrow(kernels, bracket, aim, FEW, |at| keeps(at, at));
        near.clear();
        tokens.collect(kernels, &bracket, blocks, near);
        near.retain(|&hit| hit >= from);
        near.sort_unstable();
        let (mut last, mut above) = (RankedToken::new(u32::MAX, bracket.high), bracket.at_high);
        for &hit in near.iter().rev() {
            let weight = exp((f64::from(hit.logit()) - f64::from(*max)) * scale);
            let with = PrefixSum { weight: above.weight + weight, count: above.count + 1 };
            if !keeps(above, with) {
                return PrefixEnd { last, above, next: Some(hit) };
            }
            (last, above) = (hit, with);
        }
        PrefixEnd { last, above, next: None }
    }

    /// The token at a place in the bulk.
    pub(crate) fn bulk_token(&mut self, place: u32) -> u32 {
        let Scratch { bulk, copied, .. } = &mut *self.scratch;
        let at = bulk.starts.partition_point(|&start| start <= place).saturating_sub(1);
        let (block, start) = (bulk.blocks[at] as usize, bulk.starts[at]);
        let logits = self.row.copied_block(block, copied);
        let inside = (0u32..).zip(logits).filter(|(_, logit)| **logit >= bulk.floor);
        let in_block = inside.map(|(i, _)| i).nth((place - start) as usize).unwrap_or(0);
        (block * BLOCK) as u32 + in_block
    }
}
