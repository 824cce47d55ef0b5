//! Draws: their law by chi-square against the distribution that the library reports, and what moves the random
//! position and what does not.

mod common;

use bregman::ffi::{BREGMAN_EMPTY_SUPPORT, BREGMAN_INVALID_LOGITS, BREGMAN_OK};
use common::abi::Abi;
use common::rows::{Random, logits};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The probability of so large a chi-square if the counts follow `expected`; cells below 10 are pooled.
fn p_value(counts: &[u64], expected: &[f64]) -> f64 {
    let (mut statistic, mut cells, mut pool) = (0.0, 0, (0.0, 0.0));
    let mut add = |observed: f64, expected: f64| {
        statistic += (observed - expected).powi(2) / expected;
        cells += 1;
    };
    for (&observed, &expected) in counts.iter().zip(expected) {
        if expected >= 10.0 {
            add(observed as f64, expected);
        } else {
            pool = (pool.0 + observed as f64, pool.1 + expected);
        }
    }
    if pool.1 > 1.0 {
        add(pool.0, pool.1);
    }
    assert!(cells > 3, "too few cells to say anything");
    1.0 - ChiSquared::new(f64::from(cells - 1)).unwrap().cdf(statistic)
}

#[test]
fn a_million_draws_follow_the_reported_distribution() {
    const DRAWS: u64 = 1_000_000;
    let row = logits("normal", 2048, &mut Random(5));
    let small: Vec<f32> = row[..96].to_vec();
    for (chain, row) in [
        ("temperature(1.3) | bregman(alpha=1.5, floor=0.005) | draw", &small),
        ("bregman(alpha=2.5, mode=dual, k=12) | draw", &small),
        ("temperature(0.9) | top_p(0.9) | draw", &small),
        ("top_k(20) | min_p(0.05) | temperature(2) | draw", &small),
        ("temperature(1.1) | draw", &small),
    ] {
        let sampler = Abi::new(chain, 20_261_123);
        let law = sampler.distribution(row).unwrap();
        let mut counts = vec![0u64; row.len()];
        for _ in 0..DRAWS {
            counts[sampler.token(row) as usize] += 1;
        }
        let mut expected = vec![0.0; row.len()];
        law.iter().for_each(|&(id, p)| expected[id as usize] = f64::from(p) * DRAWS as f64);
        assert!(counts.iter().zip(&expected).all(|(&n, &e)| e > 0.0 || n == 0), "{chain}: a token off the support");
        let p = p_value(&counts, &expected);
        assert!(p > 1e-4, "{chain}: p = {p:e}");
        // The test can fail: the same counts do not follow the law of another temperature.
        let other = Abi::new(&chain.replace(" draw", " temperature(1.05) | draw"), 1).distribution(row).unwrap();
        let mut wrong = vec![0.0; row.len()];
        other.iter().for_each(|&(id, p)| wrong[id as usize] = f64::from(p) * DRAWS as f64);
        assert!(p_value(&counts, &wrong) < 1e-9, "{chain}: the test has no power");
    }

    // The whole vocabulary, block by block: fewer draws, as each reads 2048 logits.
    let sampler = Abi::new("temperature(1.5) | draw", 7);
    let draws = 250_000;
    let mut counts = vec![0u64; row.len()];
    for _ in 0..draws {
        counts[sampler.token(&row) as usize] += 1;
    }
    let mut expected = vec![0.0; row.len()];
    let law = sampler.distribution(&row).unwrap();
    law.iter().for_each(|&(id, p)| expected[id as usize] = f64::from(p) * f64::from(draws));
    let p = p_value(&counts, &expected);
    assert!(p > 1e-4, "whole vocabulary: p = {p:e}");
}

/// A row whose tokens are all likely, so that two streams that differ soon show it.
fn lively() -> Vec<f32> {
    (0..32).map(|i| (i % 5) as f32 * 0.1).collect()
}

const CHAIN: &str = "temperature(0.9) | bregman(alpha=1.5, floor=0.001) | draw";

fn tokens(sampler: &Abi, row: &[f32], n: usize) -> Vec<i32> {
    (0..n).map(|_| sampler.token(row)).collect()
}

