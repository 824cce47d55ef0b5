//! Weights added up: totals, tails, the draw from the whole vocabulary.
//!
//! A row is weighed tile by tile, in the pass that finds its maxima, against the largest logit seen so far; a tile that
//! brings a much larger one is weighed again. Sums of different tiles then differ in their unit by a power of two,
//! exactly. Only a row with logits so large that t would lose its fraction is weighed in a second pass, less its maximum.

use super::exponential::{LARGEST_EXPONENT, Weighting, binary_scale, power};
use super::{LANES, Run, Vector, Vocabulary, place};
use crate::error::Result;
use crate::logits::{BLOCK, Row, TILE_BLOCKS, Tile};

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
    /// The lanes as they were, while tokens are left out.
    saved: Vec<(usize, Vector)>,
    left_out: Vec<u32>,
    weights: Vec<f32>,
}

/// A tile's total, in the unit of its weighting; 0 where no token has a weight.
#[derive(Clone, Copy)]
struct TileSum {
    weighting: Weighting,
    total: f64,
}

impl Sums {
    /// What brings a tile's unit to the last tile's.
    fn factor(&self, tile: usize) -> f64 {
        let last = self.tiles.last().map_or(0, |t| t.weighting.exponent());
        // Never negative but for a tile without weight.
        let below = last.saturating_sub(self.tiles[tile].weighting.exponent()).max(0);
        if below < 1000 { power(-below) } else { 0.0 }
    }

    /// The tiles' totals, in the last one's unit.
    fn in_tiles(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        (0..self.tiles.len()).map(|tile| self.tiles[tile].total * self.factor(tile))
    }

    /// The logits that were weighed.
    fn run<'t>(&self, row: &'t Row<'_>, block: usize, n: usize, memory: &'t mut Tile) -> Run<'t> {
        if self.shift == 0.0 { row.run(block, n, memory) } else { row.shifted_run(block, n, self.shift, memory) }
    }
}

