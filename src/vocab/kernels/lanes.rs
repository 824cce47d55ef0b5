//! The vector that every kernel is written over: sixteen `f32` lanes, whatever the registers are.
//!
//! One 512-bit register, two of 256 bits, four of 128 or an array of 16: an instruction set that implements this trait
//! has every kernel. Each operation is a single, correctly rounded IEEE operation on each lane, so all instruction sets
//! give the same bits.

use super::words::Words;
use crate::logits::{Candidate, bf16_to_f32, f16_to_f32};

/// Lanes in a vector.
pub(crate) const LANES: usize = 16;

/// A vector in memory.
pub(crate) type Vector = [f32; LANES];

/// Sixteen `f32` lanes. Implementations mark every method `#[inline(always)]`: the target feature is on the function in
/// the kernel table that they are inlined into, not on the method.
pub(crate) trait Lanes: Copy {
    /// The result of a comparison, one bit a lane.
    type Mask: Copy;
    /// A sum in f64 for each lane.
    type Sums: Copy;
    /// The same registers as 32-bit integers.
    type Words: Words;
    type IdCheck: IdCheck;

    fn splat(x: f32) -> Self;
    fn load(x: &Vector) -> Self;
    fn store(self, out: &mut Vector);
    /// `self > other ? self : other`: a NaN in `self` gives `other`.
    fn max(self, other: Self) -> Self;
    /// `self < other ? self : other`: a NaN in `self` gives `other`.
    fn min(self, other: Self) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self * b + c`, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    fn ge(self, other: Self) -> Self::Mask;
    fn lt(self, other: Self) -> Self::Mask;
    /// The lanes in which neither is NaN.
    fn ordered(self, other: Self) -> Self::Mask;
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn bits(mask: Self::Mask) -> u32;
    /// The lanes of the mask, zero elsewhere.
    fn keep(self, mask: Self::Mask) -> Self;
    /// The lanes whose bit is set, -infinity elsewhere.
    fn allow(self, bits: u16) -> Self;

    /// Splits t * 2^23, rounded to an integer (ties to even), into the fraction f of t and its floor n, for t < -1:
    /// returns `(1 + f) * 2^-6` and `-2^(n + 129)`. The second is the integer's upper nine bits read as a float; it
    /// reaches -0 at n = -256, and stays there for all smaller t and for NaN.
    fn split(self) -> (Self, Self);

    /// Prefetches `x` into the nearest cache.
    #[inline(always)]
    fn prefetch<T>(_: &T) {}

    /// All lanes.
    #[inline(always)]
    fn all() -> Self::Mask {
        Self::splat(0.0).ordered(Self::splat(0.0))
    }

    #[inline(always)]
    fn is_all(mask: Self::Mask) -> bool {
        Self::bits(mask) == u32::from(u16::MAX)
    }

    /// Half precision, as bits.
    #[inline(always)]
    fn load_f16(x: &[u16; LANES]) -> Self {
        Self::load(&x.map(f16_to_f32))
    }

    /// bfloat16, as bits.
    #[inline(always)]
    fn load_bf16(x: &[u16; LANES]) -> Self {
        Self::load(&x.map(bf16_to_f32))
    }

    /// Moves the lanes of the mask to the front of `lanes`, in order, and writes the index of each lane plus `first` to
    /// `indices`; returns their number. Both arrays are written whole.
    #[inline(always)]
    fn compress_indexed(self, mask: Self::Mask, first: u32, indices: &mut [u32; LANES], lanes: &mut Vector) -> usize {
        let mut bits = Self::bits(mask);
        if bits == 0 {
            return 0;
        }
        let mut all = [0.0; LANES];
        self.store(&mut all);
        let mut n = 0;
        while bits != 0 {
            let lane = bits.trailing_zeros() as usize & (LANES - 1);
            (indices[n & (LANES - 1)], lanes[n & (LANES - 1)]) = (first + lane as u32, all[lane]);
            n += 1;
            bits &= bits - 1;
        }
        n
    }

    /// The same without indices.
    #[inline(always)]
    fn compress(self, mask: Self::Mask, out: &mut Vector) -> usize {
        let mut all = [0.0; LANES];
        self.store(&mut all);
        let (mut bits, mut n) = (Self::bits(mask), 0);
        while bits != 0 {
            out[n & (LANES - 1)] = all[bits.trailing_zeros() as usize & (LANES - 1)];
            n += 1;
            bits &= bits - 1;
        }
        n
    }

    /// Each lane times `factor`: multiplied in f64, then rounded to f32.
    #[inline(always)]
    fn mul_f64(self, factor: f64) -> Self {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        Self::load(&lanes.map(|x| (f64::from(x) * factor) as f32))
    }

    /// `(x - pivot) * factor + base` of each lane: three operations in f64, each rounded, then rounded to f32.
    #[inline(always)]
    fn affine_f64(self, pivot: f64, factor: f64, base: f64) -> Self {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        Self::load(&lanes.map(|x| ((f64::from(x) - pivot) * factor + base) as f32))
    }

    /// The logits of candidates.
    #[inline(always)]
    fn load_logits(candidates: &[Candidate; LANES]) -> Self {
        Self::load(&candidates.map(|c| c.logit))
    }

    /// The same in a permuted order of lanes, where that is faster.
    #[inline(always)]
    fn load_logits_permuted(candidates: &[Candidate; LANES]) -> Self {
        Self::load_logits(candidates)
    }

    /// From the order of [`Lanes::load_logits_permuted`] to the lanes' own.
    #[inline(always)]
    fn unpermute(self) -> Self {
        self
    }

    /// From the lanes' own order to that of [`Lanes::load_logits_permuted`].
    #[inline(always)]
    fn permute(self) -> Self {
        self
    }

    /// Writes logits, probabilities or both into candidates; lanes are in the order of [`Lanes::load_logits_permuted`].
    #[inline(always)]
    fn store_candidates<const LOGIT: bool, const P: bool>(candidates: &mut [Candidate; LANES], logits: Self, p: Self) {
        let mut words = [[0.0; LANES]; 2];
        logits.unpermute().store(&mut words[0]);
        p.unpermute().store(&mut words[1]);
        for (i, c) in candidates.iter_mut().enumerate() {
            c.logit = if LOGIT { words[0][i] } else { c.logit };
            c.p = if P { words[1][i] } else { c.p };
        }
    }

    /// The largest lane.
    #[inline(always)]
    fn reduce_max(self) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes.into_iter().fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m })
    }

    fn zero_sums() -> Self::Sums;
    fn add_to(self, sums: &mut Self::Sums);
    fn add_sums(a: Self::Sums, b: Self::Sums) -> Self::Sums;
    /// Each lane's sum rounded to f32.
    fn round_sums(sums: Self::Sums) -> Self;
    /// The lanes' sums added by halves: the same tree on every instruction set.
    fn reduce_sums(sums: Self::Sums) -> f64;
}

/// Checks that the ids of consecutive candidates count up by one.
pub(crate) trait IdCheck {
    /// `first` is the id that the first candidate must have.
    fn new(first: i32) -> Self;
    /// Compares the ids of the next sixteen candidates.
    fn update(&mut self, candidates: &[Candidate; LANES]);
    /// Whether all of them matched.
    fn ok(self) -> bool;
}

/// [`Lanes::Sums`] as an array.
pub(crate) type SumArray = [f64; LANES];

/// [`Lanes::reduce_sums`] of an array.
#[inline(always)]
pub(crate) fn sum_by_halves(mut lanes: SumArray) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// The bits of the fraction in an integer count of units of 2^-23.
pub(crate) const FRACTION: u32 = 0x007f_ffff;

/// The exponent bits of 2^-6: with the fraction's bits below them, a float in [2^-6, 2^-5). Small enough that a product
/// with the largest power is finite, large enough that one with 2^-100 is a normal number.
pub(crate) const UNIT: u32 = 0x3c80_0000;
