//! Log-probabilities of tokens that the caller names, under the model and under the decoded distribution, with and
//! without samplers; several samplers on one row; the kept tokens and the distributions of a batch as one list.

use crate::common::handle::{Handle, blank};
use crate::common::rows::{ROWS, Random, logits};
use bregman::ffi::*;
use bregman::{Answers, Row, Sampler, Source, Values, Want, model_answers};
use proptest::prelude::*;
use proptest::sample::select;

const CHAINS: [&str; 7] = [
    "draw",
    "temperature(1.5) | gumbel",
    "top_k(20) | draw",
    "logit_bias(0:3 2:-inf) | temperature(0.7) | bregman(alpha=1.5, floor=0.01) | draw",
    "xtc(1, threshold=0.05) | draw",
    "smoothing(0.3) | min_p(0.1) | greedy",
    "penalties(2, scope=all) | top_p(0.9) | gumbel",
];

/// ln p of every token, by its definition in f64.
fn log_softmax(row: &[f32]) -> Vec<f64> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = row.iter().map(|l| (f64::from(*l) - f64::from(max)).exp()).sum();
    row.iter().map(|l| f64::from(*l) - f64::from(max) - total.ln()).collect()
}

fn is_near(a: f32, exact: f64) -> bool {
    f64::from(a) == exact || (f64::from(a) - exact).abs() <= 2e-6 * (1.0 + exact.abs())
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(700))]

    #[test]
    fn given_logprobs_equal_log_softmax_and_the_distribution(
        chain in select(CHAINS.to_vec()), kind in select(ROWS.to_vec()), vocab in 3usize..700, seed: u64
    ) {
        let random = &mut Random(seed);
        let row = logits(kind, vocab, random);
        let make = || { let mut s = Sampler::new(chain, seed).unwrap(); s.accept(&[1, 1, 0]).unwrap(); s };
        let values = Row::from_f32(&row).unwrap();
        let Ok(plain) = make().decode(values, Want::default()) else { return Ok(()) };
        let mut given: Vec<i32> = (0..30).map(|_| random.below(vocab) as i32).collect();
        (given[3], given[4]) = (-1, plain.token as i32);
        let exact = log_softmax(&row);
        let law: Vec<(u32, f64)> = make().distribution(values).unwrap();
        let decoded = |id: i32| law.iter().find(|e| e.0 as i32 == id).map_or(f64::NEG_INFINITY, |e| e.1.ln());
        let model = |id: i32| exact[id as usize];
        for source in [Source::Model, Source::Decoded] {
            let (mut logprobs, mut ranks, mut other) = ([7.0; 30], [7; 30], 7.0);
            let (mut top, mut other_top) = ([-7; 5], [7.0; 5]);
            let (token, _) = make().decode_with(values, Want::default(), &mut Answers {
                source, given_ids: &given, given_logprobs: &mut logprobs, given_ranks: &mut ranks,
                top_ids: &mut top, other_top_logprobs: &mut other_top, other_logprob: Some(&mut other), ..Answers::default()
            }).unwrap();
            prop_assert_eq!(token.token, plain.token);
            let (own, others): (&dyn Fn(i32) -> f64, &dyn Fn(i32) -> f64) =
                if source == Source::Model { (&model, &decoded) } else { (&decoded, &model) };
            for (at, &id) in given.iter().enumerate() {
                if id == -1 {
                    prop_assert!(logprobs[at].is_nan() && ranks[at] == 0);
                    continue;
                }
                let expected = own(id);
                prop_assert!(is_near(logprobs[at], expected), "{id}: {} {expected}", logprobs[at]);
                let rank = match source {
                    _ if expected == f64::NEG_INFINITY => 0,
                    Source::Model => row.iter().filter(|l| **l >= row[id as usize]).count(),
                    Source::Decoded => law.iter().filter(|e| e.1.ln() >= expected - 1e-12).count(),
                };
                prop_assert_eq!(ranks[at] as usize, rank);
            }
            prop_assert!(is_near(other, others(token.token as i32)), "{other}");
            for (&id, &logprob) in top.iter().zip(&other_top) {
                prop_assert!(is_near(logprob, if id < 0 { f64::NEG_INFINITY } else { others(id) }), "{id}: {logprob}");
            }
        }
        // The same of the model without a sampler, in bf16 too.
        let (mut logprobs, mut ranks, mut top) = ([7.0; 30], [7; 30], [7.0; 5]);
        let half: Vec<u16> = row.iter().map(|l| half::bf16::from_f32(*l).to_bits()).collect();
        let wide: Vec<f32> = half.iter().map(|h| half::bf16::from_bits(*h).to_f32()).collect();
        for (values, exact) in [(values, exact), (Row::new(Values::Bf16(&half)).unwrap(), log_softmax(&wide))] {
            model_answers(values, &mut Answers {
                given_ids: &given, given_logprobs: &mut logprobs, given_ranks: &mut ranks, top_logprobs: &mut top,
                ..Answers::default()
            }).unwrap();
            for (at, &id) in given.iter().enumerate().filter(|e| *e.1 >= 0) {
                prop_assert!(is_near(logprobs[at], exact[id as usize]), "{id}: {} {}", logprobs[at], exact[id as usize]);
            }
            let mut sorted = exact.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            prop_assert!((0..5.min(vocab)).all(|at| is_near(top[at], sorted[at]) || sorted[at] < -600.0));
        }
    }

    /// ln p of the untouched row at the temperature, less the decoded ln p, is ln of the kept mass of that row; also where
    /// the mass is nearly 1.
    #[test]
    fn ln_kept_mass_is_of_the_untouched_row(
        chain in select(vec!["top_k(5)", "temperature(0.6) | top_p(0.9999)", "min_p(1e-7)", "xtc(1, threshold=0.01)"]),
        kind in select(vec!["normal", "model", "falling", "two"]), vocab in 33usize..700, seed: u64, masked: bool
    ) {
        let random = &mut Random(seed);
        let row = logits(kind, vocab, random);
        let words: Vec<u32> = (0..vocab.div_ceil(32)).map(|_| random.next() as u32 | 1).collect();
        let mut values = Row::from_f32(&row).unwrap();
        if masked {
            values = values.with_mask(&words);
        }
        let mut sampler = Sampler::new(&format!("{chain} | draw"), seed).unwrap();
        let law = sampler.distribution(values).unwrap();
        let want = Want { ln_kept_mass: true, kept_mass: true, ..Want::default() };
        let token = sampler.decode(values, want).unwrap();
        let t = if chain.starts_with("temp") { 0.6 } else { 1.0 };
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |l: f32| ((f64::from(l) - f64::from(max)) / t).exp();
        let is_kept = |i: usize| law.iter().any(|e| e.0 as usize == i);
        let (mut kept, mut dropped) = (0.0, 0.0);
        row.iter().enumerate().for_each(|(i, &l)| *if is_kept(i) { &mut kept } else { &mut dropped } += weight(l));
        let exact = -(dropped / kept).ln_1p();
        prop_assert!((token.ln_kept_mass - exact).abs() <= 2e-6 * exact.abs(), "{} {exact}", token.ln_kept_mass);
        let tempered = weight(row[token.token as usize]).ln() - (kept + dropped).ln();
        prop_assert!((token.p.ln() - (tempered - token.ln_kept_mass)).abs() < 2e-6);
        if !masked {
            prop_assert!((token.kept_mass.ln() - exact).abs() <= 2e-6);
        }
    }
}

