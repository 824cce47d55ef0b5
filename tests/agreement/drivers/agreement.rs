//! The Rust driver of the cross-language agreement test (tests/agreement/README.md), over the crate's own API.
//!
//! usage: agreement CASES

mod decisions;

use bregman::ffi::*;
use bregman::{
    Draft, DraftLaws, Error, Rest, Result, Row, Rule, Sampler, Token, Values, Want, decode_batch, reduce,
    watermark_score,
};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufWriter, Stdout, Write, stdout};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Consecutive rows of logits in one format.
enum Numbers {
    F32(Vec<f32>),
    F16(Vec<u16>),
    Bf16(Vec<u16>),
}

impl Numbers {
    /// From little-endian bytes.
    fn new(kind: &str, bytes: &[u8]) -> Self {
        let halves = || bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        match kind {
            "f32" => Self::F32(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
            "f16" => Self::F16(halves()),
            "bf16" => Self::Bf16(halves()),
            _ => panic!("`{kind}` is no number format"),
        }
    }

    fn f32(&self) -> &[f32] {
        match self {
            Self::F32(v) => v,
            _ => panic!("this command takes f32 rows"),
        }
    }
}

struct Set {
    width: usize,
    numbers: Numbers,
}

impl Set {
    fn row(&self, row: usize, vocab: usize) -> Row<'_> {
        let range = row * self.width..row * self.width + vocab;
        let values = match &self.numbers {
            Numbers::F32(v) => Values::F32(&v[range]),
            Numbers::F16(v) => Values::F16(&v[range]),
            Numbers::Bf16(v) => Values::Bf16(&v[range]),
        };
        Row::new(values).expect("a case's row is not empty")
    }
}

struct Mask {
    words: usize,
    bits: Vec<u32>,
}

/// The sets, masks and samplers so far, by name.
struct Driver {
    dir: PathBuf,
    sets: HashMap<String, Set>,
    masks: HashMap<String, Mask>,
    samplers: HashMap<String, Sampler>,
    decisions: decisions::Decisions,
    number: usize,
    out: BufWriter<Stdout>,
}

fn main() {
    let path = PathBuf::from(std::env::args_os().nth(1).expect("usage: agreement CASES"));
    let cases = std::fs::read_to_string(&path).expect("the cases can be read");
    let mut driver = Driver {
        dir: path.parent().unwrap_or(Path::new("")).into(),
        sets: HashMap::new(),
        masks: HashMap::new(),
        samplers: HashMap::new(),
        decisions: decisions::Decisions::default(),
        number: 0,
        out: BufWriter::new(stdout()),
    };
    for line in cases.lines() {
        driver.number += 1;
        if !line.is_empty() && !line.starts_with('#') {
            driver.run(line);
        }
    }
    driver.out.flush().expect("stdout can be written");
}

impl Driver {
    fn run(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let rest = &words[1..];
        if let Some(decided) = self.decisions.run(words[0], rest) {
            return decided.into_iter().for_each(|text| self.say(&text));
        }
        match words[0] {
            "rows" | "random" | "same" | "upper" | "set" => self.data(words[0], rest),
            "mask" => {
                let (words, count) = (number(rest[1]), number::<usize>(rest[2]));
                let bits = rest[3..].iter().map(|w| hex(w)).cycle().take(words * count).collect();
                self.masks.insert(rest[0].into(), Mask { words, bits });
            }
            "new" => self.new_sampler(rest[0], number(rest[1]), line.splitn(4, ' ').nth(3).unwrap_or_default()),
            "decode" => self.decode(rest),
            "batch" => self.batch(rest),
            "reduced" => self.reduced(rest),
            "distribution" => self.distribution(rest),
            "process" => self.process(rest),
            "verify" => self.verify(rest),
            "load" => {
                let byte = |i: usize| hex(&rest[1][2 * i..2 * i + 2]) as u8;
                let state: Vec<u8> = (0..rest[1].len() / 2).map(byte).collect();
                let loaded = Sampler::from_bytes(&state).map(|sampler| {
                    self.samplers.insert(rest[0].into(), sampler);
                });
                self.say(&outcome(loaded));
            }
            "score" => {
                let tokens: Vec<i32> = rest[1..=number(rest[0])].iter().map(|w| number(w)).collect();
                let text = match watermark_score(&rest[tokens.len() + 1..].join(" "), &tokens) {
                    Ok(s) => format!("ok {} {:016x} {:016x}", s.counted, s.score.to_bits(), s.p_value.to_bits()),
                    Err(e) => failure(&e),
                };
                self.say(&text);
            }
            "free" => {
                self.samplers.remove(rest[0]).expect("a sampler of this name");
                self.say("ok");
            }
            "clone" => {
                let copy = self.sampler(rest[1]).clone();
                self.samplers.insert(rest[0].into(), copy);
                self.say("ok");
            }
            command => self.state(command, rest),
        }
    }

