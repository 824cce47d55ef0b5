//! Which instruction set runs, decided once: the table of kernels that a sampler holds.

use super::kernels::candidates::CandidateUpdate;
use super::kernels::collect::CollectRange;
use super::kernels::compress::{Compressed, Gathering};
use super::kernels::count::LanesBelow;
use super::kernels::curve::Curve;
use super::kernels::deviation::{CentredSums, Centring};
use super::kernels::exponential::ExpParams;
use super::kernels::format::{Bf16, Candidates, F16, F32};
use super::kernels::lanes::{LANES, Vector};
use super::kernels::maxima::{Extent, Maxima};
use super::kernels::nearness::Level;
use super::kernels::noise::NoiseMatch;
use super::kernels::prefix::PrefixSum;
use super::kernels::ranked::RankedToken;
use super::kernels::rounded::{Grid, Positions, RoundedSum};
use super::kernels::run::{NoMask, PackedMask, Run, TypedRun, with_typed_run};
use super::kernels::sums::SumsExtra;
use super::kernels::words::NoiseWords;
use super::kernels::{self as kernel, ROWS};
use super::levels::{self as level};
use crate::error::{Error, Result};
use crate::logits::Candidate;
use crate::math::{ListMath, list};
use crate::random::Stream;
use once_cell::race::{OnceBox, OnceRef};
use std::ffi::CStr;
use std::ops::Range;

