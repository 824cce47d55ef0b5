//! The whole way from a row of logits to its distribution, on random chains, rows and histories: against the plain
//! definitions (f64, everything sorted), and distribution, decode, process and apply against one another.

use crate::common::definitions::{Distribution, Step};
use crate::common::plain::{Plain, Tokens, candidates, chain, sampler_after, steps, with_ids};
use crate::common::random_cases;
use crate::common::random_chains::{drawing, row, step_of, tokens, transforming, with_bans_of_invalid_first};
use crate::common::rows::{Random, logits};
use bregman::{Applied, Candidate, Error, Order, Row, Sampler, Want};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::TestRunner;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

fn sampler(steps: &[Step], tokens: &Tokens) -> Sampler {
    sampler_after(&chain(steps), 7, tokens)
}

fn is_empty(e: &Error) -> bool {
    matches!(e, Error::EmptySupport | Error::NothingLeft(_))
}

/// None where everything is banned.
fn distribution(sampler: &mut Sampler, row: &[f32]) -> Option<Vec<(i32, f64)>> {
    match sampler.distribution(Row::from_f32(row).expect("not empty")) {
        Ok(entries) => Some(entries.into_iter().map(|(id, p)| (id as i32, p)).collect()),
        Err(e) => {
            assert!(is_empty(&e), "{e:?}");
            None
        }
    }
}

fn by_id(mut entries: Vec<(i32, f64)>) -> Vec<(i32, f64)> {
    entries.sort_by_key(|e| e.0);
    entries
}

/// Passes if `ours` is one of the distributions that coins may lead to; `None` stands for an empty one.
fn compare(ours: Option<&[(i32, f64)]>, plain: &[Distribution], least: f64) -> Result<(), TestCaseError> {
    let ours = ours.unwrap_or(&[]);
    let mut differences = plain.iter().map(|plain| plain.differs_from(ours, least)).collect::<Vec<_>>();
    let same = differences.iter().any(Option::is_none);
    prop_assert!(same, "{}", differences.pop().flatten().unwrap_or_default());
    Ok(())
}

/// Also counts how often each stage was compared: seldom would be untested.
#[test]
fn random_chains_match_their_definitions() {
    let counts = RefCell::new(BTreeMap::<&str, [u32; 2]>::new());
    let result = TestRunner::new(random_cases::config(12_000)).run(
        &(transforming(), tokens(), row()),
        |(steps, tokens, recipe)| {
            let row = recipe.make();
            let plain = Plain::new(&steps, &tokens).certain(&with_ids(&row));
            if let Some(plain) = &plain {
                let ours = distribution(&mut sampler(&steps, &tokens), &row);
                compare(ours.as_deref(), plain, 0.0)?;
            }
            for step in steps.iter().filter(|step| !step.is_off()) {
                counts.borrow_mut().entry(step.definition.stage).or_default()[usize::from(plain.is_some())] += 1;
            }
            Ok(())
        },
    );
    result.unwrap_or_else(|e| panic!("{e}"));
    println!("stages and how often each was left out and compared: {:?}", counts.borrow());
    for info in bregman::stages().iter().filter(|info| !info.draws) {
        let [_, compared] = counts.borrow().get(info.name).copied().unwrap_or_default();
        assert!(compared > 150, "`{}` was compared {compared} times", info.name);
    }
}

/// A failure names every stage that is not its definition, with its smallest case.
#[test]
fn each_stage_alone_matches_its_definition() {
    let mut failed = vec![];
    for definition in crate::common::definitions::all() {
        let compared = Cell::new(0);
        let cases = (step_of(definition), tokens(), row());
        let result = TestRunner::new(random_cases::config(300)).run(&cases, |(step, tokens, recipe)| {
            let (row, steps) = (recipe.make(), [step]);
            if let Some(plain) = Plain::new(&steps, &tokens).certain(&with_ids(&row)) {
                let ours = distribution(&mut sampler(&steps, &tokens), &row);
                compare(ours.as_deref(), &plain, 0.0)?;
                compared.set(compared.get() + 1);
            }
            Ok(())
        });
        let stage = definition.stage;
        match result {
            Err(why) => failed.push(format!("`{stage}` is not its definition: {why}")),
            Ok(()) if compared.get() < 150 => failed.push(format!("`{stage}` was compared {} times", compared.get())),
            Ok(()) => {}
        }
    }
    assert!(failed.is_empty(), "{} stages:\n{}", failed.len(), failed.join("\n"));
}

