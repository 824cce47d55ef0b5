//! The stages about the tokens so far, anywhere in a chain and on every face, against their plain definitions; and what
//! must not matter to them.

use crate::common::abi::{Abi, Rows, batch};
use crate::common::plain_history::{Scope, Step, law};
use crate::common::rows::{Random, logits};
use bregman::ffi::{BREGMAN_ACCEPT, BREGMAN_OK};
use bregman::{Candidate, Error, Row, Sampler, Want};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Few ids, so that tokens repeat.
const ALPHABET: i32 = 12;

fn token() -> impl Strategy<Value = i32> {
    prop_oneof![6 => 0..5i32, 1 => 0..ALPHABET, 1 => 0..80i32]
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::All), Just(Scope::Output)]
}

fn wide_scope() -> impl Strategy<Value = Scope> {
    prop_oneof![2 => scope(), 3 => prop_oneof![0..12usize, Just(64)].prop_map(Scope::Window)]
}

fn words() -> impl Strategy<Value = Vec<Vec<i32>>> {
    vec(vec(token(), 1..4), 1..5)
}

fn edit() -> impl Strategy<Value = Step> {
    let bias = prop_oneof![6 => -5.0..5.0f32, 1 => Just(f32::NEG_INFINITY)];
    prop_oneof![
        3 => (0.5..2.5f64, -1.0..2.0f64, -1.0..2.0f64, wide_scope()).prop_map(|(repeat, frequency, presence, scope)| {
            Step::Penalties { repeat, frequency, presence, scope }
        }),
        3 => (0.0..2.0f64, 1.0..3.0f64, 0..4usize, prop_oneof![Just(vec![]), words()], wide_scope()).prop_map(
            |(multiplier, base, allowed, breakers, scope)| Step::Dry { multiplier, base, allowed, breakers, scope }
        ),
        1 => (0..5usize, scope()).prop_map(|(n, scope)| Step::NoRepeatNgram(n, scope)),
        1 => (words(), scope()).prop_map(|(words, scope)| Step::BadWords(words, scope)),
        1 => (0..20usize, vec(token(), 1..4), scope()).prop_map(|(n, stop, scope)| Step::MinTokens(n, stop, scope)),
        1 => btree_map(token(), bias, 1..6).prop_map(Step::LogitBias),
    ]
}

fn other() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0.2..4.0f64).prop_map(Step::Temperature),
        (1..60usize).prop_map(Step::TopK),
        (0.05..0.999f64).prop_map(Step::TopP),
        (0.001..0.5f64).prop_map(Step::MinP),
    ]
}

/// Stages in any order, and more often than not those about the history first, as engines have them.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![
        (vec(edit(), 1..4), vec(other(), 0..3)).prop_map(|(edits, others)| [edits, others].concat()),
        vec(prop_oneof![edit(), other()], 1..6),
    ]
}

/// The prompt and the output.
fn sequence() -> impl Strategy<Value = (Vec<i32>, Vec<i32>)> {
    (vec(token(), 0..20), vec(token(), 0..40))
}

