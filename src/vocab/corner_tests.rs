//! Every case of what has few enough: lane masks, packed tokens, the order of floats as integers, numbers of two bytes, masks of
//! one token in rows of every length. What takes longer than seconds is ignored and has its command in docs/reliability.md.

use super::dispatch::{Kernels, levels};
use super::kernels::BLOCK;
use super::kernels::collect::CollectRange;
use super::kernels::exponential::{ExpParams, binary_scale};
use super::kernels::lanes::LANES;
use super::kernels::maxima::Maxima;
use super::kernels::ranked::RankedToken;
use super::kernels::run::Run;
use crate::logits::Values;
use crate::order::{from_rank, to_rank};

/// Below every logit of these tests but -infinity.
const LOW: f32 = -1e30;

/// Fractions at which something may change: the ends, and around halves and quarters.
const FRACTIONS: [u32; 13] = [
    0, 1, 2, 0x1f_ffff, 0x20_0000, 0x20_0001, 0x3f_ffff, 0x40_0000, 0x40_0001, 0x5f_ffff, 0x60_0000, 0x7f_fffe,
    0x7f_ffff,
];

/// Floats of every exponent and sign, ascending, both zeros and infinities among them.
fn floats() -> Vec<f32> {
    let positive = (0..255).flat_map(|exponent| FRACTIONS.map(|fraction| exponent << 23 | fraction)).chain([255 << 23]);
    let mut all: Vec<_> = positive.flat_map(|bits| [bits, bits | 1 << 31]).map(f32::from_bits).collect();
    all.sort_by(f32::total_cmp);
    all
}

/// Whether rank and float agree, and the order with the float before.
fn is_ranked(before: f32, x: f32) -> bool {
    let is_after = before.is_nan() || x.is_nan() || before < x || (before == 0.0 && x == 0.0);
    is_after && from_rank(to_rank(x)).to_bits() == x.to_bits() && (to_rank(before) < to_rank(x))
}

#[test]
fn ranks_are_in_order_at_every_exponent() {
    for pair in floats().windows(2) {
        assert!(is_ranked(pair[0], pair[1]), "{:e} {:e}", pair[0], pair[1]);
    }
}

#[test]
#[ignore = "every float: half a minute"]
fn every_float_has_its_rank() {
    for rank in 1..=u32::MAX {
        let (before, x) = (from_rank(rank - 1), from_rank(rank));
        assert!(to_rank(x) == rank && is_ranked(before, x), "{before:e} {x:e}");
    }
}

#[test]
fn packed_tokens_are_ordered_by_logit_then_by_index() {
    let indices = [0, 1, 255, 256, 0xffff, 0x1_0000, 0x7fff_fffe, 0x7fff_ffff];
    let (mut last, mut n) = (RankedToken::LAST, 0);
    // Ascending as integers: the smallest logit first, and of the same the largest index. -0 ties with 0.
    for x in floats().into_iter().filter(|x| x.to_bits() != 1 << 31) {
        for &index in indices.iter().rev() {
            let token = RankedToken::new(index, x);
            assert!(last < token, "{index} {x:e}");
            assert_eq!((token.index(), token.logit().to_bits()), (index, x.to_bits()));
            assert_eq!(token.order(), to_rank(x));
            (last, n) = (token, n + 1);
        }
    }
    assert!(n > 50_000);
    assert_eq!(RankedToken::new(3, -0.0), RankedToken::new(3, 0.0));
}

/// The tokens of a run above [`LOW`].
fn collected(k: &Kernels, run: Run<'_>) -> Vec<RankedToken> {
    let blocks: Vec<u32> = (0..run.blocks() as u32).collect();
    let mut tokens = vec![];
    (k.collect)(run, CollectRange { blocks: &blocks, first: 0, low: LOW, high: f32::INFINITY }, &mut tokens);
    tokens
}

/// The same without indices.
fn compressed(k: &Kernels, run: Run<'_>) -> Vec<f32> {
    let blocks: Vec<u32> = (0..run.blocks() as u32).collect();
    let (mut out, mut starts) = (vec![0.0; run.blocks() * BLOCK + LANES], vec![]);
    let range = CollectRange { blocks: &blocks, first: 0, low: LOW, high: f32::INFINITY };
    let len = (k.compress)(run, range, &mut out, 0, &mut starts).len;
    out.truncate(len);
    out
}

/// A row in which each logit says where it is; f16 has these numbers, too.
fn places(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i + 1) as f32).collect()
}

/// What a masked row must give, in every way that kernels tell it.
fn assert_allows(k: &Kernels, run: Run<'_>, row: &[f32], is_allowed: impl Fn(usize) -> bool) {
    let allowed: Vec<usize> = (0..row.len()).filter(|&i| is_allowed(i)).collect();
    let tokens = allowed.iter().map(|&i| RankedToken::new(i as u32, row[i]));
    let what = || format!("{:?}, {} logits, mask {:x?}", k.level, row.len(), run.mask);
    assert!(collected(k, run).into_iter().eq(tokens), "{}", what());
    assert!(compressed(k, run).into_iter().eq(allowed.iter().map(|&i| row[i])), "{}", what());
    assert_eq!((k.count)(run, LOW), allowed.len() as u64, "{}", what());
    let blocks = run.blocks();
    let (mut maxima, mut columns) = (vec![[0.0; LANES]; blocks], vec![[f32::MIN; LANES]; blocks.div_ceil(LANES)]);
    let found = (k.maxima)(run, Maxima { blocks: &mut maxima, columns: &mut columns, first: 0 });
    // The logits ascend.
    assert_eq!(found.max.max(LOW), allowed.last().map_or(LOW, |&i| row[i]), "{}", what());
}

