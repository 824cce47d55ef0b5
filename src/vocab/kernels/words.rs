//! 32-bit integers side by side, for the counter-based generator of the noise.

use super::ROWS;
use super::lanes::LANES;
use crate::random::WORDS;

/// A random word for each token of a block.
pub(crate) type NoiseWords = [[u32; LANES]; ROWS];

/// One of the four words of a generator block, for several counters at a time.
pub(crate) trait Words: Copy {
    /// How many counters: enough to hide the latency of a multiplication. A multiple of 4.
    const COUNTERS: usize;

    fn splat(x: u32) -> Self;
    /// The integers from `first` on.
    fn consecutive(first: u32) -> Self;
    /// The upper and the lower half of the product.
    fn multiply(self, factor: u32) -> (Self, Self);
    /// `self ^ key`.
    fn xor(self, key: u32) -> Self;
    /// `self ^ other ^ key`.
    fn mix(self, other: Self, key: u32) -> Self;
    /// Writes the four words of each counter side by side, counter by counter.
    fn store(words: [Self; WORDS], out: &mut [[u32; LANES]]);
    /// The smallest word of each lane.
    fn least(words: &NoiseWords) -> [u32; LANES];
}
