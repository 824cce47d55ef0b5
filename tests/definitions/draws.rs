//! Draws: frequencies against the stated distribution, independence, and the state that
//! decides them: seed and position, nothing else.

use crate::common::chi_square::{LEAST_P_VALUE, p_value};
use crate::common::definitions::all;
use crate::common::handle::Handle;
use crate::common::plain::{Plain, Tokens, chain, sampler, with_ids};
use crate::common::random_cases;
use crate::common::random_chains::step_of;
use crate::common::rows::{Random, logits};
use bregman::ffi::BREGMAN_OK;
use bregman::{Row, Want};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

const DRAWS: usize = 1_000_000;

fn row(vocab: usize, seed: u64) -> Vec<f32> {
    logits("model", vocab, &mut Random(seed))
}

/// Draws at consecutive positions; the p-value of their frequencies against `bregman_distribution`.
fn frequencies(chain: &str, logits: &[f32], seed: u64, draws: usize) -> f64 {
    let sampler = Handle::new(chain, seed);
    let law = sampler.distribution(logits).unwrap();
    let mut counts = vec![0u64; logits.len()];
    for _ in 0..draws {
        counts[sampler.token(logits) as usize] += 1;
    }
    let (mut observed, mut expected, mut kept) = (vec![], vec![], 0);
    for &(id, p) in &law {
        observed.push(counts[id as usize]);
        expected.push(f64::from(p) * draws as f64);
        kept += counts[id as usize];
    }
    assert_eq!(kept, draws as u64, "{chain}: a token off the support was drawn");
    p_value(&observed, &expected)
}

fn check_frequencies(chain: &str, vocab: usize, seed: u64, draws: usize) {
    let p = frequencies(chain, &row(vocab, seed), seed, draws);
    println!("{chain}: p-value {p:.3}");
    assert!(p > LEAST_P_VALUE, "{chain}: p-value {p:e}");
}

#[test]
fn frequencies_of_a_bregman_decoder() {
    check_frequencies("temperature(1.3) | bregman(alpha=1.5, floor=0.004) | draw", 700, 11, DRAWS);
    check_frequencies("bregman(alpha=2.5, mode=dual, lambda=0.00001) | draw", 300, 12, DRAWS / 10);
}

#[test]
fn frequencies_of_a_nucleus() {
    check_frequencies("top_p(0.95) | draw", 700, 21, DRAWS);
}

#[test]
fn frequencies_of_a_whole_vocabulary() {
    check_frequencies("temperature(2) | draw", 2048, 31, DRAWS);
}

/// Every drawing stage of the catalogue with some parameters, as if each row were the first: a stage that learns has
/// learnt nothing.
#[test]
fn frequencies_of_every_drawing_stage_are_the_plain_probabilities() {
    const DRAWS: u64 = 30_000;
    let logits = row(200, 41);
    let mut runner = TestRunner::new(random_cases::config(1));
    for definition in all().filter(|definition| definition.draws.is_some()) {
        let strategy = step_of(definition);
        let steps = (0..40).map(|_| strategy.new_tree(&mut runner).expect("a strategy without filters").current());
        let mut tested = 0;
        for step in steps {
            let (steps, none) = ([step], Tokens::default());
            let Some(plain) = Plain::new(&steps, &none).certain(&with_ids(&logits)) else { continue };
            let entries = plain[0].entries();
            let mut sampler = sampler(&chain(&steps), 1);
            let mut counts = vec![0u64; logits.len()];
            for position in 0..DRAWS {
                sampler.reset();
                // Another context each time, for the watermark.
                sampler.accept(&[position as i32]).unwrap();
                sampler.set_prompt_length(0).unwrap();
                sampler.reseed(45, position);
                let row = Row::from_f32(&logits).unwrap();
                counts[sampler.decode(row, Want::default()).unwrap().token as usize] += 1;
            }
            let observed: Vec<u64> = entries.iter().map(|e| counts[e.0 as usize]).collect();
            assert_eq!(observed.iter().sum::<u64>(), DRAWS, "{}: a token off the support was drawn", steps[0]);
            let expected: Vec<f64> = entries.iter().map(|e| e.1 * DRAWS as f64).collect();
            // A chi-square needs two tokens at least.
            if expected.iter().filter(|&&n| n >= 10.0).count() > 1 {
                let p = p_value(&observed, &expected);
                assert!(p > LEAST_P_VALUE, "{}: p-value {p:e}", steps[0]);
                tested += 1;
            }
            if tested == 3 || definition.stage == "greedy" {
                break;
            }
        }
        assert!(tested >= 1 || definition.stage == "greedy", "`{}`: nothing to test", definition.stage);
    }
}