#[test]
fn kept_mass_is_under_the_mask_and_ln_kept_mass_is_not() {
    let row = [0.5f32, 0.3, 0.2].map(f32::ln);
    let mut sampler = Sampler::new("top_k(1) | draw", 1).unwrap();
    let want = Want { kept_mass: true, ln_kept_mass: true, ..Want::default() };
    let masked = Row::from_f32(&row).unwrap().with_mask(&[0b110]);
    let token = sampler.decode(masked, want).unwrap();
    assert!((token.kept_mass - 0.6).abs() < 1e-6 && (token.ln_kept_mass - 0.3f64.ln()).abs() < 1e-6, "{token:?}");
    // Without a truncation the mask alone is what drops.
    let token = Sampler::new("draw", 1).unwrap().decode(masked, want).unwrap();
    assert!(token.kept_mass == 1.0 && (token.ln_kept_mass - 0.5f64.ln()).abs() < 1e-6, "{token:?}");
    let token = Sampler::new("draw", 1).unwrap().decode(Row::from_f32(&row).unwrap(), want).unwrap();
    assert_eq!((token.kept_mass, token.ln_kept_mass), (1.0, 0.0));
}

#[test]
fn given_tokens_outside_of_the_row_are_refused() {
    let row = [1.0, 2.0, 3.0];
    for id in [3, -2, i32::MAX, i32::MIN] {
        let given = [-1, 0, id];
        let ask = || Answers { given_ids: &given, ..Answers::default() };
        let mut sampler = Sampler::new("draw", 1).unwrap();
        let values = Row::from_f32(&row).unwrap();
        for e in [
            sampler.decode_with(values, Want::default(), &mut ask()).unwrap_err(),
            model_answers(values, &mut ask()).unwrap_err(),
        ] {
            assert_eq!(e.to_string(), format!("given_ids[2] is {id}: must be -1 or a token of the row, which has 3"));
        }
        assert_eq!(sampler.position(), 0);
    }
}

