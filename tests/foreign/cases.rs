//! The files of cases: see README.md for the format.

use crate::common::rows::Random;
use serde_json::{Map, Value};

/// The cases of one project's tests.
pub struct Project {
    pub name: String,
    pub cases: Vec<Case>,
}

impl Project {
    pub fn parse(text: &str) -> Self {
        let file: Value = serde_json::from_str(text).expect("the file is JSON");
        for about in ["repository", "licence", "sources"] {
            assert!(file.get(about).is_some(), "the file does not say its {about}");
        }
        let name = string(&file["project"]);
        let cases = file["cases"].as_array().expect("cases").iter().flat_map(expand).map(Case::new).collect();
        Self { name, cases }
    }
}

/// A case that does not agree, and why that stays.
pub struct Difference {
    pub project: String,
    /// The case's id, or what it begins with, before a `*`.
    pub case: String,
    /// What the runner finds: a part of its message.
    pub ours: String,
    pub reason: String,
}

impl Difference {
    pub fn all() -> Vec<Self> {
        let file: Value = serde_json::from_str(include_str!("differences.json")).expect("the file is JSON");
        let field = |entry: &Value, name: &str| string(&entry[name]);
        let read = |entry: &Value| Self {
            project: field(entry, "project"),
            case: field(entry, "case"),
            ours: field(entry, "ours"),
            reason: field(entry, "reason"),
        };
        file["differences"].as_array().expect("differences").iter().map(read).collect()
    }

    pub fn of(project: &str) -> Vec<Self> {
        Self::all().into_iter().filter(|difference| difference.project == project).collect()
    }

    pub fn names(&self, id: &str) -> bool {
        self.case.strip_suffix('*').map_or(self.case == id, |start| id.starts_with(start))
    }
}

/// One row, one chain, and what is expected.
pub struct Case {
    /// The test's name, the chain and the values that tell this case from others.
    pub id: String,
    pub chain: String,
    pub row: Vec<f32>,
    pub prompt: Vec<i32>,
    pub output: Vec<i32>,
    /// The tokens that the host's mask allows.
    pub mask: Option<Vec<u32>>,
    /// Rows like this one that are decoded, and their tokens accepted, before.
    pub decoded: usize,
    pub expect: Map<String, Value>,
    /// Of probabilities.
    pub tolerance: f64,
    /// By how much a boundary may be missed, in mass or as a share of a probability.
    pub slack: f64,
    pub draft: Option<DraftCase>,
}

/// Tokens that a draft model drew, and the distributions that it drew them from, one after the other.
pub struct DraftCase {
    pub tokens: Vec<i32>,
    pub offsets: Vec<usize>,
    pub ids: Vec<i32>,
    pub probs: Vec<f32>,
    /// The target's rows, if they are not all the case's own, and then the tokens that they leave.
    pub rows: Vec<Vec<f32>>,
    pub following: Vec<i32>,
}

impl DraftCase {
    fn new(draft: &Value, vocab: usize) -> Self {
        let (mut offsets, mut ids, mut probs) = (vec![0], vec![], vec![]);
        if let Some(recipe) = draft.get("random") {
            // [tokens, seed]: tokens and distributions by uniform random numbers, as FlashInfer's test has them.
            let (n, mut random) = (float(&recipe[0]) as usize, Random(float(&recipe[1]) as u64));
            let following: Vec<i32> = (0..=n).map(|_| random.below(vocab) as i32).collect();
            for _ in 0..n {
                let weights: Vec<f64> = (0..vocab).map(|_| random.unit()).collect();
                let total: f64 = weights.iter().sum();
                ids.extend(0..vocab as i32);
                probs.extend(weights.iter().map(|w| (w / total) as f32));
                offsets.push(ids.len());
            }
            let one_hot = |&token: &i32| {
                let mut row = vec![f32::NEG_INFINITY; vocab];
                row[token as usize] = 0.0;
                row
            };
            let is_one_hot = draft["one_hot"].as_bool().expect("whether the target is");
            let rows = if is_one_hot { following.iter().map(one_hot).collect() } else { vec![] };
            return Self { tokens: following[..n].to_vec(), offsets, ids, probs, rows, following };
        }
        for law in draft["q"].as_array().expect("a distribution for each token") {
            for (token, q) in law.as_object().expect("probabilities by token") {
                ids.push(token.parse().expect("a token"));
                probs.push(float(q) as f32);
            }
            offsets.push(ids.len());
        }
        Self { tokens: tokens(&draft["tokens"]), offsets, ids, probs, rows: vec![], following: vec![] }
    }
}

