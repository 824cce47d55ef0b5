//! Answers besides the token: most likely tokens, ranks and kept tokens of the same decode, through Rust and C.

use crate::common::handle::{Handle, Rows, batch, bits};
use crate::common::rows::{ROWS, Random, logits};
use bregman::ffi::*;
use bregman::{Answers, Row, Sampler, Source, Token, Want};
use proptest::prelude::*;
use proptest::sample::select;
use std::mem::offset_of;
use std::ptr::null_mut;

const CHAINS: [&str; 6] = [
    "draw",
    "temperature(1.5) | gumbel",
    "top_k(20) | draw",
    "logit_bias(0:3 2:-inf) | temperature(0.7) | bregman(alpha=1.5, floor=0.01) | draw",
    "min_p(0.1) | greedy",
    "penalties(2, scope=all) | top_p(0.9) | gumbel",
];

/// ln p of every token of a row, by its definition.
fn logprobs(row: &[f32]) -> Vec<f64> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |l: &f32| (f64::from(*l) - f64::from(max)).exp();
    let total: f64 = row.iter().map(weight).sum();
    row.iter().map(|l| f64::from(*l) - f64::from(max) - total.ln()).collect()
}

/// Tokens in descending order of log-probability.
fn ranked(mut law: Vec<(i32, f64)>) -> Vec<(i32, f64)> {
    law.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    law
}

struct Told {
    token: Token,
    told: bregman::TokenRank,
    top: Vec<(i32, f32)>,
    kept: Vec<i32>,
    mask: Vec<u32>,
}

fn ask(sampler: &mut Sampler, row: &[f32], source: Source, n: usize) -> Told {
    let (mut ids, mut top, mut kept) = (vec![-7; n], vec![7.0; n], vec![-7; row.len() + 2]);
    let mut mask = vec![u32::MAX; row.len().div_ceil(32) + 1];
    let mut answers = Answers {
        source,
        top_ids: &mut ids,
        top_logprobs: &mut top,
        kept_ids: &mut kept,
        kept_mask: &mut mask,
        ..Answers::default()
    };
    let (token, told) = sampler.decode_with(Row::from_f32(row).unwrap(), Want::default(), &mut answers).unwrap();
    Told { token, told, top: ids.into_iter().zip(top).collect(), kept, mask }
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(1500))]

    #[test]
    fn answers_match_distribution_and_decode(
        chain in select(CHAINS.to_vec()), kind in select(ROWS.to_vec()), vocab in 3usize..900, seed: u64, n in 1usize..40,
        of_law: bool
    ) {
        let row = logits(kind, vocab, &mut Random(seed));
        let make = || { let mut s = Sampler::new(chain, seed).unwrap(); s.accept(&[1, 1, 0]).unwrap(); s };
        let source = if of_law { Source::Decoded } else { Source::Model };
        let Ok(plain) = make().decode(Row::from_f32(&row).unwrap(), Want::default()) else { return Ok(()) };
        let Told { token, told, top, kept, mask } = ask(&mut make(), &row, source, n);
        prop_assert_eq!((token.token, token.support, token.p.to_bits()), (plain.token, plain.support, plain.p.to_bits()));
        // The kept tokens are the distribution's.
        let law = make().distribution(Row::from_f32(&row).unwrap()).unwrap();
        let ids: Vec<i32> = law.iter().map(|e| e.0 as i32).collect();
        prop_assert_eq!(&kept[..ids.len()], &ids[..]);
        prop_assert!(kept[ids.len()..].iter().all(|&id| id == -1));
        let bits: Vec<i32> = (0..mask.len() as i32 * 32).filter(|t| mask[*t as usize / 32] >> (t % 32) & 1 == 1).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        prop_assert_eq!(bits, sorted);
        // The most likely tokens, and where the drawn one stands among all.
        let all = match source {
            Source::Decoded => law.iter().map(|e| (e.0 as i32, e.1.ln())).collect(),
            Source::Model => ranked((0..).zip(logprobs(&row)).filter(|e| e.1 > f64::NEG_INFINITY).collect()),
        };
        for (at, &(id, logprob)) in top.iter().enumerate() {
            match all.get(at) {
                Some(&(expected, exact)) if exact > -650.0 => {
                    prop_assert_eq!(id, expected);
                    prop_assert!((f64::from(logprob) - exact).abs() <= 1e-5 * (1.0 - exact), "{id}: {logprob} {exact}");
                }
                Some(_) => {}
                None => prop_assert!(id == -1 && logprob == f32::NEG_INFINITY),
            }
        }
        let mine = all.iter().find(|e| e.0 as u32 == token.token).expect("it has a probability").1;
        prop_assert!((told.logprob - mine).abs() <= 1e-5 * (1.0 - mine), "{} {mine}", told.logprob);
        let of = |at: usize| if of_law { at as f64 } else { f64::from(row[at]) };
        let rank = if of_law {
            all.iter().filter(|e| e.1 >= mine - 1e-12).count()
        } else {
            row.iter().filter(|l| f64::from(**l) >= of(token.token as usize)).count()
        };
        prop_assert_eq!(told.rank, rank);
        // Without a draw, the same list.
        let (mut ids, mut list) = (vec![0; n], vec![0.0; n]);
        let found = make().top_logprobs(Row::from_f32(&row).unwrap(), source, &mut ids, &mut list).unwrap();
        prop_assert!(top.iter().map(|e| e.0).eq(ids.iter().copied()) && found == ids.iter().filter(|id| **id >= 0).count());
        prop_assert!(top.iter().map(|e| e.1.to_bits()).eq(list.iter().map(|l| l.to_bits())));
    }
}

