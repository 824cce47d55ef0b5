//! Watermarks: the tokens that they draw, what they leave of the distribution, and what detectors find.

use crate::common::chi_square::{LEAST_P_VALUE, p_value};
use crate::common::definitions::watermarks::{contexts, permutation, race, uniform, vllm_word};
use crate::common::definitions::{Coins, Given, Moment};
use crate::common::plain::{Tokens, candidates, sampler_after};
use crate::common::random_cases;
use crate::common::random_chains::{row, tokens};
use crate::common::rows::{Random, logits};
use bregman::{Draft, Error, Row, Rule, Sampler, Want, WatermarkScore, watermark_score};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::HashSet;

const ACCEPTED: Want = Want { accept: true, ..Want::NONE };

fn decode(sampler: &mut Sampler, row: &[f32]) -> u32 {
    sampler.decode(Row::from_f32(row).unwrap(), ACCEPTED).unwrap().token
}

fn law(sampler: &mut Sampler, row: &[f32]) -> Vec<(u32, f64)> {
    sampler.distribution(Row::from_f32(row).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(random_cases::config(1500))]

    /// By a generator of other authors, over lists and whole vocabularies; where the context is not new, plainly.
    #[test]
    fn watermark_draws_the_winner_of_its_definition(
        recipe in row(), tokens in tokens(), before in prop_oneof![Just("temperature(0.9)"), Just("top_k(40)"), Just("top_p(0.9)")],
        width in 1usize..7, history in prop_oneof![0usize..3, Just(8192)], key: u64, seed: u64
    ) {
        let row = recipe.make();
        let chain = format!("{before} | watermark(key={key:#x}, width={width}, history={history})");
        let mut sampler = sampler_after(&chain, seed, &tokens);
        let given = Given::parse(&format!("watermark(key={key:#x}, width={width}, history={history})"));
        let coins = RefCell::new(Coins::default());
        let Tokens { prompt, output } = &tokens;
        let moment = Moment { moved: 1.0, prompt, output, state: None, coins: &coins };
        let law = law(&mut sampler, &row);
        let mut copy = sampler.clone();
        let token = decode(&mut sampler, &row);
        match race(&given, &moment, &law) {
            // A narrow race may go to either.
            Some((winner, distance)) => prop_assert!(token == winner || distance < 1e-6, "{token} {winner} {distance}"),
            None => prop_assert_eq!(token, decode(&mut sampler_after(&format!("{before} | draw"), seed, &tokens), &row)),
        }
        // An engine's candidates in any order.
        let mut all = candidates(&row, Some(&mut Random(seed)));
        let applied = copy.apply(&mut all).unwrap();
        let selected = all[applied.selected.unwrap()].id as u32;
        let is_certain = race(&given, &moment, &law).is_some_and(|(_, distance)| distance > 1e-6);
        prop_assert!(selected == token || !is_certain);
    }
}

/// Seed and position decide nothing but draws in contexts that are not new.
#[test]
fn watermark_depends_on_key_and_context_alone() {
    let rows: Vec<_> = (0..60).map(|i| logits("normal", 3000, &mut Random(i))).collect();
    let text = |key: u64, seed: u64| -> Vec<u32> {
        let mut sampler = Sampler::new(&format!("temperature(0.8) | watermark({key})"), seed).unwrap();
        rows.iter().map(|row| decode(&mut sampler, row)).collect()
    };
    assert_eq!(text(1, 5), text(1, 6));
    assert_ne!(text(1, 5), text(2, 5));
    // The prompt is no part of the context.
    let after = |prompt: &[i32]| {
        let mut sampler = Sampler::new("watermark(1)", 5).unwrap();
        sampler.accept(prompt).unwrap();
        rows.iter().map(|row| decode(&mut sampler, row)).collect::<Vec<_>>()
    };
    assert_eq!(after(&[]), after(&[1, 2, 3, 4, 5, 6]));
    // One row again and again: the same token in the same context would repeat for ever. It does not.
    let mut sampler = Sampler::new("watermark(key=1, width=1)", 5).unwrap();
    let row = logits("normal", 50, &mut Random(3));
    let repeated: HashSet<_> = (0..200).map(|_| decode(&mut sampler, &row)).collect();
    assert!(repeated.len() > 20, "{repeated:?}");
    // A greedy law stays greedy.
    for chain in ["temperature(0) | watermark(9)", "top_k(1) | watermark(9)", "greedy"] {
        assert_eq!(
            decode(&mut Sampler::new(chain, 1).unwrap(), &row),
            decode(&mut Sampler::new("greedy", 1).unwrap(), &row)
        );
    }
}

