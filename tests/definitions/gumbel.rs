//! Gumbel-max: one token, and several without replacement. (Frequencies are tested in draws.rs.)

use crate::common::chi_square::{LEAST_P_VALUE, p_value};
use crate::common::rows::{ROWS, Random, logits};
use bregman::{Candidate, Error, Row, Sample, Sampler, Want};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

fn decode(sampler: &mut Sampler, row: &[f32]) -> u32 {
    sampler.decode(Row::from_f32(row).unwrap(), Want::default()).unwrap().token
}

fn draw_many(sampler: &mut Sampler, row: &[f32], n: usize) -> Vec<Sample> {
    sampler.draw_many(Row::from_f32(row).unwrap(), n).unwrap().to_vec()
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(1500))]

    /// The noise belongs to the token: a truncation changes the winner only by dropping it, candidates may come in any
    /// order, and the search of the whole vocabulary finds what a list of all tokens gives.
    #[test]
    fn gumbel_winner_does_not_depend_on_the_truncation_path(kind in select(ROWS.to_vec()), vocab in 1usize..3000, seed: u64, t in 0.3..3.0f64) {
        let row = logits(kind, vocab, &mut Random(seed));
        let sampler = |rest: &str| Sampler::new(&format!("temperature({t}) | {rest}"), seed).unwrap();
        let winner = decode(&mut sampler("gumbel"), &row);
        prop_assert_eq!(decode(&mut sampler(&format!("top_k({vocab}) | gumbel")), &row), winner);
        let kept = sampler("top_k(40)").distribution(Row::from_f32(&row).unwrap()).unwrap();
        if kept.iter().any(|e| e.0 == winner) {
            prop_assert_eq!(decode(&mut sampler("top_k(40) | gumbel"), &row), winner);
        }
        let mut all = crate::common::plain::candidates(&row, Some(&mut Random(seed)));
        let applied = sampler("gumbel").apply(&mut all).unwrap();
        prop_assert_eq!(all[applied.selected.unwrap()].id as u32, winner);
    }

    /// Several tokens: all different, in order of score, each with its log-probability; a larger n appends.
    #[test]
    fn draw_many_is_in_order_of_score(kind in select(ROWS.to_vec()), vocab in 1usize..600, seed: u64, n in 1usize..50) {
        let row = logits(kind, vocab, &mut Random(seed));
        for chain in ["temperature(1.3)", "min_p(0.01) | draw", "top_k(30)"] {
            let mut sampler = Sampler::new(chain, seed).unwrap();
            let law: BTreeMap<u32, f64> = sampler.distribution(Row::from_f32(&row).unwrap()).unwrap().into_iter().collect();
            let many = draw_many(&mut sampler, &row, n);
            prop_assert_eq!(sampler.position(), 1);
            prop_assert_eq!(many.len(), n.min(law.len()));
            prop_assert!(many.is_sorted_by(|a, b| a.score >= b.score));
            let distinct: std::collections::BTreeSet<u32> = many.iter().map(|s| s.token).collect();
            prop_assert_eq!(distinct.len(), many.len());
            for s in &many {
                let p = law[&s.token];
                prop_assert!(p < 1e-290 || (s.logprob - p.ln()).abs() < 1e-5, "{}: {} {}", s.token, s.logprob, p.ln());
                prop_assert!(s.score - s.logprob > -3.82 && s.score - s.logprob < 45.06);
            }
            sampler.reseed(seed, 0);
            let more = draw_many(&mut sampler, &row, n + 7);
            prop_assert_eq!(&more[..many.len()], &many[..]);
            let first = decode(&mut Sampler::new(&format!("{} | gumbel", chain.replace(" | draw", "")), seed).unwrap(), &row);
            prop_assert_eq!(first, many[0].token);
        }
    }
}

