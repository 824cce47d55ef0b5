//! Random numbers as a function of (seed, position, purpose): there is no generator state, and the order of calls does
//! not matter.
//!
//! Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the key is the seed, the
//! counter is the position in the sequence and the purpose of the number; for noise, the token as well.

use crate::math::{ln, log1p};

/// Words in a block of the generator.
pub(crate) const WORDS: usize = 4;

/// Philox's multipliers, and the increments of its keys from round to round.
pub(crate) const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// The key of each round.
fn keys(key: [u32; 2]) -> [[u32; 2]; ROUNDS] {
    std::array::from_fn(|round| std::array::from_fn(|i| key[i].wrapping_add(WEYL[i].wrapping_mul(round as u32))))
}

/// Philox4x32-10: the block of four words for one counter.
pub(crate) fn philox(mut words: [u32; WORDS], key: [u32; 2]) -> [u32; WORDS] {
    for key in keys(key) {
        let product = |x: u32, i: usize| u64::from(x) * u64::from(MULTIPLIERS[i]);
        let (first, second) = (product(words[0], 0), product(words[2], 1));
        words = [
            (second >> 32) as u32 ^ words[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ words[3] ^ key[1],
            first as u32,
        ];
    }
    words
}

/// Counters that differ only in their first word, for kernels that compute many blocks at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    /// The other words of the counters.
    pub(crate) counter: [u32; WORDS - 1],
    /// The key of each round.
    pub(crate) keys: [[u32; 2]; ROUNDS],
}

impl Stream {
    pub(crate) fn new(key: [u32; 2], counter: [u32; WORDS - 1]) -> Self {
        Self { counter, keys: keys(key) }
    }
}

/// The two halves of an integer, the lower one first.
pub(crate) fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

/// The purpose of a random number. Numbers of different purposes at one position are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Purpose {
    /// The token, by inverting the cumulative distribution.
    Token = 0,
    /// Whether a stage acts.
    Coin = 1,
    /// Whether a draft's token is accepted.
    Acceptance = 2,
    /// The token that follows the accepted ones of a draft.
    Correction = 3,
    /// Which arm to pull (src/decisions).
    Arm = 16,
    /// Outcomes for the test of calibration (src/decisions).
    Calibration = 17,
}

/// Numbers for the verification of drafts: their counters end with a word that no other number's has.
pub(crate) fn uniform_for_draft(seed: u64, position: u64, purpose: Purpose, which: u32) -> f64 {
    uniform_of(seed, position, purpose, 1 << 31 | which)
}

/// A uniform number in the open interval (0, 1), on a grid of 2^-52.
pub(crate) fn uniform(seed: u64, position: u64, purpose: Purpose) -> f64 {
    uniform_of(seed, position, purpose, 0)
}

/// The same; `which` tells apart several numbers of one purpose.
pub(crate) fn uniform_of(seed: u64, position: u64, purpose: Purpose, which: u32) -> f64 {
    let [low, high] = halves(position);
    let [first, second, ..] = philox([low, high, purpose as u32, which], halves(seed));
    let bits = u64::from(second) << 32 | u64::from(first);
    ((bits >> 12) as f64 + 0.5) * f64::EPSILON
}

/// Gumbel noise for every token.
pub(crate) trait TokenNoise {
    /// Whether [`TokenNoise::high`] is a word of [`TokenNoise::words`] as it is.
    const IS_WORD: bool;

    /// A number that falls as the noise rises: the noise is -ln(-ln u) for a u of at most 1 - high / 2^32.
    fn high(&self, token: u32) -> u32;

    /// The generator's words for all tokens, for the kernels.
    fn words(&self) -> Stream;

    /// [`TokenNoise::high`] from a token's word.
    fn high_of(&self, word: u32) -> u32;

    /// The noise of a token, between -3.81 and [`MAX_NOISE`].
    fn gumbel(&self, token: u32, high: u32) -> f64;
}

/// The noise of every token at one position: 64 bits for each id, as a high and a low word that are computed separately.
///
/// Four tokens share a block of the generator. The counter's last word tells high words from low ones, and both from the
/// token draw, which has 0 there.
#[derive(Clone, Copy)]
pub(crate) struct Noise {
    key: [u32; 2],
    position: [u32; 2],
}

const HIGH: u32 = 1;
const LOW: u32 = 2;

impl Noise {
    pub(crate) fn new(seed: u64, position: u64) -> Self {
        Self { key: halves(seed), position: halves(position) }
    }