#[test]
fn frequencies_of_gumbel() {
    check_frequencies("temperature(1.3) | bregman(alpha=1.5, floor=0.004) | gumbel", 700, 13, DRAWS / 2);
    check_frequencies("temperature(2) | gumbel", 2048, 32, DRAWS / 10);
    check_frequencies("temperature(0.6) | gumbel", 50, 33, DRAWS);
}

/// The chi-square detects frequencies that are slightly off.
#[test]
fn chi_square_detects_a_wrong_distribution() {
    let logits = row(100, 5);
    let sampler = Handle::new("top_k(20) | draw", 1);
    let law = Handle::new("temperature(1.02) | top_k(20)", 1).distribution(&logits).unwrap();
    let mut counts = vec![0u64; 100];
    (0..DRAWS / 4).for_each(|_| counts[sampler.token(&logits) as usize] += 1);
    let observed: Vec<u64> = law.iter().map(|e| counts[e.0 as usize]).collect();
    let expected: Vec<f64> = law.iter().map(|e| f64::from(e.1) * DRAWS as f64 / 4.0).collect();
    assert!(p_value(&observed, &expected) < 1e-6);
}

/// Pairs of draws at some distance, and draws of samplers with neighbouring seeds.
#[test]
fn consecutive_draws_are_independent() {
    let logits = row(64, 41);
    let sampler = Handle::new("bregman(alpha=1.5, k=12) | draw", 3);
    let law = sampler.distribution(&logits).unwrap();
    let rank = |token: i32| law.iter().position(|e| e.0 == token as u32).expect("a token of the support");
    let pairs = |draws: &mut dyn Iterator<Item = (usize, usize)>| {
        let mut counts = vec![0u64; law.len() * law.len()];
        let mut n = 0.0;
        for (a, b) in draws {
            counts[a * law.len() + b] += 1;
            n += 1.0;
        }
        let joint = |a: &(u32, f32), b: &(u32, f32)| f64::from(a.1) * f64::from(b.1) * n;
        let expected: Vec<f64> = law.iter().flat_map(|a| law.iter().map(move |b| joint(a, b))).collect();
        p_value(&counts, &expected)
    };
    let draws: Vec<usize> = (0..300_000).map(|_| rank(sampler.token(&logits))).collect();
    for distance in [1, 2, 16, 256] {
        // Disjoint pairs: overlapping ones would not be independent of each other.
        let mut disjoint = draws
            .chunks_exact(2 * distance)
            .flat_map(|chunk| (0..distance).map(|i| (chunk[i], chunk[i + distance])).collect::<Vec<_>>());
        let p = pairs(&mut disjoint);
        assert!(p > LEAST_P_VALUE, "distance {distance}: p-value {p:e}");
    }
    let first = |seed: u64| {
        sampler.reseed(seed, 0);
        rank(sampler.token(&logits))
    };
    let p = pairs(&mut (0..100_000).map(|seed| (first(2 * seed), first(2 * seed + 1))));
    assert!(p > LEAST_P_VALUE, "neighbouring seeds: p-value {p:e}");
}

const CHAIN: &str = "temperature(1.2) | bregman(alpha=1.5, floor=0.001) | draw";

fn tokens(sampler: &Handle, logits: &[f32], n: usize) -> Vec<i32> {
    (0..n).map(|_| sampler.token(logits)).collect()
}

#[test]
fn token_depends_on_seed_and_position_only() {
    let logits = row(500, 51);
    let all = tokens(&Handle::new(CHAIN, 9), &logits, 200);
    assert_eq!(tokens(&Handle::new(CHAIN, 9), &logits, 200), all);
    assert_ne!(tokens(&Handle::new(CHAIN, 10), &logits, 200), all);
    // Resumed anywhere, by any sampler of that chain, in any order.
    let other = Handle::new(CHAIN, 77);
    for position in [199, 0, 63, 64, 150, 7] {
        other.reseed(9, position as u64);
        assert_eq!(other.token(&logits), all[position]);
        assert!(all.get(position + 1).is_none_or(|next| other.token(&logits) == *next));
    }
    // The largest seed and position; after the last position comes the first.
    other.reseed(u64::MAX, u64::MAX);
    other.token(&logits);
    let next = tokens(&other, &logits, 50);
    other.reseed(u64::MAX, 0);
    assert_eq!(tokens(&other, &logits, 50), next);
}

