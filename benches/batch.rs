//! What threads bring to a batch: the time of a call with one thread and with two, called in turn, at once after the last
//! call and after other work, and by several callers at the same time.
//!
//! `cargo bench --bench batch` prints the tables of docs/performance.md, with `-- callers` only the last. Without `--bench`
//! (`cargo test`) nothing is timed, and the tokens are compared once.

#[allow(dead_code, reason = "the comparison measures more")]
mod common;

use bregman::{Row, Sampler, Want};
use common::rows::{Kind, Rows};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const VOCAB: usize = 128_256;
const CHAINS: [&str; 2] = ["top_k(40) | draw", "bregman(alpha=1.5, floor=0.01) | draw"];
const BATCHES: [usize; 5] = [2, 4, 8, 32, 64];
/// Rows beyond any cache: each call has the next ones.
const ROWS: usize = 256;

/// A caller of batches.
struct Caller<'a> {
    samplers: Vec<Sampler>,
    rows: &'a Rows<f32>,
    next: usize,
}

impl<'a> Caller<'a> {
    /// Begins at row `next`.
    fn new(chain: &str, batch: usize, rows: &'a Rows<f32>, next: usize) -> Self {
        let samplers = (0..batch as u64).map(|seed| Sampler::new(chain, seed).expect("the chain is valid")).collect();
        Self { samplers, rows, next }
    }

    /// The time of a call in microseconds, and its tokens.
    fn call(&mut self, threads: usize) -> (f64, Vec<u32>) {
        let batch = self.samplers.len();
        let rows: Vec<_> = (0..batch).map(|r| self.row((self.next + r) % self.rows.count)).collect();
        self.next += batch;
        let start = Instant::now();
        let tokens = black_box(bregman::decode_batch(&mut self.samplers, &rows, Want::NONE, threads));
        let time = start.elapsed().as_nanos() as f64 / 1e3;
        (time, tokens.into_iter().map(|token| token.expect("the row is valid").token).collect())
    }

    fn row(&self, r: usize) -> Row<'a> {
        Row::from_f32(black_box(self.rows.row(r))).expect("the row is not empty")
    }
}

/// Other work of the calling thread, which leaves nothing in its cache.
struct Work(Vec<f32>);

impl Work {
    fn run(&self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            black_box(self.0.iter().sum::<f32>());
        }
    }
}

/// The median and the ninetieth hundredth.
fn middle_and_slow(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_unstable_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 9 / 10])
}

fn one_caller(rows: &Rows<f32>, work: &Work) {
    println!("| chain | rows | before each call | one thread, µs | two threads, µs | faster |");
    println!("|---|--:|---|--:|--:|--:|");
    for chain in CHAINS {
        for batch in BATCHES {
            for (name, before, about) in [("nothing", 0, 2), ("20 ms of other work", 20, 6)] {
                // Far from one another, so that none finds the other's rows in a cache.
                let mut callers =
                    [1, 2].map(|threads| (threads, Caller::new(chain, batch, rows, threads * ROWS / 2), vec![]));
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_secs(about) {
                    for (threads, caller, times) in &mut callers {
                        // A few calls in a row, of which the last counts: as in a loop.
                        for _ in 0..if before == 0 { 4 } else { 0 } {
                            caller.call(*threads);
                        }
                        work.run(Duration::from_millis(before));
                        times.push(caller.call(*threads).0);
                    }
                }
                let [(one, one_slow), (two, two_slow)] = callers.map(|(_, _, times)| middle_and_slow(times));
                let chain = chain.replace('|', "\\|");
                let faster = one / two;
                println!(
                    "| `{chain}` | {batch} | {name} | {one:.0} ({one_slow:.0}) | {two:.0} ({two_slow:.0}) | {faster:.2} |"
                );
            }
        }
    }
}

/// Callers at the same time, each with batches of 8 on so many threads: all their calls in a second.
fn several_callers(rows: &Rows<f32>) {
    println!("\n| callers at the same time | calls in a second, one thread each | two threads each |");
    println!("|--:|--:|--:|");
    for callers in [1, 2, 4, 8] {
        let calls = [1, 2].map(|threads| {
            let start = Barrier::new(callers);
            let (start, rows) = (&start, rows);
            let each = move |i| {
                let mut caller = Caller::new(CHAINS[0], 8, rows, i * ROWS / callers);
                start.wait();
                let (begin, mut calls) = (Instant::now(), 0);
                while begin.elapsed() < Duration::from_secs(2) {
                    caller.call(threads);
                    calls += 1;
                }
                calls
            };
            let calls: usize = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..callers).map(|i| scope.spawn(move || each(i))).collect();
                threads.into_iter().map(|thread| thread.join().expect("a caller")).sum()
            });
            calls / 2
        });
        println!("| {callers} | {} | {} |", calls[0], calls[1]);
    }
}

fn main() {
    let timed = std::env::args().any(|argument| argument == "--bench");
    let count = if timed { ROWS } else { 8 };
    let rows = Kind::HEADLINE.rows(VOCAB, count).expect("the profile has this vocabulary");
    for chain in CHAINS {
        let tokens = [1, 2].map(|threads| Caller::new(chain, 8, &rows, 0).call(threads).1);
        assert_eq!(tokens[0], tokens[1], "{chain}");
    }
    if timed {
        if !std::env::args().any(|argument| argument == "callers") {
            one_caller(&rows, &Work(vec![1.0; 16 << 20]));
        }
        several_callers(&rows);
    }
}
