//! Sixteen lanes in two 256-bit registers: AVX2, FMA and F16C, as every processor since Haswell and Zen has.

use super::super::kernels::lanes::{FRACTION, IdCheck, LANES, Lanes, UNIT, Vector};
use super::x86_words::Words256;
use super::{CACHE_LINE, simd};
use crate::logits::Candidate;
use std::arch::x86_64::*;

/// Sixteen lanes in two 256-bit registers, the first eight in the first.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256, __m256);

impl Lanes for Avx2 {
    type Mask = (__m256, __m256);
    type Sums = [__m256d; 4];
    type Words = Words256;
    type IdCheck = Ids;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        let x = simd!(_mm256_set1_ps(x));
        Self(x, x)
    }

    #[inline(always)]
    fn load(x: &Vector) -> Self {
        // SAFETY: `x` has sixteen floats.
        unsafe { Self(_mm256_loadu_ps(x.as_ptr()), _mm256_loadu_ps(x.as_ptr().add(8))) }
    }

    #[inline(always)]
    fn store(self, out: &mut Vector) {
        // SAFETY: `out` has sixteen floats.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), self.0);
            _mm256_storeu_ps(out.as_mut_ptr().add(8), self.1);
        }
    }

    #[inline(always)]
    fn prefetch<T>(x: &T) {
        let start = std::ptr::from_ref(x).cast::<i8>();
        for line in 0..size_of::<T>().div_ceil(CACHE_LINE) {
            // SAFETY: a prefetch accesses no memory.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line * CACHE_LINE)) };
        }
    }

    #[inline(always)]
    fn load_f16(x: &[u16; LANES]) -> Self {
        // SAFETY: `x` has sixteen halves.
        unsafe {
            let half = |at: usize| _mm256_cvtph_ps(_mm_loadu_si128(x.as_ptr().add(at).cast()));
            Self(half(0), half(8))
        }
    }

    #[inline(always)]
    fn load_bf16(x: &[u16; LANES]) -> Self {
        // SAFETY: `x` has sixteen halves.
        unsafe {
            let half = |at: usize| {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(x.as_ptr().add(at).cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))
            };
            Self(half(0), half(8))
        }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        simd!(Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        simd!(Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        simd!(Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        simd!(Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        simd!(Self(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        simd!(Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)))
    }

    #[inline(always)]
    fn split(self) -> (Self, Self) {
        simd!({
            let (low, high) = (_mm256_cvtps_epi32(self.0), _mm256_cvtps_epi32(self.1));
            let (fraction, unit) = (_mm256_set1_epi32(FRACTION as i32), _mm256_set1_epi32(UNIT as i32));
            let mantissa = |i| _mm256_castsi256_ps(_mm256_or_si256(_mm256_and_si256(i, fraction), unit));
            let power = |i| _mm256_castsi256_ps(_mm256_andnot_si256(fraction, i));
            (Self(mantissa(low), mantissa(high)), Self(power(low), power(high)))
        })
    }

    #[inline(always)]
    fn ge(self, other: Self) -> Self::Mask {
        simd!((_mm256_cmp_ps(self.0, other.0, _CMP_GE_OQ), _mm256_cmp_ps(self.1, other.1, _CMP_GE_OQ)))
    }

    #[inline(always)]
    fn lt(self, other: Self) -> Self::Mask {
        simd!((_mm256_cmp_ps(self.0, other.0, _CMP_LT_OQ), _mm256_cmp_ps(self.1, other.1, _CMP_LT_OQ)))
    }

    #[inline(always)]
    fn ordered(self, other: Self) -> Self::Mask {
        simd!((_mm256_cmp_ps(self.0, other.0, _CMP_ORD_Q), _mm256_cmp_ps(self.1, other.1, _CMP_ORD_Q)))
    }

    #[inline(always)]
    fn keep(self, mask: Self::Mask) -> Self {
        simd!(Self(_mm256_and_ps(self.0, mask.0), _mm256_and_ps(self.1, mask.1)))
    }

    #[inline(always)]
    fn allow(self, bits: u16) -> Self {
        simd!({
            // Each lane tests its own bit of the byte: all ones where it is set.
            let lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let banned = _mm256_set1_ps(f32::NEG_INFINITY);
            let half = |x, byte: u16| {
                let set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(i32::from(byte)), lane), lane);
                _mm256_blendv_ps(banned, x, _mm256_castsi256_ps(set))
            };
            Self(half(self.0, bits & 0xff), half(self.1, bits >> 8))
        })
    }

    #[inline(always)]
    fn compress(self, mask: Self::Mask, out: &mut Vector) -> usize {
        // SAFETY: `out` has sixteen floats: eight are written at its start, then eight at most eight further on.
        unsafe {
            let half = |x: __m256, mask: __m256, out: *mut f32| {
                let bits = _mm256_movemask_ps(mask) as usize;
                let from = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(COMPRESS[bits] as i64));
                _mm256_storeu_ps(out, _mm256_permutevar8x32_ps(x, from));
                bits.count_ones() as usize
            };
            let n = half(self.0, mask.0, out.as_mut_ptr());
            n + half(self.1, mask.1, out.as_mut_ptr().add(n))
        }
    }

    #[inline(always)]
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        simd!((_mm256_and_ps(a.0, b.0), _mm256_and_ps(a.1, b.1)))
    }

    #[inline(always)]
    fn bits(mask: Self::Mask) -> u32 {
        simd!(_mm256_movemask_ps(mask.0) as u32 | (_mm256_movemask_ps(mask.1) as u32) << 8)
    }

    #[inline(always)]
    fn mul_f64(self, factor: f64) -> Self {
        simd!({
            let factor = _mm256_set1_pd(factor);
            let quarter = |x: __m128| _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_cvtps_pd(x), factor));
            let half =
                |x: __m256| _mm256_set_m128(quarter(_mm256_extractf128_ps(x, 1)), quarter(_mm256_castps256_ps128(x)));
            Self(half(self.0), half(self.1))
        })
    }

    #[inline(always)]
    fn affine_f64(self, pivot: f64, factor: f64, base: f64) -> Self {
        simd!({
            let [pivot, factor, base] = [_mm256_set1_pd(pivot), _mm256_set1_pd(factor), _mm256_set1_pd(base)];
            let mut quarters = [
                _mm256_castps256_ps128(self.0),
                _mm256_extractf128_ps(self.0, 1),
                _mm256_castps256_ps128(self.1),
                _mm256_extractf128_ps(self.1, 1),
            ];
            // No closure: its instructions would be called as functions.
            for quarter in &mut quarters {
                let scaled = _mm256_mul_pd(_mm256_sub_pd(_mm256_cvtps_pd(*quarter), pivot), factor);
                *quarter = _mm256_cvtpd_ps(_mm256_add_pd(scaled, base));
            }
            Self(_mm256_set_m128(quarters[1], quarters[0]), _mm256_set_m128(quarters[3], quarters[2]))
        })
    }

    #[inline(always)]
    fn load_logits(candidates: &[Candidate; LANES]) -> Self {
        Self::load_logits_permuted(candidates).unpermute()
    }

    #[inline(always)]
    fn load_logits_permuted(candidates: &[Candidate; LANES]) -> Self {
        let (low, high) = halves(candidates);
        Self(logits(low), logits(high))
    }

    #[inline(always)]
    fn unpermute(self) -> Self {
        simd!({
            let from = _mm256_setr_epi32(1, 4, 7, 2, 5, 0, 3, 6);
            Self(_mm256_permutevar8x32_ps(self.0, from), _mm256_permutevar8x32_ps(self.1, from))
        })
    }

    #[inline(always)]
    fn permute(self) -> Self {
        simd!({
            let from = _mm256_setr_epi32(5, 0, 3, 6, 1, 4, 7, 2);
            Self(_mm256_permutevar8x32_ps(self.0, from), _mm256_permutevar8x32_ps(self.1, from))
        })
    }

    #[inline(always)]
    fn store_candidates<const LOGIT: bool, const P: bool>(candidates: &mut [Candidate; LANES], logits: Self, p: Self) {
        let (halves, _) = candidates.as_chunks_mut();
        let [low, high] = halves else { return };
        store_half::<LOGIT, P>(low, logits.0, p.0);
        store_half::<LOGIT, P>(high, logits.1, p.1);
    }

    #[inline(always)]
    fn reduce_max(self) -> f32 {
        simd!({
            let eight = _mm256_max_ps(self.0, self.1);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        })
    }

    #[inline(always)]
    fn zero_sums() -> Self::Sums {
        [simd!(_mm256_setzero_pd()); 4]
    }

    #[inline(always)]
    fn add_to(self, sums: &mut Self::Sums) {
        simd!({
            sums[0] = _mm256_add_pd(sums[0], _mm256_cvtps_pd(_mm256_castps256_ps128(self.0)));
            sums[1] = _mm256_add_pd(sums[1], _mm256_cvtps_pd(_mm256_extractf128_ps(self.0, 1)));
            sums[2] = _mm256_add_pd(sums[2], _mm256_cvtps_pd(_mm256_castps256_ps128(self.1)));
            sums[3] = _mm256_add_pd(sums[3], _mm256_cvtps_pd(_mm256_extractf128_ps(self.1, 1)));
        })
    }

    #[inline(always)]
    fn add_sums(a: Self::Sums, b: Self::Sums) -> Self::Sums {
        simd!(std::array::from_fn(|i| _mm256_add_pd(a[i], b[i])))
    }

    #[inline(always)]
    fn round_sums(sums: Self::Sums) -> Self {
        simd!({
            let (low, high) = (_mm256_cvtpd_ps(sums[0]), _mm256_cvtpd_ps(sums[2]));
            Self(
                _mm256_insertf128_ps(_mm256_castps128_ps256(low), _mm256_cvtpd_ps(sums[1]), 1),
                _mm256_insertf128_ps(_mm256_castps128_ps256(high), _mm256_cvtpd_ps(sums[3]), 1),
            )
        })
    }

    #[inline(always)]
    fn reduce_sums(sums: Self::Sums) -> f64 {
        simd!({
            let four = _mm256_add_pd(_mm256_add_pd(sums[0], sums[2]), _mm256_add_pd(sums[1], sums[3]));
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        })
    }
}

