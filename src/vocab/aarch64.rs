//! Sixteen lanes in four 128-bit registers: NEON, which every 64-bit Arm processor has.

use super::lanes::{FRACTION, LANES, Lanes, UNIT, Vector, WideArray, sum_by_halves};
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

// SAFETY, for every block below: NEON is part of the architecture.
impl Lanes for Neon {
    type Mask = [uint32x4_t; 4];
    type Sums = WideArray;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: NEON is there.
        Self([unsafe { vdupq_n_f32(x) }; 4])
    }

    #[inline(always)]
    fn load(x: &Vector) -> Self {
        // SAFETY: NEON is there, and four floats can be read from each quarter.
        Self(std::array::from_fn(|i| unsafe { vld1q_f32(x[4 * i..].as_ptr()) }))
    }

    #[inline(always)]
    fn store(self, out: &mut Vector) {
        for (quarter, lanes) in out.as_chunks_mut::<4>().0.iter_mut().zip(self.0) {
            // SAFETY: NEON is there, and four floats can be written.
            unsafe { vst1q_f32(quarter.as_mut_ptr(), lanes) };
        }
    }

    #[inline(always)]
    fn load_f16(x: &[u16; LANES]) -> Self {
        Self(std::array::from_fn(|i| {
            // SAFETY: NEON is there, and four halves can be read from each quarter.
            unsafe { widen_f16(vmovl_u16(vld1_u16(x[4 * i..].as_ptr()))) }
        }))
    }

    #[inline(always)]
    fn load_bf16(x: &[u16; LANES]) -> Self {
        Self(std::array::from_fn(|i| {
            // SAFETY: NEON is there, and four halves can be read from each quarter.
            unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(vld1_u16(x[4 * i..].as_ptr())))) }
        }))
    }

    /// By comparison: the instruction for the maximum would pass a NaN on.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        self.zip(other, |a, b| unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        self.zip(other, |a, b| unsafe { vbslq_f32(vcltq_f32(a, b), a, b) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        self.zip(other, |a, b| unsafe { vaddq_f32(a, b) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        self.zip(other, |a, b| unsafe { vsubq_f32(a, b) })
    }

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: NEON is there.
        Self(std::array::from_fn(|i| unsafe { vfmaq_f32(c.0[i], self.0[i], b.0[i]) }))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        self.zip(other, |a, b| unsafe { vmulq_f32(a, b) })
    }

    /// The conversion saturates below, where x86 has -2^31 too; a NaN becomes 0, whose weight nobody asks for.
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let whole = self.0.map(|x| {
            // SAFETY: NEON is there.
            unsafe { vreinterpretq_u32_s32(vcvtnq_s32_f32(x)) }
        });
        (
            Self(whole.map(|i| {
                // SAFETY: NEON is there.
                unsafe { vreinterpretq_f32_u32(vorrq_u32(vandq_u32(i, vdupq_n_u32(FRACTION)), vdupq_n_u32(UNIT))) }
            })),
            Self(whole.map(|i| {
                // SAFETY: NEON is there.
                unsafe { vreinterpretq_f32_u32(vandq_u32(i, vdupq_n_u32(!FRACTION))) }
            })),
        )
    }

    #[inline(always)]
    fn ge(self, other: Self) -> Self::Mask {
        // SAFETY: NEON is there.
        self.compare(other, |a, b| unsafe { vcgeq_f32(a, b) })
    }

    #[inline(always)]
    fn lt(self, other: Self) -> Self::Mask {
        // SAFETY: NEON is there.
        self.compare(other, |a, b| unsafe { vcltq_f32(a, b) })
    }

    #[inline(always)]
    fn ordered(self, other: Self) -> Self::Mask {
        // SAFETY: NEON is there.
        self.compare(other, |a, b| unsafe { vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b)) })
    }

    #[inline(always)]
    fn keep(self, mask: Self::Mask) -> Self {
        Self(std::array::from_fn(|i| {
            // SAFETY: NEON is there.
            unsafe { vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(self.0[i]), mask[i])) }
        }))
    }

    #[inline(always)]
    fn only(self, bits: u16) -> Self {
        const LANE: [u32; 4] = [1, 2, 4, 8];
        Self(std::array::from_fn(|i| {
            // SAFETY: NEON is there, and four words can be read.
            unsafe {
                let set = vtstq_u32(vdupq_n_u32(u32::from(bits) >> (4 * i)), vld1q_u32(LANE.as_ptr()));
                vbslq_f32(set, self.0[i], vdupq_n_f32(f32::NEG_INFINITY))
            }
        }))
    }

    #[inline(always)]
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        // SAFETY: NEON is there.
        std::array::from_fn(|i| unsafe { vandq_u32(a[i], b[i]) })
    }

    #[inline(always)]
    fn bits(mask: Self::Mask) -> u32 {
        const WEIGHTS: [u32; 4] = [1, 2, 4, 8];
        (0..4).fold(0, |bits, i| {
            // SAFETY: NEON is there, and four words can be read.
            bits | unsafe { vaddvq_u32(vandq_u32(mask[i], vld1q_u32(WEIGHTS.as_ptr()))) } << (4 * i)
        })
    }

    #[inline(always)]
    fn no_sums() -> WideArray {
        [0.0; LANES]
    }

    #[inline(always)]
    fn add_to(self, sums: &mut WideArray) {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        sums.iter_mut().zip(lanes).for_each(|(sum, x)| *sum += f64::from(x));
    }

    #[inline(always)]
    fn sum(sums: WideArray) -> f64 {
        sum_by_halves(sums)
    }
}

/// Half precision in the low halves of four words: the magnitude's bits, moved under a float's exponent, are the number
/// times 2^-112; infinities and NaN get an exponent of their own.
#[inline(always)]
fn widen_f16(bits: uint32x4_t) -> float32x4_t {
    const INFINITY: u32 = 0x7c00 << 13;
    // SAFETY: NEON is there.
    unsafe {
        let magnitude = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7fff)));
        let finite = vmulq_n_f32(vreinterpretq_f32_u32(magnitude), f32::from_bits((127 + 112) << 23));
        let special = vorrq_u32(magnitude, vdupq_n_u32(0x7f80_0000));
        let is_special = vcgeq_u32(magnitude, vdupq_n_u32(INFINITY));
        let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
        vreinterpretq_f32_u32(vorrq_u32(sign, vbslq_u32(is_special, special, vreinterpretq_u32_f32(finite))))
    }
}