/// Every ordered choice of three out of five has the probability of drawing them one after the other.
#[test]
fn draw_many_has_the_law_of_sampling_without_replacement() {
    let row = [1.0f32, 0.2, -0.5, 0.0, -1.5];
    for chain in ["temperature(1.2)", "top_k(5) | temperature(1.2)"] {
        let mut sampler = Sampler::new(chain, 11).unwrap();
        let law: BTreeMap<u32, f64> = sampler.distribution(Row::from_f32(&row).unwrap()).unwrap().into_iter().collect();
        let n = 200_000;
        let mut counts = BTreeMap::<Vec<u32>, u64>::new();
        for _ in 0..n {
            let drawn = draw_many(&mut sampler, &row, 3).iter().map(|s| s.token).collect();
            *counts.entry(drawn).or_default() += 1;
        }
        let (mut observed, mut expected, mut included) = (vec![], vec![], [0.0; 5]);
        for a in 0..5u32 {
            for b in (0..5).filter(|b| *b != a) {
                for c in (0..5).filter(|c| ![a, b].contains(c)) {
                    let (p, q, r) = (law[&a], law[&b], law[&c]);
                    let all = p * (q / (1.0 - p)) * (r / (1.0 - p - q));
                    [a, b, c].iter().for_each(|&t| included[t as usize] += all);
                    observed.push(counts.get(&vec![a, b, c]).copied().unwrap_or(0));
                    expected.push(all * f64::from(n));
                }
            }
        }
        assert_eq!(observed.iter().sum::<u64>(), u64::from(n as u32));
        let p = p_value(&observed, &expected);
        println!("{chain}: ordered choices, p-value {p:.3}");
        assert!(p > LEAST_P_VALUE, "{chain}: {p:e}");
        // Inclusion, whatever the order: the sum over the orders.
        for (token, exact) in included.iter().enumerate() {
            let times: u64 = counts.iter().filter(|(drawn, _)| drawn.contains(&(token as u32))).map(|e| e.1).sum();
            let deviation = (exact * (1.0 - exact) / f64::from(n)).sqrt();
            assert!((times as f64 / f64::from(n) - exact).abs() < 4.0 * deviation, "token {token}: {times} {exact}");
        }
    }
}

/// Tokens of small probability are drawn at their rate: the noise is not capped.
#[test]
fn gumbel_draws_rare_tokens_at_their_rate() {
    // p = 2e-4 in all for 2000 tokens that are 16.1 below the first: beyond the cap of single precision noise.
    let mut row = vec![-16.1181f32; 2001];
    row[700] = 0.0;
    let mut sampler = Sampler::new("gumbel", 3).unwrap();
    let n = 400_000;
    let rare = (0..n).filter(|_| decode(&mut sampler, &row) != 700).count() as f64;
    let expected = f64::from(n) * 2.0e-4;
    assert!((rare - expected).abs() < 4.0 * expected.sqrt(), "{rare} of {expected}");
}

/// Tokens whose weight vanishes in single precision are drawn when there is nothing else left.
#[test]
fn draw_many_of_all_draws_every_token() {
    let row: Vec<f32> = (0..600).map(|i| -(i as f32)).collect();
    let mut sampler = Sampler::new("temperature(0.9)", 3).unwrap();
    let many = draw_many(&mut sampler, &row, 1000);
    // Those that are not eligible at all: beyond e^-680.
    assert_eq!(many.len(), sampler.distribution(Row::from_f32(&row).unwrap()).unwrap().len());
    assert_eq!(many.len(), 600);
    assert_eq!(
        sampler.draw_many(Row::from_f32(&row).unwrap(), 0),
        Err(Error::InvalidArgument("n is 0: at least one token is drawn".into()))
    );
    assert_eq!(sampler.position(), 1, "a refused call advances nothing");
    let mut greedy = Sampler::new("greedy", 3).unwrap();
    assert_eq!(draw_many(&mut greedy, &row, 5).iter().map(|s| s.token).collect::<Vec<_>>(), [0]);
    let mut one = [Candidate { id: 9, logit: -3.0, p: 0.0 }];
    assert_eq!(Sampler::new("gumbel", 1).unwrap().apply(&mut one).unwrap().selected, Some(0));
}