/// Over keys, tokens come with their probabilities: who does not know the key sees the model's own distribution.
#[test]
fn tokens_over_random_keys_have_the_probabilities_of_the_distribution() {
    const KEYS: u64 = 40_000;
    let row = logits("model", 200, &mut Random(5));
    for (before, behind) in [
        ("temperature(1.3) | top_k(30)", "watermark(K)"),
        ("temperature(1.3)", "watermark(K)"),
        ("temperature(1.3) | top_k(30)", "synthid(keys=K, hash=vllm) | draw"),
        ("temperature(1.3) | top_k(30)", "synthid(keys=K K1 K2 K3, table_seed=3) | draw"),
    ] {
        let law = law(&mut Sampler::new(before, 0).unwrap(), &row);
        let mut counts = vec![0u64; row.len()];
        for seed in 0..KEYS {
            let mut random = Random(seed);
            let mut chain = format!("{before} | {behind}");
            for name in ["K1", "K2", "K3", "K"] {
                chain = chain.replace(name, &format!("{:#x}", random.next()));
            }
            counts[decode(&mut Sampler::new(&chain, seed).unwrap(), &row) as usize] += 1;
        }
        let observed: Vec<u64> = law.iter().map(|e| counts[e.0 as usize]).collect();
        let expected: Vec<f64> = law.iter().map(|e| e.1 * KEYS as f64).collect();
        assert_eq!(observed.iter().sum::<u64>(), KEYS);
        let p = p_value(&observed, &expected);
        println!("{before} | {behind}: p-value {p:.3}");
        assert!(p > LEAST_P_VALUE, "{before} | {behind}: p-value {p:e}");
    }
}

/// What marks, and the same stage with another key.
const SCHEMES: [(&str, &str, &str); 6] = [
    ("watermark(42)", "watermark(42)", "watermark(43)"),
    ("watermark(key=42, width=1)", "watermark(key=42, width=1)", "watermark(key=9, width=1)"),
    (
        "synthid(keys=654 400 836 123 340 443 597 160 57 29 590 639 13 715 468 990 966 226 324 585) | draw",
        "synthid(keys=654 400 836 123 340 443 597 160 57 29 590 639 13 715 468 990 966 226 324 585)",
        "synthid(keys=1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)",
    ),
    (
        "synthid(keys=42, hash=vllm, layers=20) | draw",
        "synthid(keys=42, hash=vllm, layers=20)",
        "synthid(keys=43, hash=vllm, layers=20)",
    ),
    ("green_list(15485863) | draw", "green_list(key=15485863, vocab=2000)", "green_list(key=15485864, vocab=2000)"),
    (
        "green_list(key=15485863, scheme=selfhash, width=3) | draw",
        "green_list(key=15485863, scheme=selfhash, width=3, vocab=2000)",
        "green_list(key=15485864, scheme=selfhash, width=3, vocab=2000)",
    ),
];

/// A text of a sharp random model, whose row depends on the last token.
fn text(stage: &str, n: usize, seed: u64) -> Vec<i32> {
    let mut sampler = Sampler::new(&format!("top_k(50) | {stage}"), seed).unwrap();
    let mut last = seed as i32;
    (0..n)
        .map(|_| {
            let row = logits("normal", 2000, &mut Random(last as u64));
            last = decode(&mut sampler, &row) as i32;
            last
        })
        .collect()
}

