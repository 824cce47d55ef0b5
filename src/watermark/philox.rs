//! vLLM's pseudo-random function, "philox4x32-10-v1": a 32-bit word for every token, from a key and a context.

use crate::math::ln;
use crate::random::{Stream, TokenNoise, WORDS, halves, philox};

/// The function with its key.
#[derive(Clone, Copy)]
pub(crate) struct Prf {
    key: [u32; 2],
}

/// First word of the state of a context, and of the key of a token's word: they keep the two apart.
const CONTEXT: u32 = 0x574d_4358;
const TOKEN: u32 = 0x574d_544b;

impl Prf {
    pub(crate) fn new(key: u64) -> Self {
        Self { key: halves(key) }
    }

    /// The function in a context of `width` tokens, the oldest first.
    pub(crate) fn in_context(self, width: usize, mut tokens: impl Iterator<Item = i32>) -> ContextNoise {
        let [low, high] = self.key;
        let mut state = [CONTEXT, width as u32, 0, 0];
        for first in (0..width).step_by(WORDS) {
            for (i, word) in state.iter_mut().enumerate() {
                *word ^= tokens.next().map_or(u32::MAX - i as u32, |token| token as u32);
            }
            state = philox(state, [low ^ first as u32, high]);
        }
        let [first, second, third, last] = state;
        ContextNoise { counter: [first, second, third], key: [low ^ last, high ^ TOKEN] }
    }
}

/// The function in a context: a word for every token, and Gumbel noise from it.
#[derive(Clone, Copy)]
pub(crate) struct ContextNoise {
    counter: [u32; WORDS - 1],
    key: [u32; 2],
}

impl ContextNoise {
    pub(crate) fn word(&self, token: u32) -> u32 {
        let [first, second, third] = self.counter;
        philox([token / 4, first, second, third], self.key)[token as usize % WORDS]
    }

    /// The token's uniform number, in (0, 1).
    pub(crate) fn uniform(&self, token: u32) -> f64 {
        uniform(self.word(token))
    }
}

/// The f32 just below (m + 1) / 2^24, m the upper 24 bits of the word.
fn uniform(word: u32) -> f64 {
    let above = ((word >> 8) + 1) as f32 * 2f32.powi(-24);
    f64::from(above.next_down())
}

/// The bits of a word that are not used.
const UNUSED: u32 = 0xff;

impl TokenNoise for ContextNoise {
    const IS_WORD: bool = false;

    fn high(&self, token: u32) -> u32 {
        self.high_of(self.word(token))
    }

    fn words(&self) -> Stream {
        Stream::new(self.key, self.counter)
    }

    /// u rises with the word.
    fn high_of(&self, word: u32) -> u32 {
        !word & !UNUSED
    }

    /// At most 16.7: the noise is capped by the numbers' 24 bits.
    fn gumbel(&self, _: u32, high: u32) -> f64 {
        -ln(-ln(uniform(!high)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::MAX_NOISE;

    #[test]
    fn words_match_those_of_vllm() {
        // Computed from the definition by an implementation in Python.
        for (key, context, token, word, uniform) in [
            (42, &[-1, -1, -1, -1][..], 0, 0xfa2f_6b05, 0.977_286_041),
            (42, &[1, 2, 3, 4], 7, 0x195b_8912, 0.099_053_018),
            (0x0123_4567_89ab_cdef, &[5, 6, 7, 8, 9], 50_000, 0x773f_12af, 0.465_806_156),
        ] {
            let noise = Prf::new(key).in_context(context.len(), context.iter().copied());
            assert_eq!(noise.word(token), word);
            assert!((noise.uniform(token) - uniform).abs() < 5e-10, "{}", noise.uniform(token));
        }
        let noise = Prf::new(42).in_context(4, [-1; 4].into_iter());
        assert_eq!(noise.counter, [0x74b1_a826, 0x661d_c246, 0x769e_d250]);
        assert_eq!(noise.key[0] ^ 42, 0xb242_310e);
    }

    #[test]
    fn noise_falls_as_high_rises_and_stays_within_its_bounds() {
        let noise = Prf::new(1).in_context(1, [5].into_iter());
        let words = [0, 0xff, 0x100, 0x1234_5678, 0x8000_0000, 0xffff_feff, 0xffff_ff00, u32::MAX];
        let gumbel = words.map(|word| noise.gumbel(0, noise.high_of(word)));
        assert!(gumbel.is_sorted() && gumbel[0] == gumbel[1] && gumbel[6] == gumbel[7], "{gumbel:?}");
        assert!(gumbel[0] > -3.81 && gumbel[7] < 16.7 && gumbel[7] < MAX_NOISE, "{gumbel:?}");
        for word in words {
            let high = noise.high_of(word);
            assert!(uniform(word) <= 1.0 - f64::from(high) / 4_294_967_296.0, "{word:x}");
            assert_eq!(noise.gumbel(0, high), -ln(-ln(uniform(word))));
        }
    }
}