#[derive(Debug, Clone)]
struct Recipe(&'static str, usize, u64);

impl Recipe {
    fn make(&self) -> Vec<f32> {
        logits(self.0, self.1, &mut Random(self.2))
    }
}

fn row() -> impl Strategy<Value = Recipe> {
    let kinds = vec!["normal", "model", "ties", "two", "banned", "rising", "span", "zeros"];
    let vocab = prop_oneof![4 => 1usize..100, 1 => 100usize..1500];
    (select(kinds), vocab, any::<u64>()).prop_map(|(kind, vocab, seed)| Recipe(kind, vocab, seed))
}

fn chain(steps: &[Step]) -> String {
    steps.iter().map(Step::text).collect::<Vec<_>>().join(" | ")
}

/// A sampler that knows the sequence.
fn sampler(chain: &str, (prompt, output): &(Vec<i32>, Vec<i32>)) -> Sampler {
    let mut sampler = Sampler::new(chain, 3).unwrap_or_else(|e| panic!("{chain}: {e}"));
    sampler.accept(prompt).unwrap();
    output.iter().for_each(|&token| sampler.accept(&[token]).unwrap());
    sampler.set_prompt_length(prompt.len()).unwrap();
    sampler
}

fn indexed(row: &[f32]) -> Vec<(i32, f32)> {
    (0..).zip(row.iter().copied()).collect()
}

/// The same tokens in the same order with the same probabilities; nothing at all is an error.
fn same(ours: Result<Vec<(i32, f64)>, Error>, plain: &[(i32, f64)], tolerance: f64) -> Result<(), TestCaseError> {
    match ours {
        Err(e) => {
            prop_assert_eq!(e, Error::EmptySupport);
            prop_assert!(plain.is_empty());
        }
        Ok(ours) => {
            prop_assert_eq!(
                ours.iter().map(|e| e.0).collect::<Vec<_>>(),
                plain.iter().map(|e| e.0).collect::<Vec<_>>()
            );
            for (a, b) in ours.iter().zip(plain) {
                prop_assert!((a.1 - b.1).abs() <= tolerance, "token {}: {} {}", a.0, a.1, b.1);
            }
        }
    }
    Ok(())
}

fn distribution(sampler: &mut Sampler, row: &[f32]) -> Result<Vec<(i32, f64)>, Error> {
    let law = sampler.distribution(Row::from_f32(row)?)?;
    Ok(law.into_iter().map(|(id, p)| (id as i32, p)).collect())
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(6000))]

    #[test]
    fn a_distribution_is_the_plain_one(steps in steps(), tokens in sequence(), recipe in row()) {
        let row = recipe.make();
        if let Some(plain) = law(&steps, &indexed(&row), &tokens.0, &tokens.1) {
            same(distribution(&mut sampler(&chain(&steps), &tokens), &row), &plain, 1e-9)?;
        }
    }

    #[test]
    fn the_other_faces_agree(steps in steps(), tokens in sequence(), recipe in row()) {
        let mut row = recipe.make();
        let text = chain(&steps);
        let Ok(law) = distribution(&mut sampler(&text, &tokens), &row) else {
            prop_assert_eq!(sampler(&text, &tokens).process(&mut row), Err(Error::EmptySupport));
            prop_assert_eq!(&row, &recipe.make());
            return Ok(());
        };
        let token = sampler(&format!("{text} | draw"), &tokens).decode(Row::from_f32(&row).unwrap(), Want::default());
        let token = token.unwrap();
        prop_assert_eq!(token.support, law.len());
        let drawn = law.iter().find(|e| e.0 as u32 == token.token).expect("a token of the law");
        prop_assert!((token.p - drawn.1).abs() <= 1e-5);
        let before = row.clone();
        sampler(&text, &tokens).process(&mut row).unwrap();
        prop_assert_eq!(row.iter().filter(|l| **l > f32::NEG_INFINITY).count(), law.len());
        for (id, p) in law {
            let log_p = f64::from(row[id as usize]);
            prop_assert!((log_p - p.ln()).abs() <= 1e-5 * (1.0 - p.ln()), "{}: {} {}", id, log_p, p.ln());
        }
        prop_assert_eq!(before.len(), row.len());
    }

    /// An engine's candidates: any subset of the vocabulary in any order.
    #[test]
    fn candidates_agree(
        steps in steps(), tokens in sequence(), recipe in row(), keep in subsequence((0..100).collect::<Vec<i32>>(), 1..100),
        seed in any::<Option<u64>>()
    ) {
        let row = recipe.make();
        let mut ids: Vec<_> = keep.into_iter().filter(|&id| (id as usize) < row.len()).collect();
        if let Some(seed) = seed {
            Random(seed).shuffle(&mut ids);
        }
        let listed: Vec<_> = ids.iter().map(|&id| (id, row[id as usize])).collect();
        if listed.iter().all(|e| e.1 == f32::NEG_INFINITY) {
            return Ok(());
        }
        let Some(plain) = law(&steps, &listed, &tokens.0, &tokens.1) else { return Ok(()) };
        let mut all: Vec<_> = listed.iter().map(|&(id, logit)| Candidate { id, logit, p: 7.0 }).collect();
        let applied = sampler(&chain(&steps), &tokens).apply(&mut all);
        let seen = applied.map(|applied| {
            all.truncate(applied.size);
            let max = all.iter().map(|c| f64::from(c.logit)).fold(f64::NEG_INFINITY, f64::max);
            let weight = |c: &Candidate| (f64::from(c.logit) - max).exp();
            let total: f64 = all.iter().map(weight).sum();
            let mut law: Vec<_> = all.iter().map(|c| (c.id, weight(c) / total)).filter(|e| e.1 > 0.0).collect();
            law.sort_by_key(|e| e.0);
            law
        });
        // Logits of hundreds are rounded to f32, and what is left of e^-600 is not compared.
        let mut plain: Vec<_> = plain;
        plain.sort_by_key(|e| e.0);
        let seen = seen.map(|law| law.into_iter().filter(|e| plain.iter().any(|p| p.0 == e.0)).collect());
        same(seen, &plain, 1e-4)?;
    }

    /// Bans, differences and biases do not depend on where zero is.
    #[test]
    fn a_constant_changes_nothing(steps in steps(), tokens in sequence(), recipe in row(), shift in -64..64i32) {
        if recipe.0 == "span" || steps.iter().any(|s| matches!(s, Step::Penalties { repeat, .. } if *repeat != 1.0)) {
            return Ok(());
        }
        // Steps of 2^-12 leave room for the sum to be exact.
        let row: Vec<f32> = recipe.make().iter().map(|l| (l * 4096.0).round() / 4096.0).collect();
        let shifted: Vec<f32> = row.iter().map(|l| l + shift as f32).collect();
        if law(&steps, &indexed(&row), &tokens.0, &tokens.1).is_none() {
            return Ok(());
        }
        let mut one = sampler(&chain(&steps), &tokens);
        let Ok(ours) = distribution(&mut one, &row) else { return Ok(()) };
        // Rounded once more at another height: ties may break otherwise, the probabilities stay.
        let by_id = |mut law: Vec<(i32, f64)>| { law.sort_by_key(|e| e.0); law };
        let other = by_id(distribution(&mut one, &shifted).unwrap());
        let ours = by_id(ours);
        if ours.iter().map(|e| e.0).eq(other.iter().map(|e| e.0)) {
            prop_assert!(ours.iter().zip(&other).all(|(a, b)| (a.1 - b.1).abs() < 1e-3));
        } else {
            prop_assert_eq!(ours.len(), other.len(), "{:?} {:?}", ours, other);
        }
    }
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(500))]

    /// A ban, a mask, a bias of -infinity and a logit of -infinity are one and the same.
    #[test]
    fn a_ban_is_a_mask(recipe in row(), banned in vec(0..60i32, 1..20), t in 0.3..3.0f64) {
        let row = recipe.make();
        let mut without = row.clone();
        banned.iter().filter(|b| (**b as usize) < row.len()).for_each(|&b| without[b as usize] = f32::NEG_INFINITY);
        let rest = format!("temperature({t}) | top_k(20)");
        let plain = distribution(&mut Sampler::new(&rest, 1).unwrap(), &without);
        let list = |separator: &str| banned.iter().map(i32::to_string).collect::<Vec<_>>().join(separator);
        for first in [format!("bad_words({})", list(";")), format!("min_tokens(n=5, stop={})", list(" "))] {
            let mut sampler = Sampler::new(&format!("{first} | {rest}"), 1).unwrap();
            prop_assert_eq!(&distribution(&mut sampler, &row), &plain);
            // Behind the temperature, too, where the row is the same.
            let mut sampler = Sampler::new(&format!("temperature({t}) | {first} | top_k(20)"), 1).unwrap();
            prop_assert_eq!(&distribution(&mut sampler, &row), &plain);
        }
        let mut words = vec![u32::MAX; row.len().div_ceil(32)];
        banned.iter().filter(|b| (**b as usize) < row.len()).for_each(|b| words[*b as usize / 32] &= !(1 << (b % 32)));
        let mut masked = Sampler::new(&rest, 1).unwrap();
        masked.set_mask(Some(&words));
        prop_assert_eq!(&distribution(&mut masked, &row), &plain);
        let mut all: Vec<_> = indexed(&row).into_iter().map(|(id, logit)| Candidate { id, logit, p: 0.0 }).collect();
        match (&plain, masked.apply(&mut all)) {
            (Ok(plain), Ok(applied)) => {
                prop_assert!(all[..applied.size].iter().map(|c| c.id).eq(plain.iter().map(|e| e.0)));
            }
            (plain, applied) => prop_assert!(plain.is_err() && applied.is_err()),
        }
        masked.set_mask(None);
        prop_assert_eq!(distribution(&mut masked, &row), distribution(&mut Sampler::new(&rest, 1).unwrap(), &row));
    }

    /// Other names for the tokens, everywhere, give the answer its other names.
    #[test]
    fn permuting_the_ids_permutes_the_answer(tokens in sequence(), seed: u64, n in 1..4usize) {
        let row = logits("normal", 80, &mut Random(seed));
        let mut names: Vec<i32> = (0..80).collect();
        Random(seed ^ 1).shuffle(&mut names);
        let mut renamed = vec![0.0; 80];
        names.iter().zip(&row).for_each(|(&name, &l)| renamed[name as usize] = l);
        let rename = |list: &[i32]| list.iter().map(|&t| names[t as usize]).collect::<Vec<_>>();
        let text = |word: i32| format!(
            "penalties(repeat=1.3, frequency=0.2, last_n=16) | dry(breakers={word}) | no_repeat_ngram({n}) | bad_words({word})"
        );
        let ours = distribution(&mut sampler(&text(7), &tokens), &row);
        let theirs = distribution(&mut sampler(&text(names[7]), &(rename(&tokens.0), rename(&tokens.1))), &renamed);
        let by_id = |law: Result<Vec<(i32, f64)>, Error>| law.map(|mut law| { law.sort_by_key(|e| e.0); law });
        let ours = by_id(ours.map(|law| law.into_iter().map(|(id, p)| (names[id as usize], p)).collect()));
        match (ours, by_id(theirs)) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(ours.len(), theirs.len());
                prop_assert!(ours.iter().zip(&theirs).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-12));
            }
            (ours, theirs) => prop_assert_eq!(ours, theirs),
        }
    }
}

