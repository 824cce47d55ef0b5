//! A server's day: thousands of sequences that come and go on several threads, every stage of the catalogue, masks,
//! verification, batches, saved states. Every hundredth answer is compared with the plain definitions, and other answers with
//! one another. `BREGMAN_SOAK_MINUTES=60` (`make soak MINUTES=60`) plays longer than the usual seconds, with a line a minute;
//! `BREGMAN_SOAK_SEQUENCES` changes their number, which is 10 000.

#[path = "../common/mod.rs"]
mod common;

use bregman::{Draft, Row, Rule, Sampler, Want};
use common::chains::CHAINS;
use common::definitions::Step;
use common::plain::{Plain, Tokens, sampler_after, steps, with_ids};
use common::rows::{Random, logits};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const VOCAB: usize = 1200;
const THREADS: usize = 2;
/// Rows, shared by all sequences.
const ROWS: u64 = 256;

/// What the threads count.
#[derive(Default)]
struct Totals {
    decodes: AtomicU64,
    compared: AtomicU64,
    refused: AtomicU64,
    begun: AtomicU64,
    worst_ns: AtomicU64,
}

impl Totals {
    /// Counts a call, its rows and its time.
    fn time<T>(&self, rows: usize, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let answer = call();
        self.decodes.fetch_add(rows as u64, Ordering::Relaxed);
        self.worst_ns.fetch_max(start.elapsed().as_nanos() as u64 / rows as u64, Ordering::Relaxed);
        answer
    }

    fn line(&self, start: Instant) -> String {
        let [decodes, compared, refused, begun] =
            [&self.decodes, &self.compared, &self.refused, &self.begun].map(|n| n.load(Ordering::Relaxed));
        let worst = self.worst_ns.swap(0, Ordering::Relaxed) as f64 / 1e6;
        format!(
            "{:>4} s: {decodes} decodes, {begun} sequences, {compared} compared with the definitions, {refused} rows with \
             nothing left, 0 failures, {} MiB, worst decode {worst:.2} ms",
            start.elapsed().as_secs(),
            resident_kib() / 1024,
        )
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn row(n: u64) -> Vec<f32> {
    logits(["model", "model", "normal", "ties", "span"][n as usize % 5], VOCAB, &mut Random(n))
}

/// A sequence of a server, with its chain's number and the tokens that are left to it.
struct Live {
    sampler: Sampler,
    chain: usize,
    left: usize,
}

struct Server<'a> {
    totals: &'a Totals,
    rows: &'a [Vec<f32>],
    chains: &'a [Vec<Step>],
    live: Vec<Option<Live>>,
    random: Random,
}

impl Server<'_> {
    fn begin(&mut self) -> Live {
        let random = &mut self.random;
        let chain = random.below(CHAINS.len());
        let prompt: Vec<i32> = (0..1 + random.below(200)).map(|_| random.below(40) as i32).collect();
        let mut sampler = common::plain::sampler(CHAINS[chain], random.next());
        sampler.accept(&prompt).expect("a prompt");
        if random.below(8) == 0 {
            sampler.set_logit_bias(&[(3, 1.5), (5, f32::NEG_INFINITY)]).expect("a bias");
        }
        self.totals.begun.fetch_add(1, Ordering::Relaxed);
        Live { sampler, chain, left: 1 + random.below(60) }
    }

    /// One step of one sequence.
    fn step(&mut self) {
        let at = self.random.below(self.live.len());
        let mut live = match self.live[at].take() {
            Some(live) => live,
            None => self.begin(),
        };
        let (action, number) = (self.random.below(40), self.random.next());
        match action {
            0 => {
                let bytes = live.sampler.to_bytes();
                live.sampler = Sampler::from_bytes(&bytes).expect("its own state");
                assert!(live.sampler.to_bytes() == bytes, "{}: other bytes", CHAINS[live.chain]);
            }
            1 => live.sampler.rewind((number % 3).min(live.sampler.history().len() as u64) as usize).expect("so many"),
            2 => {
                let words: Vec<u32> =
                    (0..VOCAB.div_ceil(32)).map(|i| (number >> (i % 32)) as u32 | 0x0101_0101).collect();
                live.sampler.set_mask(Some(&words)).expect("a mask");
            }
            3 => live.sampler.set_mask(None).expect("no mask"),
            4..8 => self.verify(&mut live, number),
            8 => self.batch(&mut live, number),
            _ => self.decode(&mut live, number),
        }
        live.left -= 1;
        if live.left > 0 {
            self.live[at] = Some(live);
        }
    }