const VOCAB: usize = 300;

/// Rows one after the other, and a batch of as many samplers.
fn batch_of(rows: &[f32], samplers: usize) -> bregman_batch {
    bregman_batch {
        logits: rows.as_ptr().cast(),
        rows: samplers,
        vocab: VOCAB,
        row_stride: VOCAB,
        ..bregman_batch::default()
    }
}

fn some_rows(n: usize) -> Vec<f32> {
    let random = &mut Random(3);
    (0..n).flat_map(|_| logits("model", VOCAB, random)).collect()
}

#[test]
fn samplers_read_the_rows_that_row_index_names() {
    let rows = some_rows(5);
    let index = [4usize, 1, 1, 1, 0];
    let masks: Vec<u32> = (0..5 * VOCAB.div_ceil(32) as u32).map(|i| !(0x0101_0101 << (i % 8))).collect();
    let make = || (0..5).map(|seed| Handle::new("temperature(2) | top_p(0.9) | draw", seed)).collect::<Vec<_>>();
    let decode = |rows: &[f32], masks: &[u32], index: *const usize, threads| {
        let (samplers, mut results) = (make(), [blank(); 5]);
        let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
        let mask_stride = VOCAB.div_ceil(32);
        let batch = bregman_batch { row_index: index, mask: masks.as_ptr(), mask_stride, threads, ..batch_of(rows, 5) };
        // SAFETY: live handles, and arrays as long as the batch says.
        assert_eq!(unsafe { bregman_decode_batch(handles.as_ptr(), &batch, results.as_mut_ptr()) }, BREGMAN_OK);
        results.map(|r| (r.token, r.p.to_bits()))
    };
    let copied: Vec<f32> = index.iter().flat_map(|&r| rows[r * VOCAB..][..VOCAB].to_vec()).collect();
    let words = VOCAB.div_ceil(32);
    let copied_masks: Vec<u32> = index.iter().flat_map(|&r| masks[r * words..][..words].to_vec()).collect();
    let expected = decode(&copied, &copied_masks, std::ptr::null(), 1);
    for threads in [1, 3] {
        assert_eq!(decode(&rows, &masks, index.as_ptr(), threads), expected);
    }
    assert!(expected[1..4].iter().any(|r| r.0 != expected[1].0), "samplers on one row draw for themselves");
}

