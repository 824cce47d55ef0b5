//! Weights added up: totals, tails, the draw from the whole vocabulary.
//!
//! A row is weighed tile by tile, in the pass that finds its maxima, against the largest logit seen so far; a tile that
//! brings a much larger one is weighed again. Sums of different tiles then differ in their unit by a power of two,
//! exactly. Only a row with logits so large that t would lose its fraction is weighed in a second pass, less its
//! maximum.

use super::kernels::exp_sums::Besides;
use super::kernels::exponential::{ExpParams, TileScale, binary_scale, power};
use super::kernels::{BLOCK, Extent, Maxima};
use super::row::BlockBuffer;
use super::{LANES, Run, Scratch, USUAL_HEAD, Vector, Vocabulary, make_room, place};
use crate::error::Result;
use crate::logits::Row;
use std::ops::Range;

/// Blocks in a tile: the part of a row that is weighed with one exponent.
const TILE_BLOCKS: usize = 32;

/// Its tokens.
pub(crate) const TILE: usize = TILE_BLOCKS * BLOCK;

/// The sums of a row at one scale.
#[derive(Default)]
pub(super) struct Sums {
    /// The sum of the weights of each lane of each block.
    lanes: Vec<Vector>,
    tiles: Vec<TileSum>,
    /// What is subtracted from every logit: the maximum of a row whose logits are too large, else 0.
    shift: f32,
    /// Brings the last tile's unit to exp((l - max) * scale).
    unit: f64,
    /// Whether the tiles know their moments.
    with_moments: bool,
    /// The lanes as they were, while tokens are left out.
    saved: Vec<(usize, Vector)>,
    left_out: Vec<u32>,
    weights: Vec<f32>,
}

/// A tile's total, in the unit of its parameters; 0 where no token has a weight.
#[derive(Clone, Copy)]
struct TileSum {
    params: ExpParams,
    total: f64,
    /// The sum of weight times (logit - from), no logit being above `from`, in the same unit; 0 where nobody asked.
    moment: f64,
    from: f32,
}

impl Scratch {
    /// How a tile of the row that was summed last was weighed.
    pub(crate) fn tile_scale(&self, tile: usize) -> TileScale {
        self.sums.tile_scale(tile)
    }
}

impl Sums {
    /// Room for the usual row.
    pub(super) fn reserve(&mut self, row: &Row<'_>) {
        make_room(&mut self.lanes, row.blocks());
        make_room(&mut self.tiles, row.blocks().div_ceil(TILE_BLOCKS));
        make_room(&mut self.saved, row.blocks());
        make_room(&mut self.left_out, USUAL_HEAD.min(row.vocab()));
        make_room(&mut self.weights, BLOCK);
    }

    /// What brings a tile's unit to the last tile's.
    fn factor(&self, tile: usize) -> f64 {
        let last = self.tiles.last().map_or(0, |t| t.params.exponent());
        // Never negative but for a tile without weight.
        let below = last.saturating_sub(self.tiles[tile].params.exponent()).max(0);
        if below < 1000 { power(-below) } else { 0.0 }
    }

    /// The lanes from a block to the end of its tile, and what brings their sums to exp((l - max) * scale).
    pub(super) fn lanes_from(&self, block: usize) -> (&[Vector], f64) {
        let tile = block / TILE_BLOCKS;
        let end = self.lanes.len().min((tile + 1) * TILE_BLOCKS);
        (&self.lanes[block..end], self.factor(tile) * self.unit)
    }

    /// How a tile was weighed.
    fn tile_scale(&self, tile: usize) -> TileScale {
        let params = self.tiles[tile].params;
        TileScale { params, unit: self.factor(tile) * self.unit, shift: self.shift }
    }

    /// The tiles' totals, in the last one's unit.
    fn in_tiles(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        (0..self.tiles.len()).map(|tile| self.tiles[tile].total * self.factor(tile))
    }

