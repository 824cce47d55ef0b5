//! The search for the tokens of a whole vocabulary that can win with Gumbel noise.

use super::Vocabulary;
use super::kernels::lanes::LANES;
use super::kernels::noise::NoiseMatch;
use super::kernels::words::NoiseWords;
use super::kernels::{BLOCK, ROWS};
use crate::random::Stream;
use std::ops::Range;

impl Vocabulary<'_> {
    /// The first block that has the largest logit.
    pub(crate) fn block_of_max(&mut self) -> usize {
        let Self { kernels, scratch, max, .. } = self;
        scratch.blocks.clear();
        (kernels.blocks_at_least)(&scratch.maxima, &scratch.columns, *max, &mut scratch.blocks);
        scratch.blocks.first().map_or(0, |&block| block as usize)
    }

    /// Writes the random words of a block's tokens.
    pub(crate) fn noise_words(&self, block: usize, stream: &Stream, out: &mut NoiseWords) {
        (self.kernels.noise_words)(stream, (block * BLOCK) as u32, out);
    }

    /// Searches blocks, up to the first that has a token whose random word is at most `exp((l - max) * scale)` times
    /// `limit`; calls `visit(token, word)` for the block's tokens for which that may hold. Returns the block after it, or
    /// the end of `blocks`. Tokens whose weight underflows in f32 may be missed. `limit` must include 1e-4 of slack for
    /// the rounding of weights.
    pub(crate) fn search_noise(
        &mut self,
        blocks: Range<usize>,
        stream: &Stream,
        scale: f64,
        limit: f64,
        mut visit: impl FnMut(u32, u32),
    ) -> usize {
        self.ensure_sums(scale);
        let mut words = [[0; LANES]; ROWS];
        let mut from = blocks.start;
        while from < blocks.end {
            let (sums, unit) = self.scratch.sums.lanes_from(from);
            let sums = &sums[..sums.len().min(blocks.end - from)];
            // If the product underflows to 0, only a word of 0 passes, as it should.
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
    use super::super::kernels::lanes::Vector;
    use super::super::levels;
    use super::*;
    use crate::random::{Noise, TokenNoise};

    #[test]
    fn noise_words_equal_the_scalar_generator() {
        for (seed, position) in [(0, 0), (u64::MAX, u64::MAX), (5, 1 << 40)] {
            let noise = Noise::new(seed, position);
            for (first, level) in [0, 1024, 0x7fff_ff00].into_iter().flat_map(|f| levels().iter().map(move |l| (f, l)))
            {
                let mut words = NoiseWords::default();
                (level.noise_words)(&noise.words(), first, &mut words);
                assert!((first..).zip(words.as_flattened()).all(|(token, &w)| w == noise.high(token)));
            }
        }
    }

    #[test]
    fn search_noise_finds_exactly_the_lanes_below_their_bound() {
        let (stream, limit) = (Stream::new([7, 1], [2, 0, 1]), 2f32.powi(21));
        // About every fourth block has a word below its bound; some blocks have no positive sum.
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