impl Vocabulary<'_> {
    /// The sum of `exp((l - max) * scale)` over the row.
    pub(crate) fn total(&mut self, scale: f64) -> f64 {
        self.weigh(scale);
        let sums = &self.scratch.sums;
        sums.in_tiles().sum::<f64>() * sums.unit
    }

    /// The sum of `exp((l - max) * scale)` over the tokens that are not among `excluded`.
    ///
    /// MATH.md, 8: a tail taken as 1 minus the head would carry the rounding of the whole sum. Here the lanes that hold
    /// an excluded token, sixteen tokens each, are summed again without it, and the others are taken as they are:
    /// nothing cancels.
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
            let mut weights = [0.0; LANES];
            (kernels.weights)(Run::plain(&column), sums.tiles[block / TILE_BLOCKS].weighting, &mut weights);
            sums.lanes[block][lane] = weights.iter().map(|&w| f64::from(w)).sum::<f64>() as f32;
        }
    }

    /// The sum of `exp((l - max) * scale) * (l - max)` over the row.
    pub(crate) fn moment(&mut self, scale: f64) -> f64 {
        self.weigh(scale);
        let Self { row, kernels, scratch, max, .. } = self;
        let sums = &scratch.sums;
        let mut total = 0.0;
        for tile in 0..sums.tiles.len() {
            let run = sums.run(row, tile * TILE_BLOCKS, TILE_BLOCKS, &mut scratch.tile);
            total += (kernels.moment)(run, sums.tiles[tile].weighting, *max - sums.shift) * sums.factor(tile);
        }
        total * sums.unit
    }

    /// The token at which the running sum of `exp((l - max) * scale)`, in order of index, first exceeds `u` times the
    /// total; `u` in (0, 1). No array of probabilities is built: the sums lead to the tile and the block.
    pub(crate) fn quantile(&mut self, scale: f64, u: f64) -> u32 {
        self.weigh(scale);
        let sums = &self.scratch.sums;
        let target = u * sums.in_tiles().sum::<f64>();
        let (tile, before) = reach(sums.in_tiles(), target);
        // From here on in the tile's own unit.
        let target = (target - before) / sums.factor(tile);
        let first = tile * TILE_BLOCKS;
        let blocks = sums.lanes[first..].iter().take(TILE_BLOCKS);
        let (block, before) = reach(blocks.map(|lanes| (self.kernels.total)(std::slice::from_ref(lanes))), target);
        let block = first + block;
        self.weigh_block(block);
        let weights = self.scratch.sums.weights.iter().map(|&w| f64::from(w));
        let (token, _) = reach(weights, target - before);
        (block * BLOCK + token) as u32
    }

    /// Calls `visit(index, exp((l - max) * scale))` for every token in order of index.
    pub(crate) fn for_each_weight(&mut self, scale: f64, mut visit: impl FnMut(usize, f64)) {
        self.weigh(scale);
        for block in 0..self.row.blocks() {
            self.weigh_block(block);
            let sums = &self.scratch.sums;
            let unit = sums.factor(block / TILE_BLOCKS) * sums.unit;
            for (i, &w) in sums.weights.iter().enumerate() {
                visit(block * BLOCK + i, f64::from(w) * unit);
            }
        }
    }

    /// The weights of a block, in its tile's unit.
    fn weigh_block(&mut self, block: usize) {
        let Self { row, kernels, scratch, .. } = self;
        let mut weights = std::mem::take(&mut scratch.sums.weights);
        let run = scratch.sums.run(row, block, 1, &mut scratch.tile);
        weights.resize(run.len(), 0.0);
        (kernels.weights)(run, scratch.sums.tiles[block / TILE_BLOCKS].weighting, &mut weights);
        scratch.sums.weights = weights;
    }

    /// Makes sure of the sums at a scale; the row was found valid when it was opened.
    fn weigh(&mut self, scale: f64) {
        if self.summed_at != Some(scale) {
            self.sum_at(scale).expect("the row was valid when it was opened");
        }
    }

    /// The pass that finds maxima and sums together.
    pub(super) fn sum_at(&mut self, scale: f64) -> Result<()> {
        let c = binary_scale(scale);
        self.scratch.sums.lanes.resize(self.row.blocks(), [0.0; LANES]);
        self.scratch.sums.tiles.clear();
        if self.sum_tiles(c)? {
            let sums = &mut self.scratch.sums;
            sums.shift = 0.0;
            sums.unit = sums.tiles.last().map_or(0.0, |t| t.weighting.unit(self.max, c));
        } else {
            self.find_maxima()?;
            self.sum_shifted(c);
        }
        self.summed_at = Some(scale);
        Ok(())
    }

    /// False if a logit is too large for it.
    fn sum_tiles(&mut self, c: f32) -> Result<bool> {
        let is_too_large = |max: f32| f64::from(max).abs() * f64::from(c) > LARGEST_EXPONENT;
        let Self { row, kernels, scratch, .. } = self;
        let sums = &mut scratch.sums;
        let (mut max, mut min, mut ordered) = (f32::NEG_INFINITY, f32::INFINITY, true);
        let mut weighting = None;
        for (tile, maxima) in scratch.maxima.chunks_mut(TILE_BLOCKS).enumerate() {
            let run = row.run(tile * TILE_BLOCKS, TILE_BLOCKS, &mut scratch.tile);
            let lanes = &mut sums.lanes[tile * TILE_BLOCKS..][..maxima.len()];
            let mut used = match weighting {
                Some(weighting) => weighting,
                None => {
                    max = (kernels.maxima)(run, maxima).max;
                    // Without a logit that weighs anything, any exponent will do.
                    Weighting::new(if is_too_large(max) { 0.0 } else { max }, c)
                }
            };
            let mut extent = (kernels.sums)(run, used, maxima, lanes);
            max = max.max(extent.max);
            if max > f32::NEG_INFINITY {
                if is_too_large(max) {
                    return Ok(false);
                }
                if !used.has_room_for(max, c) {
                    used = Weighting::new(max, c);
                    extent = (kernels.sums)(run, used, maxima, lanes);
                }
                weighting = Some(used);
            }
            min = min.min(extent.min);
            ordered &= extent.ordered;
            sums.tiles.push(TileSum { weighting: used, total: (kernels.total)(lanes) });
        }
        (self.max, self.min) = (max, min);
        self.refuse_unless(ordered && max < f32::INFINITY)?;
        Ok(true)
    }

    /// With every logit less the maximum, which is known.
    fn sum_shifted(&mut self, c: f32) {
        let Self { row, kernels, scratch, max, .. } = self;
        let sums = &mut scratch.sums;
        let weighting = Weighting::new(0.0, c);
        (sums.shift, sums.unit) = (*max, weighting.unit(0.0, c));
        sums.tiles.clear();
        for (tile, lanes) in sums.lanes.chunks_mut(TILE_BLOCKS).enumerate() {
            let run = row.shifted_run(tile * TILE_BLOCKS, TILE_BLOCKS, *max, &mut scratch.tile);
            let mut maxima = [[0.0; LANES]; TILE_BLOCKS];
            (kernels.sums)(run, weighting, &mut maxima[..lanes.len()], lanes);
            sums.tiles.push(TileSum { weighting, total: (kernels.total)(lanes) });
        }
    }
}

/// The first part at which the running sum exceeds the target, and the sum before it. Rounding may leave the target at
/// the total: then the last part with any weight has it.
fn reach(parts: impl Iterator<Item = f64>, target: f64) -> (usize, f64) {
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
