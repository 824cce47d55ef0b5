//! The crowd: the tokens that reach a floor, where they are too many to sort.
//!
//! Their logits and weights stand side by side, without gaps, in order of index. What a prefix of the descending order
//! weighs, how many it has and where it ends are then questions of a few passes over them, and only the tokens around
//! the end are sorted.

use super::kernels::BLOCK;
use super::kernels::Wanted;
use super::kernels::prefix::Above;
use super::weighed::{Aim, Bracket, Weighed};
use super::{Hit, SLACK, Scratch, USUAL_HEAD, Vocabulary, make_room};
use crate::logits::Row;
use crate::math::exp;

/// Tokens around an end that are sorted.
const FEW: usize = 128;

/// The end of a prefix of the descending order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// Every token of the crowd from here up is in the prefix; its index is its place in the crowd.
    pub(crate) last: Hit,
    /// What the prefix has.
    pub(crate) above: Above,
    /// The first token that is not in it.
    pub(crate) next: Option<Hit>,
}

/// A crowd, and its memory.
#[derive(Default)]
pub(super) struct Crowd {
    tokens: Weighed,
    floor: f32,
    /// The blocks that the tokens come from, and how many stand before each.
    blocks: Vec<u32>,
    starts: Vec<u32>,
    near: Vec<Hit>,
}

impl Crowd {
    /// Room for as many tokens as the row has.
    pub(super) fn reserve(&mut self, row: &Row<'_>) {
        self.tokens.reserve(row.blocks() * BLOCK);
        make_room(&mut self.blocks, row.blocks());
        make_room(&mut self.starts, row.blocks());
        make_room(&mut self.near, USUAL_HEAD.min(row.vocab()) + SLACK);
    }
}

impl Vocabulary<'_> {
    /// Gathers the tokens with `logit >= floor`, weighed at this scale; none if the logits are too large for weights.
    pub(crate) fn gather(&mut self, floor: f32, scale: f64) -> Option<Above> {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { crowd, copied, maxima, columns, .. } = &mut **scratch;
        let Crowd { tokens, blocks, starts, .. } = crowd;
        blocks.clear();
        starts.clear();
        (kernels.reaching)(maxima, columns, floor, blocks);
        let mut len = 0;
        row.for_each_run_with(blocks, copied, |first, run, blocks| {
            let wanted = Wanted { blocks, first, low: floor, high: f32::INFINITY };
            len = (kernels.squeeze)(run, wanted, &mut tokens.logits, len, starts);
        });
        tokens.len = len;
        crowd.floor = floor;
        self.weigh_crowd(scale)
    }

    /// Weighs the crowd, again, at a scale.
    pub(crate) fn weigh_crowd(&mut self, scale: f64) -> Option<Above> {
        let Crowd { tokens, floor, .. } = &mut self.scratch.crowd;
        tokens.weigh(self.kernels, self.max, scale).then(|| tokens.above(self.kernels, *floor))
    }

    /// What of the crowd stands at or above a logit.
    pub(crate) fn crowd_above(&self, low: f32) -> Above {
        self.scratch.crowd.tokens.above(self.kernels, low)
    }

    /// The longest prefix of the descending order of all that is `from` or above, `all` in sum, whose tokens all are kept:
    /// `keeps(before, with)` says it of a token, from what stands before it and with it, and once it says no it says so
    /// of all that follow. `aim` is where that will be.
    pub(crate) fn end_of_prefix(
        &mut self,
        (from, all): (Hit, Above),
        scale: f64,
        aim: Aim,
        keeps: impl Fn(Above, Above) -> bool,
    ) -> End {
        let Self { kernels, scratch, max, .. } = self;
        let Scratch { crowd: Crowd { tokens, near, .. }, blocks, .. } = &mut **scratch;
        let (low, high) = (from.logit(), max.next_up());
        let mut bracket = Bracket { low, at_low: all, high, at_high: Above::default() };
        if keeps(all, all) {
            // All of them: the end is the last.
            bracket = tokens.between(kernels, low, low.next_up());
        }
        bracket = tokens.narrow(kernels, bracket, aim, FEW, |at| keeps(at, at));
        near.clear();
        tokens.collect(kernels, &bracket, blocks, near);
        near.retain(|&hit| hit >= from);
        near.sort_unstable();
        let (mut last, mut above) = (Hit::new(u32::MAX, bracket.high), bracket.at_high);
        for &hit in near.iter().rev() {
            let weight = exp((f64::from(hit.logit()) - f64::from(*max)) * scale);
            let with = Above { weight: above.weight + weight, count: above.count + 1 };
            if !keeps(above, with) {
                return End { last, above, next: Some(hit) };
            }
            (last, above) = (hit, with);
        }
        End { last, above, next: None }
    }

    /// The token at a place in the crowd.
    pub(crate) fn crowd_token(&mut self, place: u32) -> u32 {
        let Scratch { crowd, copied, .. } = &mut *self.scratch;
        let at = crowd.starts.partition_point(|&start| start <= place).saturating_sub(1);
        let (block, start) = (crowd.blocks[at] as usize, crowd.starts[at]);
        let logits = self.row.copied_block(block, copied);
        let inside = (0u32..).zip(logits).filter(|(_, logit)| **logit >= crowd.floor);
        let in_block = inside.map(|(i, _)| i).nth((place - start) as usize).unwrap_or(0);
        (block * BLOCK) as u32 + in_block
    }
}