#[test]
fn kept_tokens_of_a_batch_lie_without_gaps() {
    let mut rows = some_rows(4);
    rows[2 * VOCAB] = f32::NAN;
    for (most, threads) in [(VOCAB, 1), (VOCAB, 2), (3, 2)] {
        let samplers: Vec<_> = (0..4).map(|seed| Handle::new("min_p(0.05) | draw", seed)).collect();
        let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
        let (mut results, mut ids, mut offsets) = ([blank(); 4], vec![-7; 4 * most], [usize::MAX; 5]);
        let answers = bregman_answers {
            kept: most,
            kept_ids: ids.as_mut_ptr(),
            kept_offsets: offsets.as_mut_ptr(),
            ..bregman_answers::default()
        };
        let batch = bregman_batch { threads, ..batch_of(&rows, 4) };
        // SAFETY: live handles, and arrays as long as batch and answers say.
        let status = unsafe { bregman_decode_batch_answers(handles.as_ptr(), &batch, results.as_mut_ptr(), &answers) };
        assert_eq!(status, BREGMAN_INVALID_LOGITS);
        let mut end = 0;
        for r in 0..4 {
            assert_eq!(offsets[r], end);
            let law = Handle::new("min_p(0.05)", 0).distribution(&rows[r * VOCAB..][..VOCAB]).unwrap_or_default();
            let kept: Vec<i32> = law.iter().map(|e| e.0 as i32).take(most).collect();
            assert_eq!((r == 2, &ids[end..end + kept.len()]), (law.is_empty(), &kept[..]));
            end += kept.len();
        }
        assert_eq!(offsets[4], end);
    }
}

#[test]
fn distribution_batch_equals_single_distributions() {
    let rows = some_rows(4);
    let chains = ["top_k(7)", "draw", "temperature(0.7) | top_p(0.8)", "top_k(1)"];
    let alone: Vec<_> =
        (0..4).map(|r| Handle::new(chains[r], 0).distribution(&rows[r * VOCAB..][..VOCAB]).unwrap()).collect();
    let all: Vec<(u32, f32)> = alone.concat();
    let samplers: Vec<_> = chains.iter().map(|chain| Handle::new(chain, 0)).collect();
    let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
    let run = |batch: &bregman_batch, handles: &[*mut bregman_sampler], room: usize| {
        let (mut offsets, mut ids, mut probs) = ([usize::MAX; 5], vec![-7; room], vec![7.0; room]);
        // SAFETY: live handles, and arrays as long as the batch says.
        let status = unsafe {
            let (ids, probs) = (ids.as_mut_ptr(), probs.as_mut_ptr());
            bregman_distribution_batch(handles.as_ptr(), batch, offsets.as_mut_ptr(), ids, probs, room)
        };
        let law: Vec<(u32, f32)> = ids.into_iter().map(|id| id as u32).zip(probs).collect();
        (status, offsets, law)
    };
    let mut starts = [0; 5];
    (0..4).for_each(|r| starts[r + 1] = starts[r] + alone[r].len());
    for threads in [0, 1, 2, 4] {
        let batch = bregman_batch { threads, ..batch_of(&rows, 4) };
        assert_eq!(run(&batch, &handles, all.len()), (BREGMAN_OK, starts, all.clone()));
        for room in [0, 1, all.len() - 1] {
            let (status, offsets, _) = run(&batch, &handles, room);
            assert_eq!((status, offsets), (BREGMAN_BUFFER_TOO_SMALL, starts));
        }
        // A failing row has no entries, and the others have theirs.
        let mut broken = rows.clone();
        broken[VOCAB + 5] = f32::NAN;
        let batch = bregman_batch { threads, ..batch_of(&broken, 4) };
        let (status, offsets, law) = run(&batch, &handles, all.len());
        assert_eq!((status, offsets[1], offsets[2]), (BREGMAN_INVALID_LOGITS, 7, 7));
        assert!(samplers[1].error().starts_with("logit 5 is NaN"), "{}", samplers[1].error());
        assert_eq!(law[7..offsets[4]], [&alone[2][..], &alone[3][..]].concat());
        let twice = [handles[0], handles[2], handles[0], handles[3]];
        let (status, offsets, _) = run(&bregman_batch { threads, ..batch_of(&rows, 4) }, &twice, 900);
        assert_eq!((status, offsets[3] - offsets[2]), (BREGMAN_INVALID_ARGUMENT, 0));
        assert!(samplers[0].error().starts_with("samplers[2] is samplers[0] again"), "{}", samplers[0].error());
    }
    let flags = bregman_batch { flags: BREGMAN_ACCEPT, ..batch_of(&rows, 4) };
    assert_eq!(run(&flags, &handles, all.len()).0, BREGMAN_INVALID_ARGUMENT);
    assert!(samplers[1].is_as_created(), "nothing is drawn");
}

