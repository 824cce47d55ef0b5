//! Sixteen lanes in four 128-bit registers: NEON, which every 64-bit Arm processor has.

use super::lanes::{LANES, Lanes};
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

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: NEON is there.
        Self([unsafe { vdupq_n_f32(x) }; 4])
    }

    #[inline(always)]
    fn load(x: &[f32; LANES]) -> Self {
        // SAFETY: NEON is there, and four floats can be read from each quarter.
        Self(std::array::from_fn(|i| unsafe { vld1q_f32(x[4 * i..].as_ptr()) }))
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        for (quarter, lanes) in out.as_chunks_mut::<4>().0.iter_mut().zip(self.0) {
            // SAFETY: NEON is there, and four floats can be written.
            unsafe { vst1q_f32(quarter.as_mut_ptr(), lanes) };
        }
        out
    }

    /// By comparison: the instruction for the maximum would pass a NaN on.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        self.zip(other, |a, b| unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) })
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

    #[inline(always)]
    fn times_power(self, n: Self) -> Self {
        self.zip(n, |x, n| {
            // SAFETY: NEON is there.
            unsafe {
                let n = vshlq_n_u32::<23>(vreinterpretq_u32_f32(n));
                vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(x), n))
            }
        })
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
    fn keep(self, mask: Self::Mask) -> Self {
        Self(std::array::from_fn(|i| {
            // SAFETY: NEON is there.
            unsafe { vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(self.0[i]), mask[i])) }
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
}
