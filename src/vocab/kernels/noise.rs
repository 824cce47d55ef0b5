//! Noise for a whole vocabulary: the words of a counter-based generator, and the tokens that could win with them.
//!
//! The generator is Philox4x32-10, whose counter begins with a quarter of the token's index: four tokens share a block
//! of four words. Ten rounds of two multiplications, two shifts and two exclusive-ors make the words of as many
//! counters as there are 64-bit lanes, so that sixteen words take about 31 instructions. Nothing saves a token its
//! word: with a word of 0 any weight may win.
//!
//! But no weight is looked at again. A word that is too large for the sum of the weights of its lane, which the first
//! pass left behind, is too large for the token's own weight; so one bound for each lane of a block, compared with the
//! least word in it, is all that most blocks take.

use super::lanes::{LANES, Lanes, Vector};
use super::{BLOCK, ROWS};
use crate::random::{MULTIPLIERS, Stream, WORDS};

/// A word for each token of a block.
pub(crate) type NoiseWords = [[u32; LANES]; ROWS];

/// Numbers of 32 bits, side by side: the same word of the generator's block for so many counters.
pub(crate) trait Words: Copy {
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
    fn least(words: &NoiseWords) -> [u32; LANES];
}

/// The block of the generator for each of the counters.
#[inline(always)]
fn blocks<W: Words>(stream: &Stream, counters: W) -> [W; WORDS] {
    let ([low, high, which], [first, second, rest @ ..]) = (stream.counter, &stream.keys);
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

/// The words of a block of tokens, the first of which is `first`.
#[inline(always)]
pub(crate) fn noise_words<L: Lanes>(stream: &Stream, first: u32, out: &mut NoiseWords) {
    let mut counter = first / WORDS as u32;
    for out in out.chunks_exact_mut(L::Words::COUNTERS * WORDS / LANES) {
        L::Words::store(blocks(stream, L::Words::consecutive(counter)), out);
        counter += L::Words::COUNTERS as u32;
    }
}

/// Where a search ended: in this block, because of these lanes, one bit each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoiseMatch {
    pub(crate) block: usize,
    pub(crate) lanes: u32,
}

/// The first of the blocks with a lane of which a word is at most its sum times `limit`, and the words of that block;
/// a block of which no sum is positive is passed over. `first` is the first block's first token.
#[inline(always)]
pub(crate) fn search_noise<L: Lanes>(
    stream: &Stream,
    first: u32,
    sums: &[Vector],
    limit: f32,
    out: &mut NoiseWords,
) -> Option<NoiseMatch> {
    let (nothing, limit) = (L::splat(0.0), L::splat(limit));
    for (block, sums) in sums.iter().enumerate() {
        let sums = L::load(sums);
        if L::bits(nothing.lt(sums)) == 0 {
            continue;
        }
        noise_words::<L>(stream, first + (block * BLOCK) as u32, out);
        let least = L::Words::least(out);
        let lanes = L::bits(sums.mul(limit).ge(L::load(&least.map(|word| word as f32))));
        if lanes != 0 {
            return Some(NoiseMatch { block, lanes });
        }
    }
    None
}