#[test]
fn successive_draws_are_independent() {
    let (row, n) = (vec![0.0, 0.3, -0.4, 0.6], 400_000);
    let sampler = Abi::new("draw", 99);
    let law = sampler.distribution(&row).unwrap();
    let p = |id: usize| f64::from(law.iter().find(|e| e.0 as usize == id).unwrap().1);
    let drawn = tokens(&sampler, &row, n);
    for lag in [1, 2, 64] {
        let mut counts = vec![0u64; 16];
        drawn.windows(lag + 1).step_by(lag + 1).for_each(|w| counts[4 * w[0] as usize + w[lag] as usize] += 1);
        let total: u64 = counts.iter().sum();
        let expected: Vec<f64> = (0..16).map(|c| p(c / 4) * p(c % 4) * total as f64).collect();
        let value = p_value(&counts, &expected);
        assert!(value > 1e-4, "lag {lag}: p = {value:e}");
    }
    // Neighbouring seeds, too.
    let mut counts = vec![0u64; 16];
    for seed in 0..40_000 {
        let token = |seed| {
            sampler.reseed(seed, 3);
            sampler.token(&row) as usize
        };
        counts[4 * token(2 * seed) + token(2 * seed + 1)] += 1;
    }
    let expected: Vec<f64> = (0..16).map(|c| p(c / 4) * p(c % 4) * 40_000.0).collect();
    assert!(p_value(&counts, &expected) > 1e-4);
}

#[test]
fn a_token_depends_on_seed_and_position_alone() {
    let row = lively();
    let (a, b) = (Abi::new(CHAIN, 5), Abi::new(CHAIN, 5));
    let story = tokens(&a, &row, 200);
    assert_eq!(story, tokens(&b, &row, 200), "same seed, same tokens");
    assert_ne!(story, tokens(&Abi::new(CHAIN, 6), &row, 200), "another seed, other tokens");
    for at in [0, 1, 57, 199] {
        b.reseed(5, at as u64);
        assert_eq!(tokens(&b, &row, 200 - at), story[at..], "resumed at {at}");
    }
    // Not on how the position was reached: greedy rows count like drawn ones.
    let greedy = Abi::new("greedy", 5);
    greedy.token(&row);
    b.reseed(5, 1);
    assert_eq!(b.token(&row), story[1]);
    // A seed's upper half counts.
    let high = Abi::new(CHAIN, 5 | 1 << 40);
    assert_ne!(story, tokens(&high, &row, 200));
}

#[test]
fn a_clone_continues_and_then_goes_its_own_way() {
    let row = lively();
    let a = Abi::new(CHAIN, 8);
    a.bias(&[3], &[2.5]).unwrap();
    tokens(&a, &row, 10);
    let b = a.clone();
    assert_eq!(a.describe(), b.describe());
    assert_eq!(a.distribution(&row).unwrap(), b.distribution(&row).unwrap(), "the bias is copied");
    let ahead = tokens(&b, &row, 50);
    assert_eq!(tokens(&a, &row, 50), ahead, "the position is copied, and not shared");
    b.bias(&[], &[]).unwrap();
    assert_ne!(a.distribution(&row).unwrap(), b.distribution(&row).unwrap(), "the bias is not shared");
}

#[test]
fn reset_goes_back_to_as_created() {
    let row = lively();
    let sampler = Abi::new(CHAIN, 12);
    let (law, story) = (sampler.distribution(&row).unwrap(), tokens(&sampler, &row, 30));
    sampler.bias(&[1, 2], &[1.0, f32::NEG_INFINITY]).unwrap();
    sampler.reseed(77, 5);
    assert_ne!(sampler.distribution(&row).unwrap(), law);
    sampler.reset();
    assert_eq!(sampler.distribution(&row).unwrap(), law, "the bias is gone");
    assert_eq!(tokens(&sampler, &row, 30), story, "seed and position are those of the creation");
}

#[test]
fn what_fails_or_only_looks_advances_nothing() {
    let row = lively();
    let (sampler, twin) = (Abi::new(CHAIN, 21), Abi::new(CHAIN, 21));
    let mut nan = row.clone();
    nan[7] = f32::NAN;
    let banned = vec![f32::NEG_INFINITY; 8];
    for _ in 0..20 {
        assert_eq!(sampler.decode(&nan).status, BREGMAN_INVALID_LOGITS);
        assert_eq!(sampler.decode(&banned).status, BREGMAN_EMPTY_SUPPORT);
        assert!(sampler.error().contains("no token can be sampled"));
        sampler.distribution(&row).unwrap();
        sampler.process(&mut row.clone()).unwrap();
        let (ours, theirs) = (sampler.decode(&row), twin.decode(&row));
        assert_eq!((ours.status, ours.token), (BREGMAN_OK, theirs.token));
    }
}
