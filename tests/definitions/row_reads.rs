//! How often a chain reads the row, and what it computes meanwhile: a stage whose `first_pass` asks for too little costs
//! another pass, one that asks for too much a slower pass, and neither changes an answer.
#![cfg(debug_assertions)]

use crate::common::chains::{CHAINS, missing};
use crate::common::definitions::{Step, all};
use crate::common::plain::{chain, sampler_after};
use crate::common::random_cases;
use crate::common::random_chains::{drawing, row as random_row, step_of, tokens};
use bregman::{Row, Sampler, Want};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

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

/// The answer's bits and the passes over the row, such as "2 total + count": each to the nearest whole one, because what
/// is collected from some blocks is a small part of a pass.
fn decode(chain: &str, row: &[f32]) -> ((u32, u64, usize), String) {
    let mut sampler = Sampler::new(chain, 3).unwrap_or_else(|e| panic!("{chain}: {e}"));
    sampler.accept(&[5, 6, 7, 5, 6, 7, 5, 6]).unwrap();
    bregman::take_logits_read();
    let token = sampler.decode(Row::from_f32(row).unwrap(), Want::default()).unwrap();
    let passes = bregman::take_logits_read().into_iter().map(|(pass, read)| (pass, (read as f64 / V as f64).round()));
    let passes =
        passes.filter(|(_, n)| *n > 0.0).map(|(pass, n)| if n == 1.0 { pass.into() } else { format!("{n} {pass}") });
    ((token.token, token.p.to_bits(), token.support), passes.collect::<Vec<_>>().join(" + "))
}

/// The passes of each stage of the catalogue, alone before a draw or drawing itself, and of common chains.
const READS: [(&str, &str); 59] = [
    ("draw", "total and min"),
    ("greedy", "maxima"),
    ("gumbel", "total and min"),
    ("watermark(42)", "total and min + blocks"),
    ("mirostat", "maxima"),
    ("mirostat_v2", "total and min"),
    ("adaptive_p(0.3)", "total + total and min + curve"),
    ("logit_bias(3:1) | draw", "total and min"),
    // Where a token is banned, the support is counted in another pass.
    ("allowed_tokens(3 5 6) | draw", "total and min + count"),
    ("entmax(1.5) | draw", "maxima"),
    ("reasoning_budget(start=3, end=5, n=5000) | draw", "total and min"),
    ("forced_tokens(n=5000, tokens=3) | draw", "total and min"),
    ("sequence_bias(sequences=3; 5 6, bias=1) | draw", "total and min"),
    ("length_decay(start=0, factor=1.5, stop=3) | draw", "total and min"),
    ("ban_invalid | draw", "total and min"),
    ("ban_invalid | top_k(40) | draw", "maxima"),
    ("bad_words(3; 5 6) | draw", "total and min + count"),
    ("min_tokens(n=20, stop=2) | draw", "total and min + count"),
    ("no_repeat_ngram(2) | draw", "total and min + count"),
    ("penalties(1.2) | draw", "total and min"),
    ("dry | draw", "total and min"),
    ("temperature(0.8) | draw", "total and min"),
    ("temperature(0) | draw", "maxima"),
    // The entropy at one scale, the total at another.
    ("dynamic_temperature(1, delta=0.5) | draw", "total and min + total and moment"),
    ("smoothing(0.2) | draw", "maxima + total and min + curve"),
    ("bregman(k=20) | draw", "maxima"),
    ("bregman(alpha=1.5, floor=0.01) | draw", "total"),
    ("bregman(alpha=0.5, lambda=0.001) | draw", "total + blocks"),
    ("bregman(alpha=1.5, k=20) | draw", "total"),
    ("bregman(alpha=1.5, mass=0.9) | draw", "total"),
    ("bregman(mass=0.9) | draw", "total"),
    ("top_n_sigma(1.5) | draw", "maxima + deviation"),
    ("top_k(40) | draw", "maxima"),
    ("top_k(40, ties=keep) | draw", "maxima"),
    ("top_k(floor=0.01) | draw", "maxima"),
    ("typical(0.9) | draw", "total and moment"),
    ("top_p(0.9) | draw", "total"),
    ("min_p(0.05) | draw", "maxima"),
    ("top_a(0.1) | draw", "total"),
    ("tail_free(0.9) | draw", "total"),
    ("top_h(0.5) | draw", "maxima"),
    ("p_less | draw", "total and squares"),
    ("epsilon(0.001) | draw", "total"),
    ("eta(0.001) | draw", "total and moment"),
    // The first token is in the first tile, which all exponents follow; without it the row is summed again.
    ("xtc(1, threshold=0.05) | draw", "2 total and min"),
    ("xtc(0.5, threshold=0.05, mode=average) | draw", "2 total and min"),
    ("xtc(probability=1, threshold=0.01, exempt=0, rule=others) | draw", "total and min"),
    ("synthid(42) | draw", "maxima + total and min"),
    ("green_list(42) | draw", "total and min"),
    ("green_list(key=42, scheme=selfhash) | draw", "maxima + total and min"),
    ("top_k(40) | synthid(42) | green_list(42) | draw", "maxima"),
    ("temperature(0.8) | top_p(0.95) | draw", "total"),
    ("penalties(1.2) | temperature(0.8) | min_p(0.05) | draw", "maxima"),
    ("temperature(1.5) | eta(0.001) | draw", "total and moment"),
    ("temperature(0.7) | penalties(1.1) | typical(0.9) | draw", "total and moment"),
    ("llama_cpp", "maxima"),
    ("transformers", "maxima"),
    ("vllm(temperature=0.8, top_p=0.9)", "total"),
    ("smoothing(0.2) | penalties(1.2) | temperature(0.8) | top_p(0.9) | draw", "maxima + total + curve"),
];

