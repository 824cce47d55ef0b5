//! Stages beyond their definitions: exact boundaries, coins, learnt state, invariances.

use crate::common::definitions::{Distribution, Step};
use crate::common::plain::{Plain, Tokens, chain, sampler_after, with_ids};
use crate::common::random_chains::{tokens, transforming};
use crate::common::rows::{Random, logits};
use bregman::{Error, Row, Sampler, Want};
use proptest::prelude::*;
use proptest::sample::select;

fn law(sampler: &mut Sampler, row: &[f32]) -> Vec<(u32, f64)> {
    sampler.distribution(Row::from_f32(row).unwrap()).unwrap()
}

fn kept(chain: &str, row: &[f32]) -> Vec<u32> {
    let mut sampler = Sampler::new(chain, 0).unwrap_or_else(|e| panic!("{chain}: {e}"));
    law(&mut sampler, row).iter().map(|e| e.0).collect()
}

fn logits_of(p: &[f64]) -> Vec<f32> {
    p.iter().map(|p| p.ln() as f32).collect()
}

const ACCEPTED: Want = Want { accept: true, ..Want::NONE };

#[test]
fn stage_boundaries_match_the_engines() {
    let four = [0.25f32; 4];
    let pairs = [2.0f32, 1.0, 2.0, 1.0, 0.0];
    // Where engines disagree: p = (.5, .3, .15, .05).
    let skewed = logits_of(&[0.5, 0.3, 0.15, 0.05]);
    for (chain, row, tokens) in [
        ("top_p(0.6, rule=below)", &skewed[..], 2),
        ("top_p(0.6, rule=reach)", &skewed, 2),
        ("top_p(0.6, rule=within)", &skewed, 1),
        ("top_p(0.85, rule=below)", &skewed, 3),
        ("top_p(0.85, rule=reach)", &skewed, 3),
        ("top_p(0.85, rule=within)", &skewed, 2),
        // Exactly at p, with equal tokens, of which the sums are exact.
        ("top_p(0.5, rule=below)", &four, 2),
        ("top_p(0.5, rule=reach)", &four, 3),
        ("top_p(0.5, rule=within)", &four, 2),
        ("top_p(0.5, rule=ties)", &four, 4),
        ("top_p(0, rule=within)", &four, 1),
        ("top_p(0, rule=reach)", &four, 1),
        ("top_p(0, rule=ties)", &four, 4),
        ("top_p(0.1, rule=within, min_keep=3)", &four, 3),
        ("top_k(1, ties=keep)", &pairs, 2),
        ("top_k(3, ties=keep)", &pairs, 4),
        ("top_k(3, ties=exact)", &pairs, 3),
        ("top_k(0, ties=keep)", &pairs, 5),
        ("min_p(1, rule=at_least)", &pairs, 2),
        ("min_p(1, rule=above)", &pairs, 1),
        ("min_p(1, rule=above, min_keep=2)", &pairs, 2),
        ("p_less", &four, 4),
        ("p_less(norm)", &four, 4),
        ("epsilon(0.25)", &four, 4),
        ("epsilon(0.26)", &four, 4),
        ("epsilon(0.9, min_keep=3)", &pairs, 4),
        ("top_n_sigma(0.5)", &four, 4),
        ("top_h(1)", &skewed, 4),
        ("top_h(0.01)", &skewed, 1),
        ("top_h(1, top_n=2)", &skewed, 2),
        ("tail_free(0.5)", &pairs[..2], 2),
        ("typical(0)", &skewed, 1),
        ("typical(1)", &skewed, 4),
        ("xtc(1, threshold=0.1)", &skewed, 2),
        ("xtc(1, threshold=0.1, min_keep=3)", &skewed, 4),
        ("xtc(1, threshold=0.6)", &skewed, 4),
        // The first two are the top choices' all but last; with an exempt one none goes, or the other alone.
        ("xtc(probability=1, threshold=0.1, exempt=1)", &skewed, 4),
        ("xtc(probability=1, threshold=0.1, exempt=1, rule=others)", &skewed, 3),
        ("xtc(probability=1, threshold=0.1, exempt=2)", &skewed, 2),
        ("xtc(probability=1, threshold=0.1, exempt=0 1, rule=others)", &skewed, 4),
        ("xtc(probability=1, threshold=0.1, exempt=1, rule=others, min_keep=3)", &skewed, 3),
        ("xtc(probability=1, threshold=0.1, exempt=1, rule=others, min_keep=4)", &skewed, 4),
        ("xtc(0)", &skewed, 4),
    ] {
        assert_eq!(kept(chain, row).len(), tokens, "{chain} on {row:?}");
    }
}

