//! Gumbel noise for a whole vocabulary: random words for every token, and the search for tokens that can win with them.
//!
//! The generator is Philox4x32-10. Its counter starts with a quarter of the token's index, so four tokens share a block
//! of four words. Ten rounds of two multiplications, two shifts and two exclusive-ors give the words of as many
//! counters as there are 64-bit lanes: about 31 instructions for sixteen words. Every token needs its word, since with
//! a word of 0 any weight can win.
//!
//! Weights are not computed again. A word too large for the sum of its lane's weights, which the first pass stored, is
//! too large for the token's own weight. One bound per lane of a block, compared with the smallest word in the lane, is
//! enough for most blocks.

use super::BLOCK;
use super::lanes::{LANES, Lanes, Vector};
use super::words::{NoiseWords, Words};
use crate::random::{MULTIPLIERS, Stream, WORDS};

/// The generator's block for each of the counters.
#[inline(always)]
fn philox<W: Words>(stream: &Stream, counters: W) -> [W; WORDS] {
    let ([low, high, which], [first, second, rest @ ..]) = (stream.counter, &stream.keys);
    let halves = |x: u32, i: usize| {
        let product = u64::from(x) * u64::from(MULTIPLIERS[i]);
        ((product >> 32) as u32, product as u32)
    };
    // Three of the counter's words are the same for all counters, and with them half of the first two rounds.
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

/// The words of the block of tokens that begins with `first`.
#[inline(always)]
pub(crate) fn noise_words<L: Lanes>(stream: &Stream, first: u32, out: &mut NoiseWords) {
    let mut counter = first / WORDS as u32;
    for out in out.chunks_exact_mut(L::Words::COUNTERS * WORDS / LANES) {
        L::Words::store(philox(stream, L::Words::consecutive(counter)), out);
        counter += L::Words::COUNTERS as u32;
    }
}

/// Where a search stopped: the block, and the lanes in which a token can win, one bit each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoiseMatch {
    pub(crate) block: usize,
    pub(crate) lanes: u32,
}

/// Finds the first block with a lane in which some word is at most the lane's sum times `limit`, and writes that
/// block's words to `out`. Blocks without a positive sum are skipped. `first` is the first token of the first block.
#[inline(always)]
pub(crate) fn search_noise<L: Lanes>(
    stream: &Stream,
    first: u32,
    sums: &[Vector],
    limit: f32,
    out: &mut NoiseWords,
) -> Option<NoiseMatch> {
    let (zero, limit) = (L::splat(0.0), L::splat(limit));
    for (block, sums) in sums.iter().enumerate() {
        let sums = L::load(sums);
        if L::bits(zero.lt(sums)) == 0 {
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
