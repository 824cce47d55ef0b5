//! What verifying a draft costs: the time of a round, as a multiple of decoding its rows one after the other, measured in
//! turn. All drafted tokens are accepted, so that each row is read.
//!
//! `cargo bench --bench verify` prints the table of docs/performance.md. Without `--bench` (`cargo test`) nothing is timed,
//! and each round is checked once.

#[allow(dead_code, reason = "the comparison measures more")]
mod common;

use bregman::{Draft, DraftLaws, Row, Rule, Sampler, Want};
use common::figures::median;
use common::rows::{Kind, Rows};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Drafted tokens; a round has one row more.
const DRAFTED: usize = 4;

const CHAINS: [&str; 6] = [
    "top_k(40) | draw",
    "top_k(40) | gumbel",
    "min_p(0.05) | draw",
    "bregman(alpha=1.5, floor=0.01) | draw",
    "top_p(0.95) | draw",
    "temperature(0.8) | draw",
];

const WANT: Want = Want { accept: true, ..Want::NONE };

/// A draft of which each rule accepts everything, with the distributions that the target has, too.
struct Drafted {
    tokens: Vec<i32>,
    offsets: Vec<usize>,
    ids: Vec<i32>,
    probs: Vec<f32>,
}

impl Drafted {
    fn of(sampler: &Sampler, rows: &Rows<f32>) -> Self {
        let mut sampler = sampler.clone();
        let mut drafted = Self { tokens: vec![], offsets: vec![0], ids: vec![], probs: vec![] };
        for r in 0..DRAFTED {
            for (id, p) in sampler.distribution(row(rows, r)).expect("the row is valid") {
                drafted.ids.push(id as i32);
                drafted.probs.push(p as f32);
            }
            drafted.offsets.push(drafted.ids.len());
            drafted.tokens.push(sampler.decode(row(rows, r), WANT).expect("the row is valid").token as i32);
        }
        drafted
    }

    fn by(&self, rule: Rule) -> Draft<'_> {
        let laws = DraftLaws { offsets: &self.offsets, ids: &self.ids, probs: &self.probs };
        Draft { rule, tokens: &self.tokens, laws: (rule != Rule::Match).then_some(laws), ..Draft::default() }
    }
}

fn row(rows: &Rows<f32>, r: usize) -> Row<'_> {
    Row::from_f32(black_box(rows.row(r))).expect("the row is not empty")
}

fn decode(sampler: &mut Sampler, rows: &Rows<f32>) {
    for r in 0..=DRAFTED {
        black_box(sampler.decode(row(rows, r), WANT).expect("the row is valid"));
    }
}

fn verify(sampler: &mut Sampler, rows: &Rows<f32>, draft: &Draft<'_>) -> usize {
    black_box(sampler.verify(draft, |r| Ok(row(rows, r)), WANT).expect("the draft is valid")).path.len()
}

/// The median of the ratios of two calls' times, measured in turn, and the median time of the second in microseconds.
fn compare(
    about: Duration,
    sampler: &Sampler,
    mut call: impl FnMut(&mut Sampler),
    mut base: impl FnMut(&mut Sampler),
) -> (f64, f64) {
    let time = |call: &mut dyn FnMut(&mut Sampler)| {
        let mut sampler = sampler.clone();
        let start = Instant::now();
        call(&mut sampler);
        start.elapsed().as_nanos() as f64 / 1e3
    };
    let (begin, mut ratios, mut times) = (Instant::now(), vec![], vec![]);
    while begin.elapsed() < about {
        let (a, b) = (time(&mut call), time(&mut base));
        ratios.push(a / b);
        times.push(b);
    }
    (median(ratios), median(times))
}

fn main() {
    let timed = std::env::args().any(|argument| argument == "--bench");
    if timed {
        println!("| chain | vocabulary | a decode, µs | match | token rule | block rule |");
        println!("|---|--:|--:|--:|--:|--:|");
    }
    for chain in CHAINS {
        for vocab in [32_000, 128_256] {
            let rows = Kind::HEADLINE.rows(vocab, DRAFTED + 1).expect("the profile has this vocabulary");
            let sampler = Sampler::new(chain, 1).expect("the chain is valid");
            let drafted = Drafted::of(&sampler, &rows);
            let (mut ratios, mut a_decode) = (vec![], 0.0);
            for rule in [Rule::Match, Rule::Token, Rule::Block] {
                let draft = drafted.by(rule);
                assert_eq!(verify(&mut sampler.clone(), &rows, &draft), DRAFTED, "{chain} {rule:?}");
                if timed {
                    let call = |sampler: &mut Sampler| assert_eq!(verify(sampler, &rows, &draft), DRAFTED);
                    let base = |sampler: &mut Sampler| decode(sampler, &rows);
                    let (ratio, time) = compare(Duration::from_millis(700), &sampler, call, base);
                    a_decode = time / (DRAFTED + 1) as f64;
                    ratios.push(format!("{ratio:.2}"));
                }
            }
            if timed {
                let chain = chain.replace('|', "\\|");
                println!("| `{chain}` | {vocab} | {a_decode:.1} | {} |", ratios.join(" | "));
            }
        }
    }
}