/// Over several rows, so that stages learn: the distribution that each draws from follows what it drew before.
#[test]
fn drawing_stages_match_their_definitions_and_learn() {
    let rows = proptest::collection::vec(row(), 1..8);
    let compared = RefCell::new(BTreeMap::<&str, u32>::new());
    let result =
        TestRunner::new(random_cases::config(3000)).run(&(drawing(), tokens(), rows), |(steps, mut tokens, rows)| {
            let last = steps.last().expect("a drawing stage");
            let learning = last.definition.draws.as_ref().expect("a drawing stage");
            let mut state = (learning.initial)(&last.given);
            let mut sampler = sampler(&steps, &tokens);
            // What a stage has learnt is as exact as the sums in f32 that it learnt from.
            for (recipe, least) in rows.into_iter().zip(std::iter::once(0.0).chain(std::iter::repeat(1e-5))) {
                let row = recipe.make();
                let chain = Plain { steps: &steps, tokens: &tokens, state: Some(state) };
                let Some(plain) = chain.certain(&with_ids(&row)) else { return Ok(()) };
                let before = Plain { steps: &steps[..steps.len() - 1], ..chain }.distributions(&with_ids(&row));
                let ours = distribution(&mut sampler, &row);
                compare(ours.as_deref(), &plain, least)?;
                let Some(ours) = ours else { return Ok(()) };
                let want = Want { accept: true, ..Want::default() };
                let token = sampler.decode(Row::from_f32(&row).unwrap(), want).expect("some token is left");
                prop_assert_eq!(token.support, ours.len());
                let id = token.token as i32;
                let p = ours.iter().find(|e| e.0 == id).expect("a token of the distribution").1;
                prop_assert!((token.p - p).abs() <= 1e-5, "{} {p}", token.p);
                // How the coin fell is not known here, so neither is the distribution before the draw.
                let [before] = &before[..] else { return Ok(()) };
                let p_before = before.entries().iter().find(|e| e.0 == id).expect("it was there before").1;
                state = (learning.next)(&last.given, state, crate::common::definitions::Drawn { p: token.p, p_before });
                tokens.output.push(id);
                *compared.borrow_mut().entry(last.definition.stage).or_default() += 1;
            }
            Ok(())
        });
    result.unwrap_or_else(|e| panic!("{e}"));
    println!("drawing stages and how many steps of each were compared: {:?}", compared.borrow());
    for info in bregman::stages().iter().filter(|info| info.draws) {
        let compared = compared.borrow().get(info.name).copied().unwrap_or_default();
        assert!(compared > 150, "`{}` was compared {compared} times", info.name);
    }
}