/// The next eight ids, in the order of [`ids`], and the bits in which any id so far differed.
pub(crate) struct Ids {
    next: __m256i,
    wrong: __m256i,
}

impl IdCheck for Ids {
    #[inline(always)]
    fn new(first: i32) -> Self {
        simd!({
            // Candidate i's id is in lane 3 i modulo 8.
            let count = _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5);
            Self { next: _mm256_add_epi32(count, _mm256_set1_epi32(first)), wrong: _mm256_setzero_si256() }
        })
    }

    #[inline(always)]
    fn update(&mut self, candidates: &[Candidate; LANES]) {
        let (low, high) = halves(candidates);
        let Self { next, wrong } = self;
        simd!({
            let eight = _mm256_set1_epi32(8);
            let middle = _mm256_add_epi32(*next, eight);
            *wrong = _mm256_or_si256(*wrong, _mm256_xor_si256(ids(low), *next));
            *wrong = _mm256_or_si256(*wrong, _mm256_xor_si256(ids(high), middle));
            *next = _mm256_add_epi32(middle, eight);
        })
    }

    #[inline(always)]
    fn ok(self) -> bool {
        simd!(_mm256_testz_si256(self.wrong, self.wrong) == 1)
    }
}

/// Eight candidates: 24 words, three registers.
type Half = [Candidate; LANES / 2];

