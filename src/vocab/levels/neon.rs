//! Sixteen lanes in four 128-bit registers: NEON, which every 64-bit Arm processor has.

use super::super::kernels::lanes::{FRACTION, LANES, Lanes, UNIT, Vector, WideArray, sum_by_halves};
use super::super::kernels::noise::{NoiseWords, Words};
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

/// The next four ids, and any bits in which some were not what was expected.
pub(crate) struct Expected {
    next: int32x4_t,
    wrong: int32x4_t,
}

// SAFETY, for every block below: NEON is part of the architecture.
impl Lanes for Neon {
    type Mask = [uint32x4_t; 4];
    type Sums = WideArray;
    type Words = NeonWords;
    type IdCheck = Expected;

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
    fn load_logits(candidates: &[Candidate; LANES]) -> Self {
        Self(std::array::from_fn(|i| {
            // SAFETY: NEON is there, and four candidates can be read, whose words it takes apart.
            unsafe { vld3q_f32(candidates[4 * i..][..4].as_ptr().cast()).1 }
        }))
    }

    #[inline(always)]
    fn new_id_check(first: i32) -> Expected {
        const COUNT: [i32; 4] = [0, 1, 2, 3];
        // SAFETY: NEON is there, and four words can be read.
        unsafe { Expected { next: vaddq_s32(vdupq_n_s32(first), vld1q_s32(COUNT.as_ptr())), wrong: vdupq_n_s32(0) } }
    }

    #[inline(always)]
    fn update_id_check(Expected { next, wrong }: &mut Expected, candidates: &[Candidate; LANES]) {
        for four in candidates.as_chunks::<4>().0 {
            // SAFETY: NEON is there, and four candidates can be read.
            unsafe {
                *wrong = vorrq_s32(*wrong, veorq_s32(vld3q_s32(four.as_ptr().cast()).0, *next));
                *next = vaddq_s32(*next, vdupq_n_s32(4));
            }
        }
    }

    #[inline(always)]
    fn id_check_passed(ids: Expected) -> bool {
        // SAFETY: NEON is there.
        unsafe { vmaxvq_u32(vreinterpretq_u32_s32(ids.wrong)) == 0 }
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

/// The numbers of sixteen counters, in order.
#[derive(Clone, Copy)]
pub(crate) struct NeonWords([uint32x4_t; 4]);

// SAFETY, for every block below: NEON is part of the architecture.
impl Words for NeonWords {
    const COUNTERS: usize = 16;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        // SAFETY: NEON is there.
        Self([unsafe { vdupq_n_u32(x) }; 4])
    }

    #[inline(always)]
    fn consecutive(first: u32) -> Self {
        const COUNT: [u32; 4] = [0, 1, 2, 3];
        Self(std::array::from_fn(|i| {
            // SAFETY: NEON is there, and four words can be read.
            unsafe { vaddq_u32(vld1q_u32(COUNT.as_ptr()), vdupq_n_u32(first + 4 * i as u32)) }
        }))
    }

    #[inline(always)]
    fn multiply(self, factor: u32) -> (Self, Self) {
        let product = self.0.map(|x| {
            // SAFETY: NEON is there.
            unsafe {
                let low = vmull_u32(vget_low_u32(x), vdup_n_u32(factor));
                (vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(vmull_high_u32(x, vdupq_n_u32(factor))))
            }
        });
        // SAFETY: NEON is there.
        (
            Self(product.map(|(a, b)| unsafe { vuzp2q_u32(a, b) })),
            Self(product.map(|(a, b)| unsafe { vuzp1q_u32(a, b) })),
        )
    }

    #[inline(always)]
    fn xor(self, key: u32) -> Self {
        // SAFETY: NEON is there.
        Self(self.0.map(|x| unsafe { veorq_u32(x, vdupq_n_u32(key)) }))
    }

    #[inline(always)]
    fn mix(self, other: Self, key: u32) -> Self {
        Self(std::array::from_fn(|i| {
            // SAFETY: NEON is there.
            unsafe { veorq_u32(veorq_u32(other.0[i], vdupq_n_u32(key)), self.0[i]) }
        }))
    }

    #[inline(always)]
    fn store([a, b, c, d]: [Self; 4], out: &mut [[u32; LANES]]) {
        for (i, out) in out.iter_mut().enumerate() {
            // SAFETY: NEON is there, and sixteen words can be written.
            unsafe { vst4q_u32(out.as_mut_ptr(), uint32x4x4_t(a.0[i], b.0[i], c.0[i], d.0[i])) };
        }
    }

    #[inline(always)]
    fn least(words: &NoiseWords) -> [u32; LANES] {
        let mut least = [u32::MAX; LANES];
        for (i, least) in least.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            // SAFETY: NEON is there, and four words can be read from each quarter of a row and written.
            unsafe {
                let min =
                    words.iter().fold(vdupq_n_u32(u32::MAX), |min, x| vminq_u32(min, vld1q_u32(x[4 * i..].as_ptr())));
                vst1q_u32(least.as_mut_ptr(), min);
            }
        }
        least
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