    fn row(&self, number: u64) -> &[f32] {
        &self.rows[(number % ROWS) as usize]
    }

    fn decode(&self, live: &mut Live, number: u64) {
        let row = Row::from_f32(self.row(number)).expect("a row");
        // A seed changes nothing but the draw, so a clone's distribution is the one that the token is drawn from.
        let law = number.is_multiple_of(100).then(|| live.sampler.clone().distribution(row));
        if law.is_some() {
            self.compare(live, number);
        }
        let want = Want { accept: true, entropy: number.is_multiple_of(7), ..Want::NONE };
        let decoded = self.totals.time(1, || live.sampler.decode(row, want));
        match (law, decoded) {
            (Some(Ok(law)), Ok(token)) => {
                let p = law.iter().find(|e| e.0 == token.token).expect("a token of the distribution").1;
                assert!((p - token.p).abs() <= 1e-5 && token.support == law.len(), "{}: {token:?}", CHAINS[live.chain]);
            }
            (None, Ok(token)) => assert!(token.p > 0.0 && token.p <= 1.0, "{}: {token:?}", CHAINS[live.chain]),
            (None | Some(Err(_)), Err(bregman::Error::EmptySupport | bregman::Error::NothingLeft(_))) => {
                self.totals.refused.fetch_add(1, Ordering::Relaxed);
            }
            (law, decoded) => panic!("{}: {decoded:?}, the distribution {law:?}", CHAINS[live.chain]),
        }
    }

    /// The distribution by the plain definitions, for a sampler with the same chain and history.
    fn compare(&self, live: &Live, number: u64) {
        let (row, prompt) = (self.row(number), live.sampler.prompt_length());
        let (prompt, output) = live.sampler.history().split_at(prompt);
        let tokens = Tokens { prompt: prompt.to_vec(), output: output.to_vec() };
        // What a drawing stage has learnt is not compared here.
        let steps = &self.chains[live.chain];
        let steps = match steps.split_last() {
            Some((last, before)) if last.definition.draws.is_some() => before,
            _ => steps,
        };
        let Some(plain) = Plain::new(steps, &tokens).certain(&with_ids(row)) else { return };
        let text = common::plain::chain(steps);
        let ours =
            match sampler_after(&text, live.sampler.seed(), &tokens).distribution(Row::from_f32(row).expect("a row")) {
                Ok(law) => law.into_iter().map(|(id, p)| (id as i32, p)).collect(),
                Err(bregman::Error::EmptySupport | bregman::Error::NothingLeft(_)) => vec![],
                Err(e) => panic!("{text}: {e}"),
            };
        let differences: Option<Vec<String>> = plain.iter().map(|plain| plain.differs_from(&ours, 0.0)).collect();
        assert!(differences.is_none(), "{text}, row {}: {differences:?}", number % ROWS);
        self.totals.compared.fetch_add(1, Ordering::Relaxed);
    }

