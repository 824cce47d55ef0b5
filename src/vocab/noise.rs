//! Noise for a whole vocabulary: the words of a counter-based generator, and the tokens that could win with them.
//!
//! The generator is Philox4x32-10, whose counter begins with a quarter of the token's index: four tokens share a block of
//! four words. Ten rounds of two multiplications, two shifts and two exclusive-ors make the words of as many counters as
//! there are 64-bit lanes, so that sixteen words take about 31 instructions. Nothing saves a token its word: with a word
//! of 0 any weight may win.
//!
//! But no weight is looked at again. A word that is too large for the sum of the weights of its lane, which the first pass
//! left behind, is too large for the token's own weight; so one bound for each lane of a block, compared with the least
//! word in it, is all that most blocks take.

use super::Vocabulary;
use super::lanes::{LANES, Lanes, Vector};
use super::passes::ROWS;
use crate::logits::BLOCK;
use std::ops::Range;

/// Philox's multipliers, and what is added to its keys from round to round (Salmon et al., SC 2011).
const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// Words in a block of the generator.
const WORDS: usize = 4;

/// A word for each token of a block.
pub(crate) type Noises = [[u32; LANES]; ROWS];

/// Numbers of 32 bits, side by side: the same word of the generator's block for so many counters.
pub(super) trait Words: Copy {
    /// How many: as many as are worked on at once, so that none waits for another. A multiple of 4.
    const COUNTERS: usize;

    fn splat(x: u32) -> Self;
    /// The numbers from `first` on.
    fn consecutive(first: u32) -> Self;
    /// The upper and the lower half of the product.
    fn multiply(self, factor: u32) -> (Self, Self);
    /// `self ^ key`.
    fn xor(self, key: u32) -> Self;
    /// `self ^ other ^ key`.
    fn mix(self, other: Self, key: u32) -> Self;
    /// Writes the words of each counter beside each other, counter by counter.
    fn store(words: [Self; WORDS], out: &mut [[u32; LANES]]);
    /// The least word of each lane.
    fn least(words: &Noises) -> [u32; LANES];
}

/// The words that belong to the tokens at one position of a sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    /// The counter's other words.
    counter: [u32; WORDS - 1],
    keys: [[u32; 2]; ROUNDS],
}

impl Stream {
    pub(crate) fn new(key: [u32; 2], counter: [u32; WORDS - 1]) -> Self {
        let key_of = |round: usize| std::array::from_fn(|i| key[i].wrapping_add(WEYL[i].wrapping_mul(round as u32)));
        Self { counter, keys: std::array::from_fn(key_of) }
    }

    /// The block of the generator for each of the counters.
    #[inline(always)]
    fn blocks<W: Words>(&self, counters: W) -> [W; WORDS] {
        let ([low, high, which], [first, second, rest @ ..]) = (self.counter, &self.keys);
        let halves = |x: u32, i: usize| {
            let product = u64::from(x) * u64::from(MULTIPLIERS[i]);
            ((product >> 32) as u32, product as u32)
        };
        // Three of the counter's words are the same for all, and so is half of what two rounds do with them.
        let (upper, same_1) = halves(high, 1);
        let (same_upper, same_3) = halves(upper ^ low ^ first[0], 0);
        let (upper, lower) = counters.multiply(MULTIPLIERS[0]);
        let (c2, c3) = (upper.xor(which ^ first[1]), lower);
        let (upper, lower) = c2.multiply(MULTIPLIERS[1]);
        let mut words = [upper.xor(same_1 ^ second[0]), lower, c3.xor(same_upper ^ second[1]), W::splat(same_3)];
        for key in rest {
            let [c0, c1, c2, c3] = words;
            let ((upper_0, lower_0), (upper_2, lower_2)) = (c0.multiply(MULTIPLIERS[0]), c2.multiply(MULTIPLIERS[1]));
            words = [upper_2.mix(c1, key[0]), lower_2, upper_0.mix(c3, key[1]), lower_0];
        }
        words
    }
}

/// The words of a block of tokens, the first of which is `first`.
#[inline(always)]
pub(super) fn noises<L: Lanes>(stream: &Stream, first: u32, out: &mut Noises) {
    let mut counter = first / WORDS as u32;
    for out in out.chunks_exact_mut(L::Words::COUNTERS * WORDS / LANES) {
        L::Words::store(stream.blocks(L::Words::consecutive(counter)), out);
        counter += L::Words::COUNTERS as u32;
    }
}

/// Where a search ended: in this block, because of these lanes, one bit each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reached {
    block: usize,
    lanes: u32,
}

/// The first of the blocks with a lane of which a word is at most its sum times `limit`, and the words of that block;
/// a block of which no sum is positive is passed over. `first` is the first block's first token.
#[inline(always)]
pub(super) fn search<L: Lanes>(
    stream: &Stream,
    first: u32,
    sums: &[Vector],
    limit: f32,
    out: &mut Noises,
) -> Option<Reached> {
    let (nothing, limit) = (L::splat(0.0), L::splat(limit));
    for (block, sums) in sums.iter().enumerate() {
        let sums = L::load(sums);
        if L::bits(nothing.lt(sums)) == 0 {
            continue;
        }
        noises::<L>(stream, first + (block * BLOCK) as u32, out);
        let least = L::Words::least(out);
        let lanes = L::bits(sums.mul(limit).ge(L::load(&least.map(|word| word as f32))));
        if lanes != 0 {
            return Some(Reached { block, lanes });
        }
    }
    None
}

impl Vocabulary<'_> {
    /// A block with the largest logit.
    pub(crate) fn first_block(&mut self) -> usize {
        let Self { kernels, scratch, max, .. } = self;
        scratch.blocks.clear();
        (kernels.reaching)(&scratch.maxima, &scratch.columns, *max, &mut scratch.blocks);
        scratch.blocks.first().map_or(0, |&block| block as usize)
    }

    /// The words of a block's tokens.
    pub(crate) fn noises(&self, block: usize, stream: &Stream, out: &mut Noises) {
        (self.kernels.noises)(stream, (block * BLOCK) as u32, out);
    }

    /// Calls `visit(token, word)` for the tokens of some block whose word is at most `exp((l - max) * scale)` times
    /// `limit`, and for some others; returns where to go on. There are none in the blocks before that one, but for tokens
    /// whose weight is too small for f32. The limit has to leave room for the rounding of weights: 1e-4 of it.
    pub(crate) fn search(
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
            match (self.kernels.search)(stream, first, sums, limit, &mut words) {
                None => from += sums.len(),
                Some(Reached { block, lanes }) => {
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
    use super::super::levels;
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
            let (mut words, mut from, mut found) = (Noises::default(), 0, vec![]);
            while let Some(Reached { block, lanes }) =
                (level.search)(&stream, (from * BLOCK) as u32, &sums[from..], limit, &mut words)
            {
                found.push((from + block, lanes));
                from += block + 1;
            }
            let mut expected = vec![];
            for (block, sums) in sums.iter().enumerate().filter(|(_, sums)| **sums != [0.0; LANES]) {
                (level.noises)(&stream, (block * BLOCK) as u32, &mut words);
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