/// A batch with answers decodes as one without, with any number of threads, and writes nothing between its rows.
#[test]
fn batch_answers_match_single_rows() {
    const VOCAB: usize = 500;
    let (n, stride, gap) = (CHAINS.len(), VOCAB + 3, 5);
    let mut random = Random(9);
    let mut rows = vec![f32::NAN; n * stride];
    (0..n).for_each(|r| rows[r * stride..][..VOCAB].copy_from_slice(&logits("model", VOCAB, &mut random)));
    // One row fails.
    rows[2 * stride + 7] = f32::NAN;
    let words = VOCAB.div_ceil(32);
    for (source, threads) in
        [(BREGMAN_OF_MODEL, 1), (BREGMAN_OF_DECODED, 1), (BREGMAN_OF_MODEL, 2), (BREGMAN_OF_DECODED, 4)]
    {
        let make = || CHAINS.iter().map(|c| Handle::new(c, 5)).collect::<Vec<_>>();
        let (status, plain) = batch(&make(), &Rows::F32(&rows), (VOCAB, stride), None, (0, threads));
        let (mut logprobs, mut ranks) = (vec![7.0f32; n], vec![7u32; n]);
        let (mut top_ids, mut top) = (vec![-7; n * (4 + gap)], vec![7.0f32; n * (4 + gap)]);
        let (mut kept, mut mask) = (vec![-7; n * (10 + gap)], vec![7u32; n * (words + gap)]);
        let answers = bregman_answers {
            struct_size: size_of::<bregman_answers>() as u32,
            source,
            logprobs: logprobs.as_mut_ptr(),
            ranks: ranks.as_mut_ptr(),
            top: 4,
            top_stride: 4 + gap,
            top_ids: top_ids.as_mut_ptr(),
            top_logprobs: top.as_mut_ptr(),
            kept: 10,
            kept_stride: 10 + gap,
            kept_ids: kept.as_mut_ptr(),
            kept_mask: mask.as_mut_ptr(),
            kept_mask_stride: words + gap,
            ..bregman_answers::default()
        };
        let told = crate::common::handle::batch_answers(&make(), &rows, (VOCAB, stride), &answers, threads);
        assert_eq!(told.0, status);
        assert!(told.1.iter().map(bits).eq(plain.iter().map(bits)), "the results are the same");
        for r in 0..n {
            let failed = r == 2;
            assert_eq!(plain[r].status != BREGMAN_OK, failed);
            assert_eq!((logprobs[r] == 7.0, ranks[r] == 7 && top_ids[r * (4 + gap)] == -7), (failed, failed));
            let source = if source == BREGMAN_OF_DECODED { Source::Decoded } else { Source::Model };
            if !failed {
                let row = &rows[r * stride..][..VOCAB];
                let alone = ask(&mut Sampler::new(CHAINS[r], 5).unwrap(), row, source, 4);
                assert_eq!((logprobs[r], ranks[r]), (alone.told.logprob as f32, alone.told.rank as u32));
                assert!(top_ids[r * (4 + gap)..].iter().zip(&alone.top).all(|(a, b)| *a == b.0));
                assert!(top[r * (4 + gap)..].iter().zip(&alone.top).all(|(a, b)| *a == b.1));
                assert_eq!(kept[r * (10 + gap)..][..10], alone.kept[..10]);
                assert_eq!(mask[r * (words + gap)..][..words], alone.mask[..words]);
                assert!(mask[r * (words + gap) + words..][..gap].iter().all(|w| *w == 0), "words that are a row's own");
            }
            assert!(top_ids[r * (4 + gap) + 4..][..gap].iter().all(|id| *id == -7));
            assert!(kept[r * (10 + gap) + 10..][..gap].iter().all(|id| *id == -7));
        }
        // All pointers may be NULL.
        let nothing = bregman_answers {
            logprobs: null_mut(),
            ranks: null_mut(),
            top_ids: null_mut(),
            top_logprobs: null_mut(),
            kept_ids: null_mut(),
            kept_mask: null_mut(),
            ..answers
        };
        let told = crate::common::handle::batch_answers(&make(), &rows, (VOCAB, stride), &nothing, threads);
        assert!(told.1.iter().map(bits).eq(plain.iter().map(bits)));
    }
}

