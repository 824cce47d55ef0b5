//! The memory floor: one read of a row, as a sum in the widest registers there are. Everything is measured against it.

/// The level of the sum below, in the library's words.
pub fn level() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return "avx512";
        }
        if is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    "plain"
}

/// The sum of a row, many sums side by side so that none waits for another.
pub fn sum(logits: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature is there.
            return unsafe { x86::sum_avx512(logits) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature is there.
            return unsafe { x86::sum_avx2(logits) };
        }
    }
    side_by_side(logits)
}

#[inline(always)]
fn side_by_side(logits: &[f32]) -> f32 {
    let (chunks, rest) = logits.as_chunks::<64>();
    let mut sums = [0.0f32; 64];
    for chunk in chunks {
        for (s, x) in sums.iter_mut().zip(chunk) {
            *s += x;
        }
    }
    sums.iter().chain(rest).sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{_mm512_add_ps, _mm512_loadu_ps, _mm512_reduce_add_ps, _mm512_setzero_ps};

    #[target_feature(enable = "avx2")]
    pub(super) fn sum_avx2(logits: &[f32]) -> f32 {
        super::side_by_side(logits)
    }

    /// By hand, because a compiler may prefer registers of half the width.
    #[target_feature(enable = "avx512f")]
    pub(super) fn sum_avx512(logits: &[f32]) -> f32 {
        let (chunks, rest) = logits.as_chunks::<128>();
        let mut sums = [_mm512_setzero_ps(); 8];
        for chunk in chunks {
            let (vectors, _) = chunk.as_chunks::<16>();
            for (s, v) in sums.iter_mut().zip(vectors) {
                // SAFETY: sixteen floats.
                *s = _mm512_add_ps(*s, unsafe { _mm512_loadu_ps(v.as_ptr()) });
            }
        }
        let total = sums.into_iter().reduce(|a, b| _mm512_add_ps(a, b)).expect("there are eight");
        _mm512_reduce_add_ps(total) + rest.iter().sum::<f32>()
    }
}
