//! Sixteen lanes in one 512-bit register: AVX-512 F, BW, DQ and VL, as every processor since Skylake-X and Zen 4 has.

use super::super::kernels::lanes::{FRACTION, IdCheck, LANES, Lanes, UNIT, Vector};
use super::x86_words::Words512;
use super::{CACHE_LINE, simd};
use crate::logits::Candidate;
use std::arch::x86_64::*;

/// Sixteen lanes in one 512-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

impl Lanes for Avx512 {
    type Mask = __mmask16;
    type Sums = [__m512d; 2];
    type Words = Words512;
    type IdCheck = Ids;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(simd!(_mm512_set1_ps(x)))
    }

    #[inline(always)]
    fn load(x: &Vector) -> Self {
        // SAFETY: `x` has sixteen floats.
        Self(unsafe { _mm512_loadu_ps(x.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, out: &mut Vector) {
        // SAFETY: `out` has sixteen floats.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), self.0) };
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
        Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(x.as_ptr().cast())) })
    }

    #[inline(always)]
    fn load_bf16(x: &[u16; LANES]) -> Self {
        // SAFETY: `x` has sixteen halves.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(x.as_ptr().cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16)))
        }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(simd!(_mm512_max_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(simd!(_mm512_min_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(simd!(_mm512_add_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(simd!(_mm512_sub_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Self(simd!(_mm512_fmadd_ps(self.0, b.0, c.0)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(simd!(_mm512_mul_ps(self.0, other.0)))
    }

    #[inline(always)]
    fn split(self) -> (Self, Self) {
        simd!({
            let whole = _mm512_cvtps_epi32(self.0);
            let (fraction, unit) = (_mm512_set1_epi32(FRACTION as i32), _mm512_set1_epi32(UNIT as i32));
            // whole & fraction | unit, in one instruction.
            let mantissa = _mm512_ternarylogic_epi32(whole, fraction, unit, 0xea);
            let power = _mm512_and_si512(whole, _mm512_set1_epi32(!FRACTION as i32));
            (Self(_mm512_castsi512_ps(mantissa)), Self(_mm512_castsi512_ps(power)))
        })
    }

    #[inline(always)]
    fn ge(self, other: Self) -> __mmask16 {
        simd!(_mm512_cmp_ps_mask(self.0, other.0, _CMP_GE_OQ))
    }

    #[inline(always)]
    fn lt(self, other: Self) -> __mmask16 {
        simd!(_mm512_cmp_ps_mask(self.0, other.0, _CMP_LT_OQ))
    }

    #[inline(always)]
    fn ordered(self, other: Self) -> __mmask16 {
        simd!(_mm512_cmp_ps_mask(self.0, other.0, _CMP_ORD_Q))
    }

    #[inline(always)]
    fn keep(self, mask: __mmask16) -> Self {
        Self(simd!(_mm512_maskz_mov_ps(mask, self.0)))
    }

    #[inline(always)]
    fn allow(self, bits: u16) -> Self {
        Self(simd!(_mm512_mask_mov_ps(_mm512_set1_ps(f32::NEG_INFINITY), bits, self.0)))
    }

    #[inline(always)]
    fn compress_indexed(self, mask: __mmask16, first: u32, indices: &mut [u32; LANES], lanes: &mut Vector) -> usize {
        // SAFETY: `indices` and `lanes` have sixteen elements each.
        unsafe {
            let lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let index = _mm512_add_epi32(lane, _mm512_set1_epi32(first as i32));
            _mm512_storeu_si512(indices.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(mask, index));
            _mm512_storeu_ps(lanes.as_mut_ptr(), _mm512_maskz_compress_ps(mask, self.0));
        }
        mask.count_ones() as usize
    }

    #[inline(always)]
    fn compress(self, mask: __mmask16, out: &mut Vector) -> usize {
        // Not the instruction that compresses into memory: it is many times slower on some processors.
        // SAFETY: `out` has sixteen floats.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_maskz_compress_ps(mask, self.0)) };
        mask.count_ones() as usize
    }

    #[inline(always)]
    fn and(a: __mmask16, b: __mmask16) -> __mmask16 {
        a & b
    }

    #[inline(always)]
    fn bits(mask: __mmask16) -> u32 {
        u32::from(mask)
    }

    #[inline(always)]
    fn mul_f64(self, factor: f64) -> Self {
        simd!({
            let factor = _mm512_set1_pd(factor);
            let half = |x: __m256| _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_cvtps_pd(x), factor));
            let low = half(_mm512_castps512_ps256(self.0));
            Self(_mm512_insertf32x8(_mm512_castps256_ps512(low), half(_mm512_extractf32x8_ps(self.0, 1)), 1))
        })
    }

    #[inline(always)]
    fn affine_f64(self, pivot: f64, factor: f64, base: f64) -> Self {
        simd!({
            let [pivot, factor, base] = [_mm512_set1_pd(pivot), _mm512_set1_pd(factor), _mm512_set1_pd(base)];
            let half = |x: __m256| {
                let scaled = _mm512_mul_pd(_mm512_sub_pd(_mm512_cvtps_pd(x), pivot), factor);
                _mm512_cvtpd_ps(_mm512_add_pd(scaled, base))
            };
            let low = half(_mm512_castps512_ps256(self.0));
            Self(_mm512_insertf32x8(_mm512_castps256_ps512(low), half(_mm512_extractf32x8_ps(self.0, 1)), 1))
        })
    }

    #[inline(always)]
    fn load_logits(candidates: &[Candidate; LANES]) -> Self {
        Self::load_logits_permuted(candidates).unpermute()
    }

    #[inline(always)]
    fn load_logits_permuted(candidates: &[Candidate; LANES]) -> Self {
        Self(simd!(_mm512_castsi512_ps(words::<1>(candidates))))
    }

    #[inline(always)]
    fn unpermute(self) -> Self {
        let from = const { places_of(1) };
        // SAFETY: `from` has sixteen words.
        Self(unsafe { _mm512_permutexvar_ps(_mm512_loadu_si512(from.as_ptr().cast()), self.0) })
    }

    #[inline(always)]
    fn permute(self) -> Self {
        let mut from = [0; LANES];
        for (i, place) in const { places_of(1) }.into_iter().enumerate() {
            from[place as usize] = i as i32;
        }
        // SAFETY: `from` has sixteen words.
        Self(unsafe { _mm512_permutexvar_ps(_mm512_loadu_si512(from.as_ptr().cast()), self.0) })
    }

    #[inline(always)]
    fn store_candidates<const LOGIT: bool, const P: bool>(candidates: &mut [Candidate; LANES], logits: Self, p: Self) {
        let words = candidates.as_mut_ptr().cast::<f32>();
        let (of_logits, of_p) = const { (lanes_of(1), lanes_of(2)) };
        // A probability is in the lane after its logit's.
        let behind: [i32; LANES] = std::array::from_fn(|lane| (lane + LANES - 1) as i32 % LANES as i32);
        // Not masked stores: they are many times slower on some processors.
        // SAFETY: sixteen candidates have 48 words, which are read and written.
        unsafe {
            let p = _mm512_permutexvar_ps(_mm512_loadu_si512(behind.as_ptr().cast()), p.0);
            for i in 0..3 {
                let mut all = _mm512_loadu_ps(words.add(LANES * i));
                if LOGIT {
                    all = _mm512_mask_mov_ps(all, of_logits[i], logits.0);
                }
                if P {
                    all = _mm512_mask_mov_ps(all, of_p[i], p);
                }
                _mm512_storeu_ps(words.add(LANES * i), all);
            }
        }
    }

    #[inline(always)]
    fn reduce_max(self) -> f32 {
        simd!(_mm512_reduce_max_ps(self.0))
    }

    #[inline(always)]
    fn zero_sums() -> Self::Sums {
        [simd!(_mm512_setzero_pd()); 2]
    }

    #[inline(always)]
    fn add_to(self, sums: &mut Self::Sums) {
        simd!({
            sums[0] = _mm512_add_pd(sums[0], _mm512_cvtps_pd(_mm512_castps512_ps256(self.0)));
            sums[1] = _mm512_add_pd(sums[1], _mm512_cvtps_pd(_mm512_extractf32x8_ps(self.0, 1)));
        })
    }

    #[inline(always)]
    fn add_sums(a: Self::Sums, b: Self::Sums) -> Self::Sums {
        simd!([_mm512_add_pd(a[0], b[0]), _mm512_add_pd(a[1], b[1])])
    }

    #[inline(always)]
    fn round_sums(sums: Self::Sums) -> Self {
        simd!({
            let (low, high) = (_mm512_cvtpd_ps(sums[0]), _mm512_cvtpd_ps(sums[1]));
            Self(_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1))
        })
    }

    #[inline(always)]
    fn reduce_sums(sums: Self::Sums) -> f64 {
        simd!({
            let eight = _mm512_add_pd(sums[0], sums[1]);
            let four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        })
    }
}

/// The next sixteen ids, in the order of [`words`], and the bits in which any id so far differed.
pub(crate) struct Ids {
    next: __m512i,
    wrong: __m512i,
}

impl IdCheck for Ids {
    #[inline(always)]
    fn new(first: i32) -> Self {
        let mut ids = [0; LANES];
        for (i, place) in const { places_of(0) }.into_iter().enumerate() {
            ids[place as usize] = first.wrapping_add(i as i32);
        }
        // SAFETY: `ids` has sixteen words.
        unsafe { Self { next: _mm512_loadu_si512(ids.as_ptr().cast()), wrong: _mm512_setzero_si512() } }
    }

    #[inline(always)]
    fn update(&mut self, candidates: &[Candidate; LANES]) {
        let Self { next, wrong } = self;
        simd!({
            // wrong | (ids ^ next), in one instruction.
            *wrong = _mm512_ternarylogic_epi32(*wrong, words::<0>(candidates), *next, 0xf6);
            *next = _mm512_add_epi32(*next, _mm512_set1_epi32(LANES as i32));
        })
    }

    #[inline(always)]
    fn ok(self) -> bool {
        simd!(_mm512_test_epi32_mask(self.wrong, self.wrong) == 0)
    }
}

/// The lanes that hold word `at` (id, logit, p) of a candidate, in each of the three registers of sixteen candidates.
const fn lanes_of(at: usize) -> [u16; 3] {
    let (mut lanes, mut word) = ([0; 3], at);
    while word < 3 * LANES {
        lanes[word / LANES] |= 1 << (word % LANES);
        word += 3;
    }
    lanes
}

/// Word `AT` of each of sixteen candidates, that of candidate i in lane `places_of(AT)[i]`: in the three registers these
/// words occupy different lanes, so two blends gather them.
#[inline(always)]
fn words<const AT: usize>(candidates: &[Candidate; LANES]) -> __m512i {
    let words = candidates.as_ptr().cast::<i32>();
    let [_, in_b, in_c] = const { lanes_of(AT) };
    // SAFETY: sixteen candidates have 48 words.
    unsafe {
        let a = _mm512_loadu_si512(words.cast());
        let b = _mm512_loadu_si512(words.add(LANES).cast());
        let c = _mm512_loadu_si512(words.add(2 * LANES).cast());
        _mm512_mask_blend_epi32(in_c, _mm512_mask_blend_epi32(in_b, a, b), c)
    }
}

/// The lane of word `at` of each of sixteen candidates in [`words`].
const fn places_of(at: usize) -> [i32; LANES] {
    let (mut places, mut i) = ([0; LANES], 0);
    while i < LANES {
        places[i] = ((at + 3 * i) % LANES) as i32;
        i += 1;
    }
    places
}