#[test]
fn detectors_find_their_own_key_and_no_other() {
    for (marks, right, wrong) in SCHEMES {
        let (marked, plain) = (text(marks, 200, 1), text("draw", 200, 1));
        let found = watermark_score(right, &marked).unwrap();
        println!("{marks}: {found:?}");
        assert!(found.p_value < 1e-9, "{marks}: {found:?}");
        assert!(found.counted > 100 && found.counted <= 200);
        for (stage, tokens) in [(wrong, &marked), (right, &plain)] {
            let score = watermark_score(stage, tokens).unwrap();
            assert!(score.p_value > 1e-3, "{marks}: {score:?}");
        }
    }
}

/// A text in rounds of verified drafts of up to three tokens, some of which are accepted.
fn verified_text(stage: &str, n: usize, seed: u64, rule: Rule) -> (Vec<i32>, usize) {
    let mut sampler = Sampler::new(&format!("top_k(50) | {stage}"), seed).unwrap();
    let row = |last: i32| logits("normal", 2000, &mut Random(last as u64));
    let (mut text, mut accepted) = (vec![seed as i32], 0);
    while text.len() <= n {
        // The tokens that a greedy draft of the same model proposes.
        let mut at = vec![text[text.len() - 1]];
        for _ in 0..3 {
            let best = row(at[at.len() - 1]);
            at.push((0..best.len()).max_by(|&a, &b| best[a].total_cmp(&best[b])).unwrap() as i32);
        }
        let rows: Vec<_> = at.iter().map(|&last| row(last)).collect();
        let draft = Draft { rule, tokens: &at[1..], ..Draft::default() };
        let verified = sampler.verify(&draft, |i| Row::from_f32(&rows[i]), ACCEPTED).unwrap();
        accepted += verified.path.len();
        text.extend(verified.tokens.iter().map(|t| t.token as i32));
    }
    (text[1..=n].to_vec(), accepted)
}

/// docs/watermarks.md, "Other draws".
#[test]
fn verified_drafts_keep_the_marks_of_distributions_and_matching_keeps_all() {
    for (marks, right, _) in SCHEMES {
        for rule in [Rule::Match, Rule::Token, Rule::Block] {
            let (text, accepted) = verified_text(marks, 200, 1, rule);
            let found = watermark_score(right, &text).unwrap();
            println!("{marks}, {rule:?}: {accepted} accepted, {found:?}");
            assert!(accepted > 10, "{marks}, {rule:?}: the drafts are of no use");
            let stays = rule == Rule::Match || !marks.starts_with("watermark");
            assert!(if stays { found.p_value < 1e-6 } else { found.p_value > 1e-3 }, "{marks}, {rule:?}: {found:?}");
        }
    }
}

/// The Kolmogorov-Smirnov distance of p-values from the uniform distribution: above it, and in either direction.
fn distances(mut p: Vec<f64>) -> (f64, f64) {
    p.sort_by(f64::total_cmp);
    let n = p.len() as f64;
    let above = (0..p.len()).map(|i| (i + 1) as f64 / n - p[i]).fold(0.0, f64::max);
    let below = (0..p.len()).map(|i| p[i] - i as f64 / n).fold(0.0, f64::max);
    (above, above.max(below))
}