    /// A draft that plain decoding made, with an error at its end.
    fn verify(&self, live: &mut Live, number: u64) {
        let mut ahead = live.sampler.clone();
        let rows: Vec<&[f32]> = (0..4).map(|i| self.row(number.wrapping_add(i))).collect();
        let row = |i: usize| Row::from_f32(rows[i]);
        let want = Want { accept: true, ..Want::NONE };
        let Ok(mut expected) = (0..4).map(|i| ahead.decode(row(i)?, want)).collect::<Result<Vec<_>, _>>() else {
            return;
        };
        let mut tokens: Vec<i32> = expected[..3].iter().map(|token| token.token as i32).collect();
        let right = (number >> 32) as usize % 4;
        if right < 3 {
            tokens[right] = (tokens[right] + 1) % VOCAB as i32;
        }
        let rule = [Rule::Match, Rule::Match, Rule::Token, Rule::Block][(number >> 40) as usize % 4];
        let draft = Draft { rule, tokens: &tokens, ..Draft::default() };
        let (before, position) = (live.sampler.history().len(), live.sampler.position());
        match self.totals.time(4, || live.sampler.verify(&draft, row, want)) {
            Ok(verified) => {
                let n = verified.tokens.len();
                assert_eq!(live.sampler.history().len(), before + n, "{}", CHAINS[live.chain]);
                assert_eq!(live.sampler.position(), position.wrapping_add(n as u64), "{}", CHAINS[live.chain]);
                if rule == Rule::Match {
                    expected.truncate(right + 1);
                    let ours: Vec<_> = verified.tokens.iter().map(|t| (t.token, t.p.to_bits())).collect();
                    let plain: Vec<_> = expected.iter().map(|t| (t.token, t.p.to_bits())).collect();
                    assert_eq!(ours, plain, "{}", CHAINS[live.chain]);
                }
            }
            Err(bregman::Error::Unsupported(_)) if rule != Rule::Match => {}
            // Under the other rules the draft's own tokens are the history, and may leave nothing.
            Err(bregman::Error::EmptySupport | bregman::Error::NothingLeft(_) | bregman::Error::InvalidArgument(_)) => {
                assert!(rule != Rule::Match, "{}", CHAINS[live.chain]);
            }
            Err(e) => panic!("{}: {e}", CHAINS[live.chain]),
        }
    }

    /// The sequence in the company of its own clones, on two threads: all decode the same.
    fn batch(&self, live: &mut Live, number: u64) {
        let rows = [Row::from_f32(self.row(number)).expect("a row"); 4];
        let mut others: Vec<Sampler> = (0..3).map(|_| live.sampler.clone()).collect();
        let all = std::iter::once(&mut live.sampler).chain(&mut others);
        let want = Want { accept: true, ..Want::NONE };
        let decoded = self.totals.time(4, || bregman::decode_batch(all, &rows, want, 2));
        let bits = |r: &Result<bregman::Token, _>| r.as_ref().ok().map(|t| (t.token, t.p.to_bits()));
        assert!(decoded.iter().all(|r| bits(r) == bits(&decoded[0])), "{}: {decoded:?}", CHAINS[live.chain]);
    }
}

fn main() {
    let minutes: f64 = std::env::var("BREGMAN_SOAK_MINUTES").map_or(0.05, |n| n.parse().expect("a number of minutes"));
    let length = Duration::from_secs_f64(minutes * 60.0);
    let sequences: usize = std::env::var("BREGMAN_SOAK_SEQUENCES").map_or(10_000, |n| n.parse().expect("a number"));
    let (totals, is_over) = (Totals::default(), AtomicBool::new(false));
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    let chains: Vec<_> = CHAINS.into_iter().map(steps).collect();
    let (mut memory, start) = (vec![], Instant::now());
    std::thread::scope(|scope| {
        for seed in 0..THREADS as u64 {
            let (totals, rows, chains, is_over) = (&totals, &rows[..], &chains[..], &is_over);
            scope.spawn(move || {
                // One thread's failure ends the other's work.
                let ends = Ends(is_over);
                let live = (0..sequences.div_ceil(THREADS)).map(|_| None).collect();
                let mut server = Server { totals, rows, chains, live, random: Random(seed + 1) };
                while !is_over.load(Ordering::Relaxed) && start.elapsed() < length {
                    server.step();
                }
                drop(ends);
            });
        }
        let mut next = Duration::from_secs(60);
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
            if start.elapsed() >= next {
                println!("{}", totals.line(start));
                // Until most places have had a sequence or two, more of them are taken.
                if totals.begun.load(Ordering::Relaxed) > 3 * sequences as u64 {
                    memory.push(resident_kib());
                }
                next += Duration::from_secs(60);
            }
        }
    });
    println!("{}", totals.line(start));
    assert!(totals.decodes.load(Ordering::Relaxed) > 100, "nothing was played");
    // What still grows is a leak.
    if let (true, Some(last)) = (memory.len() >= 6, memory.last()) {
        let half = memory[memory.len() / 2];
        assert!(*last <= half + half / 10 + 4096, "memory grows: {memory:?} KiB");
    }
}

/// Ends all threads when one of them ends, by a panic too.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
