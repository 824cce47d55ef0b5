//! The stages about the tokens so far against Hugging Face transformers' own processors: vectors that
//! tests/transformers/generate_history.py recorded; through distribution, apply and process.

use crate::common::plain::candidates;
use crate::common::rows::Random;
use bregman::{Row, Sampler};
use serde_json::Value;

fn numbers(case: &Value, name: &str) -> Vec<f64> {
    let list = case[name].as_array().unwrap_or_else(|| panic!("a case has `{name}`"));
    list.iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn tokens(case: &Value, name: &str) -> Vec<i32> {
    numbers(case, name).into_iter().map(|t| t as i32).collect()
}

/// A sampler with the case's prompt and output; `resumed` sets the prompt's length in place of a first row.
fn sampler(case: &Value, row: &[f32], resumed: bool) -> Sampler {
    let (prompt, output) = (tokens(case, "prompt"), tokens(case, "output"));
    let mut sampler = Sampler::new(case["chain"].as_str().expect("a chain"), 1).unwrap();
    if resumed {
        sampler.accept(&[prompt.clone(), output].concat()).unwrap();
        sampler.set_prompt_length(prompt.len()).unwrap();
        return sampler;
    }
    sampler.accept(&prompt).unwrap();
    // A first row that fails does not end the prompt.
    if sampler.distribution(Row::from_f32(row).unwrap()).is_err() {
        sampler.set_prompt_length(prompt.len()).unwrap();
    }
    output.iter().for_each(|&token| sampler.accept(&[token]).unwrap());
    sampler
}

#[test]
fn history_stages_match_transformers_processors() {
    let vectors: Value = serde_json::from_str(include_str!("../transformers/history.json")).expect("valid JSON");
    let (mut random, mut changed, mut banned) = (Random(5), 0, 0);
    let cases = vectors["cases"].as_array().expect("cases");
    for case in cases {
        let (logits, law) = (numbers(case, "logits"), numbers(case, "law"));
        let mut row: Vec<f32> = logits.iter().map(|&l| l as f32).collect();
        let mut sampler = sampler(case, &row, random.unit() < 0.5);
        let ours = sampler.distribution(Row::from_f32(&row).unwrap()).unwrap();
        let kept = law.iter().filter(|p| **p > 0.0).count();
        assert_eq!(ours.len(), kept, "{}", case["chain"]);
        for (id, p) in ours {
            assert!((p - law[id as usize]).abs() <= 1e-5, "{}: token {id}: {p} {}", case["chain"], law[id as usize]);
        }
        // Nothing is truncated, so the softmax of the candidates' logits is the distribution.
        let mut all = candidates(&row, Some(&mut random));
        sampler.apply(&mut all).unwrap();
        let total: f64 = all.iter().map(|c| f64::from(c.logit).exp()).sum();
        for c in &all {
            let p = f64::from(c.logit).exp() / total;
            assert!((p - law[c.id as usize]).abs() <= 1e-5, "{}: candidate {}: {p}", case["chain"], c.id);
        }
        sampler.process(&mut row).unwrap();
        for (l, p) in row.iter().zip(&law) {
            assert!((f64::from(*l).exp() - p).abs() <= 1e-5, "{}: processed", case["chain"]);
        }
        let plain: f64 = logits.iter().map(|l| l.exp()).sum();
        changed += usize::from(logits.iter().zip(&law).any(|(l, p)| (l.exp() / plain - p).abs() > 1e-4));
        banned += usize::from(kept < law.len());
    }
    println!("{} cases of transformers {}, {banned} with bans", cases.len(), vectors["transformers"]);
    assert!(cases.len() > 100 && changed > 80 && banned > 50, "{changed} {banned}: the cases do too little");
}
