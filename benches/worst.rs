//! The worst cases: every stage on adversarial rows, and the stages that look at the history on long and repetitive ones,
//! as multiples of a usual decode that is measured beside each.
//!
//! `cargo bench --bench worst` prints the ten worst and writes all of them to target/worst.csv, or to the file after `-- --csv`.
//! `--only TEXT` takes the cases with that text in their chain, and `--rows TEXT` those with it in the name of their row or
//! history. Without `--bench` (`cargo test`) each case is decoded once and nothing is timed.

#[allow(dead_code, reason = "the comparison measures more")]
mod common;

/// One chain for every stage, as the tests have them.
#[path = "../tests/common/chains.rs"]
mod chains;

use bregman::{Row, Sampler, Want};
use common::figures::median;
use common::profile::random;
use common::rows::Kind;
use std::time::{Duration, Instant};

const VOCAB: usize = 128_256;

/// What everything is a multiple of.
const USUAL: &str = "top_k(40) | draw";

/// Rows that need more than usual ones: many equal logits, none that stands out, or numbers at the edges of f32.
type Logit = fn(usize, f32) -> f32;
const ROWS: [(&str, Logit); 10] = [
    ("usual", |_, usual| usual),
    ("flat", |_, _| 0.0),
    ("two values", |i, _| (random(1, i as u64) % 2) as f32),
    ("sixteen values", |i, _| (random(2, i as u64) % 16) as f32 / 4.0),
    ("subnormal differences", |i, _| (random(3, i as u64) % 1000) as f32 * f32::from_bits(1)),
    ("one dominates", |i, usual| if i == 77_777 { 60.0 } else { usual }),
    ("ascending", |i, _| i as f32 * 1e-4),
    ("descending", |i, _| i as f32 * -1e-4),
    ("mostly -infinity", |i, usual| if random(4, i as u64).is_multiple_of(1000) { usual } else { f32::NEG_INFINITY }),
    ("wide", |i, _| (random(5, i as u64) % 100_000) as f32 * 1e30 - 5e34),
];

/// Stages that look at the history, with the parameters that make them look at most of it.
const HISTORIES: [&str; 10] = [
    "dry(scope=all) | top_k(40) | draw",
    "dry(scope=all, allowed=0) | top_k(40) | draw",
    "dry(scope=all, base=1.0001) | top_k(40) | draw",
    "dry(scope=all, breakers=1 2 3; 5 5 5 5 7; 900000) | top_k(40) | draw",
    "dry(last_n=100000) | top_k(40) | draw",
    "no_repeat_ngram(1) | top_k(40) | draw",
    "no_repeat_ngram(3) | top_k(40) | draw",
    "no_repeat_ngram(500) | top_k(40) | draw",
    "penalties(repeat=1.1, frequency=0.1, scope=all) | top_k(40) | draw",
    "bad_words(5 5 5 5 7; 1 2 3) | min_tokens(n=9, stop=2) | top_k(40) | draw",
];

/// A token at a place of a history.
type Token = fn(usize) -> i32;
const SHAPES: [(&str, Token); 5] = [
    ("one token", |_| 5),
    ("two tokens in turn", |at| (at % 2) as i32),
    ("runs of one token", |at| if at % 1000 == 0 { 6 } else { 5 }),
    ("text", |at| (random(6, at as u64) % 1000 * (random(7, at as u64) % 100) / 10) as i32),
    ("all different", |at| (at % (VOCAB - 1)) as i32),
];

const LENGTHS: [usize; 4] = [1000, 10_000, 100_000, 1_000_000];

/// Rows after which what is kept of a history is complete.
const BEFORE: usize = 80;

struct Case {
    chain: String,
    row: &'static str,
    history: String,
    times_usual: f64,
}

fn main() {
    let timed = std::env::args().any(|argument| argument == "--bench");
    let missing = chains::missing();
    if !missing.is_empty() {
        eprintln!("worst: no chain has the stages {missing:?}");
        std::process::exit(1);
    }
    let usual = Kind::HEADLINE.rows(VOCAB, 1).expect("the profile has this vocabulary");
    let mut bench = Bench::new(usual.row(0), timed);
    let mut cases = vec![];
    let (only, rows) = (value_of("--only"), value_of("--rows"));
    let takes = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| text.contains(wanted));
    for chain in chains::CHAINS.into_iter().filter(|chain| takes(&only, chain)) {
        for (name, logit) in ROWS.into_iter().filter(|(name, _)| takes(&rows, name)) {
            let row: Vec<f32> = usual.row(0).iter().enumerate().map(|(i, &usual)| logit(i, usual)).collect();
            cases.extend(bench.row(chain, name, &row));
        }
    }
    for chain in HISTORIES.into_iter().filter(|chain| takes(&only, chain)) {
        for (name, token) in SHAPES.into_iter().filter(|(name, _)| takes(&rows, name)) {
            for n in if timed { &LENGTHS[..] } else { &LENGTHS[..1] } {
                cases.extend(bench.history(chain, name, token, *n));
            }
        }
    }
    if timed {
        report(cases);
    }
}

