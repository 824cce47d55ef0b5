//! Sixteen lanes as an array: the level of processors without vectors, and the reference for all others.

use super::super::kernels::lanes::{FRACTION, IdCheck, LANES, Lanes, SumArray, UNIT, Vector, sum_by_halves};
use super::super::kernels::words::{NoiseWords, Words};
use crate::logits::Candidate;

/// Sixteen lanes as an array.
#[derive(Clone, Copy)]
pub(crate) struct Scalar([f32; LANES]);

impl Scalar {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| op(self.0[i], other.0[i])))
    }

    #[inline(always)]
    fn compare(self, other: Self, op: impl Fn(f32, f32) -> bool) -> u16 {
        (0..LANES).fold(0, |mask, i| mask | (u16::from(op(self.0[i], other.0[i])) << i))
    }
}

impl Lanes for Scalar {
    type Mask = u16;
    type Sums = SumArray;
    type Words = ScalarWords;
    type IdCheck = Ids;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    fn load(x: &Vector) -> Self {
        Self(*x)
    }

    #[inline(always)]
    fn store(self, out: &mut Vector) {
        *out = self.0;
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| fma(self.0[i], b.0[i], c.0[i])))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn ge(self, other: Self) -> u16 {
        self.compare(other, |a, b| a >= b)
    }

    #[inline(always)]
    fn lt(self, other: Self) -> u16 {
        self.compare(other, |a, b| a < b)
    }

    #[inline(always)]
    fn ordered(self, other: Self) -> u16 {
        self.compare(other, |a, b| !(a.is_nan() || b.is_nan()))
    }

    #[inline(always)]
    fn and(a: u16, b: u16) -> u16 {
        a & b
    }

    #[inline(always)]
    fn bits(mask: u16) -> u32 {
        u32::from(mask)
    }

    #[inline(always)]
    fn keep(self, mask: u16) -> Self {
        Self(std::array::from_fn(|i| if mask >> i & 1 == 1 { self.0[i] } else { 0.0 }))
    }

    #[inline(always)]
    fn allow(self, bits: u16) -> Self {
        Self(std::array::from_fn(|i| if bits >> i & 1 == 1 { self.0[i] } else { f32::NEG_INFINITY }))
    }

    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let whole = self.0.map(round_to_i32);
        (
            Self(whole.map(|i| f32::from_bits(i as u32 & FRACTION | UNIT))),
            Self(whole.map(|i| f32::from_bits(i as u32 & !FRACTION))),
        )
    }

    #[inline(always)]
    fn zero_sums() -> SumArray {
        [0.0; LANES]
    }

    #[inline(always)]
    fn add_to(self, sums: &mut SumArray) {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        sums.iter_mut().zip(lanes).for_each(|(sum, x)| *sum += f64::from(x));
    }

    #[inline(always)]
    fn add_sums(a: SumArray, b: SumArray) -> SumArray {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn round_sums(sums: SumArray) -> Self {
        Self::load(&sums.map(|sum| sum as f32))
    }

    #[inline(always)]
    fn reduce_sums(sums: SumArray) -> f64 {
        sum_by_halves(sums)
    }
}

/// The next id, and the bits in which any id so far differed.
pub(crate) struct Ids {
    next: i32,
    wrong: i32,
}

impl IdCheck for Ids {
    #[inline(always)]
    fn new(first: i32) -> Self {
        Self { next: first, wrong: 0 }
    }

    #[inline(always)]
    fn update(&mut self, candidates: &[Candidate; LANES]) {
        for c in candidates {
            self.wrong |= c.id ^ self.next;
            self.next = self.next.wrapping_add(1);
        }
    }

    #[inline(always)]
    fn ok(self) -> bool {
        self.wrong == 0
    }
}

/// Integers as an array.
#[derive(Clone, Copy)]
pub(crate) struct ScalarWords([u32; 4]);

impl Words for ScalarWords {
    const COUNTERS: usize = 4;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        Self([x; 4])
    }

    #[inline(always)]
    fn consecutive(first: u32) -> Self {
        Self(std::array::from_fn(|i| first + i as u32))
    }

    #[inline(always)]
    fn multiply(self, factor: u32) -> (Self, Self) {
        let product = self.0.map(|x| u64::from(x) * u64::from(factor));
        (Self(product.map(|p| (p >> 32) as u32)), Self(product.map(|p| p as u32)))
    }

    #[inline(always)]
    fn xor(self, key: u32) -> Self {
        Self(self.0.map(|x| x ^ key))
    }

    #[inline(always)]
    fn mix(self, other: Self, key: u32) -> Self {
        Self(std::array::from_fn(|i| self.0[i] ^ other.0[i] ^ key))
    }

    #[inline(always)]
    fn store(words: [Self; 4], out: &mut [[u32; LANES]]) {
        for (i, out) in out.as_flattened_mut().iter_mut().enumerate() {
            *out = words[i % 4].0[i / 4];
        }
    }

    #[inline(always)]
    fn least(words: &NoiseWords) -> [u32; LANES] {
        words.iter().fold([u32::MAX; LANES], |least, words| std::array::from_fn(|i| words[i].min(least[i])))
    }
}

/// The nearest integer (ties to even) of an `x` below 2^31; -2^31 for smaller x and for NaN. Adding 1.5 * 2^52 leaves the
/// integer in the low bits, which vectorises even without a conversion instruction.
#[inline(always)]
fn round_to_i32(x: f32) -> i32 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let lowest = -2_147_483_648.0;
    let x = f64::from(x);
    ((if x > lowest { x } else { lowest }) + SHIFT).to_bits() as i32
}

/// `a * b + c`, rounded once. Where the target has no such instruction std calls the system's `fmaf`, one lane at a time
/// and not correct everywhere; the computation in f64 is exact and vectorises.
#[inline(always)]
fn fma(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, c) } else { fma_by_f64(a, b, c) }
}

/// The product is exact in f64. The sum is rounded to odd, so that rounding it again to f32 is correct (Boldo and
/// Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
#[inline(always)]
fn fma_by_f64(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let c = f64::from(c);
    let sum = product + c;
    let grown = sum - product;
    let error = (product - (sum - grown)) + (c - grown);
    let mut bits = sum.to_bits();
    // False for NaN, which is the error of an infinite sum.
    if error.abs() > 0.0 && bits & 1 == 0 {
        bits = if (error > 0.0) == (sum > 0.0) { bits + 1 } else { bits - 1 };
    }
    f64::from_bits(bits) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200_000))]

        #[test]
        fn fma_by_f64_equals_fused_multiply_add(a: u32, b: u32, c: u32, near: bool) {
            let (a, b) = (f32::from_bits(a), f32::from_bits(b));
            // Half of the cases cancel, where a second rounding shows.
            let c = if near { -(a * b) * (1.0 + f32::from_bits(0x3380_0000 | (c >> 12))) } else { f32::from_bits(c) };
            let (ours, std) = (fma_by_f64(a, b, c), a.mul_add(b, c));
            prop_assert!(ours.to_bits() == std.to_bits() || (ours.is_nan() && std.is_nan()), "{a:e} {b:e} {c:e}: {ours:e} {std:e}");
        }
    }
}
