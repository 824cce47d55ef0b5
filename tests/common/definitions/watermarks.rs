//! Watermarks, with generators of other authors: Philox and MT19937.

use super::parameters::{Values, maybe, of, value, word};
use super::{Definition, Given, Learning, Moment, never};
use proptest::prelude::*;
use proptest::sample::select;
use rand_philox::philox4x32_10;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

pub static WATERMARKS: &[Definition] = &[
    Definition {
        stage: "watermark",
        parameters: || of("watermark", [key("key"), maybe("width", 1usize..9), history()]),
        is_off: never,
        apply: |_, _, _| {},
        draws: Some(Learning { initial: |_| [0.0; 2], next: |_, state, _| state }),
    },
    Definition {
        stage: "synthid",
        parameters: || {
            let keys = proptest::collection::vec(a_key(), 1..31).prop_map(|keys| keys.join(" "));
            let transformers = of(
                "synthid",
                [value("keys", keys), ngram(), layers(), hash("transformers"), maybe("table_seed", 0u32..5), history()],
            );
            let vllm = of("synthid", [key("keys"), ngram(), layers(), hash("vllm"), history()]);
            prop_oneof![2 => transformers, 1 => vllm].boxed()
        },
        is_off: never,
        apply: |given, distribution, moment| {
            let is_vllm = given.text("hash") == "vllm";
            let history = given.maybe_count("history").unwrap_or(if is_vllm { 8192 } else { 1024 });
            let width = given.count("ngram") - 1;
            let padding = if is_vllm { -1 } else { 0 };
            let contexts = contexts(moment.output, width, padding);
            let (next, before) = contexts.split_last().expect("the next token's");
            if before.iter().rev().take(history).any(|context| context == next) {
                return;
            }
            let keys = keys(given.text("keys"));
            let layers = given.maybe_count("layers").unwrap_or(64).min(if is_vllm { 32 } else { keys.len() });
            let table = table(if is_vllm { 0 } else { given.count("table_seed") as u32 });
            let bit = |token: i32, layer: usize| match is_vllm {
                true => vllm_word(keys[0], next, token) >> layer & 1,
                false => table[hash_of(next, token, keys[layer])],
            };
            distribution.reweigh(|tokens| {
                let mut p: Vec<f64> = tokens.iter().map(|token| token.1).collect();
                for layer in 0..layers {
                    let g: Vec<u32> = tokens.iter().map(|token| bit(token.0, layer)).collect();
                    // 1 - sum_j g_j p_j, without the cancellation.
                    let without: f64 = p.iter().zip(&g).filter(|(_, g)| **g == 0).map(|(p, _)| p).sum();
                    p.iter_mut().zip(&g).for_each(|(p, &g)| *p *= f64::from(g) + without);
                    let total: f64 = p.iter().sum();
                    p.iter_mut().for_each(|p| *p /= total);
                }
                p
            });
        },
        draws: None,
    },
    Definition {
        stage: "green_list",
        parameters: || {
            let scheme = prop_oneof![3 => Just(vec![]), 1 => word("green_list", "scheme")];
            let delta = prop_oneof![1 => Just(0.0), 8 => 0.1..6.0f64];
            of(
                "green_list",
                [
                    key("key"),
                    maybe("share", 0.01..1.0f64),
                    value("delta", delta),
                    scheme.boxed(),
                    maybe("width", 1usize..6),
                    maybe("vocab", prop_oneof![1usize..100, 1000usize..6000]),
                ],
            )
        },
        is_off: |given| given.number("delta") == 0.0,
        apply: |given, distribution, moment| {
            let tokens = [moment.prompt, moment.output].concat();
            let (width, delta) = (given.count("width"), given.number("delta"));
            if tokens.len() < width {
                return;
            }
            let vocab = given.maybe_count("vocab").unwrap_or(distribution.row_length());
            let list = Green { key: keys(given.text("key"))[0], share: given.number("share"), vocab };
            let green: Vec<i32> = if given.text("scheme") == "lefthash" {
                list.left_hashed(&tokens)
            } else {
                let tried: Vec<i32> = distribution.ids().into_iter().take(40).collect();
                distribution.undecided_if(!distribution.is_ordered && distribution.len() > 40);
                let is_green =
                    |&token: &i32| list.self_hashed(&[&tokens[..], &[token]].concat(), width).contains(&token);
                tried.into_iter().filter(is_green).collect()
            };
            let green: std::collections::HashSet<i32> = green.into_iter().collect();
            distribution.edit(|token, logit| green.contains(&token).then_some(logit + delta));
        },
        draws: None,
    },
];

fn a_key() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(vec![0u64, 42, 15_485_863, 654, u64::MAX]).prop_map(|key| key.to_string()),
                1 => any::<u64>().prop_map(|key| format!("{key:#x}"))]
}

fn key(name: &'static str) -> Values {
    // Few keys, because a table belongs to each.
    value(name, select(vec!["42", "15485863", "0x9d3c55aa10f2e671"]))
}

fn ngram() -> Values {
    maybe("ngram", 2usize..7)
}

fn layers() -> Values {
    maybe("layers", 1usize..40)
}

fn history() -> Values {
    maybe("history", prop_oneof![0usize..4, Just(10_000)])
}