#[test]
fn model_answers_of_a_batch_need_no_sampler() {
    let mut rows = some_rows(4);
    rows[VOCAB + 9] = f32::INFINITY;
    let given: Vec<i32> = (0..12).map(|i| if i == 7 { VOCAB as i32 } else { i * 5 }).collect();
    for threads in [1, 3] {
        let (mut logprobs, mut ranks, mut ids) = (vec![7.0f32; 12], vec![7u32; 12], vec![-7; 8]);
        let answers = bregman_answers {
            given: 3,
            given_stride: 3,
            given_ids: given.as_ptr(),
            given_logprobs: logprobs.as_mut_ptr(),
            given_ranks: ranks.as_mut_ptr(),
            top: 2,
            top_stride: 2,
            top_ids: ids.as_mut_ptr(),
            ..bregman_answers::default()
        };
        let batch = bregman_batch { threads, ..batch_of(&rows, 4) };
        // SAFETY: arrays as long as batch and answers say.
        let ask = |batch: &bregman_batch, answers: &bregman_answers| unsafe { bregman_model_answers(batch, answers) };
        assert_eq!(ask(&batch, &answers), BREGMAN_INVALID_LOGITS, "row 1 fails first, row 2 asks for a wrong token");
        for r in 0..4 {
            let exact = log_softmax(&rows[r * VOCAB..][..VOCAB]);
            for at in 3 * r..3 * r + 3 {
                if r == 1 || r == 2 {
                    assert!(logprobs[at].is_nan() && ranks[at] == 0 && ids[2 * r..][..2] == [-1; 2]);
                } else {
                    assert!(is_near(logprobs[at], exact[given[at] as usize]));
                    assert!(ranks[at] > 0 && exact.iter().all(|&e| e <= exact[ids[2 * r] as usize]));
                }
            }
        }
        let place = logprobs.as_mut_ptr();
        for wrong in [
            bregman_answers { source: BREGMAN_OF_DECODED, ..answers },
            bregman_answers { logprobs: place, ..answers },
            bregman_answers { other_logprobs: place, ..answers },
            bregman_answers { kept: 1, kept_stride: 1, kept_ids: ids.as_mut_ptr(), ..answers },
            bregman_answers { given_ids: std::ptr::null(), ..answers },
            bregman_answers { given_stride: 2, ..answers },
        ] {
            assert_eq!(ask(&batch, &wrong), BREGMAN_INVALID_ARGUMENT);
        }
        let mask = [u32::MAX; 40];
        for wrong in [
            bregman_batch { flags: BREGMAN_WANT_ENTROPY, ..batch },
            bregman_batch { mask: mask.as_ptr(), mask_stride: 10, ..batch },
        ] {
            assert_eq!(ask(&wrong, &answers), BREGMAN_INVALID_ARGUMENT);
        }
    }
}