/// An invalid answers struct fails every row, and nothing is decoded.
#[test]
fn invalid_answers_struct_fails_every_row() {
    let row = logits("model", 64, &mut Random(1));
    let mut places = [0u64; 64];
    let good = bregman_answers {
        struct_size: size_of::<bregman_answers>() as u32,
        source: BREGMAN_OF_DECODED,
        logprobs: null_mut(),
        ranks: null_mut(),
        top: 4,
        top_stride: 4,
        top_ids: null_mut(),
        top_logprobs: null_mut(),
        kept: 4,
        kept_stride: 4,
        kept_ids: null_mut(),
        kept_mask: null_mut(),
        kept_mask_stride: 2,
        ..bregman_answers::default()
    };
    let odd = places.as_mut_ptr().wrapping_byte_add(1);
    type Wrong<'a> = (&'a dyn Fn(&mut bregman_answers), &'a str);
    let even = places.as_mut_ptr();
    let cases: [Wrong<'_>; 11] = [
        (&|a| a.source = 2, "answers->source is 2: must be BREGMAN_OF_MODEL or BREGMAN_OF_DECODED"),
        (&|a| a.logprobs = odd.cast(), "answers->logprobs is not aligned to 4 bytes"),
        (&|a| a.ranks = odd.cast(), "answers->ranks is not aligned to 4 bytes"),
        (&|a| a.top_ids = odd.cast(), "answers->top_ids is not aligned to 4 bytes"),
        (&|a| a.top_logprobs = odd.cast(), "answers->top_logprobs is not aligned to 4 bytes"),
        (&|a| a.kept_ids = odd.cast(), "answers->kept_ids is not aligned to 4 bytes"),
        (&|a| a.kept_mask = odd.cast(), "answers->kept_mask is not aligned to 4 bytes"),
        (&|a| (a.top_ids, a.top_stride) = (even.cast(), 3), "answers->top_ids: the stride is 3, less than a row's 4"),
        (
            &|a| (a.kept_ids, a.kept_stride) = (even.cast(), 0),
            "answers->kept_ids: the stride is 0, less than a row's 4",
        ),
        (&|a| (a.kept_mask, a.kept_mask_stride) = (even.cast(), 0), "answers->kept_mask: the stride is 0"),
        (
            &|a| (a.top_ids, a.top_stride) = (even.cast(), usize::MAX),
            "answers->top_ids: 1 rows 18446744073709551615 apart",
        ),
    ];
    for (change, message) in cases {
        let mut answers = good;
        change(&mut answers);
        let samplers = [Handle::new("draw", 1)];
        let (status, results) = crate::common::handle::batch_answers(&samplers, &row, (64, 64), &answers, 1);
        assert_eq!(
            (status, results[0].status, results[0].token),
            (BREGMAN_INVALID_ARGUMENT, BREGMAN_INVALID_ARGUMENT, -1)
        );
        assert!(samplers[0].error().starts_with(message), "{}", samplers[0].error());
        assert_eq!(samplers[0].token(&row), Handle::new("draw", 1).token(&row), "nothing was advanced");
    }
    for size in [0, 1, offset_of!(bregman_answers, given) as u32 - 1, 5000] {
        let answers = bregman_answers { struct_size: size, ..good };
        let (status, results) =
            crate::common::handle::batch_answers(&[Handle::new("draw", 1)], &row, (64, 64), &answers, 1);
        assert_eq!((status, results[0].status), (BREGMAN_INVALID_ARGUMENT, 777));
    }
}

