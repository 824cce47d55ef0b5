//! Whether a case is as its project's test expects.

use crate::cases::{Case, float, floats, tokens};
use crate::common::chi_square::{LEAST_P_VALUE, p_value};
use crate::drafts;
use crate::faces::{Law, laws, ordered, sampler};
use crate::plain::{Plain, softmax};
use bregman::{Answers, Row, Source, Want};
use serde_json::Value;
use std::collections::BTreeSet;

type Found = Result<(), String>;

fn must(is_so: bool, what: impl FnOnce() -> String) -> Found {
    if is_so { Ok(()) } else { Err(what()) }
}

/// Tries a case in every way; what is found instead of the expected, if it differs.
pub fn agrees(case: &Case) -> Found {
    if let Some(draft) = &case.draft {
        return drafts::agrees(case, draft);
    }
    if let Some(message) = case.expect.get("fails") {
        let message = message.as_str().expect("a part of a message");
        return match laws(case) {
            Ok(_) => Err("it does not fail".into()),
            Err(e) => must(e.to_string().contains(message), || format!("it fails with: {e}")),
        };
    }
    let laws = laws(case).map_err(|e| format!("refused: {e}"))?;
    // Boundaries moved towards more tokens, and towards fewer.
    let steps = case.expect.get("steps");
    let plain = steps.map(|steps| [1.0, -1.0].map(|towards| Plain::new(case, steps, towards)));
    for (face, law) in laws {
        for (what, value) in &case.expect {
            if let (Some(plain), "steps") = (&plain, &**what) {
                is_between(case, &law, plain).map_err(|why| format!("{face}: {why}"))?;
                continue;
            }
            of_a_law(case, &law, what, value).map_err(|why| format!("{face}: {why}"))?;
        }
    }
    for (what, value) in &case.expect {
        of_calls(case, what, value)?;
    }
    decodes(case)
}

/// What a distribution is expected to be.
fn of_a_law(case: &Case, law: &Law, what: &str, value: &Value) -> Found {
    let ids: BTreeSet<usize> = law.iter().map(|e| e.0).collect();
    let kept = |id: usize| ids.contains(&id);
    let same_ids = |expected: BTreeSet<usize>| {
        must(ids == expected, || {
            let of =
                |ids: &BTreeSet<usize>| format!("{} tokens, {:?}", ids.len(), ids.iter().take(12).collect::<Vec<_>>());
            format!("keeps {}, not {}", of(&ids), of(&expected))
        })
    };
    let listed = || tokens(value).into_iter().map(|id| id as usize).collect::<BTreeSet<_>>();
    let possible = || (0..case.row.len()).filter(|&id| case.is_possible(id));
    match what {
        // Probabilities, or numbers proportional to them, by token; 0 for tokens that are dropped.
        "p" | "weights" => {
            let expected = floats(value);
            let total: f64 = if what == "p" { 1.0 } else { expected.iter().sum() };
            same_ids((0..expected.len()).filter(|&id| expected[id] > 0.0).collect())?;
            close(case, law, |id| expected[id] / total)
        }
        // Logits up to a constant.
        "logits" => {
            let expected = floats(value);
            let all: Vec<bool> = expected.iter().map(|&l| l > f64::NEG_INFINITY).collect();
            let p = softmax(&expected, &all);
            for id in 0..p.len() {
                // A token may have too little weight to be kept.
                must(kept(id) == all[id] || p[id] < 1e-30, || format!("token {id} is {}", in_or_out(kept(id))))?;
            }
            close(case, law, |id| p[id])
        }
        "kept" => same_ids(listed()),
        "dropped" => {
            let dropped = listed();
            same_ids(possible().filter(|id| !dropped.contains(id)).collect())
        }
        "unchanged" => {
            same_ids(possible().collect())?;
            let logits: Vec<f64> = case.row.iter().map(|&l| f64::from(l)).collect();
            let p = softmax(&logits, &(0..logits.len()).map(|id| case.is_possible(id)).collect::<Vec<_>>());
            close(case, law, |id| p[id])
        }
        "count" => must(law.len() == float(value) as usize, || format!("keeps {} tokens", law.len())),
        "at_most" => must(law.len() <= float(value) as usize, || format!("keeps {} tokens", law.len())),
        "at_least" => must(law.len() >= float(value) as usize, || format!("keeps {} tokens", law.len())),
        "likeliest" => {
            let most = law.iter().map(|e| e.1).fold(0.0, f64::max);
            let less = listed().into_iter().find(|&id| law.iter().all(|e| e.0 != id || e.1 < most * (1.0 - 1e-6)));
            let more = law.iter().filter(|e| e.1 >= most * (1.0 - 1e-6)).count();
            must(less.is_none() && more < law.len(), || format!("token {less:?} is not among the {more} likeliest"))
        }
        "highest" | "lowest" => extreme(case, law, what == "highest", value.as_str().expect("a word")),
        _ => Ok(()),
    }
}

