//! The noise of a whole vocabulary's tokens, and the search for those that can win with it.

use super::Vocabulary;
use super::kernels::lanes::LANES;
use super::kernels::noise::{NoiseMatch, NoiseWords};
use super::kernels::{BLOCK, ROWS};
use crate::random::Stream;
use std::ops::Range;

impl Vocabulary<'_> {
    /// A block with the largest logit.
    pub(crate) fn block_of_max(&mut self) -> usize {
        let Self { kernels, scratch, max, .. } = self;
        scratch.blocks.clear();
        (kernels.blocks_at_least)(&scratch.maxima, &scratch.columns, *max, &mut scratch.blocks);
        scratch.blocks.first().map_or(0, |&block| block as usize)
    }

    /// The words of a block's tokens.
    pub(crate) fn noise_words(&self, block: usize, stream: &Stream, out: &mut NoiseWords) {
        (self.kernels.noise_words)(stream, (block * BLOCK) as u32, out);
    }

    /// Calls `visit(token, word)` for the tokens of some block whose word is at most `exp((l - max) * scale)` times
    /// `limit`, and for some others; returns where to go on. There are none in the blocks before that one, but for
    /// tokens whose weight is too small for f32. The limit has to leave room for the rounding of weights: 1e-4 of it.
    pub(crate) fn search_noise(
        &mut self,
        blocks: Range<usize>,
        stream: &Stream,
        scale: f64,
        limit: f64,
        mut visit: impl FnMut(u32, u32),
    ) -> usize {
        self.weigh(scale);
        let mut words = [[0; LANES]; ROWS];
        let mut from = blocks.start;
        while from < blocks.end {
            let (sums, unit) = self.scratch.sums.lanes_from(from);
            let sums = &sums[..sums.len().min(blocks.end - from)];
            // Too small for f32 it is too small for any word but 0, which is at most what it becomes.
            let limit = (limit * unit) as f32;
            let first = (from * BLOCK) as u32;
            match (self.kernels.search_noise)(stream, first, sums, limit, &mut words) {
                None => from += sums.len(),
                Some(NoiseMatch { block, lanes }) => {
                    let end = self.row.vocab() as u32;
                    for lane in (0..LANES).filter(|lane| lanes >> lane & 1 == 1) {
                        let bound = sums[block][lane] * limit;
                        let tokens = (first + (block * BLOCK + lane) as u32..end).step_by(LANES);
                        for (token, words) in tokens.zip(&words).filter(|(_, words)| words[lane] as f32 <= bound) {
                            visit(token, words[lane]);
                        }
                    }
                    return from + block + 1;
                }
            }
        }
        blocks.end
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Vector, levels};
    use super::*;

    /// Sums of which a word is below its bound in every fourth block or so, and some blocks without any.
    #[test]
    fn a_search_ends_where_it_should() {
        let (stream, limit) = (Stream::new([7, 1], [2, 0, 1]), 2f32.powi(21));
        let sums: Vec<Vector> = (0..90u32)
            .map(|block| {
                std::array::from_fn(|lane| if block % 7 == 3 { 0.0 } else { (lane as u32 * block % 5) as f32 })
            })
            .collect();
        for level in levels() {
            let (mut words, mut from, mut found) = (NoiseWords::default(), 0, vec![]);
            while let Some(NoiseMatch { block, lanes }) =
                (level.search_noise)(&stream, (from * BLOCK) as u32, &sums[from..], limit, &mut words)
            {
                found.push((from + block, lanes));
                from += block + 1;
            }
            let mut expected = vec![];
            for (block, sums) in sums.iter().enumerate().filter(|(_, sums)| **sums != [0.0; LANES]) {
                (level.noise_words)(&stream, (block * BLOCK) as u32, &mut words);
                let is_below = |lane: &usize| words.iter().any(|words| words[*lane] as f32 <= sums[*lane] * limit);
                match (0..LANES).filter(is_below).fold(0, |lanes, lane| lanes | 1 << lane) {
                    0 => {}
                    lanes => expected.push((block, lanes)),
                }
            }
            assert!(expected.len() > 5 && expected.len() < 60, "{}", expected.len());
            assert_eq!(found, expected, "{:?}", level.level);
        }
    }
}