    /// Calls `visit(first block, run)` for the logits of some blocks as they are weighed.
    fn for_each_run(
        &self,
        row: &Row<'_>,
        blocks: Range<usize>,
        memory: &mut BlockBuffer,
        mut visit: impl FnMut(usize, Run<'_>),
    ) {
        if self.shift == 0.0 {
            return row.for_each_run(blocks, memory, visit);
        }
        blocks.for_each(|block| visit(block, row.shifted_block(block, self.shift, memory)));
    }

    /// Calls `visit(first block, run, how)` for all logits as they are weighed.
    pub(super) fn for_each_tile(
        &self,
        row: &Row<'_>,
        memory: &mut BlockBuffer,
        mut visit: impl FnMut(usize, Run<'_>, TileScale),
    ) {
        for tile in 0..self.tiles.len() {
            let weighed = self.tile_scale(tile);
            self.for_each_run(row, blocks_of(row, tile), memory, |block, run| visit(block, run, weighed));
        }
    }
}

impl Vocabulary<'_> {
    /// [`Scratch::tile_scale`] of this row.
    pub(crate) fn tile_scale(&self, tile: usize) -> TileScale {
        self.scratch.tile_scale(tile)
    }

    /// The sum of `exp((l - max) * scale)` over the row: at least 1, the largest token's own weight, however the f32
    /// weights are rounded.
    pub(crate) fn total(&mut self, scale: f64) -> f64 {
        self.weigh(scale);
        let sums = &self.scratch.sums;
        (sums.in_tiles().sum::<f64>() * sums.unit).max(1.0)
    }

    /// The sum of `exp((l - max) * scale)` over the tokens that are not among `excluded`.
    ///
    /// docs/mathematics.md, 8: a tail taken as 1 minus the head would carry the rounding of the whole sum. Here the
    /// lanes that hold an excluded token, sixteen tokens each, are summed again without it, and the others are taken as
    /// they are: nothing cancels.
    pub(crate) fn total_without(&mut self, excluded: impl Iterator<Item = u32>, scale: f64) -> f64 {
        self.weigh(scale);
        self.leave_out(excluded);
        let (kernels, sums) = (self.kernels, &mut self.scratch.sums);
        let mut total = 0.0;
        let mut touched = sums.saved.iter().map(|&(block, _)| block / TILE_BLOCKS).peekable();
        for (tile, lanes) in sums.lanes.chunks(TILE_BLOCKS).enumerate() {
            let mut sum = sums.tiles[tile].total;
            if touched.peek() == Some(&tile) {
                sum = (kernels.total)(lanes);
                while touched.next_if_eq(&tile).is_some() {}
            }
            total += sum * sums.factor(tile);
        }
        for (block, lanes) in sums.saved.drain(..) {
            sums.lanes[block] = lanes;
        }
        total * sums.unit
    }

    /// Sums the lanes of some tokens without them, and saves what they were.
    fn leave_out(&mut self, tokens: impl Iterator<Item = u32>) {
        let (row, kernels, sums) = (&self.row, self.kernels, &mut self.scratch.sums);
        sums.left_out.clear();
        sums.left_out.extend(tokens);
        // Tokens of one lane of a block stand beside each other.
        sums.left_out.sort_unstable_by_key(|&token| place(token));
        for tokens in sums.left_out.chunk_by(|&a, &b| place(a) == place(b)) {
            let (block, lane) = place(tokens[0]);
            if sums.saved.last().is_none_or(|&(last, _)| last != block) {
                sums.saved.push((block, sums.lanes[block]));
            }
            let mut column = row.column(block, lane);
            column.iter_mut().for_each(|l| *l -= sums.shift);
            for &token in tokens {
                column[token as usize % BLOCK / LANES] = f32::NEG_INFINITY;
            }
            let params = sums.tiles[block / TILE_BLOCKS].params;
            sums.lanes[block][lane] = (kernels.column)(&column, params) as f32;
        }
    }

    /// The sum of `exp((l - max) * scale) * (l - max)` over the row.
    pub(crate) fn moment(&mut self, scale: f64) -> f64 {
        if self.summed_at != Some(scale) || !self.scratch.sums.with_moments {
            self.sum_at(scale, Besides::Moment { from: 0.0 }).expect(VALID);
        }
        let sums = &self.scratch.sums;
        let max = f64::from(self.max - sums.shift);
        let in_tiles = sums.tiles.iter().enumerate().map(|(tile, sum)| {
            // Both terms are at most zero: nothing cancels.
            (sum.moment + (f64::from(sum.from) - max) * sum.total) * sums.factor(tile)
        });
        in_tiles.sum::<f64>() * sums.unit
    }

    /// The token at which the running sum of `exp((l - max) * scale)`, in order of index, first exceeds `u` times the
    /// total; `u` in (0, 1). No array of probabilities is built: the sums lead to the tile and the block.
    pub(crate) fn quantile(&mut self, scale: f64, u: f64) -> u32 {
        self.weigh(scale);
        let sums = &self.scratch.sums;
        let target = u * sums.in_tiles().sum::<f64>();
        let (tile, before) = find_in_cumulative(sums.in_tiles(), target);
        // From here on in the tile's own unit.
        let target = (target - before) / sums.factor(tile);
        let first = tile * TILE_BLOCKS;
        let blocks = sums.lanes[first..].iter().take(TILE_BLOCKS);
        let (block, before) =
            find_in_cumulative(blocks.map(|lanes| (self.kernels.total)(std::slice::from_ref(lanes))), target);
        let block = first + block;
        self.weigh_block(block);
        let weights = self.scratch.sums.weights.iter().map(|&w| f64::from(w));
        let (token, _) = find_in_cumulative(weights, target - before);
        (block * BLOCK + token) as u32
    }

    /// The weights of a block, and the unit that brings them to `exp((l - max) * scale)`.
    pub(crate) fn block_weights(&mut self, block: usize, scale: f64) -> (&[f32], f64) {
        self.weigh(scale);
        self.weigh_block(block);
        let sums = &self.scratch.sums;
        (&sums.weights, sums.factor(block / TILE_BLOCKS) * sums.unit)
    }

    /// The weights of a block, in its tile's unit.
    fn weigh_block(&mut self, block: usize) {
        let Self { row, kernels, scratch, .. } = self;
        let mut weights = std::mem::take(&mut scratch.sums.weights);
        let params = scratch.sums.tiles[block / TILE_BLOCKS].params;
        scratch.sums.for_each_run(row, block..block + 1, &mut scratch.copied, |_, run| {
            weights.resize(run.len(), 0.0);
            (kernels.weights)(run, params, &mut weights);
        });
        scratch.sums.weights = weights;
    }

    /// Makes sure of the sums at a scale.
    pub(super) fn weigh(&mut self, scale: f64) {
        if self.summed_at != Some(scale) {
            self.sum_at(scale, Besides::Nothing).expect(VALID);
        }
    }

    /// The pass that finds maxima and sums together, and what is asked besides; a moment is taken from wherever is
    /// best.
    pub(super) fn sum_at(&mut self, scale: f64, besides: Besides) -> Result<()> {
        let c = binary_scale(scale);
        self.scratch.sums.lanes.resize(self.row.blocks(), [0.0; LANES]);
        self.scratch.sums.tiles.clear();
        self.scratch.sums.with_moments = matches!(besides, Besides::Moment { .. });
        if self.sum_tiles(c, besides)? {
            let sums = &mut self.scratch.sums;
            sums.shift = 0.0;
            sums.unit = sums.tiles.last().map_or(0.0, |t| t.params.unit(self.max, c));
        } else {
            self.find_maxima()?;
            self.sum_shifted(c, besides);
        }
        self.summed_at = Some(scale);
        Ok(())
    }

    /// False if a logit is too large for it.
    fn sum_tiles(&mut self, c: f32, besides: Besides) -> Result<bool> {
        let (mut seen, mut params) = (Extent::NOTHING, None);
        for tile in 0..self.row.blocks().div_ceil(TILE_BLOCKS) {
            let (mut used, mut from) = match params {
                Some(params) => (params, seen.max),
                None => {
                    let max = self.maxima_of(blocks_of(&self.row, tile)).max;
                    // Without a logit that weighs anything, any exponent will do.
                    (ExpParams::new(if ExpParams::fits(max, c) { max } else { 0.0 }, c), max.max(f32::MIN))
                }
            };
            let mut extent = self.sum_tile(tile, used, besides, from);
            let max = seen.max.max(extent.max);
            if max > f32::NEG_INFINITY {
                if !ExpParams::fits(max, c) {
                    return Ok(false);
                }
                let has_room = used.has_room_for(max, c);
                if !has_room {
                    used = ExpParams::new(max, c);
                }
                if !has_room || (max > from && matches!(besides, Besides::Moment { .. })) {
                    from = max;
                    extent = self.sum_tile(tile, used, besides, from);
                }
                params = Some(used);
            }
            seen = seen.and(extent);
            let sums = &mut self.scratch.sums;
            let total = (self.kernels.total)(&sums.lanes[blocks_of(&self.row, tile)]);
            sums.tiles.push(TileSum { params: used, total, moment: extent.moment, from });
        }
        self.see(seen)?;
        Ok(true)
    }

    fn sum_tile(&mut self, tile: usize, params: ExpParams, besides: Besides, from: f32) -> Extent {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { copied, maxima, columns, sums, .. } = &mut **scratch;
        let (besides, mut seen) = (besides.from(from), Extent::NOTHING);
        row.for_each_run(blocks_of(row, tile), copied, |first, run| {
            let maxima = Maxima { blocks: &mut maxima[first..], columns, first };
            seen = seen.and((kernels.sums)(run, params, besides, maxima, &mut sums.lanes[first..]));
        });
        seen
    }

    /// With every logit less the maximum, which is known.
    fn sum_shifted(&mut self, c: f32, besides: Besides) {
        let Self { row, kernels, scratch, max, .. } = self;
        let Sums { lanes, tiles, .. } = &mut scratch.sums;
        let (params, besides) = (ExpParams::new(0.0, c), besides.from(0.0));
        tiles.clear();
        for (tile, lanes) in lanes.chunks_mut(TILE_BLOCKS).enumerate() {
            let mut moment = 0.0;
            for (block, lanes) in (tile * TILE_BLOCKS..).zip(&mut *lanes) {
                let run = row.shifted_block(block, *max, &mut scratch.copied);
                let lanes = std::slice::from_mut(lanes);
                // The maxima are known, and they are not these.
                let (mut block, mut column) = ([[0.0; LANES]], [[0.0; LANES]]);
                let nowhere = Maxima { blocks: &mut block, columns: &mut column, first: 0 };
                moment += (kernels.sums)(run, params, besides, nowhere, lanes).moment;
            }
            tiles.push(TileSum { params, total: (kernels.total)(lanes), moment, from: 0.0 });
        }
        (scratch.sums.shift, scratch.sums.unit) = (*max, params.unit(0.0, c));
    }
}

const VALID: &str = "the row was valid when it was opened";

/// The blocks of a tile.
fn blocks_of(row: &Row<'_>, tile: usize) -> Range<usize> {
    tile * TILE_BLOCKS..((tile + 1) * TILE_BLOCKS).min(row.blocks())
}

/// The first part at which the running sum exceeds the target, and the sum before it. Rounding may leave the target at
/// the total: then the last part with any weight has it.
fn find_in_cumulative(parts: impl Iterator<Item = f64>, target: f64) -> (usize, f64) {
    let (mut found, mut before, mut after) = (0, 0.0, 0.0);
    for (i, part) in parts.enumerate().filter(|&(_, part)| part > 0.0) {
        (found, before) = (i, after);
        after += part;
        if after > target {
            break;
        }
    }
    (found, before)
}