/// With one likely token among many others, the likely one is not typical.
#[test]
fn typical_may_drop_the_most_likely_token() {
    let p: Vec<f64> = std::iter::once(0.2).chain(std::iter::repeat_n(0.01, 80)).collect();
    for chain in ["typical(0.5)", "top_k(100) | typical(0.5)"] {
        assert_eq!(kept(chain, &logits_of(&p)), (1..81).collect::<Vec<_>>(), "{chain}");
    }
    assert_eq!(kept("typical(0.05, rule=exceed)", &logits_of(&p)).len(), 6);
    assert_eq!(kept("typical(0.055, rule=within)", &logits_of(&p)).len(), 5);
}

/// xtc on a whole vocabulary, and stages after it, which see the remaining tokens only.
#[test]
fn kept_mass_after_xtc_is_the_remaining_mass() {
    let row = logits_of(&[0.5, 0.3, 0.15, 0.05]);
    for (chain, mass, tokens) in [
        ("xtc(1, threshold=0.2) | draw", 0.5, 3),
        ("xtc(1, threshold=0.2) | top_k(2) | draw", 0.45, 2),
        ("top_k(3) | xtc(1, threshold=0.2) | draw", 0.45, 2),
        ("xtc(1, threshold=0.1) | temperature(3) | draw", 0.2, 2),
    ] {
        let want = Want { kept_mass: true, model_logprob: true, ..Want::default() };
        let token = Sampler::new(chain, 1).unwrap().decode(Row::from_f32(&row).unwrap(), want).unwrap();
        assert!((token.kept_mass - mass).abs() < 1e-6, "{chain}: {}", token.kept_mass);
        assert_eq!(token.support, tokens, "{chain}");
        assert!((token.model_logprob - f64::from(row[token.token as usize])).abs() < 1e-6, "{chain}");
    }
}

#[test]
fn xtc_average_is_the_marginal_of_the_coin() {
    const ROWS: u64 = 20_000;
    let row = logits("model", 600, &mut Random(5));
    let mut first = Sampler::new("greedy", 0).unwrap();
    let first = first.decode(Row::from_f32(&row).unwrap(), Want::NONE).unwrap().token;
    let exempt = format!("top_k(50) | xtc(exempt={first}, rule=others, probability=");
    for before in ["xtc(", "top_k(50) | xtc(", "temperature(0.6) | xtc(", &exempt] {
        for share in [0.1, 0.5, 0.9] {
            let new = |mode| Sampler::new(&format!("{before}{share}, threshold=0.02, mode={mode})"), 9).unwrap();
            let (mut average, mut coin) = (new("average"), new("coin"));
            let mut mean = vec![0.0; row.len()];
            let mut acted = 0;
            let most = law(&mut average, &row).len();
            for position in 0..ROWS {
                coin.reseed(9, position);
                let law = law(&mut coin, &row);
                acted += u32::from(law.len() < most);
                law.iter().for_each(|e| mean[e.0 as usize] += e.1 / ROWS as f64);
            }
            let deviation = (share * (1.0 - share) / ROWS as f64).sqrt();
            assert!((f64::from(acted) / ROWS as f64 - share).abs() < 4.0 * deviation, "{before}{share}: {acted}");
            for (token, p) in law(&mut average, &row) {
                assert!((mean[token as usize] - p).abs() < 4.0 * deviation, "{before}{share}, {token}");
            }
        }
    }
}