/// Whether a distribution keeps what the steps keep, with boundaries where they may be, and in their proportions.
fn is_between(case: &Case, law: &Law, [most, least]: &[Plain; 2]) -> Found {
    let mut kept = vec![false; case.row.len()];
    law.iter().for_each(|e| kept[e.0] = true);
    let outside = law.iter().find(|e| !most.kept[e.0]);
    must(outside.is_none(), || format!("keeps token {outside:?} of {}", law.len()))?;
    // Tokens without weight are never kept.
    let weights = least.p();
    let lost = (0..kept.len()).find(|&id| least.kept[id] && weights[id] > 1e-280 && !kept[id]);
    must(lost.is_none(), || format!("drops token {lost:?}, keeps {}", law.len()))?;
    let p = softmax(&least.logits, &kept);
    close(case, law, |id| p[id])
}

fn in_or_out(kept: bool) -> &'static str {
    if kept { "kept" } else { "dropped" }
}

fn close(case: &Case, law: &Law, expected: impl Fn(usize) -> f64) -> Found {
    let far = law.iter().find(|(id, p)| (p - expected(*id)).abs() > case.tolerance);
    far.map_or(Ok(()), |&(id, p)| Err(format!("p of token {id} is {p}, not {}", expected(id))))
}

/// Whether all tokens of the largest or smallest probability are of a kind.
fn extreme(case: &Case, law: &Law, largest: bool, kind: &str) -> Found {
    let sign = if largest { 1.0 } else { -1.0 };
    let most = law.iter().map(|e| e.1 * sign).fold(f64::NEG_INFINITY, f64::max);
    let at_most = law.iter().filter(|e| e.1 * sign >= most - 1e-6 * most.abs()).map(|e| e.0 as i32);
    let history = case.history();
    let times = |id: i32| case.output.iter().filter(|&&t| t == id).count();
    let is = |id: i32| match kind {
        "seen" => history.contains(&id),
        "unseen" => !history.contains(&id),
        "in output" => case.output.contains(&id),
        "not in output" => !case.output.contains(&id),
        "most frequent" => case.output.iter().all(|&other| times(other) <= times(id)),
        other => panic!("no kind `{other}`"),
    };
    let wrong = at_most.into_iter().find(|&id| !is(id));
    wrong.map_or(Ok(()), |id| Err(format!("token {id} is not `{kind}`")))
}