/// What is accepted before the first row is the prompt, whatever looks at that row; what comes after is output.
#[test]
fn the_prompt_ends_at_the_first_row() {
    let row = [0.0f32; 4];
    let law = |sampler: &mut Sampler| distribution(sampler, &row).unwrap().len();
    let looks: [fn(&mut Sampler, &[f32]); 5] = [
        |s, row| drop(s.distribution(Row::from_f32(row).unwrap()).unwrap()),
        |s, row| s.process(&mut row.to_vec()).unwrap(),
        |s, row| assert!(s.decode(Row::from_f32(row).unwrap(), Want::default()).is_ok()),
        |s, row| drop(s.draw_many(Row::from_f32(row).unwrap(), 2).unwrap().to_vec()),
        |s, _| assert!(s.apply(&mut [Candidate { id: 3, logit: 0.0, p: 0.0 }]).is_ok()),
    ];
    for look in looks {
        let mut sampler = Sampler::new("no_repeat_ngram(n=1, scope=output) | draw", 1).unwrap();
        sampler.accept(&[0, 1]).unwrap();
        look(&mut sampler, &row);
        assert_eq!(law(&mut sampler), 4, "the prompt does not count");
        sampler.accept(&[2]).unwrap();
        assert_eq!(law(&mut sampler), 3);
        assert_eq!(law(&mut sampler.clone()), 3, "a clone knows the prompt");
        sampler.set_prompt_length(1).unwrap();
        assert_eq!(law(&mut sampler), 2);
        assert!(matches!(sampler.set_prompt_length(4), Err(Error::InvalidArgument(_))));
        sampler.reset();
        sampler.accept(&[0, 1]).unwrap();
        assert_eq!(law(&mut sampler), 4, "after a reset there is a prompt again");
    }
    // A row that fails is none.
    let mut sampler = Sampler::new("no_repeat_ngram(n=1, scope=output) | draw", 1).unwrap();
    assert!(sampler.decode(Row::from_f32(&[f32::NAN]).unwrap(), Want::default()).is_err());
    sampler.accept(&[0]).unwrap();
    assert_eq!(law(&mut sampler), 4);
}

