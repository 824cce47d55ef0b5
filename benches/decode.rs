//! Single decodes with criterion, beside the memory floor: one plain sum of the same row. Also sparse rows, shards, and
//! log-probabilities without a decode.
//!
//! `cargo bench --bench decode` prints a time for each, and how it changed since the last run; for ratios that mean
//! something on a shared machine there is `ci/bench.sh`. Answers are checked before they are timed.

#[allow(dead_code, reason = "the comparison measures more")]
mod common;

use bregman::{Answers, Rest, Row, Sampler, Values, Want, model_answers, reduce};
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
        let rows = Kind::HEADLINE.rows(vocab, 1).expect("the profile has this vocabulary");
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

/// A sparse row of 1 024 entries; 64 rows of log-probabilities of named tokens; two shards, reduced and put together.
fn rows(c: &mut Criterion) {
    const VOCAB: usize = 128_256;
    const N: usize = 1024;
    const CHAIN: &str = "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw";
    let rows = Kind::HEADLINE.rows(VOCAB, 64).expect("the profile has this vocabulary");
    let reduced = |logits: &[f32], first: usize, n: usize| {
        let (mut ids, mut largest) = (vec![0; n], vec![0.0; n]);
        let rest = reduce(Row::from_f32(logits).unwrap(), first as i32, 1.0, &mut ids, &mut largest).unwrap();
        (ids, largest, rest)
    };
    let mut group = c.benchmark_group("rows");
    let (ids, largest, rest) = reduced(rows.row(0), 0, N);
    let sparse = Row::sparse(Values::F32(&largest), &ids).unwrap().with_rest(rest).unwrap();
    for chain in [CHAIN, "top_p(0.5) | draw"] {
        let mut sampler = Sampler::new(chain, 1).expect("the chain is valid");
        let whole = sampler.clone().decode(Row::from_f32(rows.row(0)).unwrap(), Want::default()).unwrap();
        assert_eq!(sampler.clone().decode(sparse, Want::default()).unwrap().token, whole.token);
        group.bench_function(BenchmarkId::new("sparse, 1024 entries", chain), |b| {
            b.iter(|| sampler.decode(black_box(sparse), Want::default()).unwrap().token);
        });
    }
    group.bench_function("log-probability of one token in each of 64 rows", |b| {
        b.iter(|| {
            let mut sum = 0.0;
            for r in 0..64 {
                let mut logprob = [0.0];
                let mut answers =
                    Answers { given_ids: &[r as i32], given_logprobs: &mut logprob, ..Answers::default() };
                model_answers(Row::from_f32(black_box(rows.row(r))).unwrap(), &mut answers).unwrap();
                sum += logprob[0];
            }
            sum
        });
    });
    let mut sampler = Sampler::new(CHAIN, 1).expect("the chain is valid");
    group.bench_function("two shards of half a row, 64 entries each, put together and decoded", |b| {
        b.iter(|| {
            let (low, high) = black_box(rows.row(0)).split_at(VOCAB / 2);
            let ((mut ids, mut largest, a), (more, others, b)) = (reduced(low, 0, 64), reduced(high, VOCAB / 2, 64));
            ids.extend(more);
            largest.extend(others);
            let log_sum = (a.log_sum.exp() + b.log_sum.exp()).ln();
            let rest = Rest { log_sum, temperature: 1.0, bound: a.bound.max(b.bound) };
            let row = Row::sparse(Values::F32(&largest), &ids).unwrap().with_rest(rest).unwrap();
            sampler.decode(row, Want::default()).unwrap().token
        });
    });
    group.finish();
}

criterion_group!(benches, decode, rows);
criterion_main!(benches);
