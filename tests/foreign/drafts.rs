//! Cases with a draft: what the rules for drafts make of it.

use crate::cases::{Case, DraftCase, float, tokens};
use crate::common::chi_square::{LEAST_P_VALUE, p_value};
use bregman::{Draft, DraftLaws, Row, Rule, Sampler, Want};
use serde_json::Value;

const TRIALS: u64 = 10;
const DRAWS: u64 = 20_000;

/// Verifies the draft under both rules that read its distributions; what is found instead of the expected, if it differs.
pub fn agrees(case: &Case, draft: &DraftCase) -> Result<(), String> {
    [Rule::Token, Rule::Block].into_iter().try_for_each(|rule| {
        case.expect.iter().try_for_each(|(what, value)| {
            expected(case, draft, rule, (what, value)).map_err(|why| format!("{rule:?} rule, {what}: {why}"))
        })
    })
}

fn expected(case: &Case, draft: &DraftCase, rule: Rule, (what, value): (&str, &Value)) -> Result<(), String> {
    let vocab = case.row.len();
    let trial = |seed: u64| new_tokens(case, draft, rule, seed);
    match what {
        // The new tokens, whatever the seed.
        "tokens" => {
            let wanted = if value == "drafted" { draft.following.clone() } else { tokens(value) };
            let other = (0..TRIALS).map(trial).find(|found| *found != wanted);
            other.map_or(Ok(()), |found| Err(format!("{found:?}")))
        }
        // The new tokens are the first of the draft, and then one of the vocabulary.
        "prefix" => (0..TRIALS).map(trial).try_for_each(|found| {
            let (last, accepted) = found.split_last().expect("a token");
            let is_prefix = draft.tokens.starts_with(accepted);
            if is_prefix && (0..vocab as i32).contains(last) { Ok(()) } else { Err(format!("{found:?}")) }
        }),
        // The distribution of the token that takes the place of the first drafted one, which is never accepted.
        "residual" => {
            let mut counts = vec![0u64; vocab];
            for seed in 0..DRAWS {
                let found = trial(seed);
                let [token] = found[..] else { return Err(format!("accepts {found:?}")) };
                counts[token as usize] += 1;
            }
            let mut expected = vec![0.0; vocab];
            for (token, p) in value.as_object().expect("probabilities by token") {
                expected[token.parse::<usize>().expect("a token")] = float(p) * DRAWS as f64;
            }
            if let Some(token) = (0..vocab).find(|&token| expected[token] == 0.0 && counts[token] > 0) {
                return Err(format!("draws token {token}"));
            }
            let p = p_value(&counts, &expected);
            if p >= LEAST_P_VALUE { Ok(()) } else { Err(format!("the frequencies have p-value {p}")) }
        }
        other => panic!("no expectation `{other}` of a draft"),
    }
}

fn new_tokens(case: &Case, draft: &DraftCase, rule: Rule, seed: u64) -> Vec<i32> {
    let mut sampler = Sampler::new(&case.chain, seed).expect("a chain");
    let DraftCase { tokens, offsets, ids, probs, rows, .. } = draft;
    let laws = Some(DraftLaws { offsets, ids, probs });
    let given = Draft { rule, tokens, parents: None, laws };
    let row = |i: usize| Row::from_f32(rows.get(i).unwrap_or(&case.row));
    let verified = sampler.verify(&given, row, Want::NONE).unwrap_or_else(|e| panic!("{}: {e}", case.id));
    verified.tokens.iter().map(|token| token.token as i32).collect()
}
