//! Stages that change the logits of single tokens: biases, bans and penalties. The history is read anew for every row.

use super::parameters::{maybe, of, power_of_ten, sequence_list, share, token_list, value, word};
use super::{Definition, Distribution, Given, Moment, never};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

pub static EDITS: &[Definition] = &[
    Definition {
        stage: "logit_bias",
        parameters: || {
            let bias = prop_oneof![6 => -5.0..5.0f32, 1 => Just(f32::NEG_INFINITY)];
            let pairs = btree_map(super::parameters::token(), bias, 1..6);
            let text = |(token, bias): (&i32, &f32)| format!("{token}:{bias}");
            let biases = pairs.prop_map(move |pairs| pairs.iter().map(text).collect::<Vec<_>>().join(" "));
            of("logit_bias", [value("biases", biases), word("logit_bias", "yield")])
        },
        is_off: never,
        apply: |given, distribution, _| {
            let pairs = given.text("biases").split_whitespace().map(|pair| pair.split_once(':').expect("token:bias"));
            let biases: Vec<(i32, f32)> =
                pairs.map(|(token, bias)| (token.parse().expect("a token"), bias.parse().expect("a bias"))).collect();
            let bias_of = |token| biases.iter().find(|(own, _)| *own == token).map(|(_, bias)| f64::from(*bias));
            let is_ban = |token| bias_of(token) == Some(f64::NEG_INFINITY);
            let gives_way = gives_way(given, distribution, is_ban);
            distribution.edit(|token, logit| Some(logit + bias_of(token).filter(|_| !(gives_way && is_ban(token)))?));
        },
        draws: None,
    },
    // What a distribution is made from is finite, or -infinity: tests/definitions/invalid.rs has other rows.
    Definition {
        stage: "ban_invalid",
        parameters: || super::parameters::none("ban_invalid"),
        is_off: never,
        apply: |_, _, _| {},
        draws: None,
    },
    Definition {
        stage: "allowed_tokens",
        parameters: || {
            let list = vec(super::parameters::token(), 1..12).prop_map(|list| super::parameters::joined(&list, " "));
            of("allowed_tokens", [value("tokens", list), word("allowed_tokens", "yield")])
        },
        is_off: never,
        apply: |given, distribution, _| {
            let allowed = given.tokens("tokens");
            ban(given, distribution, |token| !allowed.contains(&token));
        },
        draws: None,
    },
    Definition {
        stage: "forced_tokens",
        parameters: || {
            let values = [value("n", 0..20usize), value("tokens", token_list()), word("forced_tokens", "rule")];
            of("forced_tokens", values.into_iter().chain([scope("forced_tokens"), word("forced_tokens", "yield")]))
        },
        is_off: never,
        apply: |given, distribution, moment| {
            let (length, n) = (tokens_in_scope(given, moment).len(), given.count("n"));
            let allowed = given.tokens("tokens");
            if length == n || given.text("rule") == "from" && length > n {
                ban(given, distribution, |token| !allowed.contains(&token));
            }
        },
        draws: None,
    },
    Definition {
        stage: "reasoning_budget",
        parameters: || {
            let values = [value("start", token_list()), value("end", token_list()), value("n", 0..12usize)];
            let more = [maybe("message", token_list()), word("reasoning_budget", "yield")];
            of("reasoning_budget", values.into_iter().chain(more))
        },
        is_off: never,
        apply: |given, distribution, moment| {
            let [start, end, message] = ["start", "end", "message"].map(|name| given.tokens(name));
            let (tokens, forced) = ([moment.prompt, moment.output].concat(), [message, end.clone()].concat());
            // Token by token: where the block that is open begins, and where the last one ended.
            let (mut begin, mut closed) = (None, 0);
            for at in 1..=tokens.len() {
                if tokens[..at].ends_with(&end) {
                    (begin, closed) = (None, at);
                } else if begin.is_none() && tokens[closed..at].ends_with(&start) {
                    begin = Some(at);
                }
            }
            let Some(beyond) = begin.and_then(|begin| tokens[begin..].get(given.count("n")..)) else { return };
            let next = (0..forced.len()).rev().find(|&j| beyond.ends_with(&forced[..j])).expect("0 at the least");
            ban(given, distribution, |token| token != forced[next]);
        },
        draws: None,
    },
    Definition {
        stage: "sequence_bias",
        parameters: || {
            let bias = prop_oneof![1 => Just(0.0), 6 => -3.0..3.0f64, 1 => Just(f64::NEG_INFINITY)];
            let values = [value("sequences", sequence_list()), value("bias", bias), scope("sequence_bias")];
            of("sequence_bias", values.into_iter().chain([word("sequence_bias", "yield")]))
        },
        is_off: |given| given.number("bias") == 0.0,
        apply: |given, distribution, moment| {
            let (sequences, history) = (given.sequences("sequences"), tokens_in_scope(given, moment));
            let bias_of = |token| {
                let after = [&history[..], &[token]].concat();
                let times = sequences.iter().filter(|sequence| after.ends_with(sequence)).count();
                (times > 0).then(|| times as f64 * given.number("bias"))
            };
            let is_ban = |token| bias_of(token) == Some(f64::NEG_INFINITY);
            if !gives_way(given, distribution, is_ban) {
                distribution.edit(|token, logit| Some(logit + bias_of(token)?));
            }
        },
        draws: None,
    },
    Definition {
        stage: "bad_words",
        parameters: || {
            of("bad_words", [value("sequences", sequence_list()), scope("bad_words"), word("bad_words", "yield")])
        },
        is_off: never,
        apply: |given, distribution, moment| {
            let (words, history) = (given.sequences("sequences"), tokens_in_scope(given, moment));
            let completes = |token| {
                let after = [&history[..], &[token]].concat();
                words.iter().any(|word| after.ends_with(word))
            };
            ban(given, distribution, completes);
        },
        draws: None,
    },
    Definition {
        stage: "min_tokens",
        parameters: || {
            let values = [value("n", 0..20usize), value("stop", token_list()), scope("min_tokens")];
            of("min_tokens", values.into_iter().chain([word("min_tokens", "yield")]))
        },
        is_off: |given| given.count("n") == 0,
        apply: |given, distribution, moment| {
            let is_short = tokens_in_scope(given, moment).len() < given.count("n");
            let stop = given.tokens("stop");
            ban(given, distribution, |token| is_short && stop.contains(&token));
        },
        draws: None,
    },
    Definition {
        stage: "length_decay",
        parameters: || {
            let factor = prop_oneof![1 => Just(1.0), 4 => 0.3..3.0f64, 1 => power_of_ten(-2.0, 3.0)];
            let values = [value("start", 0..20usize), value("factor", factor), value("stop", token_list())];
            of("length_decay", values.into_iter().chain([scope("length_decay")]))
        },
        is_off: |given| given.number("factor") == 1.0,
        apply: |given, distribution, moment| {
            let (length, start) = (tokens_in_scope(given, moment).len(), given.count("start"));
            if length <= start {
                return;
            }
            let power = given.number("factor").powi((length - start) as i32).min(f64::from(f32::MAX));
            let stop = given.tokens("stop");
            distribution.edit(|token, logit| stop.contains(&token).then_some(logit + logit.abs() * (power - 1.0)));
        },
        draws: None,
    },
    Definition {
        stage: "no_repeat_ngram",
        parameters: || {
            let values = [value("n", 0..5usize), scope("no_repeat_ngram"), word("no_repeat_ngram", "yield")];
            of("no_repeat_ngram", values.into_iter().chain([exempt()]))
        },
        is_off: |given| given.count("n") == 0,
        apply: |given, distribution, moment| {
            let (n, history) = (given.count("n"), tokens_in_scope(given, moment));
            let repeats = |token| {
                let after = [&history[..], &[token]].concat();
                after.len() > n && after.windows(n).rev().skip(1).any(|gram| *gram == after[after.len() - n..])
            };
            let exempt = given.tokens("exempt");
            ban(given, distribution, |token| !exempt.contains(&token) && repeats(token));
        },
        draws: None,
    },
    Definition {
        stage: "penalties",
        parameters: || {
            let repeat = prop_oneof![1 => Just(1.0), 4 => 0.5..2.5f64];
            let less = || prop_oneof![1 => Just(0.0), 2 => -1.0..2.0f64];
            let amounts = [value("repeat", repeat), value("frequency", less()), value("presence", less())];
            of("penalties", amounts.into_iter().chain([window("penalties"), exempt()]))
        },
        is_off: |given| {
            let neutral = [("repeat", 1.0), ("frequency", 0.0), ("presence", 0.0)];
            neutral.iter().all(|(name, amount)| given.number(name) == *amount) || has_empty_window(given)
        },
        apply: |given, distribution, moment| {
            let [repeat, frequency, presence] = ["repeat", "frequency", "presence"].map(|name| given.number(name));
            let (history, exempt) = (tokens_in_scope(given, moment), given.tokens("exempt"));
            distribution.edit(|token, logit| {
                if exempt.contains(&token) {
                    return None;
                }
                let times = history.iter().filter(|seen| **seen == token).count();
                let divided = if logit > 0.0 { logit / repeat } else { logit * repeat };
                (times > 0).then_some(divided - (frequency * times as f64 + presence))
            });
        },
        draws: None,
    },
    Definition {
        stage: "dry",
        parameters: || {
            let base = prop_oneof![1 => Just(1.0), 1 => Just(2.0), 4 => 1.0..3.0f64, 1 => power_of_ten(0.5, 6.0)];
            of(
                "dry",
                [
                    value("multiplier", share().prop_map(|share| 2.0 * share)),
                    maybe("base", base),
                    maybe("allowed", 0..4usize),
                    maybe("breakers", sequence_list()),
                    window("dry"),
                    exempt(),
                ],
            )
        },
        is_off: |given| given.number("multiplier") == 0.0 || has_empty_window(given),
        apply: |given, distribution, moment| {
            let (base, allowed) = (given.number("base"), given.count("allowed"));
            let (history, breakers) = (tokens_in_scope(given, moment), given.sequences("breakers"));
            // The power stays finite in f32, in which llama.cpp computes the limit: 128 at base 2.
            let most = if base > 1.000_001 { (f32::MAX.ln() / base.ln() as f32) as usize } else { usize::MAX };
            let exempt = given.tokens("exempt");
            distribution.edit(|token, logit| {
                if exempt.contains(&token) {
                    return None;
                }
                let length = longest_repetition(token, &history, &breakers).filter(|&length| length >= allowed)?;
                let exponent = (length - allowed).min(most).min(i32::MAX as usize) as i32;
                Some(logit - given.number("multiplier") * base.powi(exponent))
            });
        },
        draws: None,
    },
];

