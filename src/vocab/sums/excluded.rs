//! Sums without some of the tokens: the lanes of blocks that they are in are summed again without them.

use super::{Sums, TILE_BLOCKS};
use crate::vocab::kernels::BLOCK;
use crate::vocab::kernels::exponential::ExpParams;
use crate::vocab::kernels::lanes::{LANES, Vector};
use crate::vocab::{Kernels, Vocabulary};

/// From so many excluded tokens on they are grouped by marks instead of a sort.
const MANY_EXCLUDED: usize = 1024;

impl Vocabulary<'_> {
    /// The sum of `exp((l - max) * scale)` over the tokens that are not among `excluded`.
    ///
    /// The total minus the head would have the rounding error of the total (docs/mathematics.md, 8). Instead each lane of
    /// a block that has an excluded token, sixteen tokens, is summed again without it, and all other lanes are used as
    /// they are: nothing cancels.
    pub(crate) fn total_without(&mut self, excluded: impl Iterator<Item = u32>, scale: f64) -> f64 {
        self.ensure_sums(scale);
        self.exclude(excluded);
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

    /// Sums the lanes of some tokens again without the tokens, and saves the original lanes.
    fn exclude(&mut self, tokens: impl Iterator<Item = u32>) {
        let (row, kernels) = (&self.row, self.kernels);
        let Sums { lanes, tiles, shift, saved, excluded, marks, .. } = &mut self.scratch.sums;
        excluded.clear();
        excluded.extend(tokens);
        let mut columns = Columns::new();
        let mut sum_again = |block: usize, lane: usize, without: u16| {
            if saved.last().is_none_or(|&(last, _)| last != block) {
                saved.push((block, lanes[block]));
            }
            if without == u16::MAX {
                lanes[block][lane] = 0.0;
                return;
            }
            let logits = row.column(block, lane);
            columns.add((block, lane), tiles[block / TILE_BLOCKS].params, |v| {
                if without & 1 << v != 0 { f32::NEG_INFINITY } else { logits[v] - *shift }
            });
            if columns.is_full() {
                columns.sum(kernels, lanes);
            }
        };
        if excluded.len() < MANY_EXCLUDED {
            // Groups the tokens of one lane of a block.
            excluded.iter_mut().for_each(|token| *token = by_columns(*token));
            excluded.sort_unstable();
            for tokens in excluded.chunk_by(|a, b| a / LANES as u32 == b / LANES as u32) {
                let (block, lane) = place(by_columns(tokens[0]));
                sum_again(block, lane, tokens.iter().fold(0, |bits, token| bits | 1 << (token % LANES as u32)));
            }
        } else {
            mark(excluded, marks, row.blocks());
            for (block, words) in marks.as_chunks().0.iter().enumerate() {
                for (lane, without) in by_lane(words).into_iter().enumerate().filter(|&(_, without)| without != 0) {
                    sum_again(block, lane, without);
                }
            }
        }
        columns.sum(kernels, lanes);
    }
}

/// Lanes of blocks that are summed again, sixteen at a time.
struct Columns {
    logits: [Vector; BLOCK / LANES],
    params: [ExpParams; LANES],
    places: [(usize, usize); LANES],
    len: usize,
}

impl Columns {
    fn new() -> Self {
        Self {
            logits: [[f32::NEG_INFINITY; LANES]; BLOCK / LANES],
            params: [ExpParams::NONE; LANES],
            places: [(0, 0); LANES],
            len: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.len == LANES
    }

    /// Adds the lane of a block whose token `v` has this logit.
    fn add(&mut self, place: (usize, usize), params: ExpParams, logit: impl Fn(usize) -> f32) {
        let at = self.len;
        for (v, logits) in self.logits.iter_mut().enumerate() {
            logits[at] = logit(v);
        }
        (self.params[at], self.places[at]) = (params, place);
        self.len += 1;
    }

    /// Writes the sums to their places, and begins again. (Columns that were not added since have old logits.)
    fn sum(&mut self, kernels: &Kernels, lanes: &mut [Vector]) {
        let mut sums = [0.0; LANES];
        (kernels.column_weights)(&self.logits, &self.params, &mut sums);
        for (&(block, lane), sum) in self.places[..self.len].iter().zip(sums) {
            lanes[block][lane] = sum;
        }
        self.len = 0;
    }
}

/// A token's number if those of each lane of a block were numbered on end; and back.
fn by_columns(token: u32) -> u32 {
    const { assert!(BLOCK == LANES * LANES) };
    let (lanes, block) = (LANES as u32, BLOCK as u32);
    token / block * block + token % lanes * lanes + token % block / lanes
}

/// The block and the lane of a token.
fn place(token: u32) -> (usize, usize) {
    (token as usize / BLOCK, token as usize % LANES)
}

/// Sets a bit for each token.
fn mark(tokens: &[u32], marks: &mut Vec<u32>, blocks: usize) {
    marks.clear();
    marks.resize(blocks * BLOCK / 32, 0);
    // Neighbours often follow each other: their word is written once.
    let (mut at, mut word) = (0, 0);
    for &token in tokens {
        if token as usize / 32 != at {
            marks[at] |= word;
            (at, word) = (token as usize / 32, 0);
        }
        word |= 1 << (token % 32);
    }
    marks[at] |= word;
}

/// The bits of a block's tokens, lane by lane.
fn by_lane(words: &[u32; BLOCK / 32]) -> [u16; LANES] {
    const { assert!(BLOCK == LANES * 16 && LANES == 16) };
    let mut lanes = [0; LANES];
    for row in 0..BLOCK / LANES {
        let bits = (words[row / 2] >> (16 * (row % 2))) as u16;
        for (lane, of_lane) in lanes.iter_mut().enumerate() {
            *of_lane |= if bits & 1 << lane != 0 { 1 << row } else { 0 };
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    #[test]
    fn by_columns_numbers_the_tokens_of_a_lane_on_end() {
        for token in [0, 1, 15, 16, 255, 256, 5000, 70_001] {
            let (number, lanes) = (by_columns(token), LANES as u32);
            assert_eq!(by_columns(number), token);
            assert_eq!(number / BLOCK as u32, token / BLOCK as u32);
            assert_eq!((number / lanes % lanes, number % lanes), (token % lanes, token / lanes % lanes));
        }
    }

    #[test]
    fn marks_group_tokens_by_lane() {
        let (mut random, mut marks) = (Lcg::new(5), vec![]);
        for vocab in [1, BLOCK, 5 * BLOCK + 3, 20_000] {
            for share in [0.01, 0.5, 1.0] {
                let mut tokens: Vec<u32> = (0..vocab as u32).filter(|_| random.unit() < share).collect();
                let mut expected = vec![[0u16; LANES]; vocab.div_ceil(BLOCK)];
                for &token in &tokens {
                    let (block, lane) = place(token);
                    expected[block][lane] |= 1 << (token as usize % BLOCK / LANES);
                }
                // In any order.
                tokens.sort_unstable_by_key(|token| token % 7);
                mark(&tokens, &mut marks, expected.len());
                let found: Vec<_> = marks.as_chunks().0.iter().map(by_lane).collect();
                assert_eq!(found, expected);
            }
        }
    }
}