const FIELDS: [&str; 19] = [
    "test",
    "note",
    "values",
    "chain",
    "logits",
    "p",
    "fill",
    "random",
    "set",
    "banned_share",
    "prompt",
    "output",
    "allowed",
    "banned",
    "decoded",
    "draft",
    "tolerance",
    "slack",
    "expect",
];

impl Case {
    fn new((case, values): (Value, String)) -> Self {
        let unknown = case.as_object().unwrap().keys().find(|key| !FIELDS.contains(&&***key));
        assert!(unknown.is_none(), "a case has no `{}`", unknown.unwrap());
        let chain = string(&case["chain"]);
        let row = row(&case);
        let tokens = |name: &str| case.get(name).map_or(vec![], tokens);
        let number = |name: &str, default: f64| case.get(name).map_or(default, float);
        let mask = mask(&case, row.len());
        Self {
            id: format!("{}: {chain}{values}", string(&case["test"])),
            chain,
            prompt: tokens("prompt"),
            output: tokens("output"),
            mask,
            decoded: number("decoded", 0.0) as usize,
            expect: case["expect"].as_object().expect("what is expected").clone(),
            tolerance: number("tolerance", 1e-5),
            slack: number("slack", 1e-5),
            draft: case.get("draft").map(|draft| DraftCase::new(draft, row.len())),
            row,
        }
    }

    /// All tokens so far.
    pub fn history(&self) -> Vec<i32> {
        [&self.prompt[..], &self.output].concat()
    }

    /// Whether the mask allows a token whose logit is not -infinity.
    pub fn is_possible(&self, id: usize) -> bool {
        let bit = |words: &Vec<u32>| words[id / 32] >> (id % 32) & 1 == 1;
        self.row[id] > f32::NEG_INFINITY && self.mask.as_ref().is_none_or(bit)
    }
}

/// A case for each combination of its `values`, with these values in words.
fn expand(case: &Value) -> Vec<(Value, String)> {
    let mut all = vec![(case.clone(), String::new())];
    let Some(values) = case.get("values") else { return all };
    // A chain may contain the others.
    let (chains, others) =
        values.as_object().expect("names and values").iter().partition::<Vec<_>, _>(|e| e.0 == "chain");
    for (name, values) in chains.into_iter().chain(others) {
        let values = list_of_values(values);
        let place = format!("{{{name}}}");
        let with = |(case, known): &(Value, String), value: &Value| {
            let shown = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            // A value that the chain shows need not be shown again.
            let is_shown = string(&case["chain"]).contains(&place);
            let known = if is_shown { known.clone() } else { format!("{known}, {name}={shown}") };
            (substitute(case, &place, value, &shown), known)
        };
        all = all.iter().flat_map(|case| values.iter().map(move |value| with(case, value))).collect();
    }
    all
}

/// A list, `"1..9"` for whole numbers, or `{"from": 0.1, "to": 0.9, "steps": 9}`.
fn list_of_values(values: &Value) -> Vec<Value> {
    match values {
        Value::Array(list) => list.clone(),
        Value::String(range) => {
            let (first, last) = range.split_once("..").expect("first..last");
            let end = |text: &str| text.parse::<i64>().expect("a whole number");
            (end(first)..=end(last)).map(Value::from).collect()
        }
        steps => {
            let of = |name: &str| float(&steps[name]);
            let (from, to, n) = (of("from"), of("to"), of("steps") as usize);
            let value = |i| ((from + (to - from) * i as f64 / (n - 1) as f64) * 1e6).round() / 1e6;
            (0..n).map(value).map(Value::from).collect()
        }
    }
}

/// Replaces `{name}` in all texts; a text that is nothing else becomes the value itself.
fn substitute(within: &Value, place: &str, value: &Value, shown: &str) -> Value {
    match within {
        Value::String(text) if text == place => value.clone(),
        Value::String(text) => text.replace(place, shown).into(),
        Value::Array(list) => list.iter().map(|v| substitute(v, place, value, shown)).collect(),
        Value::Object(map) => {
            map.iter().map(|(k, v)| (k.replace(place, shown), substitute(v, place, value, shown))).collect()
        }
        other => other.clone(),
    }
}

