//! Every level gives the bits of the scalar one, for every kernel.

use super::dispatch::{Kernels, levels};
use super::kernels::BLOCK;
use super::kernels::candidates::{CandidateUpdate, LogitChange, ProbabilityScale};
use super::kernels::collect::CollectRange;
use super::kernels::compress::Compressed;
use super::kernels::curve::{AdaptivePCurve, Curve, SmoothingCurve};
use super::kernels::deviation::Centring;
use super::kernels::exponential::{ExpParams, TileScale, binary_scale};
use super::kernels::lanes::{LANES, Vector};
use super::kernels::maxima::Maxima;
use super::kernels::nearness::Level;
use super::kernels::prefix::CHUNK;
use super::kernels::rounded::Grid;
use super::kernels::run::Run;
use super::kernels::sums::SumsExtra;
use super::kernels::words::NoiseWords;
use crate::logits::{Candidate, Values};
use crate::math::ListMath;
use crate::random::Stream;
use crate::testing::Lcg;

/// The scalar level, with which all others are compared.
fn scalar() -> &'static Kernels {
    levels()[0]
}

fn put_in<'a>(blocks: &'a mut [Vector], columns: &'a mut [Vector]) -> Maxima<'a> {
    Maxima { blocks, columns, first: 0 }
}

/// Rows with special values, of every length around a vector, of lengths around a block, and longer.
fn rows() -> Vec<Vec<f32>> {
    let mut random = Lcg::new(7);
    let special = [0.0, -0.0, f32::NEG_INFINITY, 1e-40, -1e-40, f32::MIN, -3e38, -87.4, 20.0];
    let lengths = (1..=67).chain([BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK + 13, 10_007]);
    lengths
        .flat_map(|n| [(n, 0), (n, 8), (n, 2)])
        .map(|(n, every)| {
            (0..n)
                .map(|_| match random.next_u31() {
                    r if every > 0 && r % every == 0 => special[random.next_u31() as usize % special.len()],
                    r => (r >> 8) as f32 / 524_288.0 - 16.0,
                })
                .collect()
        })
        .collect()
}

/// Candidates with these logits, whose ids are their positions.
fn candidates(row: &[f32]) -> Vec<Candidate> {
    (0..).zip(row).map(|(id, &logit)| Candidate { id, logit, p: f32::NAN }).collect()
}