/// vLLM's scopes: repetition over prompt and output, frequency and presence over the output.
#[test]
fn scopes_are_those_of_the_engines() {
    let row = [1.0f32, 1.0, 1.0, 0.0];
    let mut sampler = sampler(
        "penalties(repeat=2, scope=all) | penalties(frequency=0.25, presence=0.5, scope=output)",
        &(vec![0, 0, 1], vec![1, 1, 2]),
    );
    let mut out = row;
    sampler.process(&mut out).unwrap();
    let logits = [0.5, 0.5 - 0.5 - 0.5, 0.5 - 0.25 - 0.5, 0.0f32];
    let total = logits.iter().map(|l| l.exp()).sum::<f32>().ln();
    out.iter().zip(logits).for_each(|(a, l)| assert!((a - (l - total)).abs() < 1e-6, "{out:?}"));
}

/// Row by row, token by token: a batch that accepts what it draws goes on as each of its samplers would alone.
#[test]
fn a_batch_has_the_histories_of_its_rows() {
    const CHAINS: [&str; 5] = [
        "penalties(1.5) | temperature(1.2) | draw",
        "dry(multiplier=2, allowed=1, breakers=3) | top_k(30) | gumbel",
        "no_repeat_ngram(2) | draw",
        "min_tokens(n=20, stop=0 1 2) | penalties(frequency=1, scope=output) | top_p(0.9) | draw",
        "top_k(12) | penalties(presence=2, scope=all) | bad_words(1; 2 3) | draw",
    ];
    const VOCAB: usize = 40;
    let row = |step: u64| (0..CHAINS.len() as u64).map(move |r| logits("normal", VOCAB, &mut Random(step * 10 + r)));
    for threads in [1, 2, 4] {
        let together = CHAINS.map(|chain| Abi::new(chain, 8));
        let mut alone = CHAINS.map(|chain| Sampler::new(chain, 8).unwrap());
        let (mut repeated, mut seen) = (0, std::collections::BTreeSet::new());
        for step in 0..60 {
            let rows: Vec<f32> = row(step).flatten().collect();
            let (status, results) =
                batch(&together, &Rows::F32(&rows), (VOCAB, VOCAB), None, (BREGMAN_ACCEPT, threads));
            assert_eq!(status, BREGMAN_OK);
            let want = Want { accept: true, ..Want::default() };
            for ((sampler, result), row) in alone.iter_mut().zip(&results).zip(row(step)) {
                let token = sampler.decode(Row::from_f32(&row).unwrap(), want).unwrap();
                assert_eq!((token.token as i32, token.p as f32), (result.token, result.p));
            }
            repeated += u32::from(!seen.insert(results[0].token));
        }
        assert!(repeated > 10, "tokens came again, so that the penalties had something to do");
    }
}
