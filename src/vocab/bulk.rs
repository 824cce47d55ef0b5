//! The bulk: the tokens above a floor where they are too many to sort.
//!
//! The weight and the number of a prefix of the descending order, and where it ends, take a few passes over the row. Only
//! the end of a prefix that goes by its weight takes lists of the tokens' logits and weights, side by side, without gaps, in
//! order of index; only the tokens around an end are sorted. All weights are summed in groups of such lists, whether these
//! are stored or not, so that a sum has the same bits either way.

use super::kernels::BLOCK;
use super::kernels::collect::CollectRange;
use super::kernels::compress::Gathering;
use super::kernels::lanes::{LANES, Vector};
use super::kernels::prefix::{CHUNK, GROUP};
use super::weighted::{Bracket, SearchTarget, WeightedLogits, params};
use super::{COLLECT_SPARE, PrefixSum, RankedToken, Scratch, Vocabulary};
use crate::error::Result;
use crate::logits::{Row, Values};
use crate::math::exp;
use crate::memory::{make_room, resize};

/// The search narrows to this many tokens before it sorts them.
pub(super) const FEW: usize = 128;

/// Fewer tokens are listed.
const LARGE: usize = 40_000;

/// Room for logits that wait to be weighed; they stay in the nearest cache.
const PENDING: usize = 16 * BLOCK + LANES;

/// The end of a prefix of the descending order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrefixEnd {
    /// The last token of the prefix; its index is the largest possible if no token that ties with it is left out.
    pub(crate) last: RankedToken,
    /// The whole prefix.
    pub(crate) above: PrefixSum,
    /// The first token after the prefix.
    pub(crate) next: Option<RankedToken>,
}

/// A bulk and its buffers.
#[derive(Default)]
pub(super) struct Bulk {
    /// The tokens, if they are listed, and the scale of their weights, if they have some.
    pub(super) tokens: WeightedLogits,
    pub(super) is_listed: bool,
    weighed_at: Option<f64>,
    pub(super) floor: f32,
    pub(super) scale: f64,
    /// The blocks that the listed tokens come from, and the position at which each begins.
    blocks: Vec<u32>,
    starts: Vec<u32>,
    pub(super) near: Vec<RankedToken>,
    /// Logits that do not fill a group yet, and the sums of groups.
    pending: Vec<f32>,
    sums: Vec<Vector>,
}

impl Bulk {
    /// Reserves room for all tokens of the row.
    pub(super) fn reserve(&mut self, row: &Row<'_>) -> Result<()> {
        self.tokens.reserve(row.blocks() * BLOCK)?;
        make_room(&mut self.blocks, row.blocks())?;
        make_room(&mut self.starts, row.blocks())?;
        resize(&mut self.pending, PENDING, 0.0)?;
        make_room(&mut self.sums, row.blocks() + 1)?;
        make_room(&mut self.near, row.vocab() + COLLECT_SPARE)
    }
}