/// A row in every format, without a mask and with one that bans single tokens, whole blocks and the end.
fn in_every_format(row: &[f32], mut check: impl FnMut(Run<'_>, &str)) {
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
fn kernels_over_a_row_have_the_same_bits_on_every_level() {
    for level in &levels()[1..] {
        for row in rows() {
            in_every_format(&row, |run, format| {
                let blocks = run.len().div_ceil(BLOCK);
                let max = row.iter().copied().filter(|x| x.abs() < 1e4).fold(-20.0, f32::max);
                for scale in [1.0, 1.0 / 0.7, 3.0, 60.0] {
                    let params = ExpParams::new(max, binary_scale(scale));
                    let all = |k: &Kernels| {
                        let (mut maxima, mut sums) = (vec![[0.0; LANES]; blocks], vec![[0.0; LANES]; blocks]);
                        let (mut weights, mut tokens) = (vec![0.0; row.len()], vec![]);
                        let (mut blocks_at_least, mut columns) =
                            (vec![], vec![[f32::MIN; LANES]; blocks.div_ceil(LANES)]);
                        let found = (k.maxima)(run, put_in(&mut maxima, &mut columns));
                        let extents =
                            [SumsExtra::Moment { from: max }, SumsExtra::Squares, SumsExtra::Min, SumsExtra::None].map(
                                |extra| (k.sums)(run, params, extra, put_in(&mut maxima, &mut columns), &mut sums),
                            );
                        (k.weights)(run, params, &mut weights);
                        let numbers: Vec<u32> = (5..).take(blocks).collect();
                        for (low, high) in [(-3.0, 9.0), (12.0, f32::INFINITY)] {
                            (k.collect)(run, CollectRange { blocks: &numbers, first: 5, low, high }, &mut tokens);
                        }
                        (k.blocks_at_least)(&maxima, &columns, 9.0, &mut blocks_at_least);
                        let mut compressed = vec![0.0; numbers.len() * BLOCK + LANES];
                        let mut starts = vec![];
                        let (mut len, mut above) = (0, 0);
                        for (low, high) in [(9.0, f32::INFINITY), (-3.0, 5.0)] {
                            let range = CollectRange { blocks: &numbers, first: 5, low, high };
                            Compressed { len, above } = (k.compress)(run, range, &mut compressed, len, &mut starts);
                        }
                        assert_eq!(above as u64, (k.count)(run, 5.0));
                        let compressed: Vec<u32> = compressed[..len].iter().map(|x| x.to_bits()).collect();
                        let prefix = (k.prefix_sum)(&row, &weights, &[], -3.0);
                        let (mut tops, whole) = (vec![], row.len() / CHUNK * CHUNK);
                        let mut weighed = vec![0.0; whole];
                        for least in [f32::NEG_INFINITY, -3.0, 9.0, 15.9] {
                            // With weights that are stored, and without.
                            let outs = if least == f32::NEG_INFINITY { vec![whole, 0] } else { vec![0] };
                            for stored in outs {
                                let mut groups = Vec::new();
                                let out = &mut weighed[..stored];
                                (k.weigh)(&row[..whole], params, least, out, &mut groups);
                                let sum = (k.prefix_sum)(&row[..whole], &weighed, &[], least);
                                assert_eq!((k.total)(&groups).to_bits(), sum.weight.to_bits(), "weights from {least}");
                            }
                        }
                        (k.tops)(&row[..whole], &mut tops);
                        for low in [-3.0, 9.0, 15.9, 40.0] {
                            let [plain, skipping] = [&[], &tops[..]]
                                .map(|tops| (k.prefix_sum)(&row[..whole], &weights[..whole], tops, low));
                            assert_eq!(plain, skipping, "groups below {low} have no part in the sum");
                        }
                        let below = [-40.0, 9.0, 40.0].map(|low| {
                            let below = (k.lanes_below)(&maxima, &sums, low);
                            (below.weight.to_bits(), below.others)
                        });
                        let mut columns_of_weights = vec![];
                        for block in row.as_chunks().0.as_chunks().0 {
                            let mut out = [0.0; LANES];
                            (k.column_weights)(block, &[params; LANES], &mut out);
                            columns_of_weights.extend(out.map(f32::to_bits));
                        }
                        let centred = (k.centred_sums)(run, Centring { centre: -0.7, factor: 0.25 });
                        let numbers = [(k.total)(&sums), centred.sum, centred.squares, prefix.weight];
                        let numbers = numbers.map(f64::to_bits);
                        let counts =
                            [(k.count)(run, 0.0), (k.lanes_at_least)(&maxima, 9.0), centred.count, prefix.count as u64];
                        // The sign of a maximum of zero is unspecified.
                        let bits = |v: &[Vector]| -> Vec<u32> {
                            v.as_flattened().iter().map(|x| (x + 0.0f32).to_bits()).collect()
                        };
                        let weights: Vec<u32> = weights.iter().map(|w| w.to_bits()).collect();
                        let lanes = [bits(&maxima), bits(&sums), bits(&columns)];
                        let collected = (tokens, compressed, starts);
                        let of_lanes = (below, columns_of_weights);
                        (found, extents, lanes, weights, collected, blocks_at_least, numbers, counts, of_lanes)
                    };
                    assert_eq!(all(level), all(scalar()), "{:?}, {} logits, {format}", level.level, row.len());
                }
            });
        }
    }
}

#[test]
fn nearness_and_rounded_sums_have_the_same_bits_on_every_level() {
    let of = Level { max: 16.0, scale: 1.3, level: -9.7 };
    for row in rows().iter().filter(|row| row.len() >= CHUNK) {
        let row = &row[..row.len() / CHUNK * CHUNK];
        let all = |k: &'static Kernels| {
            let (mut near, mut weights, mut halfway) =
                (vec![0.0; row.len()], vec![0.0; row.len()], Vec::with_capacity(row.len()));
            (k.nearness)(row, of, &mut near);
            (k.exact_weights)(row, of, -1.5, &mut weights);
            let mut plain: Vec<f64> = row.iter().map(|&logit| of.log_weight(logit) + 1.5).collect();
            (k.math.exp)(&mut plain);
            assert_eq!(weights, plain);
            // Some of them lie halfway between two multiples.
            weights.iter_mut().step_by(5).for_each(|w| *w = 0.75 * f64::EPSILON);
            let grid = Grid::of(0.75);
            let sum = (k.rounded_sum)(row, &weights, -3.0..9.0, grid);
            (k.halfway)(row, &weights, -3.0..9.0, grid, &mut halfway);
            assert_eq!(sum.has_halfway, !halfway.is_empty());
            let plain = (k.rounded_sum)(row, &weights, -3.0..f32::INFINITY, Grid::NONE);
            let largest = (k.largest_near)(row, &near, -1.0) + 0.0;
            let near: Vec<u32> = near.iter().map(|x| (x + 0.0).to_bits()).collect();
            (near, sum.sum.to_bits(), plain.sum.to_bits(), halfway, largest.to_bits())
        };
        for level in &levels()[1..] {
            assert_eq!(all(level), all(scalar()), "{:?}, {} logits", level.level, row.len());
        }
    }
}

#[test]
fn reshape_has_the_same_bits_on_every_level() {
    let adaptive_p = AdaptivePCurve { target: 0.2, inverse_width: 1.0 / 0.3, peak: 5.0, sharpness: 10.0 };
    for level in &levels()[1..] {
        for row in rows() {
            in_every_format(&row, |run, format| {
                for (max, scale) in [(16.0, 1.0), (20.0, 1.0 / 0.7)] {
                    let params = ExpParams::new(max, binary_scale(scale));
                    let factor = params.unit(max, binary_scale(scale));
                    let smoothing =
                        |square, cube| Curve::Smoothing { curve: SmoothingCurve { square, cube }, max, scale };
                    for curve in [
                        smoothing(0.2, 0.0),
                        smoothing(0.1, 0.03),
                        Curve::AdaptiveP { curve: adaptive_p, params, factor },
                    ] {
                        let reshaped = |k: &Kernels| {
                            let mut out = vec![0.0; row.len()];
                            (k.reshape)(run, curve, -9.0, &mut out);
                            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                        };
                        let (ours, expected) = (reshaped(level), reshaped(scalar()));
                        assert_eq!(ours, expected, "{:?}, {} logits, {format}", level.level, row.len());
                    }
                }
            });
        }
    }
}

#[test]
fn update_candidates_writes_the_same_bits_on_every_level() {
    for row in rows() {
        let (max, before) = (row.iter().copied().filter(|x| x.abs() < 1e4).fold(-20.0, f32::max), candidates(&row));
        let new: Vec<f32> = row.iter().rev().copied().collect();
        let moves = [(0.0, 0.0), (0.1 + f64::from(max), 0.0), (0.0, -0.7), (3.3, 1.0 / 3.0)];
        let ways = [(1.0, 0.0), (1.0 / 0.7, 0.0), (3.0, max)].into_iter().flat_map(|way| moves.map(|to| (way, to)));
        for ((scale, shift), (pivot, base)) in ways {
            let change = LogitChange { pivot, scale, base };
            let c = binary_scale(scale);
            let params = ExpParams::new(max - shift, c);
            let tile_scale = TileScale { params, unit: params.unit(max - shift, c), shift };
            for probability in [None, Some(ProbabilityScale::new(tile_scale, 0.25))] {
                for logits in [None, Some(&new[..])] {
                    let updated = |k: &Kernels| {
                        let mut after = before.clone();
                        (k.update_candidates)(&mut after, CandidateUpdate { logits, change, probability });
                        after
                    };
                    let expected = updated(scalar());
                    for level in &levels()[1..] {
                        let bits = |c: &Candidate| (c.id, c.logit.to_bits(), c.p.to_bits());
                        assert!(updated(level).iter().map(bits).eq(expected.iter().map(bits)), "{:?}", level.level);
                    }
                    for (i, (c, &own)) in expected.iter().zip(&row).enumerate() {
                        let logit = logits.map_or(own, |new| new[i]);
                        let p = 0.25 * (f64::from(logit - max) * scale).exp();
                        let is_moved = (pivot, base) != (0.0, 0.0);
                        let change = |x: f64| if is_moved { (x - pivot) * scale + base } else { x * scale };
                        let written = change(f64::from(logit)) as f32;
                        assert_eq!((c.id, c.logit.to_bits()), (i as i32, written.to_bits()));
                        let near = (f64::from(c.p) - p).abs() <= 1e-5 * p + 2e-38;
                        assert!(if probability.is_some() { near } else { c.p.is_nan() }, "{logit}: {} {p}", c.p);
                    }
                }
            }
        }
    }
}

#[test]
fn noise_kernels_have_the_same_result_on_every_level() {
    let sums: Vec<Vector> =
        (0..40u32).map(|b| std::array::from_fn(|lane| (b % 9 * (lane as u32 + b)) as f32)).collect();
    for first in [0, 512, 0x7fff_0000] {
        let stream = Stream::new([first, u32::MAX], [1, 2, first]);
        // Limits that no word, few words and most words are below.
        for limit in [0.0, 2f32.powi(14), 2f32.powi(18), 2f32.powi(26)] {
            let all = |k: &Kernels| {
                let (mut block, mut searched) = (NoiseWords::default(), NoiseWords::default());
                (k.noise_words)(&stream, first, &mut block);
                ((k.search_noise)(&stream, first, &sums, limit, &mut searched), block, searched)
            };
            for level in &levels()[1..] {
                assert_eq!(all(level), all(scalar()), "{:?}, {limit}", level.level);
            }
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
fn every_level_converts_every_half_exactly() {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    for level in levels() {
        for (values, exact) in [
            (Values::F16(&all[..]), &(|h| half::f16::from_bits(h).to_f32()) as &dyn Fn(u16) -> f32),
            (Values::Bf16(&all[..]), &|h| half::bf16::from_bits(h).to_f32()),
        ] {
            let mut tokens = vec![];
            let blocks: Vec<u32> = (0..all.len().div_ceil(BLOCK) as u32).collect();
            let range = CollectRange { blocks: &blocks, first: 0, low: f32::NEG_INFINITY, high: f32::INFINITY };
            (level.collect)(Run { values, mask: None }, range, &mut tokens);
            let expected: Vec<_> = all.iter().map(|&h| (u32::from(h), exact(h))).filter(|(_, x)| !x.is_nan()).collect();
            assert_eq!(tokens.len(), expected.len(), "{:?}", level.level);
            for (token, (index, x)) in tokens.iter().zip(expected) {
                let x = (x + 0.0).to_bits();
                assert_eq!((token.index(), token.logit().to_bits()), (index, x), "{:?}", level.level);
            }
        }
    }
}

#[test]
fn every_level_detects_nan_and_infinity_unless_masked() {
    for level in levels() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
            for at in [0, 15, 16, 300, 516] {
                let (mut row, mut maxima) = (vec![1.0; 517], [[0.0; LANES]; 3]);
                let mut detects = |row: &[f32], mask: Option<&[u32]>| {
                    let run = Run { values: Values::F32(row), mask };
                    let (params, mut columns) = (ExpParams::new(1.0, 1.0), [[f32::MIN; LANES]]);
                    let by_maxima = (level.maxima)(run, put_in(&mut maxima, &mut columns));
                    let maxima = put_in(&mut maxima, &mut columns);
                    let by_sums = (level.sums)(run, params, SumsExtra::None, maxima, &mut [[0.0; LANES]; 3]);
                    let [by_maxima, by_sums] =
                        [by_maxima, by_sums].map(|extent| !extent.ordered || extent.max == f32::INFINITY);
                    assert_eq!(by_maxima, by_sums);
                    by_maxima
                };
                assert!(!detects(&row, None));
                row[at] = bad;
                assert!(detects(&row, None), "{:?} at {at}", level.level);
                let mut mask = [u32::MAX; 17];
                assert!(detects(&row, Some(&mask)));
                mask[at / 32] ^= 1 << (at % 32);
                assert!(!detects(&row, Some(&mask)), "banned tokens are not checked");
            }
        }
    }
}