pub fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// A number; infinities and NaN are texts.
pub fn float(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap_or_else(|_| panic!("`{text}` is no number")),
        other => other.as_f64().unwrap_or_else(|| panic!("a number, not {other}")),
    }
}

pub fn floats(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(float).collect()
}

/// Token ids: a list of numbers and of texts `"3..9"`; `{"range": [first, n]}`; `{"random": [n, below, seed]}`; or
/// `{"weighted": [n, below, seed]}`, n tokens of which the i-th occurs i times.
pub fn tokens(value: &Value) -> Vec<i32> {
    if let Value::Array(list) = value {
        let item = |item: &Value| match item {
            Value::String(_) => list_of_values(item).iter().map(|v| float(v) as i32).collect(),
            number => vec![float(number) as i32],
        };
        return list.iter().flat_map(item).collect();
    }
    let (kind, numbers) = value.as_object().expect("tokens").iter().next().expect("a kind");
    let numbers = floats(numbers);
    match &**kind {
        "range" => (0..numbers[1] as i32).map(|i| numbers[0] as i32 + i).collect(),
        "random" => {
            let mut random = Random(numbers[2] as u64);
            (0..numbers[0] as usize).map(|_| random.below(numbers[1] as usize) as i32).collect()
        }
        "weighted" => {
            let mut all: Vec<i32> = (0..numbers[1] as i32).collect();
            Random(numbers[2] as u64).shuffle(&mut all);
            (0..numbers[0] as usize).flat_map(|i| std::iter::repeat_n(all[i], i + 1)).collect()
        }
        other => panic!("no tokens `{other}`"),
    }
}

fn row(case: &Value) -> Vec<f32> {
    let as_f32 = |list: &Value| floats(list).into_iter().map(|l| l as f32).collect();
    let mut row: Vec<f32> = if let Some(logits) = case.get("logits") {
        as_f32(logits)
    } else if let Some(p) = case.get("p") {
        floats(p).into_iter().map(|p| (p as f32).ln()).collect()
    } else if let Some(fill) = case.get("fill") {
        let run = |run: &Value| vec![float(&run[0]) as f32; float(&run[1]) as usize];
        if fill[0].is_array() { fill.as_array().unwrap().iter().flat_map(run).collect() } else { run(fill) }
    } else {
        random_row(&case["random"])
    };
    for (at, value) in case.get("set").and_then(Value::as_object).into_iter().flatten() {
        row[at.parse::<usize>().expect("a token")] = float(value) as f32;
    }
    if let Some(share) = case.get("banned_share").map(float) {
        let mut random = Random(float(&case["random"][3]) as u64 + 1_000_000);
        let left = random.below(row.len());
        let at = (0..row.len()).filter(|&at| random.unit() < share && at != left).collect::<Vec<_>>();
        at.into_iter().for_each(|at| row[at] = f32::NEG_INFINITY);
    }
    row
}

/// `[kind, scale, vocab, seed]`.
fn random_row(recipe: &Value) -> Vec<f32> {
    let (kind, scale, vocab, seed) = (string(&recipe[0]), float(&recipe[1]), float(&recipe[2]), float(&recipe[3]));
    let mut random = Random(seed as u64);
    let logit = |i: usize| match &*kind {
        "normal" => random.normal() * scale,
        // FlashInfer's "gumbel".
        "gumbel" => (-random.unit().ln()).ln() / scale,
        // Logits of a uniform random number, and logits of which the probabilities are uniform random numbers.
        "uniform" => random.unit() * scale,
        "uniform_p" => (random.unit() * scale).ln(),
        // l_i = ln i.
        "log_id" => (i as f64).ln(),
        "ramp" => i as f64 * scale,
        other => panic!("no row `{other}`"),
    };
    (0..vocab as usize).map(logit).map(|l| l as f32).collect()
}

fn mask(case: &Value, vocab: usize) -> Option<Vec<u32>> {
    let words = |bit: bool, ids: Vec<i32>| {
        let mut words = vec![if bit { 0 } else { u32::MAX }; vocab.div_ceil(32)];
        ids.into_iter().for_each(|id| words[id as usize / 32] ^= 1 << (id % 32));
        words
    };
    let allowed = case.get("allowed").map(|ids| words(true, tokens(ids)));
    allowed.or_else(|| case.get("banned").map(|ids| words(false, tokens(ids))))
}
