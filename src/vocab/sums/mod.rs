//! Sums of weights: totals, tails, the draw from the whole vocabulary.
//!
//! A row is weighted tile by tile, in the pass that finds its maxima, relative to the largest logit so far. A tile with a
//! much larger logit is weighted again. The units of two tiles then differ by an exact power of two. Only a row whose
//! logits are so large that t would lose its fraction (`exponential.rs`) takes a second pass, with its maximum
//! subtracted.

mod edited;
mod excluded;

use super::kernels::BLOCK;
use super::kernels::count::LanesBelow;
use super::kernels::exponential::{ExpParams, TileScale, binary_scale, power};
use super::kernels::lanes::{LANES, Vector};
use super::kernels::maxima::{Extent, Maxima};
use super::kernels::run::Run;
use super::kernels::sums::{SQUARES_UNIT, SumsExtra};
use super::reads::{Pass, count_read};
use super::row::BlockBuffer;
use super::{Scratch, Vocabulary};
use crate::error::Result;
use crate::logits::Row;
use crate::math::exp;
use crate::memory::make_room;
use edited::Edits;
use std::ops::Range;

/// Blocks in a tile, the part of a row that is weighted with one exponent.
const TILE_BLOCKS: usize = 32;

/// Tokens in a tile.
pub(crate) const TILE: usize = TILE_BLOCKS * BLOCK;

/// The sums of a row at one scale.
#[derive(Default)]
pub(super) struct Sums {
    /// The sum of the weights of each lane of each block.
    lanes: Vec<Vector>,
    tiles: Vec<TileSum>,
    /// Subtracted from every logit: the maximum if the logits are too large, else 0.
    shift: f32,
    /// The factor from the last tile's unit to exp((l - max) * scale).
    unit: f64,
    /// What the tiles have besides their totals. (A moment is taken from each tile's own `from`.)
    extra: SumsExtra,
    edits: Edits,
    /// The original lanes of blocks from which tokens are excluded.
    saved: Vec<(usize, Vector)>,
    excluded: Vec<u32>,
    /// A bit for each token, to group many excluded ones.
    marks: Vec<u32>,
    weights: Vec<f32>,
}

/// A tile's sums in the unit of its parameters.
#[derive(Clone, Copy)]
struct TileSum {
    params: ExpParams,
    total: f64,
    /// What the pass found besides; a moment is taken from `from`, above which there is no logit.
    extent: Extent,
    from: f32,
}

impl Scratch {
    /// How a tile of the row that was summed last was weighted.
    pub(crate) fn tile_scale(&self, tile: usize) -> TileScale {
        self.sums.tile_scale(tile)
    }
}

impl Sums {
    /// Reserves what the usual row needs.
    pub(super) fn reserve(&mut self, row: &Row<'_>) -> Result<()> {
        make_room(&mut self.lanes, row.blocks())?;
        make_room(&mut self.tiles, row.blocks().div_ceil(TILE_BLOCKS))?;
        make_room(&mut self.edits.blocks, row.blocks())?;
        make_room(&mut self.saved, row.blocks())?;
        make_room(&mut self.excluded, row.vocab())?;
        make_room(&mut self.marks, row.blocks() * BLOCK / 32)?;
        make_room(&mut self.weights, BLOCK)
    }

    /// The sums are of another row.
    pub(super) fn forget_edits(&mut self) {
        self.edits.clear();
    }

    /// The tokens banned since that are not among the smallest logits.
    pub(super) fn banned(&self) -> usize {
        self.edits.banned()
    }

    /// The factor from a tile's unit to the last tile's.
    fn factor(&self, tile: usize) -> f64 {
        let last = self.tiles.last().map_or(0, |t| t.params.exponent());
        // Exponents do not decrease, but for tiles without a weight.
        let below = last.saturating_sub(self.tiles[tile].params.exponent()).max(0);
        if below < 1000 { power(-below) } else { 0.0 }
    }

    /// The lanes from a block to the end of its tile, and the factor from their unit to exp((l - max) * scale).
    pub(super) fn lanes_from(&self, block: usize) -> (&[Vector], f64) {
        let tile = block / TILE_BLOCKS;
        let end = self.lanes.len().min((tile + 1) * TILE_BLOCKS);
        (&self.lanes[block..end], self.factor(tile) * self.unit)
    }

    fn tile_scale(&self, tile: usize) -> TileScale {
        let params = self.tiles[tile].params;
        TileScale { params, unit: self.factor(tile) * self.unit, shift: self.shift }
    }

