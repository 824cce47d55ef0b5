//! Single decodes with criterion, beside the memory floor: one plain sum of the same row.
//!
//! `cargo bench --bench decode` prints a time for each, and how it changed since the last run; for ratios that mean
//! something on a shared machine there is `ci/bench.sh`. Answers are checked before they are timed.

#[allow(dead_code, reason = "the comparison measures more")]
mod common;

use bregman::{Row, Sampler, Want};
use common::floor;
use common::rows::Kind;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const CHAINS: [&str; 7] = [
    "greedy",
    "top_k(40) | draw",
    "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
    "min_p(0.05) | draw",
    "top_k(floor=0.01) | draw",
    "bregman(alpha=1.5, floor=0.01) | draw",
    "temperature(0.8) | draw",
];

fn decode(c: &mut Criterion) {
    for vocab in [32_000, 128_256] {
        let rows = Kind::Synth(24).rows(vocab, 1).expect("the profile has this vocabulary");
        let logits = rows.row(0);
        let mut group = c.benchmark_group(format!("V={vocab}"));
        group.bench_function("floor", |b| b.iter(|| floor::sum(black_box(logits))));
        for chain in CHAINS {
            let mut sampler = Sampler::new(chain, 1).expect("the chain is valid");
            let token = sampler.decode(Row::from_f32(logits).unwrap(), Want::default()).expect("the row is valid");
            let law = sampler.distribution(Row::from_f32(logits).unwrap()).expect("the row is valid");
            assert!(law.len() == token.support && law.iter().any(|&(id, _)| id == token.token));
            group.bench_with_input(BenchmarkId::from_parameter(chain), logits, |b, logits| {
                b.iter(|| sampler.decode(Row::from_f32(black_box(logits)).unwrap(), Want::default()).unwrap().token);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