proptest! {
    #![proptest_config(random_cases::config(6000))]

    #[test]
    fn distribution_is_positive_and_in_order(steps in transforming(), tokens in tokens(), recipe in row()) {
        let row = recipe.make();
        let Some(entries) = distribution(&mut sampler(&steps, &tokens), &row) else { return Ok(()) };
        let sum: f64 = entries.iter().map(|e| e.1).sum();
        prop_assert!((sum - 1.0).abs() <= 1e-9, "{sum}");
        prop_assert!(entries.iter().all(|&(id, p)| row[id as usize] > f32::NEG_INFINITY && p > 0.0));
        prop_assert!(entries.is_sorted_by(|a, b| a.1 >= b.1 * (1.0 - 1e-12)));
        if Plain::new(&steps, &tokens).distributions(&with_ids(&row)).iter().all(|plain| plain.is_monotone) {
            let by_logit = entries.is_sorted_by(|a, b| {
                let (l, m) = (row[a.0 as usize], row[b.0 as usize]);
                l > m || (l == m && a.0 < b.0)
            });
            prop_assert!(by_logit, "by logit, then by id");
        }
    }

    #[test]
    fn process_writes_the_logarithms_of_the_distribution(steps in drawing(), tokens in tokens(), recipe in row()) {
        let mut row = recipe.make();
        let mut sampler = sampler(&steps, &tokens);
        let Some(entries) = distribution(&mut sampler, &row) else {
            prop_assert!(sampler.process(&mut row).is_err_and(|e| is_empty(&e)));
            prop_assert_eq!(&row, &recipe.make());
            return Ok(());
        };
        sampler.process(&mut row).unwrap();
        let kept = row.iter().filter(|l| **l > f32::NEG_INFINITY).count();
        prop_assert_eq!(kept, entries.len());
        for (id, p) in entries {
            let log_p = f64::from(row[id as usize]);
            // p itself has few digits left where it is not a normal number.
            prop_assert!(p < 1e-300 || (log_p - p.ln()).abs() <= 1e-6 * (1.0 - p.ln()), "{id}: {log_p} {}", p.ln());
        }
    }

    /// `apply` keeps the distribution's tokens, whatever order the candidates come in.
    #[test]
    fn apply_keeps_the_distribution(
        steps in drawing(), tokens in tokens(), recipe in row(), shuffle in any::<Option<u64>>()
    ) {
        let row = recipe.make();
        let mut sampler = sampler(&steps, &tokens);
        // Sums over the vocabulary depend on its order in the last digits of f32: enough to move a threshold.
        if shuffle.is_some() && Plain::new(&steps, &tokens).certain(&with_ids(&row)).is_none() {
            return Ok(());
        }
        let entries = distribution(&mut sampler, &row);
        let mut all = candidates(&row, shuffle.map(Random).as_mut());
        let before = all.clone();
        let applied = sampler.apply(&mut all);
        let Some(entries) = entries else {
            prop_assert!(applied.is_err_and(|e| is_empty(&e)));
            return Ok(());
        };
        let Applied { size, selected, order } = applied.unwrap();
        let selected = selected.expect("the chain ends with a draw");
        prop_assert!(selected < size);
        if order == Order::Sorted {
            let kept: Vec<_> = all[..size].iter().map(|c| (c.id, f64::from(c.p))).collect();
            let (kept, entries) = (by_id(kept), by_id(entries));
            prop_assert_eq!(kept.len(), entries.len());
            for (a, b) in kept.iter().zip(&entries) {
                prop_assert!(a.0 == b.0 && (a.1 - b.1).abs() <= 1e-5, "{a:?} {b:?}");
            }
            prop_assert!(all[..size].is_sorted_by(|a, b| a.logit >= b.logit));
        } else {
            // What xtc dropped is removed; the others keep their order.
            let p_of: BTreeMap<i32, f64> = entries.into_iter().collect();
            let mut rest = all[..size].iter().peekable();
            for b in &before {
                let stays = rest.next_if(|c| c.id == b.id).is_some();
                prop_assert!(stays || !p_of.contains_key(&b.id), "{} is gone", b.id);
            }
            prop_assert!(rest.peek().is_none(), "another order");
            for c in &all[..size] {
                let p = p_of.get(&c.id).copied().unwrap_or(0.0);
                prop_assert!((f64::from(c.p) - p).abs() <= 1e-5, "{}: {} {p}", c.id, c.p);
            }
        }
    }

    /// An engine's candidates: any subset of the vocabulary in any order.
    #[test]
    fn apply_on_some_candidates_is_the_plain_distribution(
        steps in transforming(), tokens in tokens(), recipe in row(),
        keep in subsequence((0..100).collect::<Vec<i32>>(), 1..100), shuffle in any::<Option<u64>>()
    ) {
        let row = recipe.make();
        let mut ids: Vec<_> = keep.into_iter().filter(|&id| (id as usize) < row.len()).collect();
        if let Some(seed) = shuffle {
            Random(seed).shuffle(&mut ids);
        }
        let listed: Vec<_> = ids.iter().map(|&id| (id, row[id as usize])).collect();
        if recipe.0 == "huge" || listed.iter().all(|e| e.1 == f32::NEG_INFINITY) {
            return Ok(());
        }
        let Some(plain) = Plain::new(&steps, &tokens).certain(&listed) else { return Ok(()) };
        let mut all: Vec<_> = listed.iter().map(|&(id, logit)| Candidate { id, logit, p: 7.0 }).collect();
        match sampler(&steps, &tokens).apply(&mut all) {
            Ok(applied) => {
                all.truncate(applied.size);
                let max = all.iter().map(|c| f64::from(c.logit)).fold(f64::NEG_INFINITY, f64::max);
                let weight = |c: &Candidate| (f64::from(c.logit) - max).exp();
                let total: f64 = all.iter().map(weight).sum();
                let kept: BTreeMap<i32, f64> = all.iter().map(|c| (c.id, weight(c) / total)).collect();
                // Logits are f32. A candidate with a logit of -infinity is not kept.
                let same = plain.iter().any(|plain| {
                    let theirs: BTreeMap<i32, f64> = plain.entries().into_iter().collect();
                    let near = |(id, p): (&i32, &f64)| (p - theirs.get(id).copied().unwrap_or(0.0)).abs() <= 1e-4;
                    kept.iter().all(near) && theirs.keys().all(|id| kept.contains_key(id))
                });
                prop_assert!(same, "{kept:?} {:?}", plain.iter().map(Distribution::entries).collect::<Vec<_>>());
            }
            Err(e) => {
                prop_assert!(is_empty(&e), "{e:?}");
                prop_assert!(plain.iter().any(Distribution::is_empty));
            }
        }
    }

    /// What `apply` leaves as logits gives the distribution back to an engine that takes their softmax.
    #[test]
    fn apply_logits_have_the_softmax_of_the_distribution(steps in transforming(), tokens in tokens(), recipe in row()) {
        let row = recipe.make();
        let mut sampler = sampler(&steps, &tokens);
        let Some(entries) = distribution(&mut sampler, &row) else { return Ok(()) };
        let mut all = candidates(&row, None);
        let Applied { size, selected, .. } = sampler.apply(&mut all).unwrap();
        prop_assert_eq!(selected, None);
        let max = all[..size].iter().map(|c| f64::from(c.logit)).fold(f64::NEG_INFINITY, f64::max);
        // Large logits times a large 1/T need not fit f32.
        if all[..size].iter().any(|c| c.logit == f32::INFINITY) || max < -1e37 || recipe.0 == "huge" {
            return Ok(());
        }
        let weight = |logit: f32| (f64::from(logit) - max).exp();
        let total: f64 = all[..size].iter().map(|c| weight(c.logit)).sum();
        for (id, p) in entries {
            let applied = all[..size].iter().find(|c| c.id == id).expect("kept");
            // A scaled logit is rounded to f32.
            let slack = 1e-5 + p * f64::from(applied.logit.abs().max(max.abs() as f32)) * 2.5e-7;
            prop_assert!((weight(applied.logit) / total - p).abs() <= slack, "{id}: {} {p}", applied.logit);
        }
    }

    #[test]
    fn apply_does_not_depend_on_candidate_order(
        steps in transforming(), tokens in tokens(), recipe in row(), seed in any::<u64>()
    ) {
        let row = recipe.make();
        let Some(plain) = Plain::new(&steps, &tokens).certain(&with_ids(&row)) else { return Ok(()) };
        if plain.iter().any(Distribution::is_empty) {
            return Ok(());
        }
        let tolerance = plain.iter().filter_map(Distribution::tolerance).fold(0.0, f64::max);
        let sampler = sampler(&steps, &tokens);
        let applied = |mut all: Vec<Candidate>| {
            let size = sampler.clone().apply(&mut all).unwrap().size;
            all.truncate(size);
            all.sort_by_key(|c| c.id);
            all
        };
        let (one, two) = (applied(candidates(&row, None)), applied(candidates(&row, Some(&mut Random(seed)))));
        prop_assert_eq!(one.len(), two.len());
        for (a, b) in one.iter().zip(&two) {
            prop_assert_eq!(a.id, b.id);
            prop_assert!((a.p - b.p).abs() <= tolerance as f32 + 1e-6);
            // Which logits share a block decides the last bits of the tail, and the share of a token that lives on the
            // tail alone with it (docs/mathematics.md, 6.3: its relative error is not controlled).
            let near = (a.logit - b.logit).abs() <= 1e-5 * (1.0 + a.logit.abs());
            prop_assert!(a.logit == b.logit || near || a.p < 1e-6, "{} {}", a.logit, b.logit);
        }
    }
}

