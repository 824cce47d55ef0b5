//! The stages that look at the history: bans against masks and biases, the scope of their tokens, batches. (That
//! they match their definitions: pipeline.rs.)

use crate::common::handle::{Handle, Rows, batch};
use crate::common::plain::{Tokens, candidates, sampler_after};
use crate::common::random_chains::{row, tokens};
use crate::common::rows::{Random, logits};
use bregman::ffi::{BREGMAN_ACCEPT, BREGMAN_OK};
use bregman::{Candidate, Error, Row, Sampler, Source, Want};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn distribution(sampler: &mut Sampler, row: &[f32]) -> Result<Vec<(i32, f64)>, Error> {
    let law = sampler.distribution(Row::from_f32(row)?)?;
    Ok(law.into_iter().map(|(id, p)| (id as i32, p)).collect())
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(500))]

    /// Bans, masks, biases of -infinity and logits of -infinity have the same effect.
    #[test]
    fn ban_equals_mask_and_bias_of_minus_infinity(recipe in row(), banned in vec(0..60i32, 1..20), t in 0.3..3.0f64) {
        let row = recipe.make();
        let mut without = row.clone();
        banned.iter().filter(|b| (**b as usize) < row.len()).for_each(|&b| without[b as usize] = f32::NEG_INFINITY);
        let rest = format!("temperature({t}) | top_k(20)");
        let plain = distribution(&mut Sampler::new(&rest, 1).unwrap(), &without);
        let list = |separator: &str| banned.iter().map(i32::to_string).collect::<Vec<_>>().join(separator);
        for first in [format!("bad_words({})", list(";")), format!("min_tokens(n=5, stop={})", list(" "))] {
            let mut sampler = Sampler::new(&format!("{first} | {rest}"), 1).unwrap();
            // The message of a failure says what banned the last token.
            prop_assert_eq!(distribution(&mut sampler, &row).ok(), plain.clone().ok());
            // After the temperature, too.
            let mut sampler = Sampler::new(&format!("temperature({t}) | {first} | top_k(20)"), 1).unwrap();
            prop_assert_eq!(distribution(&mut sampler, &row).ok(), plain.clone().ok());
        }
        let mut words = vec![u32::MAX; row.len().div_ceil(32)];
        banned.iter().filter(|b| (**b as usize) < row.len()).for_each(|b| words[*b as usize / 32] &= !(1 << (b % 32)));
        let mut masked = Sampler::new(&rest, 1).unwrap();
        masked.set_mask(Some(&words)).unwrap();
        prop_assert_eq!(&distribution(&mut masked, &row), &plain);
        let mut all = candidates(&row, None);
        match (&plain, masked.apply(&mut all)) {
            (Ok(plain), Ok(applied)) => {
                prop_assert!(all[..applied.size].iter().map(|c| c.id).eq(plain.iter().map(|e| e.0)));
            }
            (plain, applied) => prop_assert!(plain.is_err() && applied.is_err()),
        }
        masked.set_mask(None).unwrap();
        prop_assert_eq!(distribution(&mut masked, &row), distribution(&mut Sampler::new(&rest, 1).unwrap(), &row));
    }

    /// Renaming the tokens in row, history and parameters renames them in the answer.
    #[test]
    fn renaming_tokens_renames_the_answer(tokens in tokens(), seed: u64, n in 1..4usize) {
        let row = logits("normal", 80, &mut Random(seed));
        let mut names: Vec<i32> = (0..80).collect();
        Random(seed ^ 1).shuffle(&mut names);
        let mut renamed = vec![0.0; 80];
        names.iter().zip(&row).for_each(|(&name, &l)| renamed[name as usize] = l);
        let rename = |list: &[i32]| list.iter().map(|&t| names[t as usize]).collect::<Vec<_>>();
        let text = |word: i32| format!(
            "penalties(repeat=1.3, frequency=0.2, last_n=16) | dry(breakers={word}) | no_repeat_ngram({n}) | bad_words({word})"
        );
        let ours = distribution(&mut sampler_after(&text(7), 3, &tokens), &row);
        let renamed_tokens = Tokens { prompt: rename(&tokens.prompt), output: rename(&tokens.output) };
        let theirs = distribution(&mut sampler_after(&text(names[7]), 3, &renamed_tokens), &renamed);
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

/// Chains whose bans leave nothing of the tokens that the mask allows: the message names what took the last one.
#[test]
fn message_names_what_took_the_last_token() {
    let row = [0.5f32, 1.0, 0.25, f32::NEG_INFINITY];
    let failure = |chain: &str, bias: &[(i32, f32)]| {
        let mut sampler = Sampler::new(chain, 1).unwrap();
        sampler.accept(&[2, 3]).unwrap();
        sampler.set_logit_bias(bias).unwrap();
        let row = Row::from_f32(&row).unwrap().with_mask(&[0b1100]);
        let decoded = sampler.decode(row, Want::default()).expect_err(chain);
        assert_eq!(sampler.clone().distribution(row), Err(decoded.clone()), "{chain}");
        assert_eq!(sampler.position(), 0, "{chain}: nothing is advanced");
        let mut all = candidates(&[f32::NEG_INFINITY, f32::NEG_INFINITY, 0.25, f32::NEG_INFINITY], None);
        assert_eq!(sampler.apply(&mut all), Err(decoded.clone()), "{chain}");
        let message = decoded.to_string();
        assert!(message.starts_with("no token can be sampled: "), "{message}");
        message
    };
    let names = |message: String, name: &str| assert!(message.contains(name) && message.contains("yield"), "{message}");
    names(failure("temperature(0.5) | min_tokens(n=10, stop=1 2) | draw", &[]), "stage 2, `min_tokens`, bans every");
    names(failure("bad_words(9; 3 2) | draw", &[]), "stage 1, `bad_words`");
    names(failure("no_repeat_ngram(1) | draw", &[]), "stage 1, `no_repeat_ngram`");
    names(failure("logit_bias(2:-inf 0:1) | draw", &[]), "stage 1, `logit_bias`");
    names(failure("top_k(2) | allowed_tokens(0 1) | draw", &[]), "stage 2, `allowed_tokens`");
    names(failure("bad_words(1; 4) | xtc(1) | min_tokens(n=1, stop=2) | draw", &[]), "stage 3, `min_tokens`");
    assert!(failure("vllm(allowed_token_ids=1)", &[]).contains("stage 1, `vllm`: its stage `allowed_tokens`"));
    assert!(failure("draw", &[(2, f32::NEG_INFINITY)]).contains("the logit bias bans every token"));
    assert!(failure("min_tokens(n=1, stop=3) | draw", &[(2, f32::NEG_INFINITY)]).contains("the logit bias"));
    // What was empty before the chain is no stage's fault.
    let mut sampler = Sampler::new("min_tokens(n=10, stop=2) | draw", 1).unwrap();
    let nothing = Row::from_f32(&row).unwrap().with_mask(&[0b1000]);
    assert_eq!(sampler.decode(nothing, Want::default()), Err(Error::EmptySupport));
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(500))]

    /// A ban that yields does what it does without, but where it would leave nothing, it does nothing.
    #[test]
    fn bans_that_yield_leave_a_token(
        recipe in row(), tokens in tokens(), listed in btree_set(0..60i32, 1..60), which in 0..5usize, cut in 1..40usize
    ) {
        let row = recipe.make();
        let list = |separator: &str| listed.iter().map(i32::to_string).collect::<Vec<_>>().join(separator);
        let ban = match which {
            0 => format!("bad_words(sequences={}, yield=", list("; ")),
            1 => format!("min_tokens(n=100, stop={}, yield=", list(" ")),
            2 => "no_repeat_ngram(n=1, yield=".to_owned(),
            3 => format!("logit_bias(biases={}:-inf, yield=", list(":-inf ")),
            _ => format!("allowed_tokens(tokens={}, yield=", list(" ")),
        };
        for before in [format!("top_k({cut})"), "temperature(1)".to_owned()] {
            let law = |ban: String| distribution(&mut sampler_after(&format!("{before}{ban}"), 3, &tokens), &row);
            let (without, strict) = (law(String::new()), law(format!(" | {ban}false)")));
            let yielding = law(format!(" | {ban}true)"));
            prop_assert_eq!(yielding, if strict.is_ok() { strict } else { without });
        }
    }
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(200))]

    /// Whatever the model says, and whether tokens are taken back or the state is saved and loaded in between, no block has
    /// more than n tokens of its own, and one that is cut goes on with the message and the end.
    #[test]
    fn reasoning_never_exceeds_its_budget(
        start in vec(0..6i32, 1..3), end in vec(0..6i32, 1..3), message in vec(0..6i32, 0..3), n in 0..8usize, seed: u64
    ) {
        let list = |tokens: &[i32]| tokens.iter().map(i32::to_string).collect::<Vec<_>>().join(" ");
        let said = if message.is_empty() { String::new() } else { format!(", message={}", list(&message)) };
        let chain = format!("reasoning_budget(start={}, end={}, n={n}{said}) | draw", list(&start), list(&end));
        let mut sampler = Sampler::new(&chain, seed).unwrap();
        let (want, mut random) = (Want { accept: true, ..Want::default() }, Random(seed));
        for _ in 0..200 {
            let row = logits("normal", 6, &mut Random(random.next()));
            match random.below(12) {
                // In the middle of a block or of a message that is forced, too.
                0 => sampler.rewind(random.below(sampler.history().len().min(9) + 1)).unwrap(),
                1 => sampler = Sampler::from_bytes(&sampler.to_bytes()).unwrap(),
                2 => sampler = sampler.clone(),
                _ => drop(sampler.decode(Row::from_f32(&row).unwrap(), want).unwrap()),
            }
        }
        let tokens = sampler.history();
        let (mut begin, mut closed) = (None, 0);
        for at in 1..=tokens.len() {
            if tokens[..at].ends_with(&end) {
                (begin, closed) = (None, at);
            } else if begin.is_none() && tokens[closed..at].ends_with(&start) {
                begin = Some(at);
            } else if let Some(begin) = begin {
                let forced = [&message[..], &end[..]].concat();
                let beyond = &tokens[begin..at][n.min(at - begin)..];
                prop_assert!(forced.starts_with(beyond), "{beyond:?} of {forced:?} in {tokens:?}");
            }
        }
    }
}