    /// The tiles' totals in the last tile's unit.
    fn totals(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        (0..self.tiles.len()).map(|tile| self.tiles[tile].total * self.factor(tile))
    }

    /// Calls `visit(first block, run)` for the logits of some blocks as they were weighted.
    fn for_each_run(
        &self,
        pass: Pass,
        row: &Row<'_>,
        blocks: Range<usize>,
        buffer: &mut BlockBuffer,
        mut visit: impl FnMut(usize, Run<'_>),
    ) {
        if self.shift == 0.0 {
            return row.for_each_run(pass, blocks, buffer, visit);
        }
        blocks.for_each(|block| {
            let run = row.shifted_block(block, self.shift, buffer);
            count_read(pass, run.len());
            visit(block, run);
        });
    }

    /// Calls `visit(first block, run, tile's scale)` for all logits as they were weighted.
    pub(super) fn for_each_tile(
        &self,
        pass: Pass,
        row: &Row<'_>,
        buffer: &mut BlockBuffer,
        mut visit: impl FnMut(usize, Run<'_>, TileScale),
    ) {
        for tile in 0..self.tiles.len() {
            let scale = self.tile_scale(tile);
            self.for_each_run(pass, row, blocks_of(row, tile), buffer, |block, run| visit(block, run, scale));
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
        self.ensure_sums(scale);
        let sums = &self.scratch.sums;
        (sums.totals().sum::<f64>() * sums.unit).max(1.0)
    }

    /// The weight of the lanes of blocks whose maximum is below `low`, and the number of the others.
    pub(super) fn lanes_below(&mut self, low: f32, scale: f64) -> LanesBelow {
        self.ensure_sums(scale);
        let Scratch { maxima, sums, .. } = &*self.scratch;
        let mut all = LanesBelow::default();
        for (tile, (maxima, lanes)) in maxima.chunks(TILE_BLOCKS).zip(sums.lanes.chunks(TILE_BLOCKS)).enumerate() {
            let below = (self.kernels.lanes_below)(maxima, lanes, low);
            all.weight += below.weight * sums.factor(tile);
            all.others += below.others;
        }
        LanesBelow { weight: all.weight * sums.unit, ..all }
    }

    /// The sum of `exp((l - max) * scale) * (l - max)` over the row.
    pub(crate) fn moment(&mut self, scale: f64) -> f64 {
        self.ensure_sums_with(scale, SumsExtra::Moment { from: 0.0 });
        let sums = &self.scratch.sums;
        let max = f64::from(self.max - sums.shift);
        let moments = sums.tiles.iter().enumerate().map(|(tile, sum)| {
            // Both terms are at most zero: nothing cancels.
            (sum.extent.extra + (f64::from(sum.from) - max) * sum.total) * sums.factor(tile)
        });
        let moment = moments.sum::<f64>() * sums.unit;
        // Logits that are far apart at a high temperature are too large for products in f32.
        if moment.is_finite() { moment } else { self.moment_in_f64(scale) }
    }

    /// The sum of `exp((l - max) * scale)^2` over the row: at least 1, the largest token's own.
    pub(crate) fn squares(&mut self, scale: f64) -> f64 {
        self.ensure_sums_with(scale, SumsExtra::Squares);
        let sums = &self.scratch.sums;
        let squares =
            (0..sums.tiles.len()).map(|tile| sums.tiles[tile].extent.extra * sums.factor(tile) * sums.factor(tile));
        (squares.sum::<f64>() / f64::from(SQUARES_UNIT) * sums.unit * sums.unit).max(1.0)
    }

    fn moment_in_f64(&self, scale: f64) -> f64 {
        let max = f64::from(self.max);
        let below = (0..self.row.vocab() as u32).map(|token| f64::from(self.row.logit(token)) - max);
        below.filter(|below| below.is_finite()).map(|below| exp(below * scale) * below).sum()
    }

    /// The token at which the running sum of `exp((l - max) * scale)`, in order of index, first exceeds `u` times the
    /// total; `u` in (0, 1). The cumulative sum is searched by tile, then block, then token.
    pub(crate) fn quantile(&mut self, scale: f64, u: f64) -> u32 {
        // A draw from the whole vocabulary has its support counted, which the smallest logit spares.
        if self.summed_at != Some(scale) {
            self.sum_at(scale, SumsExtra::Min).expect(VALID);
        }
        let sums = &self.scratch.sums;
        let target = u * sums.totals().sum::<f64>();
        let (tile, before) = find_in_cumulative(sums.totals(), target);
        // From here on in the tile's own unit.
        let target = (target - before) / sums.factor(tile);
        let first = tile * TILE_BLOCKS;
        let blocks = sums.lanes[first..].iter().take(TILE_BLOCKS);
        let (block, before) =
            find_in_cumulative(blocks.map(|lanes| (self.kernels.total)(std::slice::from_ref(lanes))), target);
        let block = first + block;
        self.compute_block_weights(block);
        let weights = self.scratch.sums.weights.iter().map(|&w| f64::from(w));
        let (token, _) = find_in_cumulative(weights, target - before);
        (block * BLOCK + token) as u32
    }

    /// The weights of a block, and the factor from their unit to `exp((l - max) * scale)`.
    pub(crate) fn block_weights(&mut self, block: usize, scale: f64) -> (&[f32], f64) {
        self.ensure_sums(scale);
        self.compute_block_weights(block);
        let sums = &self.scratch.sums;
        (&sums.weights, sums.factor(block / TILE_BLOCKS) * sums.unit)
    }

    /// Computes the weights of a block in its tile's unit.
    fn compute_block_weights(&mut self, block: usize) {
        let Self { row, kernels, scratch, .. } = self;
        let mut weights = std::mem::take(&mut scratch.sums.weights);
        let params = scratch.sums.tiles[block / TILE_BLOCKS].params;
        scratch.sums.for_each_run(Pass::Blocks, row, block..block + 1, &mut scratch.block, |_, run| {
            weights.resize(run.len(), 0.0);
            (kernels.weights)(run, params, &mut weights);
        });
        scratch.sums.weights = weights;
    }

    /// Computes the sums at a scale, unless they are those of the last pass.
    pub(super) fn ensure_sums(&mut self, scale: f64) {
        if self.summed_at != Some(scale) {
            self.sum_at(scale, SumsExtra::None).expect(VALID);
        }
    }

    /// The same, with `extra`.
    fn ensure_sums_with(&mut self, scale: f64, extra: SumsExtra) {
        if self.summed_at != Some(scale) || self.scratch.sums.extra != extra {
            self.sum_at(scale, extra).expect(VALID);
        }
    }

    /// Computes maxima, sums and `extra` in one pass. (Where a moment is taken from is chosen for each tile.)
    pub(super) fn sum_at(&mut self, scale: f64, extra: SumsExtra) -> Result<()> {
        let c = binary_scale(scale);
        self.scratch.sums.edits.end();
        self.scratch.sums.lanes.resize(self.row.blocks(), [0.0; LANES]);
        self.scratch.sums.tiles.clear();
        self.scratch.sums.extra = extra;
        if self.sum_tiles(c, extra)? {
            let sums = &mut self.scratch.sums;
            sums.shift = 0.0;
            sums.unit = sums.tiles.last().map_or(0.0, |t| t.params.unit(self.max, c));
        } else {
            self.find_maxima()?;
            self.sum_shifted(c, extra);
        }
        self.summed_at = Some(scale);
        Ok(())
    }

    /// False if a logit is too large to be weighted as it is.
    fn sum_tiles(&mut self, c: f32, extra: SumsExtra) -> Result<bool> {
        let (mut so_far, mut exponents) = (Extent::EMPTY, Exponents::new(c));
        for tile in 0..self.row.blocks().div_ceil(TILE_BLOCKS) {
            let Some(sum) = self.sum_tile(tile, &mut exponents, extra) else { return Ok(false) };
            so_far = so_far.and(sum.extent);
            self.scratch.sums.tiles.push(sum);
        }
        self.set_extent(so_far)?;
        Ok(true)
    }

    /// Sums the tile that follows those with these exponents; none if a logit is too large to be weighted as it is.
    fn sum_tile(&mut self, tile: usize, exponents: &mut Exponents, extra: SumsExtra) -> Option<TileSum> {
        let blocks = blocks_of(&self.row, tile);
        self.scratch.columns[blocks.start / LANES..blocks.end.div_ceil(LANES)].fill([f32::NEG_INFINITY; LANES]);
        let first_max = exponents.is_first().then(|| self.maxima_of(blocks.clone()).max);
        let foreseen = exponents.foreseen(first_max);
        let mut from = first_max.unwrap_or(exponents.max).max(f32::MIN);
        let mut extent = self.sum_blocks(blocks.clone(), foreseen, extra, from);
        let params = exponents.next(foreseen, extent.max)?;
        if params != foreseen || (exponents.max > from && matches!(extra, SumsExtra::Moment { .. })) {
            from = exponents.max;
            extent = self.sum_blocks(blocks.clone(), params, extra, from);
        }
        Some(TileSum { params, total: (self.kernels.total)(&self.scratch.sums.lanes[blocks]), extent, from })
    }

    fn sum_blocks(&mut self, blocks: Range<usize>, params: ExpParams, extra: SumsExtra, from: f32) -> Extent {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { block, maxima, columns, sums, .. } = &mut **scratch;
        let (pass, extra, mut extent) = (pass_of(extra), extra.from(from), Extent::EMPTY);
        row.for_each_run(pass, blocks, block, |first, run| {
            let maxima = Maxima { blocks: &mut maxima[first..], columns, first };
            extent = extent.and((kernels.sums)(run, params, extra, maxima, &mut sums.lanes[first..]));
        });
        extent
    }

    /// With the maximum, which must be known, subtracted from every logit.
    fn sum_shifted(&mut self, c: f32, extra: SumsExtra) {
        let Self { row, kernels, scratch, max, .. } = self;
        let Sums { lanes, tiles, .. } = &mut scratch.sums;
        let (pass, params, extra) = (pass_of(extra), ExpParams::new(0.0, c), extra.from(0.0));
        tiles.clear();
        for (tile, lanes) in lanes.chunks_mut(TILE_BLOCKS).enumerate() {
            let mut extent = Extent::EMPTY;
            for (block, lanes) in (tile * TILE_BLOCKS..).zip(&mut *lanes) {
                let run = row.shifted_block(block, *max, &mut scratch.block);
                count_read(pass, run.len());
                let lanes = std::slice::from_mut(lanes);
                // The maxima of the shifted logits are not used.
                let (mut block, mut column) = ([[0.0; LANES]], [[0.0; LANES]]);
                let unused = Maxima { blocks: &mut block, columns: &mut column, first: 0 };
                extent = extent.and((kernels.sums)(run, params, extra, unused, lanes));
            }
            tiles.push(TileSum { params, total: (kernels.total)(lanes), extent, from: 0.0 });
        }
        (scratch.sums.shift, scratch.sums.unit) = (*max, params.unit(0.0, c));
    }
}

/// The exponents that the tiles of a row are weighted with, one after the other.
#[derive(Clone, Copy)]
struct Exponents {
    c: f32,
    last: Option<ExpParams>,
    max: f32,
}

impl Exponents {
    fn new(c: f32) -> Self {
        Self { c, last: None, max: f32::NEG_INFINITY }
    }

    /// Whether no tile so far had a finite logit.
    fn is_first(&self) -> bool {
        self.last.is_none()
    }

    /// The next tile's, as far as it can be said before its logits are known. `first_max` is its largest logit if it is
    /// the first.
    fn foreseen(&self, first_max: Option<f32>) -> ExpParams {
        self.last.unwrap_or_else(|| {
            // Any exponent will do for a tile without a finite logit.
            let max = first_max.filter(|&max| ExpParams::fits(max, self.c)).unwrap_or(0.0);
            ExpParams::new(max, self.c)
        })
    }

    /// The next tile's, whose largest logit is `tile_max`; none if that is too large to be weighted as it is.
    fn next(&mut self, foreseen: ExpParams, tile_max: f32) -> Option<ExpParams> {
        self.max = self.max.max(tile_max);
        if self.max == f32::NEG_INFINITY {
            return Some(foreseen);
        }
        if !ExpParams::fits(self.max, self.c) {
            return None;
        }
        let has_room = foreseen.has_room_for(self.max, self.c);
        self.last = Some(if has_room { foreseen } else { ExpParams::new(self.max, self.c) });
        self.last
    }
}

const VALID: &str = "the row was valid when it was first read";

fn pass_of(extra: SumsExtra) -> Pass {
    match extra {
        SumsExtra::None => Pass::Total,
        SumsExtra::Min => Pass::TotalAndMin,
        SumsExtra::Moment { .. } => Pass::TotalAndMoment,
        SumsExtra::Squares => Pass::TotalAndSquares,
    }
}

/// The blocks of a tile.
fn blocks_of(row: &Row<'_>, tile: usize) -> Range<usize> {
    tile * TILE_BLOCKS..((tile + 1) * TILE_BLOCKS).min(row.blocks())
}

/// The first part at which the running sum exceeds the target, and the sum before it. If rounding puts the target at the
/// total, the last positive part.
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