proptest! {
    #![proptest_config(random_cases::config(300))]

    /// Rows of the size that models have, where the passes take short cuts.
    #[test]
    fn random_chains_on_large_rows_match_their_definitions(
        kind in select(vec!["normal", "model", "ties", "banned", "rising", "falling"]),
        vocab in 30_000usize..160_000, seed in any::<u64>(), tokens in tokens(), steps in transforming(), t in 0.3..2.0f64
    ) {
        let row = logits(kind, vocab, &mut Random(seed));
        let steps = [self::steps(&format!("temperature({t})")), steps.into_iter().take(2).collect()].concat();
        let steps = with_bans_of_invalid_first(steps);
        if let Some(plain) = Plain::new(&steps, &tokens).certain(&with_ids(&row)) {
            let ours = distribution(&mut sampler(&steps, &tokens), &row);
            compare(ours.as_deref(), &plain, 0.0)?;
        }
    }
}

/// Ties and exact boundaries, which random rows leave out: docs/mathematics.md, 7, and each stage's own rule.
#[test]
fn ties_and_exact_boundaries_are_as_specified() {
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
        let ids: Vec<_> = distribution(&mut sampler, row).expect("no bans").iter().map(|e| e.0).collect();
        assert_eq!(ids, kept, "{chain}");
    }
}