fn hash(word: &'static str) -> Values {
    if word == "transformers" { maybe("hash", Just(word)) } else { value("hash", Just(word)) }
}

pub fn keys(text: &str) -> Vec<u64> {
    let key = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    text.split_whitespace().map(|text| key(text).expect("a key")).collect()
}

/// The context of every token, and that of the next one at the end.
pub fn contexts(tokens: &[i32], width: usize, padding: i32) -> Vec<Vec<i32>> {
    let padded = [&vec![padding; width][..], tokens].concat();
    padded.windows(width).map(<[i32]>::to_vec).collect()
}

/// vLLM's word of a token.
pub fn vllm_word(key: u64, context: &[i32], token: i32) -> u32 {
    let (low, high) = (key as u32, (key >> 32) as u32);
    let mut state = [0x574d_4358, context.len() as u32, 0, 0];
    for (block, tokens) in context.chunks(4).enumerate() {
        for (i, word) in state.iter_mut().enumerate() {
            *word ^= tokens.get(i).map_or(0xffff_ffff - i as u32, |&token| token as u32);
        }
        state = philox4x32_10(state, [low ^ (4 * block) as u32, high]);
    }
    let counter = [token as u32 >> 2, state[0], state[1], state[2]];
    philox4x32_10(counter, [low ^ state[3], high ^ 0x574d_544b])[token as usize & 3]
}

/// The uniform number of a word: torch's, which is that of vLLM's kernel as well.
pub fn uniform(word: u32) -> f64 {
    f64::from((f64::from((word >> 8) + 1) / f64::from((1 << 24) + 1)) as f32)
}

/// transformers' place in the table.
fn hash_of(context: &[i32], token: i32, key: u64) -> usize {
    let data = context.iter().map(|&token| token as u64).chain([token as u64, key]);
    let hash = data.fold(1u64, |h, d| h.wrapping_add(d).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    (hash as i64).rem_euclid(65_536) as usize
}

/// A table that is computed once.
fn once<T: Clone>(tables: &Mutex<HashMap<u64, T>>, key: u64, make: impl FnOnce() -> T) -> T {
    tables.lock().expect("no panic").entry(key).or_insert_with(make).clone()
}

/// `torch.randint(0, 2, (65536,), generator=torch.Generator().manual_seed(seed))`.
fn table(seed: u32) -> Arc<Vec<u32>> {
    static TABLES: LazyLock<Mutex<HashMap<u64, Arc<Vec<u32>>>>> = LazyLock::new(Mutex::default);
    once(&TABLES, seed.into(), || {
        let mut numbers = rand_mt::Mt::new(seed);
        Arc::new((0..65_536).map(|_| numbers.next_u32() % 2).collect())
    })
}

/// `torch.randperm(n, generator=torch.Generator().manual_seed(seed))`.
pub fn permutation(seed: u64, n: usize) -> Vec<i32> {
    let mut numbers = rand_mt::Mt::new(seed as u32);
    let mut list: Vec<i32> = (0..n as i32).collect();
    for i in 0..n.saturating_sub(1) {
        let step = numbers.next_u32() as usize % (n - i);
        list.swap(i, i + step);
    }
    list
}

/// transformers' WatermarkLogitsProcessor.
struct Green {
    key: u64,
    share: f64,
    vocab: usize,
}

impl Green {
    fn ids(&self, seed: i128) -> Vec<i32> {
        let mut ids = permutation(seed.rem_euclid((1 << 64) - 1) as u64, self.vocab);
        ids.truncate((self.vocab as f64 * self.share) as usize);
        ids
    }

    fn left_hashed(&self, tokens: &[i32]) -> Vec<i32> {
        self.ids(i128::from(self.key) * i128::from(*tokens.last().expect("a context")))
    }

    fn self_hashed(&self, tokens: &[i32], width: usize) -> Vec<i32> {
        static TABLES: LazyLock<Mutex<HashMap<u64, Arc<Vec<i32>>>>> = LazyLock::new(Mutex::default);
        let table = once(&TABLES, self.key, || Arc::new(permutation(self.key, 1_000_003)));
        let entry = |token: &i32| i64::from(table[*token as usize % 1_000_003]) + 1;
        let context = &tokens[tokens.len() - width..];
        let own = entry(context.last().expect("a context"));
        let seed = context.iter().map(|token| (self.key as i64).wrapping_mul(entry(token)).wrapping_mul(own)).min();
        self.ids(seed.expect("a context").into())
    }
}

/// What the definition of `watermark` draws: the token with the largest score, and the distance of the second one.
pub fn race(given: &Given, moment: &Moment<'_>, law: &[(u32, f64)]) -> Option<(u32, f64)> {
    let contexts = contexts(moment.output, given.count("width"), -1);
    let (next, before) = contexts.split_last().expect("the next token's");
    if before.iter().rev().take(given.count("history")).any(|context| context == next) {
        return None;
    }
    let key = keys(given.text("key"))[0];
    let score = |&(token, p): &(u32, f64)| p.ln() - (-uniform(vllm_word(key, next, token as i32)).ln()).ln();
    let mut scores: Vec<_> = law.iter().map(|entry| (score(entry), entry.0)).collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    Some((scores[0].1, scores.get(1).map_or(f64::INFINITY, |second| scores[0].0 - second.0)))
}