#[test]
fn xtc_stages_throw_independent_coins() {
    let row = logits_of(&[0.4, 0.3, 0.2, 0.1]);
    let mut sampler = Sampler::new("xtc(0.5, threshold=0.15) | xtc(0.5, threshold=0.01)", 3).unwrap();
    let mut seen = [0u32; 5];
    for position in 0..4000 {
        sampler.reseed(3, position);
        seen[law(&mut sampler, &row).len()] += 1;
    }
    // Neither: all four. The first alone leaves two, the second one; both leave one.
    assert!(seen[4].abs_diff(1000) < 150 && seen[2].abs_diff(1000) < 150 && seen[1].abs_diff(2000) < 200, "{seen:?}");
}

/// Only draws change what a sampler has learnt: distribution, process and failing rows do not. A clone has it, a reset
/// clears it.
#[test]
fn learnt_state_survives_looks_is_cloned_and_reset() {
    let random = &mut Random(31);
    let rows: Vec<_> = (0..40).map(|_| logits("model", 50, random)).collect();
    for chain in ["mirostat(2)", "mirostat_v2(1.5)", "top_k(20) | adaptive_p(0.3)"] {
        let decode = |sampler: &mut Sampler, row: &[f32]| {
            let token = sampler.decode(Row::from_f32(row).unwrap(), ACCEPTED).unwrap();
            (token.token, token.support, token.p.to_bits())
        };
        let mut plain = Sampler::new(chain, 8).unwrap();
        let answers: Vec<_> = rows.iter().map(|row| decode(&mut plain, row)).collect();
        let mut other = Sampler::new(chain, 8).unwrap();
        for (row, answer) in rows.iter().zip(&answers) {
            law(&mut other, row);
            other.process(&mut row.clone()).unwrap();
            let nothing = [f32::NEG_INFINITY; 3];
            assert_eq!(other.decode(Row::from_f32(&nothing).unwrap(), ACCEPTED), Err(Error::EmptySupport));
            let mut clone = other.clone();
            assert_eq!((decode(&mut other, row), decode(&mut clone, row)), (*answer, *answer), "{chain}");
        }
        other.reset();
        let again: Vec<_> = rows.iter().map(|row| decode(&mut other, row)).collect();
        assert_eq!(again, answers, "{chain}");
        // A sampler without this past, but with the same random numbers, answers otherwise.
        let mut fresh = Sampler::new(chain, 8).unwrap();
        fresh.reseed(8, 20);
        let late: Vec<_> = rows[20..].iter().map(|row| decode(&mut fresh, row)).collect();
        assert_ne!(late, answers[20..], "{chain}");
    }
}

/// Through `apply`: the drawn candidate is known by its id, not by its place.
#[test]
fn adaptive_p_learns_from_candidates_by_id() {
    let candidates = |row: &[f32]| -> Vec<bregman::Candidate> {
        row.iter().enumerate().map(|(i, &logit)| bregman::Candidate { id: 7 * i as i32 + 3, logit, p: 0.0 }).collect()
    };
    let (mut ours, mut raw) =
        (Sampler::new("adaptive_p(0.3)", 2).unwrap(), Sampler::new("adaptive_p(0.3)", 2).unwrap());
    for seed in 0..50 {
        let row = logits("normal", 12, &mut Random(seed));
        let mut all = candidates(&row);
        let applied = ours.apply(&mut all).unwrap();
        let taken = all[applied.selected.unwrap()];
        ours.accept(&[taken.id]).unwrap();
        let token = raw.decode(Row::from_f32(&row).unwrap(), ACCEPTED).unwrap();
        assert_eq!(taken.id, 7 * token.token as i32 + 3);
        assert!((f64::from(taken.p) - token.p).abs() < 1e-6);
    }
}