    /// Writes one line of output.
    fn say(&mut self, text: &str) {
        writeln!(self.out, "{} {text}", self.number).expect("stdout can be written");
    }

    fn sampler(&mut self, name: &str) -> &mut Sampler {
        self.samplers.get_mut(name).unwrap_or_else(|| panic!("no sampler `{name}`"))
    }

    /// The commands that make or change rows.
    fn data(&mut self, command: &str, rest: &[&str]) {
        let set = match command {
            "rows" => {
                let bytes = std::fs::read(self.dir.join(rest[4])).expect("the rows can be read");
                Set { width: number(rest[2]), numbers: Numbers::new(rest[1], &bytes) }
            }
            "random" => {
                let (width, count, seed) = (number(rest[1]), number::<usize>(rest[2]), number(rest[3]));
                Set { width, numbers: Numbers::F32((0..(width * count) as u64).map(|i| random(seed, i)).collect()) }
            }
            "same" => {
                let (width, count) = (number(rest[2]), number::<usize>(rest[3]));
                let word = hex(rest[4]).to_le_bytes();
                let size = if rest[1] == "f32" { 4 } else { 2 };
                Set { width, numbers: Numbers::new(rest[1], &word[..size].repeat(width * count)) }
            }
            "upper" => {
                let from = &self.sets[rest[1]];
                let halves = from.numbers.f32().iter().map(|v| (v.to_bits() >> 16) as u16).collect();
                Set { width: from.width, numbers: Numbers::Bf16(halves) }
            }
            _ => return self.change(rest),
        };
        self.sets.insert(rest[0].into(), set);
    }

    /// `set SET ROW INDEX HEX...`
    fn change(&mut self, rest: &[&str]) {
        let set = self.sets.get_mut(rest[0]).expect("a set of this name");
        let start = number::<usize>(rest[1]) * set.width + number::<usize>(rest[2]);
        for (i, word) in rest[3..].iter().enumerate() {
            match &mut set.numbers {
                Numbers::F32(v) => v[start + i] = f32::from_bits(hex(word)),
                Numbers::F16(v) | Numbers::Bf16(v) => v[start + i] = hex(word) as u16,
            }
        }
    }

    fn new_sampler(&mut self, name: &str, seed: u64, chain: &str) {
        let made = Sampler::new(chain, seed).map(|sampler| {
            self.samplers.insert(name.into(), sampler);
        });
        self.say(&outcome(made));
    }

