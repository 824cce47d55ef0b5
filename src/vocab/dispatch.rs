//! Which instruction set runs, decided once: the table of kernels that a sampler holds.

use super::passes::{self, Hit, Weighting};
use super::spread::{self, Measure, Spread};
use crate::error::{Error, Result};
use once_cell::sync::OnceCell;
use std::ffi::CStr;
use std::sync::LazyLock;

/// The passes of `passes.rs`, instantiated for one instruction set.
pub(crate) struct Kernels {
    /// The level's name, as `BREGMAN_SIMD` spells it; NUL-terminated for C.
    pub(crate) level: &'static CStr,
    pub(crate) block_maxima: fn(&[f32], &mut [f32]) -> bool,
    pub(crate) block_sums: fn(&[f32], Weighting, &mut [f64]),
    pub(crate) moment: fn(&[f32], Weighting) -> f64,
    pub(crate) weights: fn(&[f32], Weighting, &mut [f32]),
    pub(crate) collect: fn(&[f32], u32, f32, f32, &mut Vec<Hit>),
    pub(crate) count: fn(&[f32], f32) -> u64,
    pub(crate) spread: fn(&[f32], Measure) -> Spread,
}

/// The table of one level: each pass for its lanes, inside a function that has its features.
macro_rules! kernels {
    ($module:ident, $lanes:ty, $level:literal $(, features $features:literal)?) => {
        mod $module {
            use super::{Hit, Kernels, Measure, Spread, Weighting, passes, spread};

            $(#[target_feature(enable = $features)])?
            fn block_maxima(run: &[f32], maxima: &mut [f32]) -> bool {
                passes::block_maxima::<$lanes>(run, maxima)
            }

            $(#[target_feature(enable = $features)])?
            fn block_sums(run: &[f32], weighting: Weighting, sums: &mut [f64]) {
                passes::block_sums::<$lanes>(run, weighting, sums);
            }

            $(#[target_feature(enable = $features)])?
            fn moment(run: &[f32], weighting: Weighting) -> f64 {
                passes::moment::<$lanes>(run, weighting)
            }

            $(#[target_feature(enable = $features)])?
            fn weights(run: &[f32], weighting: Weighting, out: &mut [f32]) {
                passes::weights::<$lanes>(run, weighting, out);
            }

            $(#[target_feature(enable = $features)])?
            fn collect(run: &[f32], first: u32, low: f32, high: f32, hits: &mut Vec<Hit>) {
                passes::collect::<$lanes>(run, first, low, high, hits);
            }

            $(#[target_feature(enable = $features)])?
            fn count(run: &[f32], low: f32) -> u64 {
                passes::count::<$lanes>(run, low)
            }

            $(#[target_feature(enable = $features)])?
            fn spread(run: &[f32], measure: Measure) -> Spread {
                spread::spread::<$lanes>(run, measure)
            }

            #[allow(unused_unsafe, reason = "the portable level needs no features")]
            // SAFETY, for each: `levels` has this table only on a machine that has the features.
            pub(super) static KERNELS: Kernels = Kernels {
                level: $level,
                // SAFETY: as above.
                block_maxima: |run, maxima| unsafe { block_maxima(run, maxima) },
                // SAFETY: as above.
                block_sums: |run, weighting, sums| unsafe { block_sums(run, weighting, sums) },
                // SAFETY: as above.
                moment: |run, weighting| unsafe { moment(run, weighting) },
                // SAFETY: as above.
                weights: |run, weighting, out| unsafe { weights(run, weighting, out) },
                // SAFETY: as above.
                collect: |run, first, low, high, hits| unsafe { collect(run, first, low, high, hits) },
                // SAFETY: as above.
                count: |run, low| unsafe { count(run, low) },
                // SAFETY: as above.
                spread: |run, measure| unsafe { spread(run, measure) },
            };
        }
    };
}

kernels!(scalar, crate::vocab::scalar::Scalar, c"scalar");
#[cfg(target_arch = "x86_64")]
kernels!(avx2, crate::vocab::x86::avx2::Avx2, c"avx2", features "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(avx512, crate::vocab::x86::avx512::Avx512, c"avx512", features "avx512f,avx512bw,avx512dq,avx512vl");
#[cfg(target_arch = "aarch64")]
kernels!(neon, crate::vocab::aarch64::Neon, c"neon", features "neon");

/// The levels that this build and machine have, the lowest first.
pub(crate) fn levels() -> &'static [&'static Kernels] {
    static LEVELS: LazyLock<Vec<&Kernels>> = LazyLock::new(|| {
        let mut levels = vec![&scalar::KERNELS];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(&avx2::KERNELS);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                levels.push(&avx512::KERNELS);
            }
        }
        #[cfg(target_arch = "aarch64")]
        levels.push(&neon::KERNELS);
        levels
    });
    &LEVELS
}

/// The highest level that this machine has and `BREGMAN_SIMD` allows. A value that names none is refused, and asked
/// again the next time: only a good answer is remembered.
pub(crate) fn kernels() -> Result<&'static Kernels> {
    static CHOSEN: OnceCell<&'static Kernels> = OnceCell::new();
    CHOSEN
        .get_or_try_init(|| match std::env::var_os("BREGMAN_SIMD") {
            Some(name) if !name.is_empty() => by_name(&name.to_string_lossy())
                .map_err(|e| Error::Unsupported(format!("environment variable BREGMAN_SIMD: {e}"))),
            _ => Ok(levels()[levels().len() - 1]),
        })
        .copied()
}

/// The level of this name, if this build and machine have it.
pub(crate) fn by_name(name: &str) -> Result<&'static Kernels> {
    levels().iter().copied().find(|k| k.level.to_bytes() == name.as_bytes()).ok_or_else(|| {
        let known: Vec<_> = levels().iter().map(|k| k.level.to_string_lossy()).collect();
        Error::Unsupported(format!("no SIMD level `{name}`: this build and machine have {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::BLOCK;

    #[test]
    fn an_unknown_level_is_named_in_the_error() {
        assert!(by_name("scalar").is_ok());
        assert!(by_name("altivec").is_err_and(|e| e.to_string().contains("`altivec`")));
    }

    /// Rows that try lanes, tails and special values: every length around a vector and a block, then larger ones.
    fn rows() -> Vec<Vec<f32>> {
        let mut state = 7u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        };
        let special = [0.0, -0.0, f32::NEG_INFINITY, 1e-40, -1e-40, f32::MIN, 3e38, -87.4, 20.0];
        let lengths = (1..=67).chain([BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK + 13, 10_007]);
        lengths
            .flat_map(|n| [(n, 0), (n, 8), (n, 2)])
            .map(|(n, every)| {
                (0..n)
                    .map(|_| match next() {
                        r if every > 0 && r % every == 0 => special[next() as usize % special.len()],
                        r => (r >> 8) as f32 / 524_288.0 - 16.0,
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        for level in &levels()[1..] {
            for row in rows() {
                let blocks = row.len().div_ceil(BLOCK);
                let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                for scale in [1.0, 1.0 / 0.7, 3.0, 1e30] {
                    let weighting = Weighting::new(max.max(f32::MIN), scale);
                    let all = |k: &Kernels| {
                        let (mut maxima, mut sums) = (vec![0.0; blocks], vec![0.0; blocks]);
                        let (mut weights, mut hits) = (vec![0.0; row.len()], vec![]);
                        let valid = (k.block_maxima)(&row, &mut maxima);
                        (k.block_sums)(&row, weighting, &mut sums);
                        (k.weights)(&row, weighting, &mut weights);
                        (k.collect)(&row, 5, -3.0, 9.0, &mut hits);
                        // The sign of a zero maximum is nobody's.
                        let maxima: Vec<u32> = maxima.iter().map(|m| (m + 0.0f32).to_bits()).collect();
                        let sums: Vec<u64> = sums.iter().map(|s| s.to_bits()).collect();
                        let weights: Vec<u32> = weights.iter().map(|w| w.to_bits()).collect();
                        let moment = (k.moment)(&row, weighting).to_bits();
                        let Spread { count, sum, squares } = (k.spread)(&row, Measure { centre: -0.7, factor: 0.25 });
                        let spread = (count, sum.to_bits(), squares.to_bits());
                        (valid, maxima, sums, weights, hits, moment, (k.count)(&row, 0.0), spread)
                    };
                    assert_eq!(all(level), all(&scalar::KERNELS), "{:?}, {} logits", level.level, row.len());
                }
            }
        }
    }

    #[test]
    fn every_level_refuses_what_is_not_a_logit() {
        for level in levels() {
            for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
                for at in [0, 15, 16, 300, 516] {
                    let mut row = vec![1.0; 517];
                    assert!((level.block_maxima)(&row, &mut [0.0; 3]));
                    row[at] = bad;
                    assert!(!(level.block_maxima)(&row, &mut [0.0; 3]), "{:?} at {at}", level.level);
                }
            }
        }
    }
}
