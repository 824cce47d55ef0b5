//! What a decode costs, against the memory floor: one plain sum of the same row, measured in the same run.
//!
//! `cargo bench` prints a time for each; the ratio of a decode to `floor` of its group is the figure that means
//! something on a shared machine. Answers are checked before they are timed.

use bregman::{Row, Sampler, Want};
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

/// A row as a model leaves it: a noisy body, and a head whose k-th logit falls with ln k.
fn row(vocab: usize) -> Vec<f32> {
    let mut state = 42u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut logits: Vec<f32> = (0..vocab).map(|_| (0..4).map(|_| uniform()).sum::<f32>() * 3.0 - 8.0).collect();
    for k in 1..=1000.min(vocab / 8) {
        logits[k * 7919 % vocab] = 14.0 - 2.2 * (k as f32).ln() + uniform();
    }
    logits
}

/// One read of the row: 64 sums side by side, so that no sum waits for another, in the widest registers there are.
fn floor(logits: &[f32]) -> f32 {
    #[inline(always)]
    fn sum(logits: &[f32]) -> f32 {
        let (chunks, rest) = logits.as_chunks::<64>();
        let mut sums = [0.0f32; 64];
        for chunk in chunks {
            for (s, x) in sums.iter_mut().zip(chunk) {
                *s += x;
            }
        }
        sums.iter().chain(rest).sum()
    }
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn wide(logits: &[f32]) -> f32 {
            sum(logits)
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature is there.
            return unsafe { wide(logits) };
        }
    }
    sum(logits)
}

fn decode(c: &mut Criterion) {
    for vocab in [32_000, 128_256] {
        let logits = row(vocab);
        let mut group = c.benchmark_group(format!("V={vocab}"));
        group.bench_function("floor", |b| b.iter(|| floor(black_box(&logits))));
        for chain in CHAINS {
            let mut sampler = Sampler::new(chain, 1).expect("the chain is valid");
            let token = sampler.decode(Row::from_f32(&logits).unwrap(), Want::default()).expect("the row is valid");
            let law = sampler.distribution(Row::from_f32(&logits).unwrap()).expect("the row is valid");
            assert!(law.len() == token.support && law.iter().any(|&(id, _)| id == token.token));
            group.bench_with_input(BenchmarkId::from_parameter(chain), &logits, |b, logits| {
                b.iter(|| sampler.decode(Row::from_f32(black_box(logits)).unwrap(), Want::default()).unwrap().token);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