/// Bans tokens, unless that leaves none and the stage yields.
fn ban(given: &Given, distribution: &mut Distribution, is_banned: impl Fn(i32) -> bool) {
    if !gives_way(given, distribution, &is_banned) {
        distribution.edit(|token, _| is_banned(token).then_some(f64::NEG_INFINITY));
    }
}

fn gives_way(given: &Given, distribution: &Distribution, is_banned: impl Fn(i32) -> bool) -> bool {
    given.text("yield") == "true" && distribution.all_ids().all(is_banned)
}

/// How long the longest repetition is that the token would continue; none where it would continue nothing.
fn longest_repetition(token: i32, history: &[i32], breakers: &[Vec<i32>]) -> Option<usize> {
    if breakers.contains(&vec![token]) {
        return None;
    }
    let broken = (0..history.len()).rev().find_map(|at| {
        let here = breakers.iter().filter(|breaker| history[at..].starts_with(breaker)).map(Vec::len).max()?;
        Some(at + here)
    });
    let limit = history.len() - broken.unwrap_or(0);
    let equal = |end: usize| {
        (0..=end).take_while(|&n| history[end - n..end] == history[history.len() - n..]).last().unwrap_or(0)
    };
    (1..history.len()).filter(|&end| history[end] == token).map(|end| equal(end).min(limit)).max()
}