#[inline(always)]
fn halves(candidates: &[Candidate; LANES]) -> (&Half, &Half) {
    let (halves, _) = candidates.as_chunks();
    (&halves[0], &halves[1])
}

/// The three registers. (A function, not a closure: a closure might not be inlined and would call each instruction.)
#[inline(always)]
fn registers(candidates: &Half) -> (__m256i, __m256i, __m256i) {
    let words = candidates.as_ptr().cast::<i32>();
    // SAFETY: eight candidates have 24 words.
    unsafe {
        let (a, b, c) = (words.cast(), words.add(8).cast(), words.add(16).cast());
        (_mm256_loadu_si256(a), _mm256_loadu_si256(b), _mm256_loadu_si256(c))
    }
}

/// The logits of eight candidates, that of candidate i in lane 1 + 3 i modulo 8.
#[inline(always)]
fn logits(candidates: &Half) -> __m256 {
    let (a, b, c) = registers(candidates);
    simd!(_mm256_castsi256_ps(_mm256_blend_epi32(_mm256_blend_epi32(a, b, 0b0010_0100), c, 0b0100_1001)))
}

/// The ids of eight candidates, that of candidate i in lane 3 i modulo 8.
#[inline(always)]
fn ids(candidates: &Half) -> __m256i {
    let (a, b, c) = registers(candidates);
    simd!(_mm256_blend_epi32(_mm256_blend_epi32(a, b, 0b1001_0010), c, 0b0010_0100))
}

/// Writes logits, probabilities or both, whose lanes are in the order of [`logits`].
#[inline(always)]
fn store_half<const LOGIT: bool, const P: bool>(candidates: &mut Half, logits: __m256, p: __m256) {
    let words = candidates.as_mut_ptr().cast::<f32>();
    // SAFETY: eight candidates have 24 words, which are read and written.
    unsafe {
        let (mut a, mut b, mut c) =
            (_mm256_loadu_ps(words), _mm256_loadu_ps(words.add(8)), _mm256_loadu_ps(words.add(16)));
        if LOGIT {
            a = _mm256_blend_ps(a, logits, 0b1001_0010);
            b = _mm256_blend_ps(b, logits, 0b0010_0100);
            c = _mm256_blend_ps(c, logits, 0b0100_1001);
        }
        if P {
            // A probability is in the lane after its logit's.
            let p = _mm256_permutevar8x32_ps(p, _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6));
            a = _mm256_blend_ps(a, p, 0b0010_0100);
            b = _mm256_blend_ps(b, p, 0b0100_1001);
            c = _mm256_blend_ps(c, p, 0b1001_0010);
        }
        _mm256_storeu_ps(words, a);
        _mm256_storeu_ps(words.add(8), b);
        _mm256_storeu_ps(words.add(16), c);
    }
}

/// For each mask of eight lanes, the source lane of each lane after compression, one byte each.
static COMPRESS: [u64; 256] = {
    let (mut all, mut bits) = ([0; 256], 0);
    while bits < 256 {
        let (mut n, mut lane) = (0, 0);
        while lane < 8 {
            if bits >> lane & 1 == 1 {
                all[bits] |= lane << (8 * n);
                n += 1;
            }
            lane += 1;
        }
        bits += 1;
    }
    all
};
