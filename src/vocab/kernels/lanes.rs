//! The vector that every pass is written over: sixteen `f32` lanes, whatever the registers are.
//!
//! One 512-bit register, two of 256 bits, four of 128 or an array of 16: an instruction set that implements this
//! trait gets every pass in `passes/`, and because each operation is a single correctly rounded IEEE operation on
//! each lane, it gets them bit for bit.

use super::noise::Words;
use crate::logits::Candidate;

/// Lanes in a vector.
pub(crate) const LANES: usize = 16;

/// A vector in memory.
pub(crate) type Vector = [f32; LANES];

/// Sixteen `f32` lanes. Implementations mark every method `#[inline(always)]`: the function that carries the target
/// feature is the leaf in the kernel table, not the method.
pub(crate) trait Lanes: Copy {
    /// The outcome of a comparison, one bit a lane.
    type Mask: Copy;
    /// Each lane summed up in f64.
    type Sums;
    /// The same registers for whole numbers.
    type Words: Words;
    /// Ids that are expected next, and whether those before were as expected.
    type IdCheck;

    fn splat(x: f32) -> Self;
    fn load(x: &Vector) -> Self;
    fn store(self, out: &mut Vector);
    /// `self > other ? self : other`, so a NaN in `self` is passed over.
    fn max(self, other: Self) -> Self;
    /// `self < other ? self : other`, so a NaN in `self` is passed over.
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
    fn only(self, bits: u16) -> Self;

    /// Splits t * 2^23, rounded to a whole number (ties to even), into the fraction f of t and its floor n, for t < -1:
    /// returns `(1 + f) * 2^-6` and `-2^(n + 129)`. The second is the whole number's upper nine bits read as a float,
    /// and so falls to -0 at n = -256, where everything below, and a NaN, ends too.
    fn split(self) -> (Self, Self);

    /// Has what is here brought to the nearest cache.
    #[inline(always)]
    fn prefetch<T>(_: &T) {}

    /// Half precision, as bits.
    #[inline(always)]
    fn load_f16(x: &[u16; LANES]) -> Self {
        Self::load(&x.map(|bits| half::f16::from_bits(bits).to_f32()))
    }

    /// bfloat16, as bits.
    #[inline(always)]
    fn load_bf16(x: &[u16; LANES]) -> Self {
        Self::load(&x.map(|bits| f32::from_bits(u32::from(bits) << 16)))
    }

    /// Writes the lanes whose bit is set to the front of `out`, in order, each beside the index of its lane plus
    /// `first`; returns their number. What lies behind them in `out` is spoilt.
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

    /// Writes the lanes of the mask to the front of `out`, in order; returns their number. What lies behind them in
    /// `out` is spoilt.
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

    /// Each lane times `factor`, in f64, rounded once more.
    #[inline(always)]
    fn times(self, factor: f64) -> Self {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        Self::load(&lanes.map(|x| (f64::from(x) * factor) as f32))
    }

    /// The logits of an engine's candidates.
    #[inline(always)]
    fn load_logits(candidates: &[Candidate; LANES]) -> Self {
        Self::load(&candidates.map(|c| c.logit))
    }

    /// The same in whatever order of lanes is there soonest; see [`Lanes::unpermute`].
    #[inline(always)]
    fn load_logits_permuted(candidates: &[Candidate; LANES]) -> Self {
        Self::load_logits(candidates)
    }

    /// Brings lanes from the order of [`Lanes::load_logits_permuted`] to their own.
    #[inline(always)]
    fn unpermute(self) -> Self {
        self
    }

    /// The other way round.
    #[inline(always)]
    fn permute(self) -> Self {
        self
    }

    /// Expects ids that count up from `first` by one.
    fn new_id_check(first: i32) -> Self::IdCheck;
    /// Looks at the ids of the next sixteen candidates.
    fn update_id_check(ids: &mut Self::IdCheck, candidates: &[Candidate; LANES]);
    /// Whether all were as expected.
    fn id_check_passed(ids: Self::IdCheck) -> bool;

    /// Writes logits and probabilities into an engine's candidates, or some of both; their lanes are in the order of
    /// [`Lanes::load_logits_permuted`].
    #[inline(always)]
    fn put<const LOGIT: bool, const P: bool>(candidates: &mut [Candidate; LANES], logits: Self, p: Self) {
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
    fn largest(self) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes.into_iter().fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m })
    }

    fn no_sums() -> Self::Sums;
    fn add_to(self, sums: &mut Self::Sums);
    /// The lanes added by halves: the same tree on every instruction set.
    fn sum(sums: Self::Sums) -> f64;
}

/// Lanes in f64, where they need no registers of their own.
pub(crate) type WideArray = [f64; LANES];

/// [`Lanes::sum`] of an array.
#[inline(always)]
pub(crate) fn sum_by_halves(mut lanes: WideArray) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// The bits of the fraction in a whole number of units of 2^-23.
pub(crate) const FRACTION: u32 = 0x007f_ffff;

/// The exponent of 2^-6: with the fraction's bits below it, a float in [2^-6, 2^-5). So small that a product with the
/// largest power is finite, and one with a power of 2^-100 is still a normal number.
pub(crate) const UNIT: u32 = 0x3c80_0000;