impl Vocabulary<'_> {
    /// Makes the tokens with `logit >= floor` the bulk, at this scale; their sum, or none if the logits are too large for
    /// weights.
    pub(super) fn begin_bulk(&mut self, floor: f32, scale: f64) -> Option<PrefixSum> {
        let Bulk { is_listed, floor: bulk_floor, scale: bulk_scale, .. } = &mut self.scratch.bulk;
        (*is_listed, *bulk_floor, *bulk_scale) = (false, floor, scale);
        let has_all = self.min >= floor && self.scratch.sums.banned() == 0;
        let (weight, count) = self.weigh_tokens(floor, f32::NEG_INFINITY, scale, has_all)?;
        Some(PrefixSum { weight, count })
    }

    /// The same, with lists unless the tokens are many.
    pub(crate) fn begin_bulk_above(&mut self, floor: f32, scale: f64) -> Option<PrefixSum> {
        // All but few lanes of blocks, which have sixteen tokens each, have one of them: about half of the tokens are.
        let lanes = self.scratch.maxima.len() * LANES;
        let are_many =
            (self.kernels.lanes_at_least)(&self.scratch.maxima, floor) as usize + lanes / 4096 + LANES >= lanes;
        if are_many && self.is_large(self.row.vocab()) {
            self.begin_bulk(floor, scale)
        } else {
            self.gather(floor, scale)
        }
    }

    /// Whether lists of so many tokens would take longer than passes over the row: they would not fit into a cache with it.
    pub(super) fn is_large(&self, tokens: usize) -> bool {
        tokens >= LARGE.max(self.row.vocab() / 2)
    }

    /// The same as [`Vocabulary::begin_bulk`], with lists of logits and weights.
    pub(crate) fn gather(&mut self, floor: f32, scale: f64) -> Option<PrefixSum> {
        let params = params(self.max, scale)?;
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { bulk, block, maxima, columns, .. } = &mut **scratch;
        let Bulk { tokens, blocks, starts, .. } = bulk;
        blocks.clear();
        starts.clear();
        (kernels.blocks_at_least)(maxima, columns, floor, blocks);
        tokens.fill(kernels, params, (f32::NEG_INFINITY, true), |list| {
            row.for_each_run_with(blocks, block, |first, run, blocks| {
                let range = CollectRange { blocks, first, low: floor, high: f32::INFINITY };
                (kernels.gather)(run, range, list, starts);
            });
        });
        (bulk.floor, bulk.scale, bulk.is_listed, bulk.weighed_at) = (floor, scale, true, Some(scale));
        Some(bulk.tokens.all())
    }

    /// Makes the tokens with `logit >= floor` the bulk and lists their logits, without weights.
    pub(crate) fn gather_logits(&mut self, floor: f32) {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { bulk, block, maxima, columns, .. } = &mut **scratch;
        let Bulk { tokens, blocks, starts, .. } = bulk;
        blocks.clear();
        starts.clear();
        tokens.become_unweighted(0);
        (kernels.blocks_at_least)(maxima, columns, floor, blocks);
        row.for_each_run_with(blocks, block, |first, run, blocks| {
            tokens.append(kernels, run, CollectRange { blocks, first, low: floor, high: f32::INFINITY }, starts);
        });
        (bulk.floor, bulk.is_listed, bulk.weighed_at) = (floor, true, None);
    }

    /// Lists the bulk's tokens with weights at its scale, unless they are listed so.
    fn list_bulk(&mut self) {
        let Bulk { tokens, is_listed, weighed_at, floor, scale, .. } = &mut self.scratch.bulk;
        let (floor, scale) = (*floor, *scale);
        if !*is_listed {
            self.gather(floor, scale);
        } else if *weighed_at != Some(scale) && tokens.compute_weights(self.kernels, self.max, scale) {
            *weighed_at = Some(scale);
        }
    }

    /// Changes the bulk's scale; false, and nothing changed, if the logits are too large for weights.
    pub(crate) fn rescale_bulk(&mut self, scale: f64) -> bool {
        let can = params(self.max, scale).is_some();
        if can {
            self.scratch.bulk.scale = scale;
        }
        can
    }

    /// The tokens of the bulk with `logit >= low`.
    pub(crate) fn bulk_at_least(&mut self, low: f32) -> PrefixSum {
        if self.scratch.bulk.is_listed {
            self.list_bulk();
            return self.scratch.bulk.tokens.prefix_sum(self.kernels, low);
        }
        let Bulk { floor, scale, .. } = self.scratch.bulk;
        let (weight, count) = self.weigh_tokens(floor, low, scale, false).unwrap_or_default();
        // Of all tokens of the bulk, unless fewer are at or above the logit.
        let count = if low <= floor { count } else { self.count(low) as usize };
        PrefixSum { weight, count }
    }

    /// The weight of the tokens with `logit >= least` in a bulk with this floor, with the bits that lists would give, and
    /// the number of all tokens of the bulk; none if the logits are too large for weights. `has_all` is whether the bulk
    /// is certain to have all tokens of the row.
    pub(super) fn weigh_tokens(&mut self, floor: f32, least: f32, scale: f64, has_all: bool) -> Option<(f64, usize)> {
        let (params, unit) = params(self.max, scale)?;
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { bulk, nearest, block, blocks, maxima, columns, .. } = &mut **scratch;
        let (Bulk { pending, sums, .. }, starts) = (bulk, &mut nearest.halfway);
        let mut list = Gathering::new(params, pending, sums);
        list.least = if least <= floor { f32::NEG_INFINITY } else { least };
        let mut count = 0;
        blocks.clear();
        starts.clear();
        (kernels.blocks_at_least)(maxima, columns, floor, blocks);
        row.for_each_run_with(blocks, block, |first, run, blocks| {
            let had = list.len - list.weighed;
            if let (true, 0, Values::F32(logits), None) = (has_all, had, run.values, run.mask) {
                // Its groups are blocks of the row.
                let (whole, rest) = logits.split_at(logits.len() / GROUP * GROUP);
                (kernels.weigh)(whole, params, list.least, &mut [], list.sums);
                list.logits[..rest.len()].copy_from_slice(rest);
                (list.weighed, list.len) = (0, rest.len());
                count += logits.len();
                return;
            }
            let groups = list.sums.len();
            (kernels.gather)(run, CollectRange { blocks, first, low: floor, high: f32::INFINITY }, &mut list, starts);
            count += (list.sums.len() - groups) * GROUP + (list.len - list.weighed) - had;
        });
        let Gathering { weighed, len, least, .. } = list;
        let padded = weighed + (len - weighed).next_multiple_of(CHUNK);
        pending[len..padded].fill(f32::NEG_INFINITY);
        (kernels.weigh)(&pending[weighed..padded], params, least, &mut [], sums);
        Some(((kernels.total)(sums) * unit, count))
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
        self.list_bulk();
        let from = self.with_position(from);
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

    /// The end of a prefix that lies in a bracket, in the lists. `from` has its position as index.
    pub(super) fn end_in(
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
        let (mut last, mut above, mut next) = (RankedToken::new(u32::MAX, bracket.high), bracket.at_high, None);
        for &token in near.iter().rev() {
            let weight = exp((f64::from(token.logit()) - f64::from(*max)) * scale);
            let with = PrefixSum { weight: above.weight + weight, count: above.count + 1 };
            if !keeps(above, with) {
                next = Some(token);
                break;
            }
            (last, above) = (token, with);
        }
        PrefixEnd { last: self.with_index(last), above, next: next.map(|next| self.with_index(next)) }
    }

    /// The last of the listed tokens that are not after `last`.
    pub(crate) fn last_listed(&mut self, last: RankedToken) -> Option<RankedToken> {
        let (from, tokens) = (self.with_position(last), &self.scratch.bulk.tokens);
        let all = (0..).zip(tokens.padded()).take(tokens.len).map(|(at, &logit)| RankedToken::new(at, logit));
        let last = all.filter(|&token| token >= from).min()?;
        Some(self.with_index(last))
    }

    /// Prepares for sums of the bulk's tokens above high logits.
    pub(crate) fn expect_high_sums(&mut self) {
        self.list_bulk();
        self.scratch.bulk.tokens.find_tops(self.kernels);
    }

    /// The same token with its position in the bulk's lists.
    fn with_position(&self, token: RankedToken) -> RankedToken {
        let Bulk { blocks, starts, floor, .. } = &self.scratch.bulk;
        let Ok(at) = blocks.binary_search(&(token.index() / BLOCK as u32)) else { return token };
        let in_bulk = (blocks[at] * BLOCK as u32..token.index()).filter(|&i| self.row.logit(i) >= *floor);
        RankedToken::new(starts[at] + in_bulk.count() as u32, token.logit())
    }

    /// The same token with its index in place of its position.
    fn with_index(&mut self, token: RankedToken) -> RankedToken {
        if token.index() == u32::MAX {
            return token;
        }
        RankedToken::new(self.bulk_token(token.index()), token.logit())
    }

    /// The token at a position in the bulk's lists.
    pub(super) fn bulk_token(&mut self, position: u32) -> u32 {
        let Scratch { bulk, block: buffer, .. } = &mut *self.scratch;
        let at = bulk.starts.partition_point(|&start| start <= position).saturating_sub(1);
        let (block, start) = (bulk.blocks[at] as usize, bulk.starts[at]);
        let logits = self.row.copied_block(block, buffer);
        let in_bulk = (0u32..).zip(logits).filter(|(_, logit)| **logit >= bulk.floor);
        let in_block = in_bulk.map(|(i, _)| i).nth((position - start) as usize).unwrap_or(0);
        (block * BLOCK) as u32 + in_block
    }
}
