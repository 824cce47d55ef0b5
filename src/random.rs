//! Random numbers that depend on nothing but (seed, position, purpose): no state hides in the order of calls.
//!
//! Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the key is the seed, the
//! counter is the position in the sequence and what the number is for.

use rand_philox::Philox;

/// What a number is drawn for: two purposes at one position are independent of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Purpose {
    /// The token, by inverting the cumulative distribution.
    Token = 0,
    /// Whether a stage acts at all.
    Coin = 1,
}

/// A uniform number in the open interval (0, 1), on a grid of 2^-52: never 0, never 1.
pub(crate) fn uniform(seed: u64, position: u64, purpose: Purpose) -> f64 {
    uniform_of(seed, position, purpose, 0)
}

/// The same, one for each of several that have the same purpose.
pub(crate) fn uniform_of(seed: u64, position: u64, purpose: Purpose, which: u32) -> f64 {
    let key = [seed as u32, (seed >> 32) as u32];
    let counter = u128::from(position) | u128::from(purpose as u64) << 64 | u128::from(which) << 96;
    let bits = Philox::new(key, counter).next_u64();
    ((bits >> 12) as f64 + 0.5) * f64::EPSILON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_random123s() {
        // From kat_vectors of Random123: philox4x32 10 rounds, counter and key zero.
        let mut words = Philox::new([0, 0], 0);
        assert_eq!([words.next_u32(), words.next_u32()], [0x6627_e8d5, 0xe169_c58d]);
        assert_eq!(uniform(0, 0, Purpose::Token), ((0xe169_c58d_6627_e8d5u64 >> 12) as f64 + 0.5) * 2f64.powi(-52));
    }

    #[test]
    fn the_interval_is_open() {
        assert!((0u64 as f64 + 0.5) * f64::EPSILON > 0.0);
        assert!(((u64::MAX >> 12) as f64 + 0.5) * f64::EPSILON < 1.0);
    }

    #[test]
    fn seed_and_position_both_matter() {
        let draws: std::collections::HashSet<u64> = (0..64u64)
            .flat_map(|seed| (0..64u64).map(move |position| uniform(seed, position, Purpose::Token).to_bits()))
            .collect();
        assert_eq!(draws.len(), 64 * 64);
    }
}