/// Tokens accepted before the first row are the prompt, whichever function reads that row; later ones are output.
#[test]
fn prompt_ends_at_the_first_row() {
    let row = [0.0f32; 4];
    let law = |sampler: &mut Sampler| distribution(sampler, &row).unwrap().len();
    let looks: [fn(&mut Sampler, &[f32]); 6] = [
        |s, row| drop(s.distribution(Row::from_f32(row).unwrap()).unwrap()),
        |s, row| s.process(&mut row.to_vec()).unwrap(),
        |s, row| assert!(s.decode(Row::from_f32(row).unwrap(), Want::default()).is_ok()),
        |s, row| drop(s.draw_many(Row::from_f32(row).unwrap(), 2).unwrap().to_vec()),
        |s, row| {
            let (mut ids, mut logprobs) = ([0; 2], [0.0; 2]);
            s.top_logprobs(Row::from_f32(row).unwrap(), Source::Decoded, &mut ids, &mut logprobs).map(drop).unwrap();
        },
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
    // A row that fails does not count.
    let mut sampler = Sampler::new("no_repeat_ngram(n=1, scope=output) | draw", 1).unwrap();
    assert!(sampler.decode(Row::from_f32(&[f32::NAN]).unwrap(), Want::default()).is_err());
    sampler.accept(&[0]).unwrap();
    assert_eq!(law(&mut sampler), 4);
}

/// vLLM's scopes: repetition over prompt and output, frequency and presence over the output.
#[test]
fn penalty_scopes_match_vllm() {
    let row = [1.0f32, 1.0, 1.0, 0.0];
    let mut sampler = sampler_after(
        "penalties(repeat=2, scope=all) | penalties(frequency=0.25, presence=0.5, scope=output)",
        3,
        &Tokens { prompt: vec![0, 0, 1], output: vec![1, 1, 2] },
    );
    let mut out = row;
    sampler.process(&mut out).unwrap();
    let logits = [0.5, 0.5 - 0.5 - 0.5, 0.5 - 0.25 - 0.5, 0.0f32];
    let total = logits.iter().map(|l| l.exp()).sum::<f32>().ln();
    out.iter().zip(logits).for_each(|(a, l)| assert!((a - (l - total)).abs() < 1e-6, "{out:?}"));
}

/// A batch that accepts its draws continues as each of its samplers would alone.
#[test]
fn batch_rows_have_their_own_histories() {
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
        let together = CHAINS.map(|chain| Handle::new(chain, 8));
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