/// A mask may hide a NaN: the model's own row has no softmax then, and its answers are NaN.
#[test]
fn model_logprobs_of_an_invalid_row_are_nan() {
    let mut row = logits("model", 64, &mut Random(1));
    row[40] = f32::NAN;
    let mut sampler = Sampler::new("draw", 1).unwrap();
    sampler.set_mask(Some(&[u32::MAX])).unwrap();
    let Told { token, told, top, kept, .. } = ask(&mut sampler, &row, Source::Model, 3);
    assert!(token.token < 32 && told.logprob.is_nan() && told.rank == 0);
    assert!(top.iter().all(|(id, l)| *id == -1 && l.is_nan()) && kept[..32].iter().all(|id| (0..32).contains(id)));
    let law = ask(&mut sampler, &row, Source::Decoded, 3);
    assert!(law.told.rank >= 1 && law.top[0].0 >= 0);
    let e = sampler.top_logprobs(Row::from_f32(&row).unwrap(), Source::Model, &mut [0], &mut [0.0]);
    assert!(matches!(e, Err(bregman::Error::InvalidLogits { index: 40, .. })));
}

/// A token is allowed if the sampler's mask and the row's both allow it.
#[test]
fn sampler_mask_and_row_mask_are_intersected() {
    let row = logits("normal", 100, &mut Random(4));
    let law = |own: Option<&[u32]>, rows: Option<&[u32]>| {
        let mut sampler = Sampler::new("temperature(2)", 1).unwrap();
        sampler.set_mask(own).unwrap();
        let mut r = Row::from_f32(&row).unwrap();
        if let Some(words) = rows {
            r = r.with_mask(words);
        }
        sampler.distribution(r)
    };
    let (a, b) = ([0xffff_0000, 0xffff_ffff, 0x00ff_00ff], [0x00ff_ff00, 0x0f0f_0f0f, 0xffff_ffff, 0xf]);
    let both: Vec<u32> = a.iter().zip(&b).map(|(a, b)| a & b).collect();
    assert_eq!(law(Some(&a), Some(&b)), law(None, Some(&both)));
    assert_eq!(law(Some(&b), Some(&a)), law(Some(&both), None));
    assert_eq!(law(Some(&a), None), law(None, Some(&a)));
    assert!(law(Some(&[0]), None).is_err());
}
