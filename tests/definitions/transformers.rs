//! Truncations against Hugging Face transformers' own processors: vectors that tests/transformers/generate.py recorded.

use crate::common::rows::Random;
use bregman::{Row, Sampler};
use serde_json::Value;
use std::collections::BTreeMap;

/// The generator of generate.py.
fn logits(kind: &str, vocab: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..vocab)
        .map(|i| {
            let z = random.next();
            if kind == "ties" {
                return (z >> 40) as f32 % 6.0 / 2.0;
            }
            let four: i64 = (0..4).map(|field| (z >> (16 * field) & 0xFFFF) as i64).sum::<i64>() - 131_070;
            let value = (four >> 3) as f32 / 4096.0;
            match kind {
                "peaked" if i % 97 == 5 => value + 6.0,
                "banned" if z.is_multiple_of(3) && i > 0 => f32::NEG_INFINITY,
                _ => value,
            }
        })
        .collect()
}

struct Case {
    chain: String,
    row: Vec<f32>,
    name: String,
    kept: Vec<u32>,
    ends: [f64; 2],
}

fn case(case: &Value) -> Case {
    let (kind, number) = (case["row"][0].as_str().unwrap(), |i: usize| case["row"][i].as_u64().unwrap());
    let runs = case["kept"].as_array().unwrap().iter();
    let kept = runs.flat_map(|run| run[0].as_u64().unwrap() as u32..=run[1].as_u64().unwrap() as u32).collect();
    let end = |i: usize| case["ends"][i].as_f64().unwrap();
    Case {
        chain: case["chain"].as_str().unwrap().into(),
        row: logits(kind, number(1) as usize, number(2)),
        name: case["row"].to_string(),
        kept,
        ends: [end(0), end(1)],
    }
}

#[test]
fn truncations_match_transformers_processors() {
    let file: Value = serde_json::from_str(include_str!("../transformers/vectors.json")).expect("the file is JSON");
    let mut ties = 0;
    let mut seen = BTreeMap::<String, usize>::new();
    for case in file["cases"].as_array().unwrap().iter().map(case) {
        let Case { chain, row, name, kept, ends } = &case;
        let mut law = Sampler::new(chain, 0).unwrap().distribution(Row::from_f32(row).unwrap()).unwrap();
        law.sort_by_key(|e| e.0);
        let ids: Vec<u32> = law.iter().map(|e| e.0).collect();
        // Of equals at the cut transformers keeps any, ours the lower ids.
        let values = |ids: &[u32]| {
            let mut values: Vec<f32> = ids.iter().map(|&id| row[id as usize]).collect();
            values.sort_by(f32::total_cmp);
            values
        };
        // With a hundred equal tokens the boundary is met exactly, and rounding decides.
        if chain.starts_with("top_h") && row.iter().filter(|l| **l == 2.5).count() >= 100 {
            assert!(ids.len().abs_diff(kept.len()) <= 1, "{chain} on {name}");
            continue;
        }
        assert_eq!(values(&ids), values(kept), "{chain} on {name}");
        let is_tie = name.contains("ties") && &ids != kept;
        ties += usize::from(is_tie);
        if is_tie {
            continue;
        }
        assert_eq!(&ids, kept, "{chain} on {name}");
        for (ours, theirs) in [(law[0].1, ends[0]), (law[law.len() - 1].1, ends[1])] {
            assert!((ours - theirs).abs() <= 1e-5, "{chain} on {name}: {ours} {theirs}");
        }
        let stage = chain.split('(').next().unwrap();
        *seen.entry(stage.into()).or_default() += usize::from(kept.len() < row.len());
    }
    assert!(ties < 40, "{ties} of the cuts were among equals");
    // Each of them had something to drop.
    for stage in ["top_k", "top_p", "min_p", "typical", "epsilon", "eta", "top_h"] {
        assert!(seen[stage] >= 12, "{stage}: {}", seen[stage]);
    }
}