/// What calls besides the distribution are expected to give.
fn of_calls(case: &Case, what: &str, value: &Value) -> Found {
    let row = || Row::from_f32(&case.row).expect("a row");
    let decode = |position: u64| {
        let mut sampler = sampler(case, true).expect("it was made before");
        sampler.reseed(position / 1000, position % 1000);
        let tokens = (0..32).map(|_| sampler.decode(row(), Want::default()).expect("a token").token);
        tokens.collect::<Vec<_>>()
    };
    match what {
        "p" | "weights" | "logits" | "kept" | "dropped" | "unchanged" | "count" | "at_most" | "at_least" | "steps"
        | "highest" | "lowest" | "likeliest" => Ok(()),
        "order" => {
            let ids: Vec<i32> = ordered(case).expect("a distribution").iter().map(|e| e.0 as i32).collect();
            must(ids == tokens(value), || format!("the order is {ids:?}"))
        }
        "token" => {
            let first = decode(0)[0];
            must(f64::from(first) == float(value), || format!("decodes {first}"))
        }
        // The most likely tokens under the model, and the probability of the one that is drawn.
        "top" => {
            let expected = tokens(value);
            let (mut ids, mut logprobs) = (vec![0; expected.len()], vec![0.0f32; expected.len()]);
            let mut answers =
                Answers { source: Source::Model, top_ids: &mut ids, top_logprobs: &mut logprobs, ..Answers::default() };
            let (token, rank) =
                sampler(case, true).unwrap().decode_with(row(), Want::default(), &mut answers).expect("a token");
            must(ids == expected && logprobs.is_sorted_by(|a, b| a >= b), || {
                format!("the top is {ids:?} {logprobs:?}")
            })?;
            let mass: f64 = logprobs.iter().map(|&l| f64::from(l).exp()).sum();
            must(expected.len() < case.row.len() || (mass - 1.0).abs() < 1e-5, || format!("they sum to {mass}"))?;
            let at = ids.iter().position(|&id| id == token.token as i32).expect("the drawn token");
            must((f64::from(logprobs[at]) - rank.logprob).abs() < 1e-6, || {
                format!("{} and {}", logprobs[at], rank.logprob)
            })
        }
        "draws" => draws(case, float(value) as usize),
        // The same seed gives the same tokens, another one others.
        "seeds" => must(decode(5000) == decode(5000) && decode(5000) != decode(6000), || "seeds do not decide".into()),
        other => panic!("no expectation `{other}`"),
    }
}

/// The frequencies of drawn tokens, by a chi-square test.
fn draws(case: &Case, n: usize) -> Found {
    let law = ordered(case).expect("a distribution");
    let mut place = vec![usize::MAX; case.row.len()];
    law.iter().enumerate().for_each(|(at, e)| place[e.0] = at);
    let mut counts = vec![0u64; law.len()];
    let (mut sampler, row) = (sampler(case, true).unwrap(), Row::from_f32(&case.row).unwrap());
    for _ in 0..n {
        let token = sampler.decode(row, Want::default()).expect("a token").token;
        let at = place[token as usize];
        must(at != usize::MAX, || format!("draws token {token}, which is not kept"))?;
        counts[at] += 1;
    }
    let expected: Vec<f64> = law.iter().map(|e| e.1 * n as f64).collect();
    // A chi-square needs two cells of at least ten.
    if expected.iter().filter(|e| **e >= 10.0).count() < 2 && n as f64 - expected[0] < 10.0 {
        return Ok(());
    }
    let p = p_value(&counts, &expected);
    must(p >= LEAST_P_VALUE, || format!("the frequencies have p-value {p}"))
}

/// Decodes some rows: each token is one of the distribution, with its probability.
fn decodes(case: &Case) -> Found {
    let law = ordered(case).expect("a distribution");
    let want = Want { kept_mass: true, model_logprob: true, entropy: true, ..Want::default() };
    let learns = case.decoded > 0;
    for position in 0..if learns { 1 } else { 3 } {
        let mut sampler = sampler(case, true).unwrap();
        // xtc's coin belongs to a position.
        if !case.chain.contains("xtc") && !learns {
            sampler.reseed(1, position);
        }
        let token = sampler.decode(Row::from_f32(&case.row).unwrap(), want).map_err(|e| format!("decode: {e}"))?;
        let p = law.iter().find(|e| e.0 == token.token as usize).map(|e| e.1);
        let Some(p) = p else { return Err(format!("decode: token {} is not kept", token.token)) };
        // A greedy draw has its token alone.
        must((token.p - p).abs() <= 1e-5 && token.support == law.len(), || format!("decode: {token:?}, not {p}"))?;
        let is_mass = |mass: f64| mass > 0.0 && mass <= 1.0;
        must(is_mass(token.p) && is_mass(token.kept_mass) && token.model_logprob <= 0.0, || {
            format!("decode: {token:?}")
        })?;
    }
    Ok(())
}