    /// The commands on one sampler that take no row.
    fn state(&mut self, command: &str, rest: &[&str]) {
        let sampler = self.sampler(rest[0]);
        let done = match command {
            "describe" => {
                let text = format!("ok {sampler}");
                return self.say(&text);
            }
            "save" => {
                let text = sampler.to_bytes().iter().fold("ok ".to_owned(), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                });
                return self.say(&text);
            }
            "where" => {
                let (seed, position, prompt) = (sampler.seed(), sampler.position(), sampler.prompt_length());
                let text =
                    sampler.history().iter().fold(format!("ok {seed} {position} {prompt}"), |mut text, token| {
                        let _ = write!(text, " {token}");
                        text
                    });
                return self.say(&text);
            }
            "rewind" => sampler.rewind(number(rest[1])),
            "reset" => {
                sampler.reset();
                Ok(())
            }
            "reseed" => {
                sampler.reseed(number(rest[1]), number(rest[2]));
                Ok(())
            }
            "accept" => sampler.accept(&rest[1..].iter().map(|w| number(w)).collect::<Vec<i32>>()),
            "bias" => sampler.set_logit_bias(&rest[1..].iter().map(|w| bias(w)).collect::<Vec<_>>()),
            _ => panic!("line {}: no command `{command}`", self.number),
        };
        self.say(&outcome(done));
    }

    /// `decode SAMPLER SET FIRST COUNT VOCAB`
    fn decode(&mut self, rest: &[&str]) {
        let (first, count, vocab) = (number::<usize>(rest[2]), number::<usize>(rest[3]), number(rest[4]));
        for row in first..first + count {
            let sampler = self.samplers.get_mut(rest[0]).expect("a sampler of this name");
            let decoded = sampler.decode(self.sets[rest[1]].row(row, vocab), Want::default());
            self.say(&format!("{row} {}", answer(&decoded)));
        }
    }

    /// `batch FLAGS THREADS MASK SET FIRST STEP VOCAB SAMPLER...`
    fn batch(&mut self, rest: &[&str]) {
        let (flags, threads) = (number::<u32>(rest[0]), number(rest[1]));
        let (first, step, vocab) = (number::<usize>(rest[4]), number::<usize>(rest[5]), number(rest[6]));
        let names = &rest[7..];
        let (set, mask) = (&self.sets[rest[3]], (rest[2] != "-").then(|| &self.masks[rest[2]]));
        let row = |r: usize| {
            let row = set.row(first + r * step, vocab);
            mask.map_or(row, |m| row.with_mask(&m.bits[r * m.words..(r + 1) * m.words]))
        };
        let rows: Vec<_> = (0..names.len()).map(row).collect();
        let take = |name: &&str| self.samplers.remove(*name).expect("a sampler that stands once in the batch");
        let mut samplers: Vec<_> = names.iter().map(take).collect();
        let answers = decode_batch(&mut samplers, &rows, want(flags), threads);
        self.samplers.extend(names.iter().map(|&name| name.to_owned()).zip(samplers));
        for (r, decoded) in answers.iter().enumerate() {
            self.say(&format!("{} {}", first + r * step, answer(decoded)));
        }
    }

    /// `reduced N T FLAGS THREADS SET FIRST VOCAB SAMPLER...`
    fn reduced(&mut self, rest: &[&str]) {
        let (n, t, flags) = (number::<usize>(rest[0]), f32::from_bits(hex(rest[1])), number::<u32>(rest[2]));
        let (set, first, names) = (&self.sets[rest[4]], number::<usize>(rest[5]), &rest[7..]);
        let list = |r: usize| {
            let (mut ids, mut logits) = (vec![0; n], vec![0.0; n]);
            let rest = reduce(set.row(first + r, number(rest[6])), 0, t, &mut ids, &mut logits).expect("a row");
            (ids, logits, rest)
        };
        let lists: Vec<_> = (0..names.len()).map(list).collect();
        fn row((ids, logits, rest): &(Vec<i32>, Vec<f32>, Rest)) -> Row<'_> {
            Row::sparse(Values::F32(logits), ids).and_then(|row| row.with_rest(*rest)).expect("a list")
        }
        let rows: Vec<_> = lists.iter().map(row).collect();
        let take = |name: &&str| self.samplers.remove(*name).expect("a sampler that stands once in the batch");
        let mut samplers: Vec<_> = names.iter().map(take).collect();
        let answers = decode_batch(&mut samplers, &rows, want(flags), number(rest[3]));
        self.samplers.extend(names.iter().map(|&name| name.to_owned()).zip(samplers));
        for (r, decoded) in answers.iter().enumerate() {
            self.say(&format!("{} {}", first + r, answer(decoded)));
        }
    }

    /// `verify FLAGS THREADS SET FIRST VOCAB SAMPLER/RULE/TOKENS/PARENTS/LAWS...`
    fn verify(&mut self, rest: &[&str]) {
        let (want, vocab) = (want(number(rest[0])), number(rest[4]));
        let mut first = number::<usize>(rest[3]);
        for (s, word) in rest[5..].iter().enumerate() {
            let parts: Vec<&str> = word.split('/').collect();
            let (tokens, parents) = (tokens(parts[2]), tokens(parts[3]));
            let (mut offsets, mut ids, mut probs) = (vec![0], Vec::new(), Vec::new());
            for law in parts[4].split(';').filter(|&law| law != "-") {
                for (id, p) in law.split(',').filter_map(|entry| entry.split_once(':')) {
                    ids.push(number(id));
                    probs.push(f32::from_bits(hex(p)));
                }
                offsets.push(ids.len());
            }
            let draft = Draft {
                rule: match parts[1] {
                    "match" => Rule::Match,
                    "token" => Rule::Token,
                    _ => Rule::Block,
                },
                tokens: &tokens,
                parents: (parts[3] != "-").then_some(&parents),
                laws: (parts[4] != "-").then_some(DraftLaws { offsets: &offsets, ids: &ids, probs: &probs }),
            };
            let set = &self.sets[rest[2]];
            let sampler = self.samplers.get_mut(parts[0]).expect("a sampler of this name");
            match sampler.verify(&draft, |row| Ok(set.row(first + row, vocab)), want) {
                Ok(verified) => {
                    let path = verified.path.iter().fold(String::new(), |text, place| format!("{text} {place}"));
                    self.say(&format!("{s} ok {}{path}", verified.path.len()));
                    for token in verified.tokens {
                        self.say(&format!("{s} {}", answer(&Ok(token))));
                    }
                }
                Err(e) => self.say(&format!("{s} {}", failure(&e))),
            }
            first += tokens.len() + 1;
        }
    }

    /// `distribution SAMPLER SET ROW VOCAB`
    fn distribution(&mut self, rest: &[&str]) {
        let sampler = self.samplers.get_mut(rest[0]).expect("a sampler of this name");
        let text = match sampler.distribution(self.sets[rest[1]].row(number(rest[2]), number(rest[3]))) {
            Ok(list) => list.iter().fold(format!("ok {}", list.len()), |mut text, &(id, p)| {
                let _ = write!(text, " {id}:{}", bits(p as f32));
                text
            }),
            Err(e) => failure(&e),
        };
        self.say(&text);
    }

    /// `process SAMPLER SET ROW VOCAB`
    fn process(&mut self, rest: &[&str]) {
        let set = &self.sets[rest[1]];
        let (start, vocab) = (number::<usize>(rest[2]) * set.width, number::<usize>(rest[3]));
        let mut logits = set.numbers.f32()[start..start + vocab].to_vec();
        let done = self.sampler(rest[0]).process(&mut logits);
        self.say(&outcome(done));
        let kept = logits.iter().filter(|v| v.to_bits() != f32::NEG_INFINITY.to_bits()).count();
        self.say(&format!("row {kept} {:016x}", fnv1a(&logits)));
    }
}