    fn word(&self, token: u32, which: u32) -> u32 {
        let [low, high] = self.position;
        philox([token / 4, low, high, which], self.key)[token as usize % WORDS]
    }
}

impl TokenNoise for Noise {
    const IS_WORD: bool = true;

    /// The noise is largest for a low word of 0.
    fn high(&self, token: u32) -> u32 {
        self.word(token, HIGH)
    }

    fn words(&self) -> Stream {
        let [low, high] = self.position;
        Stream::new(self.key, [low, high, HIGH])
    }

    fn high_of(&self, word: u32) -> u32 {
        word
    }

    /// u = 1 - (h + 1/2) / 2^64, h the token's 64 bits. For u near 1 it is computed from 1 - u, so that rounding does
    /// not cap it.
    fn gumbel(&self, token: u32, high: u32) -> f64 {
        let h = u64::from(high) << 32 | u64::from(self.word(token, LOW));
        let grid = |h: u64| (h as f64 + 0.5) * 2f64.powi(-64);
        let minus_ln_u = if high >> 31 == 0 { -log1p(-grid(h)) } else { -ln(grid(!h)) };
        -ln(minus_ln_u)
    }
}

/// An upper bound of [`TokenNoise::gumbel`].
pub(crate) const MAX_NOISE: f64 = 45.06;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gumbel_noise_has_the_standard_gumbel_distribution() {
        let n = 200_000;
        let g: Vec<f64> = (0..n)
            .map(|i| {
                let noise = Noise::new(7, u64::from(i) / 1000);
                noise.gumbel(i % 1000, noise.high(i % 1000))
            })
            .collect();
        let mean = g.iter().sum::<f64>() / f64::from(n);
        let variance = g.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / f64::from(n);
        let euler = 0.577_215_664_901_532_9;
        assert!((mean - euler).abs() < 0.012 && (variance - std::f64::consts::PI.powi(2) / 6.0).abs() < 0.03);
        // The distribution function at some points: exp(-exp(-x)).
        for x in [-1.5f64, -0.5, 0.0, 1.0, 3.0] {
            let below = g.iter().filter(|g| **g <= x).count() as f64 / f64::from(n);
            assert!((below - (-(-x).exp()).exp()).abs() < 0.005, "{x}: {below}");
        }
    }

    #[test]
    fn noise_words_of_different_tokens_and_positions_differ() {
        let some: std::collections::HashSet<u32> =
            (0..64).flat_map(|p| (0..64).map(move |t| Noise::new(1, p).high(t))).collect();
        assert_eq!(some.len(), 64 * 64);
    }

    #[test]
    fn gumbel_noise_is_finite_at_both_ends_of_the_grid() {
        let noise = Noise::new(1, 1);
        let (most, least) = (noise.gumbel(3, 0), noise.gumbel(3, u32::MAX));
        assert!(most > 21.0 && most < MAX_NOISE && least > -3.82 && least < -3.0, "{most} {least}");
        assert!(-ln(-log1p(-0.5 * 2f64.powi(-64))) < MAX_NOISE);
    }

    #[test]
    fn philox_matches_random123_and_another_implementation() {
        // kat_vectors of Random123, philox4x32 with 10 rounds: counter and key zero, all ones, digits of pi.
        let ones = u32::MAX;
        for (counter, key, block) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([ones; 4], [ones; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(philox(counter, key), block);
        }
        let mut words = rand_philox::Philox::new([5, 6], 77);
        for _ in 0..1000 {
            let next: [u32; 4] = std::array::from_fn(|_| words.next_u32());
            assert_eq!(
                rand_philox::philox4x32_10([next[0], next[1], next[2], next[3]], [next[3], 9]),
                philox(next, [next[3], 9])
            );
        }
        assert_eq!(uniform(0, 0, Purpose::Token), ((0xe169_c58d_6627_e8d5u64 >> 12) as f64 + 0.5) * 2f64.powi(-52));
    }

    #[test]
    fn uniform_excludes_0_and_1() {
        assert!((0u64 as f64 + 0.5) * f64::EPSILON > 0.0);
        assert!(((u64::MAX >> 12) as f64 + 0.5) * f64::EPSILON < 1.0);
    }

    #[test]
    fn uniform_depends_on_seed_and_position() {
        let draws: std::collections::HashSet<u64> = (0..64u64)
            .flat_map(|seed| (0..64u64).map(move |position| uniform(seed, position, Purpose::Token).to_bits()))
            .collect();
        assert_eq!(draws.len(), 64 * 64);
    }
}
