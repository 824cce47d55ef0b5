//! Sparse rows: whatever is listed of a row, decoding it gives what the whole row gives, or says that it cannot. Shards of
//! a row, reduced one by one and put together, likewise.

use crate::common::chains::CHAINS;
use crate::common::listed::{Listed, check, is_near, list, log_sum, temperature_of};
use crate::common::plain::{Tokens, chain, sampler_after};
use crate::common::random_chains::{drawing, tokens};
use crate::common::rows::{ROWS, Random, logits};
use bregman::{Answers, Error, Rest, Row, Sampler, Source, Token, Values, Want, model_answers, reduce};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use std::path::Path;

#[allow(dead_code, reason = "the benchmarks use the rest")]
#[path = "../../benches/common/profile.rs"]
mod profile;

const WANT: Want =
    Want { kept_mass: true, ln_kept_mass: true, model_logprob: true, entropy: true, accept: true, stay: false };

/// `SPARSE_CASES=100000 cargo test --test definitions sparse::` tries more.
fn cases() -> proptest::test_runner::Config {
    let cases = std::env::var("SPARSE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4000);
    crate::common::random_cases::config(cases)
}

/// Decodes a few steps of a whole row and of a list, with everything asked.
fn compare(
    text: &str,
    tokens: &Tokens,
    row: &[f32],
    list: &Listed,
    mask: Option<&[u32]>,
    seed: u64,
) -> Result<bool, TestCaseError> {
    let (mut whole, mut sparse) = (sampler_after(text, seed, tokens), sampler_after(text, seed, tokens));
    let masked = |row| mask.map_or(row, |words| Row::with_mask(row, words));
    let (all, some) = (masked(Row::from_f32(row).unwrap()), masked(list.row()));
    let mut complete = true;
    for step in 0..2 {
        if seed.is_multiple_of(4) {
            let (law, expected) = (sparse.distribution(some), whole.distribution(all));
            match (law, expected) {
                (Err(Error::Incomplete(_)), _) => {}
                (Ok(law), Ok(expected)) => {
                    prop_assert!(law.iter().map(|e| e.0).eq(expected.iter().map(|e| e.0)));
                    prop_assert!(law.iter().zip(&expected).all(|(a, b)| (a.1 - b.1).abs() <= 1e-6));
                }
                (law, expected) => prop_assert_eq!(law, expected),
            }
        }
        let (s, w) = (sparse.decode(some, WANT), whole.decode(all, WANT));
        complete &= check(&s, &w).map_err(TestCaseError::fail)?;
        if s.is_err() && w.is_ok() {
            // Nothing moved: the whole row decodes as it would have.
            prop_assert_eq!(sparse.position(), step);
            let again = sparse.decode(all, WANT);
            let bits = |t: &Result<Token, Error>| t.as_ref().ok().map(|t| (t.token, t.p.to_bits(), t.support));
            prop_assert_eq!(bits(&again), bits(&w));
        }
    }
    Ok(complete)
}

proptest! {
    #![proptest_config(cases())]

    /// Every chain of the catalogue, and random ones, on random lists of random rows.
    #[test]
    fn sparse_row_gives_the_whole_rows_answer_or_none(
        fixed in select(CHAINS.to_vec()), steps in drawing(), is_fixed: bool, tokens in tokens(),
        kind in select(ROWS.to_vec()), vocab in prop_oneof![3 => 1usize..80, 3 => 80usize..700, 1 => 700usize..2500],
        seed: u64, masked in 0..4u8
    ) {
        let text = if is_fixed { fixed.to_owned() } else { chain(&steps) };
        let random = &mut Random(seed);
        let row = logits(kind, vocab, random);
        let t = if random.below(4) == 0 { 0.7 } else { temperature_of(&text) };
        let n = match random.below(4) {
            0 => vocab,
            1 => 1 + random.below(vocab),
            2 => 1 + random.below(vocab.min(40)),
            _ => vocab - random.below(vocab.min(20)),
        };
        let list = list(&row, n, t, random);
        let words: Vec<u32> = (0..vocab.div_ceil(32)).map(|_| (random.next() | random.next()) as u32).collect();
        compare(&text, &tokens, &row, &list, (masked == 0).then_some(&words), seed)?;
    }

    /// Shards at any cut, of any size, put together.
    #[test]
    fn shards_put_together_give_the_whole_rows_answer_or_none(
        fixed in select(CHAINS.to_vec()), kind in select(ROWS.to_vec()), vocab in 1usize..900, seed: u64, n in 1usize..400
    ) {
        let random = &mut Random(seed);
        let row = logits(kind, vocab, random);
        let mut cuts: Vec<usize> = (0..random.below(4)).map(|_| random.below(vocab)).collect();
        cuts.extend([0, vocab]);
        cuts.sort_unstable();
        cuts.dedup();
        let t = temperature_of(fixed);
        let mut all = Listed { ids: vec![], logits: vec![], rest: None };
        let (mut sums, mut bound) = (vec![], f32::NEG_INFINITY);
        for cut in cuts.windows(2) {
            let (mut ids, mut largest) = (vec![-7; n], vec![7.0; n]);
            let shard = Row::from_f32(&row[cut[0]..cut[1]]).unwrap();
            let rest = reduce(shard, cut[0] as i32, t, &mut ids, &mut largest).unwrap();
            let others: Vec<f32> =
                (cut[0]..cut[1]).filter(|i| !ids.contains(&(*i as i32))).map(|i| row[i]).collect();
            let exact = log_sum(others.iter().copied(), f64::from(t));
            prop_assert!(is_near(rest.log_sum, exact, 1e-6), "{} {exact}", rest.log_sum);
            prop_assert_eq!(rest.bound, others.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let logit = |id: i32| usize::try_from(id).map_or(f32::NEG_INFINITY, |id| row[id]);
            prop_assert!(ids.iter().zip(&largest).all(|(&id, &l)| logit(id) == l), "each has its logit");
            prop_assert!(largest.is_sorted_by(|a, b| a >= b));
            all.ids.extend(ids);
            all.logits.extend(largest);
            sums.push(rest.log_sum);
            bound = bound.max(rest.bound);
        }
        let most = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let is_whole = all.ids.iter().filter(|id| **id >= 0).count() == vocab;
        if !is_whole {
            let sum: f64 = sums.iter().map(|s| if *s == most { 1.0 } else { (s - most).exp() }).sum();
            all.rest = Some(Rest { log_sum: most + sum.ln(), temperature: t, bound });
        }
        let tokens = Tokens { prompt: vec![1, 2, 1], output: vec![2, 3] };
        let complete = compare(fixed, &tokens, &row, &all, None, seed)?;
        // With the whole row in the lists nothing is missing.
        prop_assert!(complete || !is_whole);
    }

    /// A list of all tokens is the row itself, whatever the order.
    #[test]
    fn permuted_row_equals_the_row_to_the_bit(
        fixed in select(CHAINS.to_vec()), kind in select(ROWS.to_vec()), vocab in 1usize..900, seed: u64
    ) {
        let random = &mut Random(seed);
        let row = logits(kind, vocab, random);
        let mut ids: Vec<i32> = (0..vocab as i32).collect();
        random.shuffle(&mut ids);
        let shuffled: Vec<f32> = ids.iter().map(|&id| row[id as usize]).collect();
        let make = || Sampler::new(fixed, seed).unwrap();
        let some = Row::sparse(Values::F32(&shuffled), &ids).unwrap();
        let bits = |t: Result<Token, Error>| t.map(|t| (t.token, t.p.to_bits(), t.support, t.entropy.to_bits()));
        prop_assert_eq!(bits(make().decode(some, WANT)), bits(make().decode(Row::from_f32(&row).unwrap(), WANT)));
    }

    /// What a sparse row tells of the model, and what it does not.
    #[test]
    fn model_answers_of_sparse_rows_are_the_whole_rows_or_none(
        kind in select(vec!["normal", "model", "ties", "falling"]), vocab in 2usize..600, seed: u64, n in 1usize..400
    ) {
        let random = &mut Random(seed);
        let row = logits(kind, vocab, random);
        let list = list(&row, n.min(vocab), 1.0, random);
        let given: Vec<i32> = (0..20).map(|_| random.below(vocab) as i32).collect();
        let ask = |row: Row<'_>| {
            let (mut logprobs, mut ranks, mut top, mut top_logprobs) = ([7.0; 20], [7; 20], [-7; 3], [7.0; 3]);
            let answers = &mut Answers {
                given_ids: &given, given_logprobs: &mut logprobs, given_ranks: &mut ranks, top_ids: &mut top,
                top_logprobs: &mut top_logprobs, ..Answers::default()
            };
            model_answers(row, answers).map(|()| (logprobs, ranks, top, top_logprobs))
        };
        let whole = ask(Row::from_f32(&row).unwrap()).unwrap();
        match ask(list.row()) {
            Err(Error::Incomplete(_)) => {}
            Err(e) => prop_assert!(false, "{e}"),
            Ok((logprobs, ranks, top, top_logprobs)) => {
                prop_assert_eq!(top, whole.2);
                for at in 0..20 {
                    let is_listed = list.ids.contains(&given[at]);
                    prop_assert_eq!(logprobs[at].is_nan(), !is_listed);
                    prop_assert!(!is_listed || is_near(logprobs[at].into(), whole.0[at].into(), 3e-6));
                    prop_assert!(ranks[at] == 0 || ranks[at] == whole.1[at]);
                }
                prop_assert!(top_logprobs.iter().zip(&whole.3).all(|(a, b)| is_near((*a).into(), (*b).into(), 3e-6)));
            }
        }
    }
}

#[test]
fn wrong_sparse_rows_are_refused_by_name() {
    let decode = |ids: &[i32], rest: Option<Rest>| {
        let values = vec![1.0; ids.len()];
        let mut row = Row::sparse(Values::F32(&values), ids)?;
        if let Some(rest) = rest {
            row = row.with_rest(rest)?;
        }
        Sampler::new("greedy", 1).unwrap().decode(row, WANT)
    };
    let rest = Rest { log_sum: 0.0, temperature: 1.0, bound: 0.0 };
    for (ids, rest, message) in [
        (&[3, 5, 3][..], None, "ids name token 3 twice"),
        (&[3, -2], None, "ids[1] is -2: must be a token, or -1 for none"),
        (&[3], Some(Rest { log_sum: f64::NAN, ..rest }), "log_rest or bound is NaN"),
        (&[3], Some(Rest { bound: f32::NAN, ..rest }), "log_rest or bound is NaN"),
        (&[3], Some(Rest { temperature: -1.0, ..rest }), "rest_temperature is -1: it must be a positive number"),
        (
            &[3],
            Some(Rest { bound: 1.0, ..rest }),
            "the sparse row is not enough: it would need the most likely token: none that is listed has a logit above the \
             bound of the others",
        ),
        (&[-1, -1], Some(rest), "the sparse row is not enough: it would need tokens: the row lists none"),
        (&[-1], None, "no token can be sampled: every logit is masked or -infinity"),
    ] {
        assert_eq!(decode(ids, rest).unwrap_err().to_string(), message);
    }
    let mut sampler = Sampler::new("top_k(2) | typical(0.5) | typical(0.9) | draw", 1).unwrap();
    assert!(Row::sparse(Values::F32(&[1.0, 2.0]), &[1]).is_err());
    let e = Sampler::new("temperature(2) | typical(0.5) | draw", 1).unwrap();
    for (mut sampler, logits, message) in [
        (
            e,
            [3.0, 2.0],
            "the sparse row is not enough: it would need the number of all tokens, or sums over them that the \
          row does not have (stage 2, `typical`)",
        ),
        (
            Sampler::new("draw", 1).unwrap(),
            [3.0, 2.0],
            "the sparse row is not enough: it would need all tokens: no stage \
          drops those that the row does not list",
        ),
        (Sampler::new("greedy", 1).unwrap(), [3.0, f32::NAN], "logit 9 is NaN: logits must be finite or -infinity"),
    ] {
        let row = Row::sparse(Values::F32(&logits), &[4, 9]).unwrap().with_rest(rest).unwrap();
        assert_eq!(sampler.decode(row, WANT).unwrap_err().to_string(), message);
    }
    let row = Row::sparse(Values::F32(&[3.0, 2.0]), &[4, 9]).unwrap().with_rest(rest).unwrap();
    assert!(sampler.decode(row, WANT).is_ok(), "after top_k nothing is missing");
}

/// Stages that look at the whole vocabulary, in a chain: with a list, the whole row's answer comes only behind a stage that
/// drops what is not listed.
#[test]
fn stages_of_the_whole_vocabulary_need_a_whole_row_or_a_truncation_before_them() {
    const WHOLE: [&str; 19] = [
        "typical(0.9) | draw",
        "typical(0.9, rule=exceed) | draw",
        "eta(0.001) | draw",
        "top_n_sigma(1) | draw",
        "p_less | draw",
        "p_less(norm) | draw",
        "dynamic_temperature(1, delta=0.5) | draw",
        "smoothing(0.2) | draw",
        "mirostat(3)",
        "adaptive_p(0.4)",
        "allowed_tokens(0 1 2 3 5 8 13 21 34 55 89 144 233) | draw",
        "draw",
        "gumbel",
        "watermark(0x9d3c55aa10f2e671, width=2)",
        "temperature(0.9) | watermark(42)",
        "synthid(keys=654 400 836 123 340) | draw",
        "synthid(keys=7, hash=vllm, layers=4) | draw",
        "green_list(15485863, vocab=900) | draw",
        "green_list(key=15485863, scheme=selfhash, width=3, vocab=900) | draw",
    ];
    const V: usize = 900;
    let (mut behind, mut alone) = (0, BTreeMap::new());
    for (number, text) in (0..10).flat_map(|number| WHOLE.map(|text| (number, text))) {
        let random = &mut Random(number);
        let row = logits("model", V, random);
        let largest = |n: usize| {
            let (mut ids, mut logits) = (vec![0; n], vec![0.0; n]);
            let rest = reduce(Row::from_f32(&row).unwrap(), 0, 1.0, &mut ids, &mut logits).unwrap();
            Listed { ids, logits, rest: (n < V).then_some(rest) }
        };
        let tokens = Tokens { prompt: vec![3, 1, 4, 1, 5], output: vec![9, 2, 6, 5] };
        let check = |text: &str, list: &Listed| {
            compare(text, &tokens, &row, list, None, number).unwrap_or_else(|e| panic!("{text}, row {number}: {e}"))
        };
        // All tokens, in another order: the whole row's answer. Less: none, or that.
        assert!(check(text, &largest(V)), "{text}");
        *alone.entry(text).or_insert(0) += u32::from(check(text, &largest(V - 1)));
        for first in ["top_k(30)", "min_p(0.05)", "top_p(0.5)"] {
            behind += u32::from(check(&format!("{first} | {text}"), &largest(300)));
        }
    }
    assert!(alone.values().all(|n| *n == 0), "complete without the last token: {alone:?}");
    let all = 10 * 3 * WHOLE.len() as u32;
    assert!(behind > all * 9 / 10, "behind a truncation {behind} of {all} are complete");
}

/// Answers of a decode about tokens of a sparse row.
#[test]
fn decoded_answers_of_sparse_rows_name_tokens() {
    let row = Row::sparse(Values::F32(&[5.0, 1.0, 4.0]), &[70, 3, 40]).unwrap();
    let row = row.with_rest(Rest { log_sum: 0.5, temperature: 1.0, bound: 0.0 }).unwrap();
    let (mut top, mut kept, mut mask, mut logprobs, mut other) = ([0; 2], [0; 3], [0; 3], [0.0; 4], 0.0);
    let mut answers = Answers {
        source: Source::Decoded,
        top_ids: &mut top,
        kept_ids: &mut kept,
        kept_mask: &mut mask,
        given_ids: &[40, 3, 9, -1],
        given_logprobs: &mut logprobs,
        other_logprob: Some(&mut other),
        ..Answers::default()
    };
    let mut sampler = Sampler::new("top_k(2) | draw", 5).unwrap();
    let (token, rank) = sampler.decode_with(row, WANT, &mut answers).unwrap();
    assert!([70, 40].contains(&token.token) && rank.rank == if token.token == 70 { 1 } else { 2 });
    assert_eq!(sampler.history(), [token.token as i32]);
    assert_eq!((top, kept, mask), ([70, 40], [70, 40, -1], [0, 1 << 8, 1 << 6]));
    let total = 1f64.exp() + 1.0;
    assert!((f64::from(logprobs[0]) + total.ln()).abs() < 1e-6, "{logprobs:?}");
    assert!(logprobs[1] == f32::NEG_INFINITY && logprobs[2] == f32::NEG_INFINITY && logprobs[3].is_nan());
    let all = (5f64.exp() + 4f64.exp() + 1f64.exp() + 0.5f64.exp()).ln();
    let logit = if token.token == 70 { 5.0 } else { 4.0 };
    assert!((f64::from(other) - (logit - all)).abs() < 1e-6);
    assert!((token.ln_kept_mass - ((5f64.exp() + 4f64.exp()).ln() - all)).abs() < 1e-6);
}

/// How often the usual chains are complete at 1 024 entries of a real model's rows: nearly always, if they keep fewer.
#[test]
fn usual_chains_are_complete_at_1024_entries_of_rows_that_keep_fewer() {
    const USUAL: [&str; 12] = [
        "greedy",
        "top_k(40) | draw",
        "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
        "min_p(0.05) | temperature(0.8) | draw",
        "top_p(0.95) | draw",
        "top_p(0.9) | temperature(0.7) | draw",
        "temperature(0.7) | top_p(0.95) | draw",
        "penalties(1.1) | top_k(40) | top_p(0.95) | temperature(0.8) | draw",
        "penalties(1.1) | temperature(0.7) | top_p(0.9) | draw",
        "top_k(floor=0.01) | draw",
        "bregman(alpha=1.5, floor=0.01) | draw",
        "temperature(0.8) | bregman(alpha=2, floor=0.02) | gumbel",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let profile = profile::Profile::parse(&std::fs::read(root.join("benches/data/big32k_s.prof")).unwrap()).unwrap();
    let of_profile = (0..32).map(|number| {
        let mut row = vec![0.0; 128_256];
        profile.write(1, number, 16, &mut row).unwrap();
        row
    });
    let bytes = std::fs::read(root.join("tests/agreement/rows/big32k.f32")).unwrap();
    let real: Vec<f32> = bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let real = real.chunks(32_000).map(<[f32]>::to_vec);
    let all = of_profile.map(|row| ("with the profile of a model's", row)).chain(real.map(|row| ("of a model", row)));
    let mut complete = BTreeMap::new();
    for (number, (kind, row)) in all.enumerate() {
        for text in USUAL {
            let (mut ids, mut logits) = (vec![0; 1024], vec![0.0; 1024]);
            let t = temperature_of(text);
            let rest = reduce(Row::from_f32(&row).unwrap(), 0, t, &mut ids, &mut logits).unwrap();
            let tokens = Tokens {
                prompt: ids[5..2000.min(ids.len())].iter().step_by(90).copied().collect(),
                output: vec![7, 9],
            };
            let list = Listed { ids, logits, rest: Some(rest) };
            let seed = 4 * number as u64 + 1;
            let done = compare(text, &tokens, &row, &list, None, seed).unwrap();
            let whole = Row::from_f32(&row).unwrap();
            let support = sampler_after(text, seed, &tokens).decode(whole, Want::default()).unwrap().support;
            let (n, rows, fewer) = complete.entry((text, kind)).or_insert((0, 0, 0));
            *n += u32::from(done);
            *rows += 1;
            *fewer += u32::from(!done && support < 1000);
        }
    }
    complete.iter().for_each(|((text, kind), (n, rows, fewer))| {
        println!("{n} of {rows} rows {kind}, {fewer} of the others keep fewer than 1000 tokens: {text}");
    });
    assert!(complete.values().all(|(n, rows, fewer)| *fewer <= 1 && *n >= rows / 4), "{complete:?}");
}

/// A list need not have more tokens than are looked at: one more than the nucleus is enough, whatever its size.
#[test]
fn nucleus_within_a_list_of_any_length_is_complete() {
    for n in (3..=140).chain([300, 700]) {
        let row: Vec<f32> = (0..4000).map(|i| if i < 2 * n { -4.0 * i as f32 / n as f32 } else { -40.0 }).collect();
        let weights = || row.iter().map(|l| f64::from(*l).exp());
        let (total, in_nucleus) = (weights().sum::<f64>(), n - 1);
        let half_of_last = 0.5 * weights().nth(in_nucleus - 1).unwrap();
        let p = (weights().take(in_nucleus).sum::<f64>() - half_of_last) / total;
        let rest = Rest { log_sum: log_sum(row[n..].iter().copied(), 1.0), temperature: 1.0, bound: row[n] };
        let list = Listed { ids: (0..n as i32).collect(), logits: row[..n].to_vec(), rest: Some(rest) };
        for text in [format!("top_p({p}) | draw"), format!("bregman(alpha=1, mass={p}) | draw")] {
            for seed in 0..4 {
                let mut sampler = Sampler::new(&text, seed).unwrap();
                let whole = sampler.clone().decode(Row::from_f32(&row).unwrap(), WANT).unwrap();
                let some = sampler.decode(list.row(), WANT).unwrap_or_else(|e| panic!("{text}, {n} listed: {e}"));
                assert_eq!((some.token, some.support), (whole.token, in_nucleus), "{text}, {n} listed");
            }
        }
    }
}

/// Two shards, cut anywhere: the first or the last token alone, more tokens than a list holds and fewer.
#[test]
fn shards_at_every_cut_give_the_whole_rows_answer() {
    const V: usize = 97;
    const N: usize = 20;
    let tokens = Tokens { prompt: vec![5, 6, 5], output: vec![6] };
    let (mut complete, mut all) = (0, 0);
    for (number, cut) in (0..3).flat_map(|number| (1..V).map(move |cut| (number, cut))) {
        let row = logits("model", V, &mut Random(number));
        for text in
            ["greedy", "top_k(5) | draw", "temperature(0.7) | top_p(0.8) | draw", "penalties(1.3) | min_p(0.1) | draw"]
        {
            let t = temperature_of(text);
            let (mut ids, mut logits) = (vec![0; 2 * N], vec![0.0; 2 * N]);
            let [low, high] = [(0..cut, 0), (cut..V, N)].map(|(shard, at)| {
                let (ids, logits) = (&mut ids[at..at + N], &mut logits[at..at + N]);
                reduce(Row::from_f32(&row[shard.clone()]).unwrap(), shard.start as i32, t, ids, logits).unwrap()
            });
            let log_sum = (low.log_sum.exp() + high.log_sum.exp()).ln();
            let rest = Rest { log_sum, temperature: t, bound: low.bound.max(high.bound) };
            let list = Listed { ids, logits, rest: Some(rest) };
            let is_complete =
                compare(text, &tokens, &row, &list, None, number).unwrap_or_else(|e| panic!("{text}, {cut}: {e}"));
            complete += u32::from(is_complete);
            all += 1;
        }
    }
    assert!(complete > all * 9 / 10, "{complete} of {all} are complete");
}

/// Of equal tokens the support may end anywhere where the size is exactly at the edge: rounding decides, which a list does
/// not repeat.
#[test]
fn ties_at_the_edge_of_a_support_are_never_decided_otherwise() {
    let tokens = Tokens { prompt: vec![], output: vec![] };
    for (equal, n) in (90..110).flat_map(|equal| [(equal, equal + 4), (equal, 300)]) {
        let row: Vec<f32> = (0..468).map(|i| if i * 7 % 468 < equal { 2.0 } else { -0.5 }).collect();
        for alpha in ["alpha=inf", "alpha=2", "alpha=1.5", "alpha=0.5", "alpha=2.5, mode=dual"] {
            let list = list(&row, n, 1.0, &mut Random(n as u64));
            let text = format!("bregman({alpha}, floor=0.01) | draw");
            compare(&text, &tokens, &row, &list, None, equal as u64).unwrap_or_else(|e| panic!("{text}, {equal}: {e}"));
        }
    }
}
