//! How often a chain reads the row: a stage whose `first_pass` is wrong costs another pass, and changes nothing else.

use bregman::{Row, Sampler, Want};
use chains::CHAINS;

#[path = "../common/chains.rs"]
mod chains;

/// A whole number of blocks: of a row that ends within one, draws count the support in another pass.
const V: usize = 409_600;

/// A row with a head of some dozens of tokens, in no order.
fn row() -> Vec<f32> {
    let mut logits = vec![0.0; V];
    for rank in 0..V {
        logits[rank * 159_983 % V] = -3.0 * ((rank + 1) as f32).ln();
    }
    logits
}

/// The token and its probability's bits, and the passes over the row, to the nearest whole one: what is collected from
/// some blocks is a small part of a pass.
fn decode(chain: &str, row: &[f32]) -> ((u32, u64, usize), u64) {
    let mut sampler = Sampler::new(chain, 3).unwrap_or_else(|e| panic!("{chain}: {e}"));
    sampler.accept(&[5, 6, 7, 5, 6, 7, 5, 6]).unwrap();
    bregman::take_logits_read();
    let token = sampler.decode(Row::from_f32(row).unwrap(), Want::default()).unwrap();
    let read = bregman::take_logits_read() as f64 / V as f64;
    ((token.token, token.p.to_bits(), token.support), read.round() as u64)
}

/// Each stage of the catalogue, alone before a draw or drawing itself, and common chains.
const READS: [(&str, u64); 43] = [
    ("draw", 1),
    ("greedy", 1),
    ("gumbel", 1),
    ("mirostat", 1),
    ("mirostat_v2", 1),
    ("adaptive_p(0.3)", 3),
    ("logit_bias(3:1) | draw", 1),
    // Where a token is banned, the support is counted in another pass.
    ("bad_words(3; 5 6) | draw", 2),
    ("min_tokens(n=20, stop=2) | draw", 2),
    ("no_repeat_ngram(2) | draw", 2),
    ("penalties(1.2) | draw", 1),
    ("dry | draw", 1),
    ("temperature(0.8) | draw", 1),
    ("temperature(0) | draw", 1),
    // The entropy at one scale, the total at another, and the count.
    ("dynamic_temperature(1, delta=0.5) | draw", 3),
    ("smoothing(0.2) | draw", 3),
    ("bregman(k=20) | draw", 1),
    ("bregman(alpha=1.5, floor=0.01) | draw", 1),
    ("bregman(alpha=0.5, lambda=0.001) | draw", 2),
    ("bregman(alpha=1.5, k=20) | draw", 1),
    ("top_n_sigma(1.5) | draw", 2),
    ("top_k(40) | draw", 1),
    ("top_k(40, ties=keep) | draw", 1),
    ("top_k(floor=0.01) | draw", 1),
    ("typical(0.9) | draw", 1),
    ("top_p(0.9) | draw", 1),
    ("min_p(0.05) | draw", 1),
    ("top_a(0.1) | draw", 1),
    ("tail_free(0.9) | draw", 1),
    ("top_h(0.5) | draw", 1),
    ("p_less | draw", 2),
    ("epsilon(0.001) | draw", 1),
    ("eta(0.001) | draw", 1),
    ("xtc(1, threshold=0.05) | draw", 3),
    ("xtc(0.5, threshold=0.05, mode=average) | draw", 2),
    ("temperature(0.8) | top_p(0.95) | draw", 1),
    ("penalties(1.2) | temperature(0.8) | min_p(0.05) | draw", 1),
    ("temperature(1.5) | eta(0.001) | draw", 1),
    ("temperature(0.7) | penalties(1.1) | typical(0.9) | draw", 1),
    ("llama_cpp", 1),
    ("transformers", 1),
    ("vllm(temperature=0.8, top_p=0.9)", 1),
    ("smoothing(0.2) | penalties(1.2) | temperature(0.8) | top_p(0.9) | draw", 3),
];

#[test]
fn each_chain_reads_the_row_as_often_as_it_must() {
    let row = row();
    let wrong: Vec<_> = READS
        .iter()
        .map(|&(chain, expected)| (chain, expected, decode(chain, &row).1))
        .filter(|(_, expected, reads)| expected != reads)
        .map(|(chain, expected, reads)| format!("{chain}: {reads} passes, not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "a stage's first_pass is wrong, or this table:\n{}", wrong.join("\n"));
}

#[test]
fn each_stage_of_the_catalogue_is_in_the_table() {
    for stage in bregman::stages() {
        let stands = |chain: &str| chain.split([' ', '(', '|']).any(|word| word == stage.name);
        assert!(READS.iter().any(|(chain, _)| stands(chain)), "add `{}` to READS", stage.name);
    }
}

/// Stages that their parameters switch off.
const OFF: [&str; 22] = [
    "logit_bias(3:0)",
    "min_tokens(n=0, stop=1)",
    "no_repeat_ngram(0)",
    "penalties(1)",
    "penalties(repeat=2, last_n=0)",
    "dry(0)",
    "dry(last_n=0)",
    "temperature(1)",
    "dynamic_temperature(1)",
    "smoothing(0)",
    "bregman(lambda=0)",
    "top_n_sigma(0)",
    "top_k(0)",
    "top_k(lambda=0)",
    "typical(1)",
    "top_p(1)",
    "min_p(0)",
    "top_a(0)",
    "tail_free(1)",
    "epsilon(0)",
    "eta(0)",
    "xtc(0)",
];

#[test]
fn a_stage_that_is_off_changes_no_bit_and_reads_nothing() {
    assert_eq!(chains::missing(), [""; 0], "add a chain with these to tests/common/chains.rs");
    let flat: Vec<f32> = row().iter().map(|l| l * 0.05).collect();
    for row in [row(), flat] {
        for chain in CHAINS {
            let expected = decode(chain, &row);
            let stages: Vec<_> = chain.split(" | ").collect();
            for (i, off) in OFF.iter().enumerate() {
                // Anywhere before the end, where a stage draws; not before xtc, whose coin depends on its place.
                let first = stages.iter().rposition(|s| s.starts_with("xtc")).map_or(0, |at| at + 1);
                let at = first + i % (stages.len() - first);
                let with_off = [&stages[..at], &[*off], &stages[at..]].concat().join(" | ");
                assert_eq!(decode(&with_off, &row), expected, "{with_off}");
            }
        }
    }
}