#[test]
fn incompatible_parameters_are_refused() {
    for (chain, why) in [
        ("top_k(lambda=0.01, ties=keep)", "ties=keep goes with k"),
        ("smoothing(0.3, curve=4)", "`curve`"),
        ("adaptive_p(0.5) | draw", "ends the chain"),
        ("mirostat | top_k(3)", "ends the chain"),
        ("xtc(1.5)", "`probability`"),
        ("typical(0.9, rule=below)", "reach, exceed, within"),
    ] {
        let e = Sampler::new(chain, 0).expect_err(chain);
        assert!(e.to_string().contains(why), "{chain}: {e}");
    }
}

/// The largest tolerance of the plain distributions; none where nothing certain is left to compare.
fn tolerance(plain: Option<Vec<Distribution>>) -> Option<f64> {
    let plain = plain?;
    let tolerance = plain.iter().filter_map(Distribution::tolerance).fold(1e-6, f64::max);
    (!plain.iter().any(Distribution::is_empty)).then_some(tolerance)
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(3000))]

    /// Numbers that a constant leaves exact in f32. (To a repetition penalty and to length decay zero matters.)
    #[test]
    fn adding_a_constant_to_the_logits_changes_nothing(
        steps in transforming(), tokens in tokens(), vocab in 1usize..400, seed: u64, constant in -64..64i32
    ) {
        let has_zero = |s: &Step| match s.definition.stage {
            "penalties" => s.given.number("repeat") != 1.0,
            stage => stage == "length_decay",
        };
        if steps.iter().any(has_zero) {
            return Ok(());
        }
        let random = &mut Random(seed);
        let row: Vec<f32> = (0..vocab).map(|_| (random.normal() * 2048.0) as i32 as f32 / 1024.0).collect();
        let moved: Vec<f32> = row.iter().map(|l| l + constant as f32).collect();
        let mut sampler = sampler_after(&chain(&steps), 1, &tokens);
        if let Some(tolerance) = tolerance(Plain::new(&steps, &tokens).certain(&with_ids(&row))) {
            let (mut one, mut two) = (law(&mut sampler, &row), law(&mut sampler, &moved));
            one.sort_by_key(|e| e.0);
            two.sort_by_key(|e| e.0);
            prop_assert_eq!(one.len(), two.len());
            for (a, b) in one.iter().zip(&two) {
                // Edited logits are rounded to f32 at another height.
                prop_assert!(a.0 == b.0 && (a.1 - b.1).abs() <= tolerance.max(3e-5), "{a:?} {b:?}");
            }
        }
    }

    /// Of tokens with different logits (and without decoders that may give different ones the same share), so that no id
    /// decides; and without stages about tokens, which are known by their ids.
    #[test]
    fn permuting_the_ids_permutes_the_answer(
        steps in transforming(), kind in select(vec!["normal", "model", "span"]), vocab in 1usize..600, seed: u64
    ) {
        const BY_ID: [&str; 11] = [
            "bregman",
            "synthid",
            "green_list",
            "watermark",
            "allowed_tokens",
            "forced_tokens",
            "reasoning_budget",
            "sequence_bias",
            "logit_bias",
            "bad_words",
            "min_tokens",
        ];
        let is_by_id = |stage| BY_ID.contains(&stage);
        if steps.iter().any(|s| is_by_id(s.definition.stage) || s.given.given("exempt").is_some()) {
            return Ok(());
        }
        let random = &mut Random(seed);
        let row = logits(kind, vocab, random);
        let mut to: Vec<usize> = (0..vocab).collect();
        random.shuffle(&mut to);
        let mut moved = row.clone();
        to.iter().enumerate().for_each(|(from, &to)| moved[to] = row[from]);
        let none = Tokens::default();
        let mut sampler = sampler_after(&chain(&steps), 1, &none);
        if let Some(tolerance) = tolerance(Plain::new(&steps, &none).certain(&with_ids(&row))) {
            let one = law(&mut sampler, &row);
            let two: std::collections::BTreeMap<u32, f64> = law(&mut sampler, &moved).into_iter().collect();
            prop_assert_eq!(one.len(), two.len());
            for (id, p) in one {
                let q = two.get(&(to[id as usize] as u32));
                prop_assert!(q.is_some_and(|q| (p - q).abs() <= tolerance), "{id}: {p} {q:?}");
            }
        }
    }
}