/// The kernels of `kernels/`, compiled for one instruction set.
pub(crate) struct Kernels {
    /// The level's name as `BREGMAN_SIMD` spells it; NUL-terminated for C.
    pub(crate) level: &'static CStr,
    pub(crate) maxima: fn(Run<'_>, Maxima<'_>) -> Extent,
    pub(crate) sums: fn(Run<'_>, ExpParams, SumsExtra, Maxima<'_>, &mut [Vector]) -> Extent,
    pub(crate) weights: fn(Run<'_>, ExpParams, &mut [f32]),
    pub(crate) collect: fn(Run<'_>, CollectRange<'_>, &mut Vec<RankedToken>),
    pub(crate) compress: fn(Run<'_>, CollectRange<'_>, &mut [f32], usize, &mut Vec<u32>) -> Compressed,
    pub(crate) gather: fn(Run<'_>, CollectRange<'_>, &mut Gathering<'_>, &mut Vec<u32>),
    pub(crate) count: fn(Run<'_>, f32) -> u64,
    pub(crate) centred_sums: fn(Run<'_>, Centring) -> CentredSums,
    pub(crate) reshape: fn(Run<'_>, Curve, f32, &mut [f32]),
    pub(crate) total: fn(&[Vector]) -> f64,
    pub(crate) column_weights: fn(&[Vector; ROWS], &[ExpParams; LANES], &mut Vector),
    pub(crate) blocks_at_least: fn(&[Vector], &[Vector], f32, &mut Vec<u32>),
    pub(crate) lanes_at_least: fn(&[Vector], f32) -> u64,
    pub(crate) lanes_below: fn(&[Vector], &[Vector], f32) -> LanesBelow,
    pub(crate) prefix_sum: fn(&[f32], &[f32], &[f32], f32) -> PrefixSum,
    pub(crate) weigh: fn(&[f32], ExpParams, f32, &mut [f32], &mut Vec<Vector>),
    pub(crate) tops: fn(&[f32], &mut Vec<f32>),
    pub(crate) nearness: fn(&[f32], Level, &mut [f32]),
    pub(crate) largest_near: fn(&[f32], &[f32], f32) -> f32,
    pub(crate) exact_weights: fn(&[f32], Level, f64, &mut [f64]),
    pub(crate) rounded_sum: fn(&[f32], &[f64], Range<f32>, Grid) -> RoundedSum,
    pub(crate) halfway: fn(&[f32], &[f64], Range<f32>, Grid, &mut Positions),
    pub(crate) unpack_candidates: fn(&[Candidate], &mut [f32]) -> bool,
    pub(crate) update_candidates: fn(&mut [Candidate], CandidateUpdate<'_>),
    pub(crate) noise_words: fn(&Stream, u32, &mut NoiseWords),
    pub(crate) search_noise: fn(&Stream, u32, &[Vector], f32, &mut NoiseWords) -> Option<NoiseMatch>,
    /// The elementary functions over lists of f64.
    pub(crate) math: ListMath,
}

/// Makes the table of one level: each kernel for the level's lanes, in a function that has the level's features. There
/// are three lists: kernels over a run, whose format and mask become types here; kernels over what those wrote; and the
/// functions over lists of f64.
macro_rules! kernels {
    ($module:ident, $lanes:ty, $level:literal $(, features $features:literal)?) => {
        kernels! {
            @ $module, $lanes, $level, [$($features)?],
            [
                maxima(run, maxima: Maxima<'_>) -> Extent,
                sums(run, params: ExpParams, extra: SumsExtra, maxima: Maxima<'_>, sums: &mut [Vector]) -> Extent,
                weights(run, params: ExpParams, out: &mut [f32]) -> (),
                collect(run, range: CollectRange<'_>, tokens: &mut Vec<RankedToken>) -> (),
                compress(run, range: CollectRange<'_>, out: &mut [f32], len: usize, starts: &mut Vec<u32>) -> Compressed,
                gather(run, range: CollectRange<'_>, list: &mut Gathering<'_>, starts: &mut Vec<u32>) -> (),
                count(run, low: f32) -> u64,
                centred_sums(run, centring: Centring) -> CentredSums,
                reshape(run, curve: Curve, lowest: f32, out: &mut [f32]) -> ()
            ],
            [
                total(blocks: &[Vector]) -> f64,
                column_weights(logits: &[Vector; ROWS], params: &[ExpParams; LANES], out: &mut Vector) -> (),
                blocks_at_least(maxima: &[Vector], columns: &[Vector], low: f32, blocks: &mut Vec<u32>) -> (),
                lanes_at_least(maxima: &[Vector], low: f32) -> u64,
                lanes_below(maxima: &[Vector], sums: &[Vector], low: f32) -> LanesBelow,
                prefix_sum(logits: &[f32], weights: &[f32], tops: &[f32], low: f32) -> PrefixSum,
                weigh(logits: &[f32], params: ExpParams, least: f32, out: &mut [f32], sums: &mut Vec<Vector>) -> (),
                tops(logits: &[f32], out: &mut Vec<f32>) -> (),
                nearness(logits: &[f32], level: Level, out: &mut [f32]) -> (),
                largest_near(logits: &[f32], nearness: &[f32], low: f32) -> f32,
                exact_weights(logits: &[f32], level: Level, first: f64, out: &mut [f64]) -> (),
                rounded_sum(logits: &[f32], weights: &[f64], range: Range<f32>, grid: Grid) -> RoundedSum,
                halfway(
                    logits: &[f32], weights: &[f64], range: Range<f32>, grid: Grid, positions: &mut Positions
                ) -> (),
                unpack_candidates(candidates: &[Candidate], logits: &mut [f32]) -> bool,
                update_candidates(candidates: &mut [Candidate], update: CandidateUpdate<'_>) -> (),
                noise_words(stream: &Stream, first: u32, out: &mut NoiseWords) -> (),
                search_noise(
                    stream: &Stream, first: u32, sums: &[Vector], limit: f32, out: &mut NoiseWords
                ) -> Option<NoiseMatch>
            ],
            [exp, expm1, ln, log1p]
        }
    };
    (
        @ $module:ident, $lanes:ty, $level:literal, $features:tt,
        [$($over_run:ident(run $(, $a:ident: $at:ty)*) -> $ar:ty),*],
        [$($over_lanes:ident($($b:ident: $bt:ty),*) -> $br:ty),*],
        [$($over_list:ident),*]
    ) => {
        mod $module {
            use super::*;

            $(with_features! { $features fn $over_run(run: Run<'_> $(, $a: $at)*) -> $ar {
                with_typed_run!(run, |typed| kernel::$over_run::<$lanes, _, _>(typed $(, $a)*))
            }})*
            $(with_features! { $features fn $over_lanes($($b: $bt),*) -> $br {
                kernel::$over_lanes::<$lanes>($($b),*)
            }})*
            $(with_features! { $features fn $over_list(xs: &mut [f64]) {
                list::$over_list(xs)
            }})*

            // SAFETY, for every block: `levels` has this table only on a processor that has the features.
            #[allow(unused_unsafe, reason = "the portable level needs no features")]
            #[allow(clippy::undocumented_unsafe_blocks, reason = "documented once for the table")]
            pub(super) static KERNELS: Kernels = Kernels {
                level: $level,
                $($over_run: |run $(, $a)*| unsafe { self::$over_run(run $(, $a)*) },)*
                $($over_lanes: |$($b),*| unsafe { self::$over_lanes($($b),*) },)*
                math: ListMath { $($over_list: |xs| unsafe { self::$over_list(xs) }),* },
            };
        }
    };
}

macro_rules! with_features {
    ([] $($function:tt)*) => { $($function)* };
    ([$features:literal] $($function:tt)*) => {
        #[target_feature(enable = $features)]
        $($function)*
    };
}

kernels!(scalar, level::scalar::Scalar, c"scalar");
#[cfg(target_arch = "x86_64")]
kernels!(avx2, level::avx2::Avx2, c"avx2", features "avx2,fma,f16c,bmi1,bmi2,popcnt");
#[cfg(target_arch = "x86_64")]
kernels!(avx512, level::avx512::Avx512, c"avx512", features "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt");
#[cfg(target_arch = "aarch64")]
kernels!(neon, level::neon::Neon, c"neon", features "neon");

#[cfg(target_arch = "x86_64")]
macro_rules! has_all {
    ($($feature:tt),*) => { $(is_x86_feature_detected!($feature))&&* };
}

/// The levels that this build and processor have, the lowest first.
pub(crate) fn levels() -> &'static [&'static Kernels] {
    static LEVELS: OnceBox<Vec<&Kernels>> = OnceBox::new();
    LEVELS.get_or_init(|| {
        let mut levels = vec![&scalar::KERNELS];
        #[cfg(target_arch = "x86_64")]
        {
            // Every processor with AVX2 has these as well; a hypervisor may hide any of them.
            let has_bits = has_all!("bmi1", "bmi2", "popcnt");
            if has_bits && has_all!("avx2", "fma", "f16c") {
                levels.push(&avx2::KERNELS);
            }
            if has_bits && has_all!("avx512f", "avx512bw", "avx512dq", "avx512vl") {
                levels.push(&avx512::KERNELS);
            }
        }
        #[cfg(target_arch = "aarch64")]
        levels.push(&neon::KERNELS);
        Box::new(levels)
    })
}

/// The level that `BREGMAN_SIMD` names, else the highest. A name that this processor does not have is an error, and is
/// not remembered: the variable is read again at the next call.
pub(crate) fn kernels() -> Result<&'static Kernels> {
    static CHOSEN: OnceRef<'static, Kernels> = OnceRef::new();
    CHOSEN.get_or_try_init(|| match std::env::var_os("BREGMAN_SIMD") {
        Some(name) if !name.is_empty() => by_name(&name.to_string_lossy())
            .map_err(|e| Error::Unsupported(format!("environment variable BREGMAN_SIMD: {e}"))),
        _ => Ok(levels()[levels().len() - 1]),
    })
}

/// The level of this name, if this build and processor have it.
pub(crate) fn by_name(name: &str) -> Result<&'static Kernels> {
    levels().iter().copied().find(|k| k.level.to_bytes() == name.as_bytes()).ok_or_else(|| {
        let known: Vec<_> = levels().iter().map(|k| k.level.to_string_lossy()).collect();
        Error::Unsupported(format!("no SIMD level `{name}`: this build and machine have {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_refuses_an_unknown_level() {
        assert!(by_name("scalar").is_ok());
        assert!(by_name("altivec").is_err_and(|e| e.to_string().contains("`altivec`")));
    }
}
