//! The whole way from a row of logits to its distribution, on random chains and rows: against the plain way of
//! `common/plain.rs` (everything in f64, everything sorted), and the library's faces against one another.

mod common;

use bregman::{Applied, Order, Row, Sampler};
use common::plain::{Step, candidates, chain, is_monotone, run_clear, tolerance};
use common::rows::{ROWS, Random, logits};
use common::steps::{bregman, drawing, transforming, truncation};
use proptest::prelude::*;
use proptest::sample::select;

/// A row by its recipe, which is shorter to print.
#[derive(Debug, Clone)]
struct Recipe(&'static str, usize, u64);

impl Recipe {
    fn make(&self) -> Vec<f32> {
        logits(self.0, self.1, &mut Random(self.2))
    }
}

/// Rows of all kinds, most of them short, some around the sizes of lanes, blocks and tiles.
fn row() -> impl Strategy<Value = Recipe> {
    let edges = vec![1usize, 2, 15, 16, 17, 255, 256, 257, 511, 513, 4095, 4096, 4097];
    let vocab = prop_oneof![3 => 1usize..60, 2 => 60usize..1000, 1 => 1000usize..5000, 1 => select(edges)];
    (select(ROWS.to_vec()), vocab, any::<u64>()).prop_map(|(kind, vocab, seed)| Recipe(kind, vocab, seed))
}

fn sampler(steps: &[Step]) -> Sampler {
    let text = chain(steps);
    Sampler::new(&text, 7).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn distribution(sampler: &mut Sampler, row: &[f32]) -> Vec<(u32, f64)> {
    sampler.distribution(Row::from_f32(row).expect("not empty")).expect("a row with a finite logit")
}

fn ids(distribution: &[(u32, f64)]) -> Vec<u32> {
    distribution.iter().map(|e| e.0).collect()
}

/// The same tokens with the same probabilities, and in the same order unless that is by weights which f32 may make equal.
fn same(steps: &[Step], ours: &[(u32, f64)], theirs: &[(u32, f64)], tolerance: f64) -> Result<(), TestCaseError> {
    let (mut ours, mut theirs) = (ours.to_vec(), theirs.to_vec());
    if !is_monotone(steps) {
        ours.sort_by_key(|e| e.0);
        theirs.sort_by_key(|e| e.0);
    }
    prop_assert_eq!(ids(&ours), ids(&theirs));
    for ((id, p), (_, q)) in ours.iter().zip(&theirs) {
        prop_assert!((p - q).abs() <= tolerance, "token {id}: {p} {q}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(common::random_cases::config(6000))]

    #[test]
    fn a_distribution_it_is(steps in transforming(), recipe in row()) {
        let row = recipe.make();
        let law = distribution(&mut sampler(&steps), &row);
        let sum: f64 = law.iter().map(|e| e.1).sum();
        prop_assert!((sum - 1.0).abs() <= 1e-9, "{sum}");
        prop_assert!(law.iter().all(|&(id, p)| row[id as usize] > f32::NEG_INFINITY && p > 0.0));
        // By logit, then by id; and so by probability.
        let in_order = law.is_sorted_by(|a, b| {
            let (l, m) = (row[a.0 as usize], row[b.0 as usize]);
            (l > m || (l == m && a.0 < b.0) || !is_monotone(&steps)) && a.1 >= b.1 * (1.0 - 1e-12)
        });
        prop_assert!(in_order);
    }

    #[test]
    fn it_is_the_plain_one(steps in transforming(), recipe in row()) {
        let row = recipe.make();
        if let Some(plain) = run_clear(&steps, &row) {
            same(&steps, &distribution(&mut sampler(&steps), &row), &plain, tolerance(&steps))?;
        }
    }

    /// `process` is the distribution as logits.
    #[test]
    fn process_agrees(steps in drawing(), recipe in row()) {
        let mut row = recipe.make();
        let mut sampler = sampler(&steps);
        let law = distribution(&mut sampler, &row);
        sampler.process(&mut row).unwrap();
        let kept = row.iter().filter(|l| **l > f32::NEG_INFINITY).count();
        prop_assert_eq!(kept, law.len());
        for (id, p) in law {
            let log_p = f64::from(row[id as usize]);
            // p itself has few digits left where it is not a normal number.
            prop_assert!(p < 1e-300 || (log_p - p.ln()).abs() <= 1e-6 * (1.0 - p.ln()), "{id}: {log_p} {}", p.ln());
        }
    }

    /// `apply` keeps the distribution's tokens, whatever order the candidates come in.
    #[test]
    fn apply_agrees(steps in drawing(), recipe in row(), shuffle in any::<Option<u64>>()) {
        let row = recipe.make();
        let mut sampler = sampler(&steps);
        // Sums over the vocabulary depend on its order in the last digits of f32: enough to move a threshold.
        if shuffle.is_some() && run_clear(&steps, &row).is_none() {
            return Ok(());
        }
        let law = distribution(&mut sampler, &row);
        let mut all = candidates(&row, shuffle.map(Random).as_mut());
        let before = all.clone();
        let Applied { size, selected, order } = sampler.apply(&mut all).unwrap();
        let selected = selected.expect("the chain ends with a draw");
        prop_assert!(selected < size);
        if order == Order::Sorted {
            let kept: Vec<_> = all[..size].iter().map(|c| (c.id as u32, f64::from(c.p))).collect();
            same(&steps, &kept, &law, 1e-5)?;
            prop_assert!(all[..size].is_sorted_by(|a, b| a.logit >= b.logit));
        } else {
            prop_assert!(order == Order::AsBefore || !is_monotone(&steps));
            prop_assert!(size == row.len() && all.iter().zip(&before).all(|(a, b)| a.id == b.id));
            let p_of: std::collections::HashMap<u32, f64> = law.into_iter().collect();
            for c in &all {
                let p = p_of.get(&(c.id as u32)).copied().unwrap_or(0.0);
                prop_assert!((f64::from(c.p) - p).abs() <= 1e-5, "{}: {} {p}", c.id, c.p);
            }
        }
    }

    /// What `apply` leaves as logits gives the distribution back to an engine that takes their softmax.
    #[test]
    fn applied_logits_are_the_distribution(steps in transforming(), recipe in row()) {
        let row = recipe.make();
        // These times 1/T need not fit f32.
        if recipe.0 == "huge" {
            return Ok(());
        }
        let mut sampler = sampler(&steps);
        let law = distribution(&mut sampler, &row);
        let mut all = candidates(&row, None);
        let Applied { size, selected, .. } = sampler.apply(&mut all).unwrap();
        prop_assert_eq!(selected, None);
        let max = all[..size].iter().map(|c| f64::from(c.logit)).fold(f64::NEG_INFINITY, f64::max);
        let weight = |logit: f32| (f64::from(logit) - max).exp();
        let total: f64 = all[..size].iter().map(|c| weight(c.logit)).sum();
        for (id, p) in law {
            let applied = all[..size].iter().find(|c| c.id as u32 == id).expect("kept");
            // A scaled logit is rounded to f32.
            let slack = 1e-5 + p * f64::from(applied.logit.abs().max(max.abs() as f32)) * 2.5e-7;
            prop_assert!((weight(applied.logit) / total - p).abs() <= slack, "{id}: {} {p}", applied.logit);
        }
    }

    #[test]
    fn shuffling_the_candidates_changes_nothing(steps in transforming(), recipe in row(), seed in any::<u64>()) {
        let row = recipe.make();
        if run_clear(&steps, &row).is_none() {
            return Ok(());
        }
        let mut sampler = sampler(&steps);
        let mut applied = |mut all: Vec<bregman::Candidate>| {
            let size = sampler.apply(&mut all).unwrap().size;
            all.truncate(size);
            all.sort_by_key(|c| c.id);
            all
        };
        let (one, two) = (applied(candidates(&row, None)), applied(candidates(&row, Some(&mut Random(seed)))));
        prop_assert_eq!(one.len(), two.len());
        for (a, b) in one.iter().zip(&two) {
            prop_assert_eq!(a.id, b.id);
            prop_assert!((a.p - b.p).abs() <= tolerance(&steps) as f32 + 1e-6);
            // Which logits share a block decides the last bits of the tail, and the share of a token that lives on the
            // tail alone with it (docs/mathematics.md, 6.3: its relative error is not controlled).
            let near = (a.logit - b.logit).abs() <= 1e-5 * (1.0 + a.logit.abs());
            prop_assert!(a.logit == b.logit || near || a.p < 1e-6, "{} {}", a.logit, b.logit);
        }
    }
}

proptest! {
    #![proptest_config(common::random_cases::config(200))]

    /// Rows of the size that models have, where the passes take short cuts.
    #[test]
    fn large_rows_are_the_plain_ones(
        kind in select(vec!["normal", "model", "ties", "banned", "rising", "falling"]),
        vocab in 30_000usize..160_000, seed in any::<u64>(), last in bregman(), t in 0.3..2.0f64,
        first in 0..9usize, other in truncation()
    ) {
        let row = logits(kind, vocab, &mut Random(seed));
        let first = match first {
            0 => Step::TopP { p: 0.9, min_keep: 1 },
            1 => Step::MinP { p: 0.03, min_keep: 1 },
            2 => Step::TopK(::bregman::bregman::Size::Fixed(1000), Default::default()),
            3 => Step::TopK(::bregman::bregman::Size::Lambda(1e-4), Default::default()),
            4 => last,
            _ => Step::Other(other),
        };
        let steps = [Step::Temperature(t), first];
        if let Some(plain) = run_clear(&steps, &row) {
            same(&steps, &distribution(&mut sampler(&steps), &row), &plain, tolerance(&steps))?;
        }
    }
}

/// Exactly on a boundary, where the random rows above do not say: docs/mathematics.md, 7, and each stage's own rule.
#[test]
fn boundaries_are_as_specified() {
    let four = [1.5f32; 4];
    let skewed = [0.0f32, 1.0, 1.0, f32::NEG_INFINITY, 1.0, -1.0];
    for (chain, row, kept) in [
        // A prefix that reaches p exactly is enough.
        ("top_p(0.5)", &four[..], &[0, 1][..]),
        ("top_p(0.75)", &four, &[0, 1, 2]),
        ("top_p(0)", &four, &[0]),
        ("top_p(1)", &four, &[0, 1, 2, 3]),
        // Exactly p times the largest stays.
        ("min_p(1)", &skewed, &[1, 2, 4]),
        ("min_p(0)", &skewed, &[1, 2, 4, 0, 5]),
        // Ties go to the lower id.
        ("top_k(2)", &skewed, &[1, 2]),
        ("bregman(alpha=1.5, k=4)", &skewed, &[1, 2, 4, 0]),
        // What cannot be sampled is not kept, however many are asked for.
        ("top_k(100)", &skewed, &[1, 2, 4, 0, 5]),
        ("bregman(alpha=3, k=100)", &skewed, &[1, 2, 4, 0, 5]),
        ("bregman(alpha=0.5, floor=0.9, k_min=100)", &skewed, &[1, 2, 4, 0, 5]),
        // A tie of costs is the smaller support's.
        ("bregman(alpha=2, lambda=0.25)", &four[..2], &[0]),
        ("temperature(0)", &skewed, &[1]),
        ("greedy", &skewed, &[1]),
    ] {
        let mut sampler = Sampler::new(chain, 0).unwrap();
        assert_eq!(ids(&distribution(&mut sampler, row)), kept, "{chain}");
    }
}