/// Texts of random tokens know nothing of a key.
#[test]
fn p_values_of_unmarked_texts_are_uniform() {
    const TEXTS: usize = 1000;
    // Exceeded with a probability of 1e-4.
    let most = (-(0.5e-4f64).ln() / 2.0 / TEXTS as f64).sqrt();
    for (_, stage, _) in SCHEMES {
        let mut random = Random(9);
        let p: Vec<f64> = (0..TEXTS)
            .map(|_| {
                let tokens: Vec<i32> = (0..150).map(|_| random.below(2000) as i32).collect();
                watermark_score(stage, &tokens).unwrap().p_value
            })
            .collect();
        let (above, either) = distances(p);
        println!("{stage}: distance {either:.4}, above {above:.4}, critical {most:.4}");
        // Small p-values are not more frequent than they say. A count of green tokens has few values, so that its p-values
        // are steps above the uniform ones.
        assert!(above < most, "{stage}: {above}");
        assert!(either < most + if stage.starts_with("green_list") { 0.1 } else { 0.0 }, "{stage}: {either}");
    }
}

/// A text that repeats itself is no evidence: a context counts once.
#[test]
fn repeated_contexts_count_once() {
    let once: Vec<i32> = (10..22).collect();
    let twice = once.repeat(40);
    for (_, stage, _) in SCHEMES {
        let counted = watermark_score(stage, &twice).unwrap().counted;
        assert!(counted <= 12 + 4, "{stage}: {counted}");
    }
    let nothing = WatermarkScore { score: 0.0, p_value: 1.0, counted: 0 };
    for (_, stage, _) in SCHEMES {
        assert_eq!(watermark_score(stage, &[]), Ok(nothing));
    }
}

#[test]
fn watermark_score_is_the_sum_of_the_definition() {
    let tokens: Vec<i32> = (0..100).map(|i| i * i % 37).collect();
    let contexts = contexts(&tokens, 3, -1);
    let mut seen = HashSet::new();
    let scores: Vec<f64> = (0..tokens.len())
        .filter(|&at| seen.insert(&contexts[at]))
        .map(|at| -(1.0 - uniform(vllm_word(7, &contexts[at], tokens[at]))).ln())
        .collect();
    let found = watermark_score("watermark(key=7, width=3)", &tokens).unwrap();
    assert_eq!(found.counted, scores.len());
    assert!((found.score - scores.iter().sum::<f64>()).abs() < 1e-9);
    // Green tokens, by a permutation of other authors.
    let pairs: HashSet<_> = tokens.windows(2).collect();
    let green = pairs.iter().filter(|pair| permutation(3 * pair[0] as u64, 40)[..10].contains(&pair[1])).count() as f64;
    let (n, found) = (pairs.len() as f64, watermark_score("green_list(key=3, vocab=40)", &tokens).unwrap());
    assert_eq!(found.counted, pairs.len());
    assert!((found.score - (green - n / 4.0) / (n * 3.0 / 16.0).sqrt()).abs() < 1e-12, "{found:?} {green}");
}

#[test]
fn watermark_score_refuses_what_is_no_watermark() {
    let refused = |stage: &str, tokens: &[i32]| watermark_score(stage, tokens).expect_err(stage);
    for (stage, why) in [
        ("draw", "`draw` is no watermark"),
        ("watermark(3) | draw", "ends the chain"),
        ("top_k(3) | watermark(3)", "the text of one watermark stage"),
        ("watermark", "parameter `key` is missing"),
        ("green_list(3)", "parameter `vocab` is missing"),
        ("green_list(key=3, vocab=3)", "0 of 3 tokens are green"),
        ("green_list(key=3, share=1, vocab=30)", "30 of 30 tokens are green"),
        ("green_list(key=3, delta=0, vocab=30)", "the text of one watermark stage"),
        ("synthid(keys=3 4, hash=vllm)", "takes one key"),
    ] {
        let e = refused(stage, &[1, 2]);
        assert!(matches!(&e, Error::InvalidChain(text) if text.contains(why)), "{stage}: {e:?}");
    }
    for (stage, tokens, why) in
        [("watermark(3)", [4, -1], "tokens[1] is -1"), ("green_list(key=3, vocab=30)", [4, 30], "tokens[1] is 30")]
    {
        let e = refused(stage, &tokens);
        assert!(matches!(&e, Error::InvalidArgument(text) if text.contains(why)), "{stage}: {e:?}");
    }
}
