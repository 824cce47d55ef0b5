//! Sums of a row that differs in a few tokens from the one that was summed before: only their blocks are read, and the tiles
//! that have another exponent now.

use super::{Exponents, Sums, TILE_BLOCKS, TileSum, blocks_of};
use crate::error::Result;
use crate::logits::Row;
use crate::vocab::Vocabulary;
use crate::vocab::kernels::BLOCK;
use crate::vocab::kernels::exponential::{ExpParams, binary_scale};
use crate::vocab::kernels::lanes::{LANES, Vector};
use crate::vocab::kernels::maxima::Extent;
use crate::vocab::kernels::sums::SumsExtra;

/// From more edited blocks on, each of which is a pass of its own, summing their tile is faster.
const MOST_EDITED: usize = TILE_BLOCKS / 4;

/// The edits since the row was summed.
#[derive(Default)]
pub(super) struct Edits {
    /// The scale (1/T) of the sums; none if they are not of such a row.
    summed_at: Option<f64>,
    /// The edited blocks, ascending.
    pub(super) blocks: Vec<u32>,
    /// The tokens that were banned. They are not among the smallest logits.
    banned: usize,
    /// The smallest logit of the others.
    min: f32,
}

impl Edits {
    /// The sums are now of the row as it is, or of no row.
    pub(super) fn end(&mut self) {
        self.summed_at = None;
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        (self.summed_at, self.banned, self.min) = (None, 0, f32::INFINITY);
    }

    pub(super) fn banned(&self) -> usize {
        self.banned
    }
}

impl<'r> Vocabulary<'r> {
    /// Replaces the row by one in which these tokens, which ascend and were not banned, have other logits. It must be read
    /// again; a pass for what is known of the row before reads little more than these tokens' blocks.
    pub(crate) fn replace_edited(&mut self, row: Row<'r>, tokens: &[u32]) {
        self.row = row;
        let edits = &mut self.scratch.sums.edits;
        edits.summed_at = self.summed_at.take();
        edits.blocks.clear();
        // Both ascend: no search for each token.
        let mut in_order = row.edits().iter();
        for &token in tokens {
            let edit = in_order.find(|&&(edited, _)| edited == token);
            match edit.map_or_else(|| row.logit(token), |&(_, logit)| logit) {
                f32::NEG_INFINITY => edits.banned += 1,
                logit => edits.min = edits.min.min(logit),
            }
            let block = token / BLOCK as u32;
            if edits.blocks.last() != Some(&block) {
                edits.blocks.push(block);
            }
        }
    }

    /// Brings the sums at a scale, of the row before its tokens were edited, up to date, with the bits of a pass over the
    /// whole row. (The smallest logit may be taken lower than it is, and does without the banned tokens.) False if the whole
    /// row has to be read.
    pub(in crate::vocab) fn sum_edited(&mut self, scale: f64, extra: SumsExtra) -> Result<bool> {
        let Sums { edits, extra: known, shift, .. } = &mut self.scratch.sums;
        // A moment or squares are not known block by block.
        let is_known = extra == SumsExtra::Min && *known == extra
            || extra == SumsExtra::None && matches!(known, SumsExtra::None | SumsExtra::Min);
        if edits.summed_at.take() != Some(scale) || !is_known || *shift != 0.0 {
            return Ok(false);
        }
        let known = *known;
        let (mut so_far, mut exponents) = (Extent::EMPTY, Exponents::new(binary_scale(scale)));
        let edited = std::mem::take(&mut self.scratch.sums.edits.blocks);
        let mut left = &*edited;
        for tile in 0..self.scratch.sums.tiles.len() {
            let (here, others) = left.split_at(left.partition_point(|&block| block as usize / TILE_BLOCKS <= tile));
            left = others;
            let before = self.scratch.sums.tiles[tile].extent;
            let sum = self.patch_tile(tile, here, &mut exponents, known);
            let Some(mut sum) = sum.or_else(|| self.sum_tile(tile, &mut exponents, known)) else { break };
            sum.extent.min = before.min;
            so_far = so_far.and(sum.extent);
            self.scratch.sums.tiles[tile] = sum;
        }
        self.scratch.sums.edits.blocks = edited;
        if !ExpParams::fits(exponents.max, exponents.c) {
            return Ok(false);
        }
        so_far.min = so_far.min.min(self.scratch.sums.edits.min);
        self.set_extent(so_far)?;
        let sums = &mut self.scratch.sums;
        sums.unit = sums.tiles.last().map_or(0.0, |t| t.params.unit(self.max, exponents.c));
        self.summed_at = Some(scale);
        Ok(true)
    }

