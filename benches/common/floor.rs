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

/// One word of each cache line, which is what moving rows from memory takes at the least.
pub fn touch(rows: &[f32]) -> u32 {
    let (groups, rest) = rows.as_chunks::<128>();
    let mut sums = [0u32; 8];
    for group in groups {
        for (s, line) in sums.iter_mut().zip(group.as_chunks::<16>().0) {
            *s = s.wrapping_add(line[0].to_bits());
        }
    }
    let rest = rest.iter().step_by(16).map(|l| l.to_bits());
    sums.into_iter().chain(rest).fold(0, u32::wrapping_add)
}

/// The sum of all words, from the first to the last or the other way round: one read of an array of anything.
pub fn words(words: &[u32], backwards: bool) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature is there.
            return unsafe { x86::words_avx512(words, backwards) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature is there.
            return unsafe { x86::words_avx2(words, backwards) };
        }
    }
    words_side_by_side(words, backwards)
}

#[inline(always)]
fn words_side_by_side(words: &[u32], backwards: bool) -> u32 {
    let (chunks, rest) = words.as_chunks::<64>();
    let mut sums = [0u32; 64];
    let mut add = |chunk: &[u32; 64]| sums.iter_mut().zip(chunk).for_each(|(s, w)| *s = s.wrapping_add(*w));
    if backwards {
        chunks.iter().rev().for_each(&mut add);
    } else {
        chunks.iter().for_each(&mut add);
    }
    sums.iter().chain(rest).fold(0, |a, b| a.wrapping_add(*b))
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
    use std::arch::x86_64::*;

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

    #[target_feature(enable = "avx2")]
    pub(super) fn words_avx2(words: &[u32], backwards: bool) -> u32 {
        super::words_side_by_side(words, backwards)
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn words_avx512(words: &[u32], backwards: bool) -> u32 {
        let (chunks, rest) = words.as_chunks::<128>();
        let mut sums = [_mm512_setzero_si512(); 8];
        let mut add = |chunk: &[u32; 128]| {
            for (s, v) in sums.iter_mut().zip(chunk.as_chunks::<16>().0) {
                // SAFETY: sixteen words.
                *s = _mm512_add_epi32(*s, unsafe { _mm512_loadu_si512(v.as_ptr().cast()) });
            }
        };
        if backwards {
            chunks.iter().rev().for_each(&mut add);
        } else {
            chunks.iter().for_each(&mut add);
        }
        let total = sums.into_iter().reduce(|a, b| _mm512_add_epi32(a, b)).expect("there are eight");
        rest.iter().fold(_mm512_reduce_add_epi32(total) as u32, |a, b| a.wrapping_add(*b))
    }
}
