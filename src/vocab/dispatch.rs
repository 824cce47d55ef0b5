//! Which instruction set runs, decided once: the table of kernels that a sampler holds.

use super::kernels::candidates::CandidateUpdate;
use super::kernels::elementwise::{AdaptivePCurve, Origin, SmoothingCurve};
use super::kernels::exp_sums::Besides;
use super::kernels::exponential::ExpParams;
use super::kernels::lanes::Vector;
use super::kernels::noise::{NoiseMatch, NoiseWords};
use super::kernels::prefix::PrefixSum;
use super::kernels::run::{All, Bf16, Candidates, F16, F32, Packed, Run, TypedRun, with_typed_run};
use super::kernels::spread::{Measure, Spread};
use super::kernels::{self as passes, CollectRange, Extent, Maxima, RankedToken};
use crate::error::{Error, Result};
use crate::logits::Candidate;
use crate::math::{ListMath, list};
use crate::random::Stream;
use once_cell::sync::OnceCell;
use std::ffi::CStr;
use std::sync::LazyLock;

/// The passes of `passes.rs`, instantiated for one instruction set.
pub(crate) struct Kernels {
    /// The level's name, as `BREGMAN_SIMD` spells it; NUL-terminated for C.
    pub(crate) level: &'static CStr,
    /// The elementary functions over lists of f64.
    pub(crate) math: ListMath,
    pub(crate) maxima: fn(Run<'_>, Maxima<'_>) -> Extent,
    pub(crate) sums: fn(Run<'_>, ExpParams, Besides, Maxima<'_>, &mut [Vector]) -> Extent,
    pub(crate) total: fn(&[Vector]) -> f64,
    pub(crate) column: fn(&Vector, ExpParams) -> f64,
    pub(crate) weights: fn(Run<'_>, ExpParams, &mut [f32]),
    pub(crate) collect: fn(Run<'_>, CollectRange<'_>, &mut Vec<RankedToken>),
    pub(crate) compress: fn(Run<'_>, CollectRange<'_>, &mut [f32], usize, &mut Vec<u32>) -> usize,
    pub(crate) count: fn(Run<'_>, f32) -> u64,
    pub(crate) spread: fn(Run<'_>, Measure) -> Spread,
    pub(crate) blocks_at_least: fn(&[Vector], &[Vector], f32, &mut Vec<u32>),
    pub(crate) above: fn(&[f32], &[f32], f32) -> PrefixSum,
    pub(crate) lanes_at_least: fn(&[Vector], f32) -> u64,
    pub(crate) unpack_candidates: fn(&[Candidate], &mut [f32]) -> bool,
    pub(crate) update_candidates: fn(&mut [Candidate], CandidateUpdate<'_>),
    pub(crate) bend: fn(Run<'_>, Origin, SmoothingCurve, &mut [f32]),
    pub(crate) ring: fn(Run<'_>, ExpParams, f64, f32, AdaptivePCurve, &mut [f32]),
    pub(crate) noise_words: fn(&Stream, u32, &mut NoiseWords),
    pub(crate) search_noise: fn(&Stream, u32, &[Vector], f32, &mut NoiseWords) -> Option<NoiseMatch>,
}

/// The table of one level: each pass for its lanes, inside a function that has its features. The first list are passes
/// over a run, whose format and mask are made types there; the second are passes over what those left.
macro_rules! kernels {
    ($module:ident, $lanes:ty, $level:literal $(, features $features:literal)?) => {
        kernels! {
            @ $module, $lanes, $level, [$($features)?],
            [
                maxima(run, maxima: Maxima<'_>) -> Extent,
                sums(run, params: ExpParams, besides: Besides, maxima: Maxima<'_>, sums: &mut [Vector]) -> Extent,
                weights(run, params: ExpParams, out: &mut [f32]) -> (),
                collect(run, wanted: CollectRange<'_>, hits: &mut Vec<RankedToken>) -> (),
                compress(run, wanted: CollectRange<'_>, out: &mut [f32], len: usize, starts: &mut Vec<u32>) -> usize,
                count(run, low: f32) -> u64,
                spread(run, measure: Measure) -> Spread,
                bend(run, origin: Origin, powers: SmoothingCurve, out: &mut [f32]) -> (),
                ring(run, params: ExpParams, share: f64, lowest: f32, bell: AdaptivePCurve, out: &mut [f32]) -> ()
            ],
            [
                total(blocks: &[Vector]) -> f64,
                column(logits: &Vector, params: ExpParams) -> f64,
                blocks_at_least(maxima: &[Vector], columns: &[Vector], low: f32, blocks: &mut Vec<u32>) -> (),
                above(logits: &[f32], weights: &[f32], low: f32) -> PrefixSum,
                lanes_at_least(maxima: &[Vector], low: f32) -> u64,
                unpack_candidates(candidates: &[Candidate], logits: &mut [f32]) -> bool,
                update_candidates(candidates: &mut [Candidate], rewritten: CandidateUpdate<'_>) -> (),
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
                with_typed_run!(run, |source| passes::$over_run::<$lanes, _, _>(source $(, $a)*))
            }})*
            $(with_features! { $features fn $over_lanes($($b: $bt),*) -> $br {
                passes::$over_lanes::<$lanes>($($b),*)
            }})*
            $(with_features! { $features fn $over_list(xs: &mut [f64]) {
                list::$over_list(xs)
            }})*

            #[allow(unused_unsafe, reason = "the portable level needs no features")]
            pub(super) static KERNELS: Kernels = Kernels {
                level: $level,
                math: ListMath {
                    $(
                        // SAFETY: as below.
                        $over_list: |xs| unsafe { self::$over_list(xs) },
                    )*
                },
                $(
                    // SAFETY: `levels` has this table only on a machine that has the features.
                    $over_run: |run $(, $a)*| unsafe { self::$over_run(run $(, $a)*) },
                )*
                $(
                    // SAFETY: as above.
                    $over_lanes: |$($b),*| unsafe { self::$over_lanes($($b),*) },
                )*
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

kernels!(scalar, crate::vocab::levels::scalar::Scalar, c"scalar");
#[cfg(target_arch = "x86_64")]
kernels!(avx2, crate::vocab::levels::avx2::Avx2, c"avx2", features "avx2,fma,f16c,bmi1,bmi2,popcnt");
#[cfg(target_arch = "x86_64")]
kernels!(avx512, crate::vocab::levels::avx512::Avx512, c"avx512", features "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt");
#[cfg(target_arch = "aarch64")]
kernels!(neon, crate::vocab::levels::neon::Neon, c"neon", features "neon");

#[cfg(target_arch = "x86_64")]
macro_rules! has_all {
    ($($feature:tt),*) => { $(is_x86_feature_detected!($feature))&&* };
}

/// The levels that this build and machine have, the lowest first.
pub(crate) fn levels() -> &'static [&'static Kernels] {
    static LEVELS: LazyLock<Vec<&Kernels>> = LazyLock::new(|| {
        let mut levels = vec![&scalar::KERNELS];
        #[cfg(target_arch = "x86_64")]
        {
            // Every processor with AVX2 counts and finds bits, too; a hypervisor may hide any of it.
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
    use super::super::kernels::BLOCK;
    use super::super::kernels::candidates::ProbabilityScale;
    use super::super::kernels::exponential::{TileScale, binary_scale};
    use super::super::kernels::lanes::LANES;
    use super::*;
    use crate::logits::Values;

    #[test]
    fn an_unknown_level_is_named_in_the_error() {
        assert!(by_name("scalar").is_ok());
        assert!(by_name("altivec").is_err_and(|e| e.to_string().contains("`altivec`")));
    }

    fn place<'a>(blocks: &'a mut [Vector], columns: &'a mut [Vector]) -> Maxima<'a> {
        Maxima { blocks, columns, first: 0 }
    }

    /// Rows that try lanes, tails and special values: every length around a vector and a block, then larger ones.
    fn rows() -> Vec<Vec<f32>> {
        let mut state = 7u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        };
        let special = [0.0, -0.0, f32::NEG_INFINITY, 1e-40, -1e-40, f32::MIN, -3e38, -87.4, 20.0];
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

    /// Candidates with these logits, whose ids are their places.
    fn candidates(row: &[f32]) -> Vec<Candidate> {
        (0..).zip(row).map(|(id, &logit)| Candidate { id, logit, p: f32::NAN }).collect()
    }

    /// A row in every format, plain and behind a mask that bans here and there, whole blocks and its end.
    fn in_every_form(row: &[f32], mut check: impl FnMut(Run<'_>, &str)) {
        let f16: Vec<u16> = row.iter().map(|&x| half::f16::from_f32(x).to_bits()).collect();
        let bf16: Vec<u16> = row.iter().map(|&x| half::bf16::from_f32(x).to_bits()).collect();
        let mask: Vec<u32> = (0..row.len().div_ceil(40)).map(|i| (i as u32).wrapping_mul(0x9e37_79b9) | 1).collect();
        let candidates = candidates(row);
        for (values, format) in [
            (Values::F32(row), "f32"),
            (Values::F16(&f16), "f16"),
            (Values::Bf16(&bf16), "bf16"),
            (Values::Candidates(&candidates), "candidates"),
        ] {
            for mask in [None, Some(&mask[..])] {
                check(Run { values, mask }, format);
            }
        }
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        for level in &levels()[1..] {
            for row in rows() {
                in_every_form(&row, |run, format| {
                    let blocks = run.len().div_ceil(BLOCK);
                    let max = row.iter().copied().filter(|x| x.abs() < 1e4).fold(-20.0, f32::max);
                    for scale in [1.0, 1.0 / 0.7, 3.0, 60.0] {
                        let params = ExpParams::new(max, binary_scale(scale));
                        let all = |k: &Kernels| {
                            let (mut maxima, mut sums) = (vec![[0.0; LANES]; blocks], vec![[0.0; LANES]; blocks]);
                            let (mut weights, mut hits) = (vec![0.0; row.len()], vec![]);
                            let (mut blocks_at_least, mut columns) =
                                (vec![], vec![[f32::MIN; LANES]; blocks.div_ceil(LANES)]);
                            let found = (k.maxima)(run, place(&mut maxima, &mut columns));
                            let extents =
                                [Besides::Moment { from: max }, Besides::Smallest, Besides::Nothing].map(|besides| {
                                    (k.sums)(run, params, besides, place(&mut maxima, &mut columns), &mut sums)
                                });
                            (k.weights)(run, params, &mut weights);
                            let numbers: Vec<u32> = (5..).take(blocks).collect();
                            for (low, high) in [(-3.0, 9.0), (12.0, f32::INFINITY)] {
                                let wanted = CollectRange { blocks: &numbers, first: 5, low, high };
                                (k.collect)(run, wanted, &mut hits);
                            }
                            (k.blocks_at_least)(&maxima, &columns, 9.0, &mut blocks_at_least);
                            let mut squeezed = vec![0.0; numbers.len() * BLOCK + LANES];
                            let wanted = CollectRange { blocks: &numbers, first: 5, low: -3.0, high: f32::INFINITY };
                            let mut starts = vec![];
                            let len = (k.compress)(run, wanted, &mut squeezed, 0, &mut starts);
                            let squeezed: Vec<u32> = squeezed[..len].iter().map(|x| x.to_bits()).collect();
                            let above = (k.above)(&row, &weights, -3.0);
                            let Spread { count, sum, squares } =
                                (k.spread)(run, Measure { centre: -0.7, factor: 0.25 });
                            let numbers = [(k.total)(&sums), sum, squares, above.weight];
                            let numbers = numbers.map(f64::to_bits);
                            let counts =
                                [(k.count)(run, 0.0), (k.lanes_at_least)(&maxima, 9.0), count, above.count as u64];
                            // The sign of a zero maximum is nobody's.
                            let bits = |v: &[Vector]| -> Vec<u32> {
                                v.as_flattened().iter().map(|x| (x + 0.0f32).to_bits()).collect()
                            };
                            let weights: Vec<u32> = weights.iter().map(|w| w.to_bits()).collect();
                            let lanes = [bits(&maxima), bits(&sums), bits(&columns)];
                            (found, extents, lanes, weights, (hits, squeezed, starts), blocks_at_least, numbers, counts)
                        };
                        let (theirs, ours) = (all(level), all(&scalar::KERNELS));
                        assert_eq!(theirs, ours, "{:?}, {} logits, {format}", level.level, row.len());
                    }
                });
            }
        }
    }

    #[test]
    fn list_functions_have_the_same_bits_on_every_level() {
        let xs: Vec<f64> = (1..=1003).map(|i| f64::from(i) * 0.37 - 0.3).collect();
        let all = |math: &ListMath| {
            [math.exp, math.expm1, math.ln, math.log1p].map(|list| {
                let mut xs = xs.clone();
                list(&mut xs);
                xs.into_iter().map(f64::to_bits).collect::<Vec<_>>()
            })
        };
        for level in levels() {
            assert!(all(&level.math) == all(&ListMath::PORTABLE), "{:?}", level.level);
        }
    }

    #[test]
    fn every_level_reshapes_alike() {
        let bell = AdaptivePCurve { target: 0.2, inverse_width: 1.0 / 0.3, peak: 5.0, sharpness: 10.0 };
        for level in &levels()[1..] {
            for row in rows() {
                in_every_form(&row, |run, format| {
                    for (max, scale) in [(16.0, 1.0), (20.0, 1.0 / 0.7)] {
                        let (origin, params) =
                            (Origin { max, scale, lowest: -9.0 }, ExpParams::new(max, binary_scale(scale)));
                        for powers in
                            [SmoothingCurve { square: 0.2, cube: 0.0 }, SmoothingCurve { square: 0.1, cube: 0.03 }]
                        {
                            let all = |k: &Kernels| {
                                let (mut bent, mut rung) = (vec![0.0; row.len()], vec![0.0; row.len()]);
                                (k.bend)(run, origin, powers, &mut bent);
                                (k.ring)(run, params, params.unit(max, binary_scale(scale)), -9.0, bell, &mut rung);
                                [bent, rung].map(|v| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
                            };
                            let (theirs, ours) = (all(level), all(&scalar::KERNELS));
                            assert_eq!(theirs, ours, "{:?}, {} logits, {format}", level.level, row.len());
                        }
                    }
                });
            }
        }
    }

    #[test]
    fn every_level_writes_the_same_candidates() {
        for row in rows() {
            let (max, before) = (row.iter().copied().filter(|x| x.abs() < 1e4).fold(-20.0, f32::max), candidates(&row));
            let new: Vec<f32> = row.iter().rev().copied().collect();
            for (scale, shift) in [(1.0, 0.0), (1.0 / 0.7, 0.0), (3.0, max)] {
                let c = binary_scale(scale);
                let params = ExpParams::new(max - shift, c);
                let share = ProbabilityScale::new(TileScale { params, unit: params.unit(max - shift, c), shift }, 0.25);
                for share in [None, Some(share)] {
                    for logits in [None, Some(&new[..])] {
                        let all = |k: &Kernels| {
                            let mut after = before.clone();
                            (k.update_candidates)(&mut after, CandidateUpdate { logits, scale, probability: share });
                            after
                        };
                        let ours = all(&scalar::KERNELS);
                        for level in &levels()[1..] {
                            let theirs = all(level);
                            let bits = |c: &Candidate| (c.id, c.logit.to_bits(), c.p.to_bits());
                            assert!(theirs.iter().map(bits).eq(ours.iter().map(bits)), "{:?}", level.level);
                        }
                        for (i, (c, &own)) in ours.iter().zip(&row).enumerate() {
                            let logit = logits.map_or(own, |new| new[i]);
                            let p = 0.25 * (f64::from(logit - max) * scale).exp();
                            let written = (f64::from(logit) * scale) as f32;
                            assert_eq!((c.id, c.logit.to_bits()), (i as i32, written.to_bits()));
                            let near = (f64::from(c.p) - p).abs() <= 1e-5 * p + 2e-38;
                            assert!(if share.is_some() { near } else { c.p.is_nan() }, "{logit}: {} {p}", c.p);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_level_makes_the_same_noise_and_finds_the_same_in_it() {
        let sums: Vec<Vector> =
            (0..40u32).map(|b| std::array::from_fn(|lane| (b % 9 * (lane as u32 + b)) as f32)).collect();
        for first in [0, 512, 0x7fff_0000] {
            let stream = Stream::new([first, u32::MAX], [1, 2, first]);
            // Where no word is small enough, few are, and most.
            for limit in [0.0, 2f32.powi(14), 2f32.powi(18), 2f32.powi(26)] {
                let all = |k: &Kernels| {
                    let (mut noise_words, mut words) = (NoiseWords::default(), NoiseWords::default());
                    (k.noise_words)(&stream, first, &mut noise_words);
                    ((k.search_noise)(&stream, first, &sums, limit, &mut words), noise_words, words)
                };
                for level in &levels()[1..] {
                    assert_eq!(all(level), all(&scalar::KERNELS), "{:?}, {limit}", level.level);
                }
            }
        }
    }

    #[test]
    fn every_level_reads_every_half() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        for level in levels() {
            for (values, exact) in [
                (Values::F16(&all[..]), &(|h| half::f16::from_bits(h).to_f32()) as &dyn Fn(u16) -> f32),
                (Values::Bf16(&all[..]), &|h| half::bf16::from_bits(h).to_f32()),
            ] {
                let mut hits = vec![];
                let blocks: Vec<u32> = (0..all.len().div_ceil(BLOCK) as u32).collect();
                let wanted = CollectRange { blocks: &blocks, first: 0, low: f32::NEG_INFINITY, high: f32::INFINITY };
                (level.collect)(Run { values, mask: None }, wanted, &mut hits);
                let expected: Vec<_> =
                    all.iter().map(|&h| (u32::from(h), exact(h))).filter(|(_, x)| !x.is_nan()).collect();
                assert_eq!(hits.len(), expected.len(), "{:?}", level.level);
                for (hit, (index, x)) in hits.iter().zip(expected) {
                    let x = (x + 0.0).to_bits();
                    assert_eq!((hit.index(), hit.logit().to_bits()), (index, x), "{:?}", level.level);
                }
            }
        }
    }

    #[test]
    fn every_level_sees_what_is_not_a_logit() {
        for level in levels() {
            for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
                for at in [0, 15, 16, 300, 516] {
                    let (mut row, mut maxima) = (vec![1.0; 517], [[0.0; LANES]; 3]);
                    let mut sees = |row: &[f32], mask: Option<&[u32]>| {
                        let run = Run { values: Values::F32(row), mask };
                        let params = ExpParams::new(1.0, 1.0);
                        let mut columns = [[f32::MIN; LANES]];
                        let seen = [
                            (level.maxima)(run, place(&mut maxima, &mut columns)),
                            (level.sums)(
                                run,
                                params,
                                Besides::Nothing,
                                place(&mut maxima, &mut columns),
                                &mut [[0.0; LANES]; 3],
                            ),
                        ];
                        let bad = seen.map(|s| !s.ordered || s.max == f32::INFINITY);
                        assert_eq!(bad[0], bad[1]);
                        bad[0]
                    };
                    assert!(!sees(&row, None));
                    row[at] = bad;
                    assert!(sees(&row, None), "{:?} at {at}", level.level);
                    let mut mask = [u32::MAX; 17];
                    assert!(sees(&row, Some(&mask)));
                    mask[at / 32] ^= 1 << (at % 32);
                    assert!(!sees(&row, Some(&mask)), "a banned token is not looked at");
                }
            }
        }
    }
}