/// In a block of few allowed tokens, and in one of many, which is packed in another way.
#[test]
fn every_mask_of_sixteen_lanes_allows_its_tokens() {
    // Every mask at once takes too long on an emulated processor.
    let step = if std::env::var_os("BREGMAN_EXPECT").is_some() { 251 } else { 1 };
    let row = places(80);
    for bits in (0..=u32::from(u16::MAX)).step_by(step) {
        for rest in [0, u32::MAX] {
            let mut words = [rest; 3];
            // The same mask for the lower and, rotated, for the upper half of a word.
            words[0] = bits | u32::from((bits as u16).rotate_left(5)) << 16;
            for level in levels() {
                let run = Run { values: Values::F32(&row), mask: Some(&words) };
                let expected = (0..row.len()).filter(|i| words[i / 32] >> (i % 32) & 1 != 0);
                let tokens = expected.clone().map(|i| RankedToken::new(i as u32, row[i]));
                assert!(collected(level, run).into_iter().eq(tokens), "{:?}, {bits:x}, {rest:x}", level.level);
                let logits = expected.map(|i| row[i]);
                assert!(compressed(level, run).into_iter().eq(logits), "{:?}, {bits:x}, {rest:x}", level.level);
            }
        }
    }
}

/// Masks that allow one token, all but one, and one where the mask ends.
fn masks_of_one_token(lengths: impl Iterator<Item = usize>, positions: impl Fn(usize) -> Vec<usize>) {
    for n in lengths {
        let row = places(n);
        let f16: Vec<u16> = row.iter().map(|&x| half::f16::from_f32(x).to_bits()).collect();
        for at in positions(n) {
            let (mut one, mut others) = (vec![0u32; n.div_ceil(32)], vec![u32::MAX; n.div_ceil(32)]);
            one[at / 32] |= 1 << (at % 32);
            others[at / 32] ^= 1 << (at % 32);
            let end = at / 32 + 1;
            for (k, values) in levels().iter().flat_map(|k| [(k, Values::F32(&row)), (k, Values::F16(&f16))]) {
                let run = |words| Run { values, mask: Some(words) };
                assert_allows(k, run(&one), &row, |i| i == at);
                assert_allows(k, run(&one[..end]), &row, |i| i == at);
                assert_allows(k, run(&others), &row, |i| i != at);
                assert_allows(k, run(&others[..end]), &row, |i| i != at && i / 32 < end);
            }
        }
    }
}

#[test]
fn masks_of_one_token_hold_at_the_end_of_rows_of_every_length() {
    let step = if std::env::var_os("BREGMAN_EXPECT").is_some() { 61 } else { 1 };
    masks_of_one_token((1..=1024).step_by(step), |n| vec![n / 2, n.saturating_sub(17), n - 1]);
}

#[test]
#[ignore = "half a million rows: minutes"]
fn masks_of_one_token_hold_at_every_position_of_rows_of_every_length() {
    masks_of_one_token(1..=1024, |n| (0..n).collect());
}

/// The weights of a row under some maximum, which none of its logits exceeds, as bits.
fn weights(k: &Kernels, row: &[f32], max: f32) -> Vec<u32> {
    let row: Vec<f32> = row.iter().map(|&x| if x <= max { x } else { f32::NEG_INFINITY }).collect();
    let mut out = vec![7.0; row.len()];
    (k.weights)(Run::plain(&row), ExpParams::new(max, binary_scale(1.0)), &mut out);
    out.into_iter().map(f32::to_bits).collect()
}

fn assert_same_weights(row: &[f32]) {
    // Larger ones do not fit: their rows are shifted first.
    for max in [1.4e6, 88.0, 1.0, 0.0, -50.0] {
        let expected = weights(levels()[0], row, max);
        for level in &levels()[1..] {
            assert!(weights(level, row, max) == expected, "{:?}, {:e} to {max:e}", level.level, row[0]);
        }
    }
}

#[test]
fn weights_are_the_same_on_every_level_at_every_exponent() {
    assert_same_weights(&floats());
}

#[test]
#[ignore = "every float: a minute or two"]
fn every_float_has_the_same_weight_on_every_level() {
    for upper in 0..=u16::MAX {
        let row: Vec<f32> =
            (0..=u16::MAX).map(|lower| f32::from_bits(u32::from(upper) << 16 | u32::from(lower))).collect();
        assert_same_weights(&row);
    }
}

/// Numbers of two bytes weigh as much as the same numbers as `f32`.
#[test]
fn every_half_has_the_weight_of_its_float() {
    const MAX: f32 = 16.0;
    let params = ExpParams::new(MAX, binary_scale(1.0));
    type Format = (fn(&[u16]) -> Values<'_>, fn(u16) -> f32);
    let formats: [Format; 2] = [
        (|halves| Values::F16(halves), |bits| half::f16::from_bits(bits).to_f32()),
        (|halves| Values::Bf16(halves), |bits| half::bf16::from_bits(bits).to_f32()),
    ];
    for (values, exact) in formats {
        let halves: Vec<u16> = (0..=u16::MAX).filter(|&bits| exact(bits) <= MAX).collect();
        let floats: Vec<f32> = halves.iter().map(|&bits| exact(bits)).collect();
        let expected = weights(levels()[0], &floats, MAX);
        for level in levels() {
            let mut out = vec![7.0; halves.len()];
            (level.weights)(Run { values: values(&halves), mask: None }, params, &mut out);
            assert!(out.iter().map(|w| w.to_bits()).eq(expected.iter().copied()), "{:?}", level.level);
        }
    }
}