#[test]
fn clone_continues_alike_and_independently() {
    let (logits, others) = (row(500, 61), row(500, 62));
    let original = Handle::new(CHAIN, 4);
    original.bias(&[3, 4], &[2.0, f32::NEG_INFINITY]).unwrap();
    tokens(&original, &logits, 17);
    let (clone, again) = (original.clone(), original.clone());
    let alike = tokens(&original, &logits, 100);
    assert_eq!(tokens(&clone, &logits, 100), alike);
    // Changes of one do not affect the other: position, bias and seed are its own.
    tokens(&original, &others, 5);
    original.bias(&[], &[]).unwrap();
    original.reseed(5, 5);
    assert_eq!(clone.decode(&others).token, {
        tokens(&again, &logits, 100);
        again.token(&others)
    });
    drop(original);
    assert_eq!(clone.token(&logits), again.token(&logits), "a clone outlives its original");
}

#[test]
fn reset_restarts_the_sequence_and_keeps_the_bias() {
    let logits = row(500, 71);
    let fresh = Handle::new(CHAIN, 4);
    let law = fresh.distribution(&logits).unwrap();
    let first = tokens(&fresh, &logits, 50);
    let used = Handle::new(CHAIN, 4);
    used.bias(&[law[0].0 as i32], &[f32::NEG_INFINITY]).unwrap();
    let biased = used.distribution(&logits).unwrap();
    assert_ne!(biased, law);
    tokens(&used, &logits, 9);
    used.reseed(123, 456);
    used.reset();
    assert_eq!(used.distribution(&logits).unwrap(), biased, "a ban of the host's stays");
    used.bias(&[], &[]).unwrap();
    assert_eq!(tokens(&used, &logits, 50), first, "seed and position are those of creation");
}

/// Through the Rust API: the C ABI does not return the history.
#[test]
fn reset_clears_the_history() {
    let mut sampler = bregman::Sampler::new(CHAIN, 4).unwrap();
    sampler.accept(&[1, 2, 3]).unwrap();
    let want = Want { accept: true, ..Want::default() };
    let logits = row(500, 81);
    let token = sampler.decode(Row::from_f32(&logits).unwrap(), want).unwrap().token;
    assert_eq!(sampler.history(), [1, 2, 3, token as i32]);
    assert_eq!(sampler.clone().history(), sampler.history());
    assert!(sampler.accept(&[5, -1]).is_err());
    assert_eq!(sampler.history().len(), 4, "a refused call takes none of its tokens");
    assert_eq!(sampler.position(), 1);
    sampler.reset();
    assert!(sampler.history().is_empty() && sampler.position() == 0);
}

#[test]
fn distribution_process_and_failures_advance_nothing() {
    let logits = row(500, 91);
    let (sampler, fresh) = (Handle::new(CHAIN, 6), Handle::new(CHAIN, 6));
    let (mut nan, banned) = (logits.clone(), vec![f32::NEG_INFINITY; 500]);
    nan[77] = f32::NAN;
    for _ in 0..20 {
        sampler.distribution(&logits).unwrap();
        sampler.process(&mut logits.clone()).unwrap();
        assert_ne!(sampler.decode(&nan).status, BREGMAN_OK);
        assert_ne!(sampler.decode(&banned).status, BREGMAN_OK);
        assert_ne!(sampler.decode(&[]).status, BREGMAN_OK);
        assert!(sampler.apply(&mut vec![]).is_err());
        assert!(sampler.distribution(&nan).is_err() && sampler.process(&mut nan).is_err());
        assert!(sampler.bias(&[-1], &[0.0]).is_err() && sampler.bias(&[1, 1], &[0.0, 1.0]).is_err());
        assert_eq!(sampler.token(&logits), fresh.token(&logits));
    }
}