fn number<T: FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("`{word}` is not a number of its kind"))
}

fn hex(word: &str) -> u32 {
    u32::from_str_radix(word, 16).unwrap_or_else(|_| panic!("`{word}` is not hexadecimal"))
}

fn want(flags: u32) -> Want {
    Want {
        kept_mass: flags & BREGMAN_WANT_KEPT_MASS != 0,
        ln_kept_mass: flags & BREGMAN_WANT_LN_KEPT != 0,
        model_logprob: flags & BREGMAN_WANT_MODEL_LOGPROB != 0,
        entropy: flags & BREGMAN_WANT_ENTROPY != 0,
        accept: flags & BREGMAN_ACCEPT != 0,
        stay: flags & BREGMAN_STAY != 0,
    }
}

/// Token ids separated by commas; "-" for none.
fn tokens(word: &str) -> Vec<i32> {
    word.split(',').filter(|&token| token != "-").map(number).collect()
}

/// `ID=HEX`
fn bias(word: &str) -> (i32, f32) {
    let (id, value) = word.split_once('=').expect("a bias is ID=HEX");
    (number(id), f32::from_bits(hex(value)))
}

/// The sum of the four 16-bit parts of output `i` of splitmix64, as a logit from -16 to 16.
fn random(seed: u64, i: u64) -> f32 {
    let mut z = seed.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    let sum: i32 = (0..4).map(|part| (z >> (16 * part)) as u16 as i32).sum();
    (sum - 131_070) as f32 / 8192.0
}

fn bits(value: f32) -> String {
    if value.is_nan() { "nan".into() } else { format!("{:08x}", value.to_bits()) }
}

fn fnv1a(logits: &[f32]) -> u64 {
    let bytes = logits.iter().flat_map(|v| v.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn outcome(done: Result<()>) -> String {
    done.map_or_else(|e| failure(&e), |()| "ok".into())
}

fn answer(decoded: &Result<Token>) -> String {
    let figure = |v: f64| bits(v as f32);
    match decoded {
        Ok(t) => format!(
            "ok {} {} {} {} {} {} {}",
            t.token,
            t.support,
            figure(t.p),
            figure(t.kept_mass),
            figure(t.model_logprob),
            figure(t.entropy),
            figure(t.ln_kept_mass)
        ),
        Err(e) => failure(e),
    }
}

fn failure(e: &Error) -> String {
    let status = match e {
        Error::InvalidArgument(_) => BREGMAN_INVALID_ARGUMENT,
        Error::InvalidChain(_) => BREGMAN_INVALID_CHAIN,
        Error::InvalidLogits { .. } => BREGMAN_INVALID_LOGITS,
        Error::EmptySupport | Error::NothingLeft(_) => BREGMAN_EMPTY_SUPPORT,
        Error::NoConvergence(_) => BREGMAN_NO_CONVERGENCE,
        Error::BufferTooSmall { .. } => BREGMAN_BUFFER_TOO_SMALL,
        Error::Unsupported(_) => BREGMAN_UNSUPPORTED,
        Error::Incomplete(_) => BREGMAN_INCOMPLETE,
        Error::OutOfMemory => BREGMAN_OUT_OF_MEMORY,
        other => panic!("no status for {other:?}"),
    };
    format!("error {status} {e}")
}
