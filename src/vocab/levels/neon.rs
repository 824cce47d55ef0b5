//! Sixteen lanes in four 128-bit registers: NEON, which every 64-bit Arm processor has.

use super::super::kernels::lanes::{FRACTION, IdCheck, LANES, Lanes, SumArray, UNIT, Vector, sum_by_halves};
use super::super::kernels::words::{NoiseWords, Words};
use super::simd;
use crate::logits::Candidate;
use std::arch::aarch64::*;

/// Sixteen lanes in four 128-bit registers, in order.
#[derive(Clone, Copy)]
pub(crate) struct Neon([float32x4_t; 4]);

impl Neon {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> Self {
        Self(std::array::from_fn(|i| op(self.0[i], other.0[i])))
    }

    #[inline(always)]
    fn compare(self, other: Self, op: impl Fn(float32x4_t, float32x4_t) -> uint32x4_t) -> [uint32x4_t; 4] {
        std::array::from_fn(|i| op(self.0[i], other.0[i]))
    }
}

impl Lanes for Neon {
    type Mask = [uint32x4_t; 4];
    type Sums = SumArray;
    type Words = NeonWords;
    type IdCheck = Ids;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([simd!(vdupq_n_f32(x)); 4])
    }

    #[inline(always)]
    fn load(x: &Vector) -> Self {
        // SAFETY: each quarter of `x` has four floats.
        Self(std::array::from_fn(|i| unsafe { vld1q_f32(x[4 * i..].as_ptr()) }))
    }

    #[inline(always)]
    fn store(self, out: &mut Vector) {
        for (quarter, lanes) in out.as_chunks_mut::<4>().0.iter_mut().zip(self.0) {
            // SAFETY: `quarter` has four floats.
            unsafe { vst1q_f32(quarter.as_mut_ptr(), lanes) };
        }
    }

    #[inline(always)]
    fn load_f16(x: &[u16; LANES]) -> Self {
        // SAFETY: each quarter of `x` has four halves.
        Self(std::array::from_fn(|i| widen_f16(unsafe { vmovl_u16(vld1_u16(x[4 * i..].as_ptr())) })))
    }

    #[inline(always)]
    fn load_bf16(x: &[u16; LANES]) -> Self {
        Self(std::array::from_fn(|i| {
            // SAFETY: each quarter of `x` has four halves.
            unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(vld1_u16(x[4 * i..].as_ptr())))) }
        }))
    }

    /// By comparison: the maximum instruction would return a NaN in either operand.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(vbslq_f32(vcgtq_f32(a, b), a, b)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(vbslq_f32(vcltq_f32(a, b), a, b)))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(vaddq_f32(a, b)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(vsubq_f32(a, b)))
    }

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Self(std::array::from_fn(|i| simd!(vfmaq_f32(c.0[i], self.0[i], b.0[i]))))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| simd!(vmulq_f32(a, b)))
    }

    /// The conversion saturates at -2^31, as on x86. A NaN becomes 0; a row with NaN is refused, so its weight is unused.
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let whole = self.0.map(|x| simd!(vreinterpretq_u32_s32(vcvtnq_s32_f32(x))));
        let mantissa =
            |i| simd!(vreinterpretq_f32_u32(vorrq_u32(vandq_u32(i, vdupq_n_u32(FRACTION)), vdupq_n_u32(UNIT))));
        let power = |i| simd!(vreinterpretq_f32_u32(vandq_u32(i, vdupq_n_u32(!FRACTION))));
        (Self(whole.map(mantissa)), Self(whole.map(power)))
    }

    #[inline(always)]
    fn ge(self, other: Self) -> Self::Mask {
        self.compare(other, |a, b| simd!(vcgeq_f32(a, b)))
    }

    #[inline(always)]
    fn lt(self, other: Self) -> Self::Mask {
        self.compare(other, |a, b| simd!(vcltq_f32(a, b)))
    }

    #[inline(always)]
    fn ordered(self, other: Self) -> Self::Mask {
        self.compare(other, |a, b| simd!(vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b))))
    }

    #[inline(always)]
    fn keep(self, mask: Self::Mask) -> Self {
        Self(std::array::from_fn(|i| {
            simd!(vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(self.0[i]), mask[i])))
        }))
    }

    #[inline(always)]
    fn allow(self, bits: u16) -> Self {
        Self(std::array::from_fn(|i| {
            simd!({
                let set = vtstq_u32(vdupq_n_u32(u32::from(bits) >> (4 * i)), lane_bits());
                vbslq_f32(set, self.0[i], vdupq_n_f32(f32::NEG_INFINITY))
            })
        }))
    }

    #[inline(always)]
    fn load_logits(candidates: &[Candidate; LANES]) -> Self {
        Self(std::array::from_fn(|i| {
            // SAFETY: four candidates have twelve words.
            unsafe { vld3q_f32(candidates[4 * i..][..4].as_ptr().cast()).1 }
        }))
    }

    #[inline(always)]
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        std::array::from_fn(|i| simd!(vandq_u32(a[i], b[i])))
    }

    #[inline(always)]
    fn bits(mask: Self::Mask) -> u32 {
        (0..4).fold(0, |bits, i| bits | simd!(vaddvq_u32(vandq_u32(mask[i], lane_bits()))) << (4 * i))
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

/// One bit for each of four lanes.
#[inline(always)]
fn lane_bits() -> uint32x4_t {
    const BITS: [u32; 4] = [1, 2, 4, 8];
    // SAFETY: `BITS` has four words.
    unsafe { vld1q_u32(BITS.as_ptr()) }
}

/// The next four ids, and the bits in which any id so far differed.
pub(crate) struct Ids {
    next: int32x4_t,
    wrong: int32x4_t,
}

impl IdCheck for Ids {
    #[inline(always)]
    fn new(first: i32) -> Self {
        const COUNT: [i32; 4] = [0, 1, 2, 3];
        // SAFETY: `COUNT` has four words.
        unsafe { Self { next: vaddq_s32(vdupq_n_s32(first), vld1q_s32(COUNT.as_ptr())), wrong: vdupq_n_s32(0) } }
    }

    #[inline(always)]
    fn update(&mut self, candidates: &[Candidate; LANES]) {
        for four in candidates.as_chunks::<4>().0 {
            // SAFETY: four candidates have twelve words.
            unsafe {
                self.wrong = vorrq_s32(self.wrong, veorq_s32(vld3q_s32(four.as_ptr().cast()).0, self.next));
                self.next = vaddq_s32(self.next, vdupq_n_s32(4));
            }
        }
    }

    #[inline(always)]
    fn ok(self) -> bool {
        simd!(vmaxvq_u32(vreinterpretq_u32_s32(self.wrong)) == 0)
    }
}

/// The integers of sixteen counters, in order.
#[derive(Clone, Copy)]
pub(crate) struct NeonWords([uint32x4_t; 4]);

impl Words for NeonWords {
    const COUNTERS: usize = 16;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        Self([simd!(vdupq_n_u32(x)); 4])
    }

    #[inline(always)]
    fn consecutive(first: u32) -> Self {
        const COUNT: [u32; 4] = [0, 1, 2, 3];
        Self(std::array::from_fn(|i| {
            // SAFETY: `COUNT` has four words.
            unsafe { vaddq_u32(vld1q_u32(COUNT.as_ptr()), vdupq_n_u32(first + 4 * i as u32)) }
        }))
    }

    #[inline(always)]
    fn multiply(self, factor: u32) -> (Self, Self) {
        let product = self.0.map(|x| {
            simd!({
                let low = vmull_u32(vget_low_u32(x), vdup_n_u32(factor));
                (vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(vmull_high_u32(x, vdupq_n_u32(factor))))
            })
        });
        (Self(product.map(|(a, b)| simd!(vuzp2q_u32(a, b)))), Self(product.map(|(a, b)| simd!(vuzp1q_u32(a, b)))))
    }

    #[inline(always)]
    fn xor(self, key: u32) -> Self {
        Self(self.0.map(|x| simd!(veorq_u32(x, vdupq_n_u32(key)))))
    }

    #[inline(always)]
    fn mix(self, other: Self, key: u32) -> Self {
        Self(std::array::from_fn(|i| simd!(veorq_u32(veorq_u32(other.0[i], vdupq_n_u32(key)), self.0[i]))))
    }

    #[inline(always)]
    fn store([a, b, c, d]: [Self; 4], out: &mut [[u32; LANES]]) {
        for (i, out) in out.iter_mut().enumerate() {
            // SAFETY: `out` has sixteen words.
            unsafe { vst4q_u32(out.as_mut_ptr(), uint32x4x4_t(a.0[i], b.0[i], c.0[i], d.0[i])) };
        }
    }

    #[inline(always)]
    fn least(words: &NoiseWords) -> [u32; LANES] {
        let mut least = [u32::MAX; LANES];
        for (i, least) in least.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            // SAFETY: `least` and each quarter of a row of `words` have four words.
            unsafe {
                let min =
                    words.iter().fold(vdupq_n_u32(u32::MAX), |min, x| vminq_u32(min, vld1q_u32(x[4 * i..].as_ptr())));
                vst1q_u32(least.as_mut_ptr(), min);
            }
        }
        least
    }
}

/// Half precision in the low halves of four words. Shifted under a float's exponent, the bits of the magnitude are the
/// number times 2^-112; infinity and NaN get an exponent of their own.
#[inline(always)]
fn widen_f16(bits: uint32x4_t) -> float32x4_t {
    const INFINITY: u32 = 0x7c00 << 13;
    simd!({
        let magnitude = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7fff)));
        let finite = vmulq_n_f32(vreinterpretq_f32_u32(magnitude), f32::from_bits((127 + 112) << 23));
        let special = vorrq_u32(magnitude, vdupq_n_u32(0x7f80_0000));
        let is_special = vcgeq_u32(magnitude, vdupq_n_u32(INFINITY));
        let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
        vreinterpretq_f32_u32(vorrq_u32(sign, vbslq_u32(is_special, special, vreinterpretq_u32_f32(finite))))
    })
}
