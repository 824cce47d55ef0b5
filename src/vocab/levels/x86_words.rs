//! 32-bit integers in the registers of AVX2 and AVX-512. The multiplication there takes the lower half of each 64-bit
//! lane and fills the whole lane.

use super::super::kernels::lanes::LANES;
use super::super::kernels::words::{NoiseWords, Words};
use super::simd;
use std::arch::x86_64::*;

/// The integers of eight counters in two registers, each in the lower half of a 64-bit lane; the upper halves are
/// undefined.
#[derive(Clone, Copy)]
pub(crate) struct Words256([__m256i; 2]);

impl Words for Words256 {
    const COUNTERS: usize = 8;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        Self([simd!(_mm256_set1_epi32(x as i32)); 2])
    }

    /// In such an order that each half of an unpacking has neighbours.
    #[inline(always)]
    fn consecutive(first: u32) -> Self {
        Self(std::array::from_fn(|i| {
            simd!({
                let first = _mm256_set1_epi64x(i64::from(first) + 4 * i as i64);
                _mm256_add_epi64(_mm256_setr_epi64x(0, 2, 1, 3), first)
            })
        }))
    }

    #[inline(always)]
    fn multiply(self, factor: u32) -> (Self, Self) {
        simd!({
            let factor = _mm256_set1_epi32(factor as i32);
            let product = self.0.map(|x| _mm256_mul_epu32(x, factor));
            (Self(product.map(|p| _mm256_srli_epi64(p, 32))), Self(product))
        })
    }

    #[inline(always)]
    fn xor(self, key: u32) -> Self {
        Self(self.0.map(|x| simd!(_mm256_xor_si256(x, _mm256_set1_epi32(key as i32)))))
    }

    #[inline(always)]
    fn mix(self, other: Self, key: u32) -> Self {
        Self(std::array::from_fn(|i| {
            // `self` last: it is ready last.
            simd!(_mm256_xor_si256(_mm256_xor_si256(other.0[i], _mm256_set1_epi32(key as i32)), self.0[i]))
        }))
    }

    #[inline(always)]
    fn store([a, b, c, d]: [Self; 4], out: &mut [[u32; LANES]]) {
        for (i, out) in out.iter_mut().enumerate() {
            // SAFETY: `out` has sixteen words.
            unsafe {
                // The second word next to the first.
                let beside = |x, y| _mm256_blend_epi32(x, _mm256_slli_epi64(y, 32), 0xaa);
                let (ab, cd) = (beside(a.0[i], b.0[i]), beside(c.0[i], d.0[i]));
                _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm256_unpacklo_epi64(ab, cd));
                _mm256_storeu_si256(out.as_mut_ptr().add(8).cast(), _mm256_unpackhi_epi64(ab, cd));
            }
        }
    }

    #[inline(always)]
    fn least(words: &NoiseWords) -> [u32; LANES] {
        let mut least = [0; LANES];
        for half in [0, 8] {
            // SAFETY: each half of `least` and of a row of `words` has eight words.
            unsafe {
                let min = words.iter().fold(_mm256_set1_epi32(-1), |min, x| {
                    _mm256_min_epu32(min, _mm256_loadu_si256(x.as_ptr().add(half).cast()))
                });
                _mm256_storeu_si256(least.as_mut_ptr().add(half).cast(), min);
            }
        }
        least
    }
}

/// The integers of 32 counters in four registers, each in the lower half of a 64-bit lane; the upper halves are
/// undefined.
#[derive(Clone, Copy)]
pub(crate) struct Words512([__m512i; 4]);

impl Words for Words512 {
    const COUNTERS: usize = 32;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        Self([simd!(_mm512_set1_epi32(x as i32)); 4])
    }

    /// In such an order that each half of an unpacking has neighbours.
    #[inline(always)]
    fn consecutive(first: u32) -> Self {
        Self(std::array::from_fn(|i| {
            simd!({
                let first = _mm512_set1_epi64(i64::from(first) + 8 * i as i64);
                _mm512_add_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), first)
            })
        }))
    }

    #[inline(always)]
    fn multiply(self, factor: u32) -> (Self, Self) {
        simd!({
            let factor = _mm512_set1_epi32(factor as i32);
            let product = self.0.map(|x| _mm512_mul_epu32(x, factor));
            (Self(product.map(|p| _mm512_srli_epi64(p, 32))), Self(product))
        })
    }

    #[inline(always)]
    fn xor(self, key: u32) -> Self {
        Self(self.0.map(|x| simd!(_mm512_xor_si512(x, _mm512_set1_epi32(key as i32)))))
    }

    #[inline(always)]
    fn mix(self, other: Self, key: u32) -> Self {
        Self(std::array::from_fn(|i| {
            simd!(_mm512_ternarylogic_epi32(self.0[i], other.0[i], _mm512_set1_epi32(key as i32), 0x96))
        }))
    }

    #[inline(always)]
    fn store([a, b, c, d]: [Self; 4], out: &mut [[u32; LANES]]) {
        for (i, out) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            // SAFETY: both rows of `out` have sixteen words.
            unsafe {
                // The second word next to the first.
                let beside = |x, y| _mm512_mask_shuffle_epi32(x, 0xaaaa, y, 0xa0);
                let (ab, cd) = (beside(a.0[i], b.0[i]), beside(c.0[i], d.0[i]));
                _mm512_storeu_si512(out[0].as_mut_ptr().cast(), _mm512_unpacklo_epi64(ab, cd));
                _mm512_storeu_si512(out[1].as_mut_ptr().cast(), _mm512_unpackhi_epi64(ab, cd));
            }
        }
    }

    #[inline(always)]
    fn least(words: &NoiseWords) -> [u32; LANES] {
        let mut least = [0; LANES];
        // SAFETY: `least` and each row of `words` have sixteen words.
        unsafe {
            let all = _mm512_set1_epi32(-1);
            let min = words.iter().fold(all, |min, x| _mm512_min_epu32(min, _mm512_loadu_si512(x.as_ptr().cast())));
            _mm512_storeu_si512(least.as_mut_ptr().cast(), min);
        }
        least
    }
}