#[test]
fn each_chain_reads_the_row_no_more_than_it_must() {
    let row = row();
    let wrong: Vec<_> = READS
        .iter()
        .map(|&(chain, expected)| (chain, expected, decode(chain, &row).1))
        .filter(|(_, expected, reads)| expected != reads)
        .map(|(chain, expected, reads)| format!("{chain}: {reads}, not {expected}"))
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

/// Stages that their parameters switch off, as many as the definitions generate.
fn stages_that_are_off() -> Vec<Step> {
    let mut runner = TestRunner::new(random_cases::config(1));
    let transforming = all().filter(|definition| definition.draws.is_none());
    let steps: Vec<Step> = transforming
        .flat_map(|definition| (0..200).map(move |_| definition))
        .map(|definition| step_of(definition).new_tree(&mut runner).expect("no filters").current())
        .filter(Step::is_off)
        .collect();
    let kinds: std::collections::BTreeSet<_> = steps.iter().map(|step| step.definition.stage).collect();
    assert!(kinds.len() >= 16, "only {kinds:?}");
    steps
}

/// The places in a chain at which a stage may be inserted: not before xtc's coin, which depends on its stage's place.
fn places(stages: usize, throws_coin: impl Fn(usize) -> bool) -> std::ops::Range<usize> {
    (0..stages).rev().find(|&at| throws_coin(at)).map_or(0, |at| at + 1)..stages
}

#[test]
fn stage_that_is_off_changes_no_bit_and_reads_nothing() {
    assert_eq!(missing(), [""; 0], "add a chain with these to tests/common/chains.rs");
    let (steep, off) = (row(), stages_that_are_off());
    let flat: Vec<f32> = steep.iter().map(|l| l * 0.05).collect();
    for row in [steep, flat] {
        for (i, text) in CHAINS.iter().enumerate() {
            let expected = decode(text, &row);
            let stages: Vec<_> = text.split(" | ").collect();
            let places = places(stages.len(), |at| stages[at].starts_with("xtc"));
            for at in places {
                let off = off[(7 * i + at) % off.len()].to_string();
                let with_off = [&stages[..at], &[&*off], &stages[at..]].concat().join(" | ");
                assert_eq!(decode(&with_off, &row), expected, "{with_off}");
            }
        }
    }
}

proptest! {
    #![proptest_config(random_cases::config(4000))]

    /// Random chains and rows: the same bits, and as many logits read by every kind of pass.
    #[test]
    fn stages_that_are_off_change_nothing_in_random_chains(
        steps in drawing(), tokens in tokens(), recipe in random_row(),
        off in proptest::collection::vec((select(stages_that_are_off()), any::<prop::sample::Index>()), 1..4)
    ) {
        let row = recipe.make();
        let decode = |steps: &[Step]| {
            let mut sampler = sampler_after(&chain(steps), 5, &tokens);
            bregman::take_logits_read();
            let want = Want { kept_mass: true, ln_kept_mass: true, model_logprob: true, entropy: true, ..Want::NONE };
            let token = sampler.decode(Row::from_f32(&row).unwrap(), want);
            // The message says where a stage stands that bans every token.
            let bits = token.ok().map(|t| (t.token, t.support, [t.p, t.kept_mass, t.model_logprob, t.entropy].map(f64::to_bits)));
            (bits, bregman::take_logits_read().into_iter().collect::<Vec<_>>())
        };
        let mut with_off = steps.clone();
        for (off, index) in off {
            let throws_coin = |at: usize| with_off[at].definition.stage == "xtc" && !with_off[at].is_off();
            let places = places(with_off.len(), throws_coin);
            with_off.insert(places.start + index.index(places.len()), off);
        }
        prop_assert_eq!(decode(&with_off), decode(&steps), "{}", chain(&with_off));
    }
}