fn exempt() -> super::parameters::Values {
    maybe("exempt", token_list())
}

fn scope(stage: &'static str) -> super::parameters::Values {
    prop_oneof![1 => Just(vec![]), 2 => word(stage, "scope")].boxed()
}

/// The scope of a stage that may have a window.
fn window(stage: &'static str) -> super::parameters::Values {
    let last_n = || value("last_n", prop_oneof![1 => Just(0), 4 => 0..12usize, 1 => Just(64)]);
    let output = (value("scope", Just("output")), last_n()).prop_map(|(scope, last_n)| [scope, last_n].concat());
    prop_oneof![last_n(), scope(stage), output].boxed()
}

fn has_empty_window(given: &Given) -> bool {
    given.maybe_count("last_n") == Some(0)
}

fn tokens_in_scope(given: &Given, moment: &Moment<'_>) -> Vec<i32> {
    let all = [moment.prompt, moment.output].concat();
    let last = |tokens: &[i32], n: usize| tokens[tokens.len().saturating_sub(n)..].to_vec();
    let last_n = given.given("last_n").map(|n| n.parse().expect("a whole number"));
    match given.text("scope") {
        "all" => all,
        "output" => last(moment.output, last_n.unwrap_or(moment.output.len())),
        "window" => last(&all, last_n.unwrap_or(64)),
        other => panic!("no scope {other}"),
    }
}