/// The argument after this one.
fn value_of(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

struct Bench<'a> {
    usual: Sampler,
    row: &'a [f32],
    timed: bool,
}

impl<'a> Bench<'a> {
    fn new(row: &'a [f32], timed: bool) -> Self {
        Self { usual: sampler(USUAL).expect("the chain is valid"), row, timed }
    }

    /// The time of a usual decode now: the median of some.
    fn usual(&mut self) -> f64 {
        let Self { usual, row, .. } = self;
        time(Duration::from_millis(2), || decode(usual, row))
    }

    fn row(&mut self, chain: &str, name: &'static str, row: &[f32]) -> Option<Case> {
        let mut sampler = sampler(chain)?;
        let tokens: Vec<i32> = (0..200).map(|at| at % 37).collect();
        sampler.accept(&tokens).expect("tokens are not negative");
        decode(&mut sampler, row);
        if !self.timed {
            return None;
        }
        let usual = self.usual();
        let times_usual = time(Duration::from_millis(20), || decode(&mut sampler, row)) / usual;
        Some(Case { chain: chain.into(), row: name, history: "200".into(), times_usual })
    }

    fn history(&mut self, chain: &str, name: &str, token: Token, n: usize) -> Option<Case> {
        let mut sampler = sampler(chain)?;
        sampler.accept(&(0..n).map(token).collect::<Vec<_>>()).expect("tokens are not negative");
        let mut at = n;
        let mut step = |sampler: &mut Sampler, row: &[f32]| {
            decode(sampler, row);
            sampler.accept(&[token(at)]).expect("tokens are not negative");
            at += 1;
        };
        let start = Instant::now();
        for _ in 0..if self.timed { BEFORE } else { 1 } {
            step(&mut sampler, self.row);
            if start.elapsed() > Duration::from_secs(60) {
                break;
            }
        }
        if !self.timed {
            return None;
        }
        let (usual, row) = (self.usual(), self.row);
        let times_usual = time(Duration::from_millis(40), || step(&mut sampler, row)) / usual;
        Some(Case { chain: chain.into(), row: "usual", history: format!("{n} {name}"), times_usual })
    }
}

/// A sampler, or none where this version of the library does not have the stage or refuses it.
fn sampler(chain: &str) -> Option<Sampler> {
    Sampler::new(chain, 1).map_err(|e| eprintln!("not measured: {chain}: {e}")).ok()
}

/// Whether the row has a token does not matter here: a ban of all tokens takes its time, too.
fn decode(sampler: &mut Sampler, row: &[f32]) {
    let _ = std::hint::black_box(sampler.decode(Row::from_f32(row).expect("the row is not empty"), Want::default()));
}

/// The median time of a call in nanoseconds, over as many as fit into `about`, five at least.
fn time(about: Duration, mut call: impl FnMut()) -> f64 {
    let (begin, mut times) = (Instant::now(), vec![]);
    while times.len() < 5 || begin.elapsed() < about {
        let start = Instant::now();
        call();
        times.push(start.elapsed().as_nanos() as f64);
    }
    median(times)
}

fn report(mut cases: Vec<Case>) {
    cases.sort_by(|a, b| b.times_usual.total_cmp(&a.times_usual));
    println!("| times the usual decode | chain | row | history |");
    println!("|--:|---|---|---|");
    for Case { chain, row, history, times_usual } in cases.iter().take(10) {
        println!("| {times_usual:.0} | `{}` | {row} | {history} |", chain.replace('|', "\\|"));
    }
    let path = value_of("--csv").unwrap_or("target/worst.csv".into());
    let mut csv = csv::Writer::from_path(&path).expect("the file can be written");
    csv.write_record(["chain", "row", "history", "times_usual"]).expect("the file can be written");
    for Case { chain, row, history, times_usual } in &cases {
        let figure = format!("{times_usual:.2}");
        csv.write_record([chain, *row, history, &figure]).expect("the file can be written");
    }
    csv.flush().expect("the file can be written");
    println!("\n{} cases in {path}", cases.len());
}
