//! What holds for the numbers of every answer, whatever the chain and the row: probabilities in (0, 1], finite logits, no
//! dependence on the order of candidates, and never success without a token.

use crate::common::plain::{Tokens, chain, sampler_after};
use crate::common::random_cases;
use crate::common::random_chains::{drawing, row, tokens, transforming};
use crate::common::rows::Random;
use bregman::{Answers, Candidate, Error, Order, Row, Sampler, Source, Want};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const NO_TOKENS: Tokens = Tokens { prompt: Vec::new(), output: Vec::new() };

fn sampler(chain: &str) -> Sampler {
    Sampler::new(chain, 7).unwrap_or_else(|e| panic!("{chain}: {e}"))
}

fn distribution(sampler: &mut Sampler, row: &[f32]) -> Vec<(u32, f64)> {
    sampler.distribution(Row::from_f32(row).unwrap()).unwrap()
}

fn candidates(row: &[f32]) -> Vec<Candidate> {
    (0..).zip(row).map(|(id, &logit)| Candidate { id, logit, p: f32::NAN }).collect()
}

/// The softmax of the candidates' logits, by id.
fn softmax(candidates: &[Candidate]) -> Vec<(i32, f64)> {
    let max = candidates.iter().map(|c| f64::from(c.logit)).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = candidates.iter().map(|c| (f64::from(c.logit) - max).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut all: Vec<_> = candidates.iter().zip(weights).map(|(c, w)| (c.id, w / total)).collect();
    all.sort_by_key(|e| e.0);
    all
}

/// Eight times a temperature of 1e-6: a nat is less than the smallest f32.
#[test]
fn extreme_temperatures_before_a_nucleus_end() {
    let cold = "temperature(0.000001) | ".repeat(8);
    for zeros in [64, 700, 5000] {
        let row: Vec<f32> = (0..5000).map(|i| if i < zeros { 0.0 } else { -1.0 }).collect();
        for stage in ["top_p(0.9)", "typical(0.9)", "bregman(alpha=1.5, mass=0.9)", "top_h(0.4)", "tail_free(0.9)"] {
            let law = distribution(&mut sampler(&format!("{cold}{stage} | draw")), &row);
            assert!(!law.is_empty() && law.len() <= zeros, "{stage}, {zeros} largest: {}", law.len());
        }
    }
}

#[test]
fn probabilities_are_in_0_to_1_on_every_face() {
    let cases = (drawing(), tokens(), row());
    let result = TestRunner::new(random_cases::config(6_000)).run(&cases, |(steps, tokens, recipe)| {
        let row = recipe.make();
        let mut sampler = sampler_after(&chain(&steps), 7, &tokens);
        let (mut ids, mut logprobs) = ([0; 8], [0.0; 8]);
        for source in [Source::Decoded, Source::Model] {
            let mut answers = Answers { source, top_ids: &mut ids, top_logprobs: &mut logprobs, ..Answers::default() };
            let want = Want { kept_mass: true, ln_kept_mass: true, model_logprob: true, entropy: true, ..Want::NONE };
            let Ok((token, rank)) = sampler.clone().decode_with(Row::from_f32(&row).unwrap(), want, &mut answers)
            else {
                return Ok(());
            };
            prop_assert!(token.p > 0.0 && token.p <= 1.0, "p = {:e}", token.p - 1.0);
            prop_assert!(token.kept_mass > 0.0 && token.kept_mass <= 1.0 + 1e-12, "kept {}", token.kept_mass);
            prop_assert!(token.model_logprob <= 0.0 && token.entropy >= 0.0, "{token:?}");
            prop_assert!(rank.logprob <= 0.0 && rank.rank >= 1, "{rank:?}");
            prop_assert!(logprobs.iter().all(|&l| l <= 0.0), "{logprobs:?}");
        }
        for (_, p) in sampler.distribution(Row::from_f32(&row).unwrap()).unwrap() {
            prop_assert!(p > 0.0 && p <= 1.0, "p = {p:e}");
        }
        let (mut ids, mut probs) = (vec![0; row.len()], vec![0.0; row.len()]);
        let n = sampler.distribution_into(Row::from_f32(&row).unwrap(), &mut ids, &mut probs).unwrap();
        prop_assert!(n > 0 && probs[..n].iter().all(|&p| p > 0.0 && p <= 1.0));
        let mut processed = row.clone();
        sampler.process(&mut processed).unwrap();
        prop_assert!(processed.iter().all(|&l| l <= 0.0) && processed.iter().any(|&l| l > f32::NEG_INFINITY));
        let mut applied = candidates(&row);
        let done = sampler.apply(&mut applied).unwrap();
        prop_assert!(done.selected.is_some_and(|at| at < done.size));
        for c in &applied[..done.size] {
            prop_assert!((0.0..=1.0).contains(&c.p) && c.p.is_sign_positive(), "{c:?}");
        }
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn apply_writes_finite_logits_whose_softmax_is_the_distribution() {
    let cases = (transforming(), tokens(), row());
    let result = TestRunner::new(random_cases::config(8_000)).run(&cases, |(steps, tokens, recipe)| {
        let row = recipe.make();
        let mut sampler = sampler_after(&chain(&steps), 7, &tokens);
        let Ok(expected) = sampler.distribution(Row::from_f32(&row).unwrap()) else { return Ok(()) };
        let mut applied = candidates(&row);
        let done = sampler.apply(&mut applied).unwrap();
        let applied = &applied[..done.size];
        prop_assert!(applied.iter().any(|c| c.logit.is_finite()), "nothing is left");
        prop_assert!(applied.iter().all(|c| c.logit < f32::INFINITY), "an infinite logit");
        if done.order == Order::Sorted {
            prop_assert!(applied.iter().all(|c| c.logit.is_finite()), "a kept token without a finite logit");
            prop_assert!(applied.windows(2).all(|w| w[0].logit >= w[1].logit));
        }
        let found = softmax(applied);
        let p = |id: i32| found.binary_search_by_key(&id, |e| e.0).map_or(0.0, |at| found[at].1);
        for (id, expected) in expected {
            // Logits of up to 1024 have an f32's rounding, and engines take the softmax of those.
            prop_assert!((p(id as i32) - expected).abs() < 2e-4, "{id}: {} and {expected}", p(id as i32));
        }
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn support_does_not_depend_on_the_order_of_candidates() {
    let cases = (transforming(), row(), any::<u64>());
    let result = TestRunner::new(random_cases::config(6_000)).run(&cases, |(steps, recipe, seed)| {
        let text = chain(&steps);
        // Its coin is another one for another row, and typical's window may hold any of several equally far tokens.
        if text.contains("xtc") {
            return Ok(());
        }
        let row = recipe.make();
        let mut sampler = sampler_after(&text, 7, &NO_TOKENS);
        let mut in_order = candidates(&row);
        let Ok(done) = sampler.clone().apply(&mut in_order) else { return Ok(()) };
        let mut shuffled = candidates(&row);
        Random(seed).shuffle(&mut shuffled);
        let again = sampler.apply(&mut shuffled).unwrap();
        prop_assert_eq!(done.size, again.size);
        let ids = |kept: &[Candidate]| {
            let mut ids: Vec<i32> = kept.iter().filter(|c| c.logit > f32::NEG_INFINITY).map(|c| c.id).collect();
            ids.sort_unstable();
            ids
        };
        prop_assert_eq!(ids(&in_order[..done.size]), ids(&shuffled[..again.size]));
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{e}"));
}

/// Each number of each parameter at the ends of its range, and 0 and 1 if they are in it.
#[test]
fn extreme_parameters_never_succeed_without_a_token() {
    let rows: [&[f32]; 6] = [
        &[8.0, 1.0, 2.0, 3.0],
        &[5.0, f32::NEG_INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY],
        &[-1.0, -120.0, -121.0, -130.0],
        &[1e-30, 2e-30, -1e-30, 0.0],
        &[3e38, -3e38, 0.0, 1.0],
        &[0.0; 4],
    ];
    let mut chains = vec![];
    for stage in bregman::stages() {
        for parameter in stage.parameters {
            let ends = match parameter.kind {
                bregman::Kind::Number { min, max, .. } => {
                    let max = if max.is_finite() { max } else { 1e300 };
                    vec![min.max(-1e300), min + 1e-308, 1e-308, 1e-38, 1e-6, 0.5, 0.0, 1.0, max]
                }
                bregman::Kind::Count { min } => vec![min as f64, 1.0, 2.0, f64::from(u32::MAX)],
                _ => continue,
            };
            for value in ends {
                let others: Vec<_> = (stage.parameters.iter().filter(|p| p.required && p.name != parameter.name))
                    .map(|p| match p.kind {
                        bregman::Kind::Number { .. } => format!(", {}=0.5", p.name),
                        bregman::Kind::Count { .. } => format!(", {}=3", p.name),
                        _ => format!(", {}=1", p.name),
                    })
                    .collect();
                let stage = format!("{}({}={value:e}{})", stage.name, parameter.name, others.concat());
                let stage = stage.replace("e0", "").replace("4.294967295e9", "4294967295");
                chains.extend([stage.clone(), format!("top_k(4) | {stage}"), format!("{stage} | temperature(0.5)")]);
            }
        }
    }
    let mut accepted = 0;
    for text in &chains {
        let Ok(mut sampler) = Sampler::new(text, 1) else { continue };
        accepted += 1;
        sampler.accept(&[0; 400]).unwrap();
        for row in rows {
            match sampler.distribution(Row::from_f32(row).unwrap()) {
                Ok(all) => {
                    let total: f64 = all.iter().map(|e| e.1).sum();
                    assert!(!all.is_empty() && (total - 1.0).abs() < 1e-5, "{text} on {row:?}: {all:?}");
                    let mut applied = candidates(row);
                    let done = sampler.clone().apply(&mut applied).unwrap();
                    let kept = &applied[..done.size];
                    assert!(kept.iter().any(|c| c.logit.is_finite()), "{text} on {row:?}: {kept:?}");
                    assert!(kept.iter().all(|c| c.logit < f32::INFINITY), "{text} on {row:?}: {kept:?}");
                }
                Err(Error::EmptySupport | Error::NothingLeft(_)) => {}
                Err(e) => panic!("{text} on {row:?}: {e}"),
            }
        }
    }
    assert!(accepted > 200, "only {accepted} of {} chains were accepted", chains.len());
}

#[test]
fn a_row_of_one_logit_has_a_probability_of_at_most_1() {
    let want = Want { model_logprob: true, ..Want::default() };
    for i in 0..5000 {
        let row = [(i as f32 - 2500.0) * 0.0173];
        let token = sampler("draw").decode(Row::from_f32(&row).unwrap(), want).unwrap();
        assert!(token.p <= 1.0 && token.p > 1.0 - 1e-6, "{row:?}: {token:?}");
        assert!(token.model_logprob <= 0.0 && token.model_logprob > -1e-6, "{row:?}: {token:?}");
    }
}

/// A token that had hardly any weight when others were dropped, and that a later stage brings back.
#[test]
fn kept_mass_is_positive_where_no_number_is_small_enough() {
    let want = Want { kept_mass: true, ln_kept_mass: true, ..Want::default() };
    for (chain, gap) in [
        ("xtc(1, threshold=0.1) | penalties(presence=-1000) | penalties(presence=-1000) | greedy", 900.0),
        ("xtc(1, threshold=0.1) | penalties(presence=-1000) | greedy", 900.0),
        ("top_k(4) | penalties(presence=-1000) | top_k(1) | draw", 600.0),
    ] {
        let mut sampler = sampler(chain);
        sampler.accept(&[3]).unwrap();
        let token = sampler.decode(Row::from_f32(&[0.0, -0.1, -0.2, -gap]).unwrap(), want).unwrap();
        assert_eq!((token.token, token.support), (3, 1), "{chain}");
        assert!(token.kept_mass > 0.0 && token.kept_mass < 1e-200, "{chain}: {token:?}");
        let ln_mass = -f64::from(gap) - (1.0 + (-0.1f64).exp() + (-0.2f64).exp()).ln();
        assert!((token.ln_kept_mass - ln_mass).abs() < 1e-4, "{chain}: {token:?}, not {ln_mass}");
    }
}

#[test]
fn smoothing_keeps_the_scale_of_its_definition() {
    // l' = (3, 2, -1); token 0, divided by 2, is 1.5.
    let expected = [0.3662, 0.6037, 0.0301];
    for before in ["", "top_k(3) | "] {
        let mut sampler = sampler(&format!("{before}smoothing(1) | penalties(repeat=2)"));
        sampler.accept(&[0]).unwrap();
        for (id, p) in distribution(&mut sampler, &[3.0, 2.0, 1.0]) {
            assert!((p - expected[id as usize]).abs() < 1e-4, "{before}: {id} {p}");
        }
    }
}

#[test]
fn top_n_sigma_keeps_a_token_exactly_at_its_boundary() {
    let mut random = Random(3);
    for _ in 0..2000 {
        // Of two tokens each is one deviation from their mean.
        let row = [random.between(-30.0, 30.0) as f32, random.between(-30.0, 30.0) as f32];
        for before in ["", "top_k(2) | "] {
            let kept = distribution(&mut sampler(&format!("{before}top_n_sigma(2)")), &row);
            assert_eq!(kept.len(), 2, "{before}: {row:?}");
        }
    }
}

#[test]
fn top_k_with_ties_obeys_its_limits() {
    let row = [5.0, 4.0, 4.0, 3.0, 2.0];
    for (chain, n) in [
        ("top_k(1, ties=keep, k_min=3)", 3),
        ("top_k(1, ties=keep, k_min=2)", 3),
        ("top_k(2, ties=keep)", 3),
        ("top_k(2, ties=keep, k_max=2)", 2),
    ] {
        assert_eq!(distribution(&mut sampler(chain), &row).len(), n, "{chain}");
    }
}

#[test]
fn dry_penalty_ends_at_the_128th_power_of_2() {
    let mut sampler = sampler("dry(multiplier=1, base=2, allowed=1, scope=all)");
    sampler.accept(&[0; 400]).unwrap();
    let mut row = [0.0, 0.0];
    row[0] = 3e38; // 3e38 - 2^128 is below 0, 3e38 - 2^127 above
    assert_eq!(distribution(&mut sampler, &row)[0].0, 1);
}

#[test]
fn distribution_lists_no_token_with_p_0_in_f32() {
    let row: Vec<f32> = (0..300).map(|i| i as f32 * -0.5).collect();
    let (mut ids, mut probs) = (vec![0; 300], vec![0.0; 300]);
    let n = sampler("draw").distribution_into(Row::from_f32(&row).unwrap(), &mut ids, &mut probs).unwrap();
    assert!(n > 150 && n < 300 && probs[..n].iter().all(|&p| p > 0.0), "{n}");
}

#[test]
fn apply_removes_what_xtc_drops() {
    let mut all = candidates(&[5.0, 4.9, 0.0, 1.0]);
    let done = sampler("xtc(1, threshold=0.2)").apply(&mut all).unwrap();
    assert_eq!((done.size, all[..3].iter().map(|c| c.id).collect::<Vec<_>>()), (3, vec![1, 2, 3]));
    assert!(all[..3].iter().all(|c| c.logit.is_finite()));
}

#[test]
fn reset_keeps_bias_and_mask() {
    let mut sampler = sampler("greedy");
    sampler.set_logit_bias(&[(0, f32::NEG_INFINITY)]).unwrap();
    sampler.set_mask(Some(&[0b1101])).unwrap();
    sampler.accept(&[1, 2]).unwrap();
    sampler.reset();
    assert_eq!(sampler.history(), [0i32; 0]);
    let token = sampler.decode(Row::from_f32(&[9.0, 8.0, 1.0, 2.0]).unwrap(), Want::default()).unwrap();
    assert_eq!(token.token, 3);
}

/// A bias at a high temperature moves a logit so far that products with weights leave f32.
#[test]
fn entropy_is_finite_where_logits_are_far_apart_at_a_high_temperature() {
    let row: Vec<f32> = (0..257).map(|i| -30.0 - i as f32 / 2.0).collect();
    let mut sampler = Sampler::new("temperature(1e6) | temperature(1e5) | logit_bias(3:-0.8) | draw", 1).unwrap();
    let want = Want { entropy: true, ..Want::NONE };
    let entropy = sampler.decode(Row::from_f32(&row).unwrap(), want).unwrap().entropy;
    // 256 tokens of weight 1 and one of e^-0.8.
    let (total, light) = (256.0 + (-0.8f64).exp(), (-0.8f64).exp());
    assert!((entropy - (total.ln() + 0.8 * light / total)).abs() < 1e-6, "{entropy}");
}
