//! SynthID-Text's bits: for every token in a context one bit for each layer of the tournament.

use super::context::{Contexts, Padding};
use super::mersenne::Mersenne;
use super::philox::{ContextNoise, Prf};

/// The most layers: the bits of one token fit a word.
pub(crate) const MOST_LAYERS: usize = 64;

/// Bits of transformers' table.
const TABLE: usize = 1 << 16;

/// Where the bits come from.
pub(crate) enum Tournament {
    /// A hash of context, token and the key of each layer, as a place in a table of random bits.
    Transformers { keys: Vec<u64>, table: Box<[u64]> },
    /// The lower bits of vLLM's word of the token.
    Vllm { prf: Prf, layers: usize },
}

/// The bits in a context.
pub(crate) enum ContextBits<'a> {
    Transformers { keys: &'a [u64], table: &'a [u64], hash: u64 },
    Vllm { noise: ContextNoise, layers: usize },
}

/// One step of transformers' hash.
fn step(hash: u64, data: u64) -> u64 {
    hash.wrapping_add(data).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)
}

/// The bits that a hash of context and token selects; only its lower half counts.
fn select(keys: &[u64], table: &[u64], hash: u64) -> u64 {
    let bit = |key: u64| {
        let place = step(hash, key) as usize % TABLE;
        table[place / 64] >> (place % 64) & 1
    };
    keys.iter().enumerate().fold(0, |bits, (layer, &key)| bits | bit(key) << layer)
}

impl Tournament {
    /// transformers' bits; `seed` is its `sampling_table_seed`.
    pub(crate) fn transformers(keys: Vec<u64>, seed: u64) -> Self {
        let mut numbers = Mersenne::new(seed);
        let word = |_| (0..64).fold(0, |word, place| word | u64::from(numbers.number() & 1) << place);
        Self::Transformers { keys, table: (0..TABLE / 64).map(word).collect() }
    }

    /// vLLM's bits.
    pub(crate) fn vllm(key: u64, layers: usize) -> Self {
        Self::Vllm { prf: Prf::new(key), layers }
    }

    pub(crate) fn layers(&self) -> usize {
        match self {
            Self::Transformers { keys, .. } => keys.len(),
            Self::Vllm { layers, .. } => *layers,
        }
    }

    /// What stands before the first token.
    pub(crate) fn padding(&self) -> Padding {
        match self {
            Self::Transformers { .. } => Padding::Zero,
            Self::Vllm { .. } => Padding::None,
        }
    }

    /// The bits in the context of the token at `at`.
    pub(crate) fn in_context(&self, contexts: Contexts<'_>, at: usize) -> ContextBits<'_> {
        let mut tokens = contexts.of(at);
        match self {
            Self::Transformers { keys, table } => {
                let hash = tokens.fold(1, |hash, token| step(hash, i64::from(token) as u64));
                ContextBits::Transformers { keys, table, hash }
            }
            Self::Vllm { prf, layers } => {
                ContextBits::Vllm { noise: prf.in_context(contexts.width, &mut tokens), layers: *layers }
            }
        }
    }

    /// The mean and the variance of `score(bits)` for a text that knows nothing of the key: over all places of the table,
    /// because a key and a table favour some bits a little.
    pub(crate) fn moments(&self, score: impl Fn(u64) -> f64) -> Option<(f64, f64)> {
        let Self::Transformers { keys, table } = self else { return None };
        let (mut sum, mut squares) = (0.0, 0.0);
        for hash in 0..TABLE as u64 {
            let s = score(select(keys, table, hash));
            (sum, squares) = (sum + s, squares + s * s);
        }
        let mean = sum / TABLE as f64;
        let variance = squares / TABLE as f64 - mean * mean;
        Some((mean, variance))
    }
}

impl ContextBits<'_> {
    /// The bits of a token, that of the first layer lowest.
    pub(crate) fn of(&self, token: u32) -> u64 {
        match *self {
            Self::Transformers { keys, table, hash } => select(keys, table, step(hash, token.into())),
            Self::Vllm { ref noise, layers } => u64::from(noise.word(token)) & (u64::MAX >> (64 - layers)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_matches_its_definition_in_python() {
        let context = [10, 20, 30, 40].iter().fold(1, |hash, &token| step(hash, token));
        assert_eq!(context as i64, 8_962_661_786_533_884_993);
        assert_eq!(step(step(context, 50), 654) as usize % TABLE, 38_863);
    }

    #[test]
    fn vllm_bits_are_the_lower_bits_of_the_word() {
        let tokens = [1, 2, 3, 4];
        let contexts = Contexts { tokens: &tokens, width: 4, padding: Padding::None };
        for (layers, bits) in [(32, 0x195b_8912), (8, 0x12), (1, 0)] {
            assert_eq!(Tournament::vllm(42, layers).in_context(contexts, 4).of(7), bits);
        }
    }
}