    /// Sums the edited blocks of a tile again; none if the whole tile has to be: if another exponent follows those of the
    /// tiles before it, or if too many blocks were edited.
    fn patch_tile(
        &mut self,
        tile: usize,
        edited: &[u32],
        exponents: &mut Exponents,
        extra: SumsExtra,
    ) -> Option<TileSum> {
        let mut sum = self.scratch.sums.tiles[tile];
        let is_known_to_differ = !exponents.is_first() && exponents.foreseen(None) != sum.params;
        if edited.len() > MOST_EDITED || is_known_to_differ && !edited.is_empty() {
            return None;
        }
        for block in edited.iter().map(|&block| block as usize) {
            sum.extent = sum.extent.and(self.sum_blocks(block..block + 1, sum.params, extra, sum.from));
        }
        if !edited.is_empty() {
            let (blocks, scratch) = (blocks_of(&self.row, tile), &mut *self.scratch);
            sum.total = (self.kernels.total)(&scratch.sums.lanes[blocks.clone()]);
            let mut largest = [f32::NEG_INFINITY; LANES];
            let columns = &mut scratch.columns[blocks.start / LANES..];
            for (maxima, column) in scratch.maxima[blocks].chunks(LANES).zip(columns) {
                *column = maxima.iter().fold([f32::NEG_INFINITY; LANES], larger);
                largest = larger(largest, column);
            }
            sum.extent.max = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
        }
        let mut after = *exponents;
        let foreseen = after.foreseen(after.is_first().then_some(sum.extent.max));
        let is_same = after.next(foreseen, sum.extent.max) == Some(sum.params);
        is_same.then(|| {
            *exponents = after;
            sum
        })
    }
}

fn larger(a: Vector, b: &Vector) -> Vector {
    std::array::from_fn(|lane| a[lane].max(b[lane]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::merge;
    use crate::testing::Lcg;
    use crate::vocab::{FirstPass, Scratch, levels};

    /// All that a pass leaves, but the smallest logits, as bits.
    fn state(vocab: &Vocabulary<'_>) -> (Vec<u32>, Vec<u64>) {
        let Scratch { maxima, columns, sums, .. } = &*vocab.scratch;
        let vectors = maxima.iter().chain(columns).chain(&sums.lanes);
        let tiles = sums.tiles.iter().flat_map(|t| [t.total.to_bits(), u64::from(t.extent.max.to_bits())]);
        let exponents = sums.tiles.iter().map(|t| t.params.exponent() as u64);
        let row = [sums.unit.to_bits(), u64::from(vocab.max.to_bits()), u64::from(vocab.in_order)];
        (vectors.flatten().map(|lane| lane.to_bits()).collect(), tiles.chain(exponents).chain(row).collect())
    }

    /// Edits that leave the exponents as they are and others that do not, in the first tile, the last, and elsewhere.
    #[test]
    fn sums_of_an_edited_row_have_the_bits_of_a_whole_pass() {
        const V: usize = 5 * TILE_BLOCKS * BLOCK + 777;
        let exponents = |vocab: &Vocabulary<'_>| -> Vec<i32> {
            vocab.scratch.sums.tiles.iter().map(|t| t.params.exponent()).collect()
        };
        let (mut random, mut same, mut others) = (Lcg::new(17), 0, 0);
        for case in 0..60 {
            let spike = if case % 3 == 0 { 25.0 } else { 0.0 };
            let mut row: Vec<f32> = (0..V).map(|_| (10.0 * random.unit() - 5.0) as f32).collect();
            let tokens = |random: &mut Lcg, n: usize| {
                let mut tokens: Vec<u32> = (0..n).map(|_| (random.unit() * V as f64) as u32).collect();
                tokens.sort_unstable();
                tokens.dedup();
                tokens
            };
            let n = [1, 7, 300][case % 3];
            let before = tokens(&mut random, 5);
            let edited = tokens(&mut random, n);
            row[edited[0] as usize] += spike;
            let less = [0.7, 30.0, f32::INFINITY, -40.0][case % 4];
            let first: Vec<(u32, f32)> = before.iter().map(|&t| (t, -1.5)).collect();
            let mut both = vec![];
            merge(&first, edited.iter().map(|&t| (t, row[t as usize] - less)), &mut both);
            for kernels in levels() {
                for pass in [FirstPass::Total, FirstPass::TotalAndMin] {
                    let (mut scratch, mut fresh) = (Scratch::new(), Scratch::new());
                    let row = Row::from_f32(&row).unwrap();
                    let mut vocab = Vocabulary::new(row.with_edits(&first), kernels, &mut scratch);
                    vocab.read(FirstPass::TotalAndMin, 1.25).unwrap();
                    vocab.replace_edited(row.with_edits(&both), &edited);
                    let before = exponents(&vocab);
                    vocab.read(pass, 1.25).unwrap();
                    assert_eq!(vocab.scratch.sums.extra, SumsExtra::Min, "brought up to date");
                    *(if exponents(&vocab) == before { &mut same } else { &mut others }) += 1;
                    let mut whole = Vocabulary::new(row.with_edits(&both), kernels, &mut fresh);
                    whole.read(pass, 1.25).unwrap();
                    assert!(state(&vocab) == state(&whole), "case {case}");
                    let least =
                        (0..V as u32).map(|t| vocab.row.logit(t)).filter(|l| l.is_finite()).fold(f32::MAX, f32::min);
                    assert!(vocab.min <= least);
                    for low in [-1e9, -5.0, vocab.max] {
                        assert_eq!(vocab.count(low), whole.count(low));
                    }
                }
            }
        }
        assert!(same > 30 && others > 30, "exponents: {same} the same, {others} others");
    }
}
