//! Which rows meet which work, and who takes part.

use crate::check::{self, decode, sampler};
use crate::contest::{self, Contestant, Course, Face};
use crate::floor;
use crate::llama::{Llama, fill};
use crate::options::Options;
use crate::record::{self, Case, Line};
use crate::rows::{self, Kind, Rows};
use crate::table;
use crate::work::{self, Work};
use bregman::{Candidate, Row, Sampler, Values, Want};
use std::hint::black_box;

/// A case with what makes its rows.
pub struct Planned {
    case: Case,
    kind: Kind,
}

/// The rows of the headline.
const HEADLINE: Kind = Kind::Synth(24);
const KINDS: [Kind; 5] = [HEADLINE, Kind::Synth(16), Kind::Synth(48), Kind::Normal(25), Kind::Normal(10)];

/// Work that shows what another number format, a batch or memory costs.
const FEW: [&str; 6] = ["greedy", "top_k", "adaptive", "alpha_1.5", "temperature", "top_p"];

/// Rows in the profile: easy and hard ones, of which the first few are not typical.
const PROFILED: usize = 32;

/// Bytes of rows that no cache holds.
const MEMORY: usize = 128 << 20;

pub fn cases(options: &Options) -> Vec<Planned> {
    let mut cases = vec![];
    let mut add = |vocab, kind: Kind, heat, dtype, batch, threads| {
        cases.push(Planned { case: Case { vocab, rows: kind.name(), heat, dtype, batch, threads }, kind });
    };
    if options.quick {
        add(128_256, HEADLINE, "hot", "f32", 1, 1);
        add(128_256, Kind::Normal(25), "hot", "f32", 1, 1);
        rows::real_vocabularies().into_iter().for_each(|vocab| add(vocab, Kind::Real, "hot", "f32", 1, 1));
        return cases;
    }
    for vocab in [128_256, 32_000, 262_144] {
        for kind in KINDS {
            if vocab == 32_000 || options.timed {
                add(vocab, kind, "hot", "f32", 1, 1);
            }
        }
    }
    for vocab in rows::real_vocabularies() {
        if options.timed {
            add(vocab, Kind::Real, "hot", "f32", 1, 1);
        }
    }
    for vocab in if options.timed { &[128_256, 262_144][..] } else { &[32_000] } {
        add(*vocab, HEADLINE, "cold", "f32", 1, 1);
        add(*vocab, HEADLINE, "hot", "f16", 1, 1);
        add(*vocab, HEADLINE, "hot", "bf16", 1, 1);
        add(*vocab, HEADLINE, "cold", "f16", 1, 1);
        add(*vocab, HEADLINE, "cold", "bf16", 1, 1);
    }
    let vocab = if options.timed { 128_256 } else { 32_000 };
    for (batch, threads) in [(1, 2), (8, 1), (8, 2), (64, 1), (64, 2)] {
        add(vocab, HEADLINE, "cold", "f32", batch, threads);
    }
    cases
}

/// A row in its number format.
enum Typed {
    F32,
    F16(Rows<u16>),
    Bf16(Rows<u16>),
}

impl Typed {
    fn new(dtype: &str, rows: &mut Rows<f32>) -> Self {
        // The f32 rows become what the others say, so that all of them are the same row.
        match dtype {
            "f16" => {
                let half = rows.map(0, |l| half::f16::from_f32(l).to_bits());
                *rows = half.map(0.0, |h| half::f16::from_bits(h).to_f32());
                Self::F16(half)
            }
            "bf16" => {
                let half = rows.map(0, |l| half::bf16::from_f32(l).to_bits());
                *rows = half.map(0.0, |h| half::bf16::from_bits(h).to_f32());
                Self::Bf16(half)
            }
            _ => Self::F32,
        }
    }

    fn values<'a>(&'a self, rows: &'a Rows<f32>, r: usize) -> Values<'a> {
        match self {
            Self::F32 => Values::F32(rows.row(r)),
            Self::F16(half) => Values::F16(half.row(r)),
            Self::Bf16(half) => Values::Bf16(half.row(r)),
        }
    }
}

/// Checks and times all work of a case.
pub fn run(planned: &Planned, options: &Options, llama: Option<&Llama>, run: &Line) -> Vec<Line> {
    let Planned { case, kind } = planned;
    let plain = case.batch == 1 && case.threads == 1 && case.dtype == "f32" && case.heat == "hot";
    let works: Vec<&Work> = work::ALL
        .iter()
        .filter(|work| options.has(&format!("{}/{}", work.key, case.name())))
        .filter(|work| plain || FEW.contains(&work.key))
        .filter(|work| !(options.quick && matches!(kind, Kind::Normal(_)) && !["top_p", "typical"].contains(&work.key)))
        .collect();
    if works.is_empty() {
        return vec![];
    }
    let count = match case.heat {
        "cold" if options.timed => (MEMORY / (4 * case.vocab)).next_multiple_of(case.batch),
        "cold" => case.batch,
        _ => PROFILED,
    };
    let mut rows = match kind.rows(case.vocab, count) {
        Ok(rows) => rows,
        Err(why) => {
            println!("\nskipped: {}: {why}", case.name());
            return vec![];
        }
    };
    let typed = Typed::new(case.dtype, &mut rows);
    let levels = options.levels();
    println!("\n{}\n{}", case.name(), table::head(&levels));
    let mut lines = vec![];
    for work in works {
        if !check::knows(work) {
            println!("skipped: {}: this library has no such chain", work.chain);
            continue;
        }
        check_all(case, work, &rows, &typed, &levels, llama);
        if options.timed {
            let of_work = time(case, work, &rows, &typed, options, llama, run);
            println!("{}", table::line(work, &of_work, &levels));
            lines.extend(of_work);
        }
    }
    lines
}

fn check_all(
    case: &Case,
    work: &Work,
    rows: &Rows<f32>,
    typed: &Typed,
    levels: &[&'static str],
    llama: Option<&Llama>,
) {
    for r in 0..rows.count.min(2) {
        check::row(work, rows.row(r), levels, llama);
        for level in levels {
            let (one, other) = (typed.values(rows, r), Values::F32(rows.row(r)));
            let tokens = [one, other].map(|values| decode(&mut sampler(work, level), values));
            assert!(tokens[0].token == tokens[1].token && tokens[0].p == tokens[1].p, "{}: {}", work.key, case.dtype);
        }
    }
    if case.batch > 1 || case.threads > 1 {
        let mut together = samplers(work, levels[levels.len() - 1], case.batch);
        let batch = batch(rows, 0, case.batch);
        let results = bregman::decode_batch(&mut together, &batch, Want::default(), case.threads);
        for (r, result) in results.iter().enumerate() {
            let alone = decode(&mut sampler(work, "scalar"), Values::F32(rows.row(r)));
            let together = result.as_ref().expect("the row is valid");
            assert!(together.token == alone.token && together.p == alone.p, "{}: row {r} of a batch", work.key);
        }
    }
}

fn samplers(work: &Work, level: &str, count: usize) -> Vec<Sampler> {
    (0..count).map(|_| sampler(work, level)).collect()
}

fn batch(rows: &Rows<f32>, place: usize, count: usize) -> Vec<Row<'_>> {
    (0..count).map(|r| Row::from_f32(rows.row(place * count + r)).expect("a row is not empty")).collect()
}

fn time(
    case: &Case,
    work: &Work,
    rows: &Rows<f32>,
    typed: &Typed,
    options: &Options,
    llama: Option<&Llama>,
    run: &Line,
) -> Vec<Line> {
    let many = case.batch > 1 || case.threads > 1;
    let mut contestants: Vec<Contestant<'_>> = vec![];
    for level in options.levels() {
        if options.has_face("raw") && many {
            contestants.push(in_batches(work, level, case, rows));
        } else if options.has_face("raw") {
            let mut sampler = sampler(work, level);
            let call = move |r| {
                black_box(decode(&mut sampler, black_box(typed.values(rows, r))));
            };
            contestants.push(Contestant { face: Face::Raw, level, call: Box::new(call) });
        }
        if options.has_face("chain") && !many && case.dtype == "f32" {
            contestants.push(in_chain(work, level, rows));
        }
    }
    if !many && case.dtype == "f32" {
        if let (Some(llama), true, false) = (llama, options.has_face("llama.cpp"), work.llama.is_empty()) {
            let (mut sampler, mut candidates) = (llama.sampler(work.llama, 42), blank(rows.vocab));
            let call = move |r| {
                fill(&mut candidates, black_box(rows.row(r)));
                black_box(sampler.apply(&mut candidates));
            };
            contestants.push(Contestant { face: Face::Llama, level: "", call: Box::new(call) });
        }
        for (face, backwards) in [(Face::Read, false), (Face::ReadBack, true)] {
            if options.has_face(face.name()) {
                contestants.push(read(face, backwards, rows));
            }
        }
        if contestants.iter().any(|c| c.face.fills()) {
            let mut candidates = blank(rows.vocab);
            let call = move |r| {
                fill(&mut candidates, black_box(rows.row(r)));
                black_box(&mut candidates);
            };
            contestants.push(Contestant { face: Face::Fill, level: "", call: Box::new(call) });
        }
    }
    // Every row has its turn as often as any other.
    let rounds = if options.quick { PROFILED } else { 3 * PROFILED };
    let course = Course { rows, batch: case.batch, cold: case.heat == "cold", rounds };
    record::lines(run, case, (work.key, work.chain), &contest::run(&course, &mut contestants))
}

fn blank(vocab: usize) -> Vec<Candidate> {
    vec![Candidate { id: 0, logit: 0.0, p: 0.0 }; vocab]
}

fn in_chain<'a>(work: &Work, level: &'static str, rows: &'a Rows<f32>) -> Contestant<'a> {
    let (mut sampler, mut candidates) = (sampler(work, level), blank(rows.vocab));
    let call = move |r| {
        fill(&mut candidates, black_box(rows.row(r)));
        black_box(sampler.apply(&mut candidates).expect("the row is valid"));
    };
    Contestant { face: Face::Chain, level, call: Box::new(call) }
}

fn read<'a>(face: Face, backwards: bool, rows: &'a Rows<f32>) -> Contestant<'a> {
    let mut candidates = blank(rows.vocab);
    let call = move |r| {
        fill(&mut candidates, black_box(rows.row(r)));
        let read = black_box(&candidates);
        // SAFETY: a candidate is three words without padding.
        let words = unsafe { std::slice::from_raw_parts(read.as_ptr().cast(), 3 * read.len()) };
        black_box(floor::words(words, backwards));
    };
    Contestant { face, level: "", call: Box::new(call) }
}

fn in_batches<'a>(work: &Work, level: &'static str, case: &Case, rows: &'a Rows<f32>) -> Contestant<'a> {
    let mut samplers = samplers(work, level, case.batch);
    let batches: Vec<_> = (0..rows.count / case.batch).map(|place| batch(rows, place, case.batch)).collect();
    let threads = case.threads;
    let call = move |place: usize| {
        black_box(bregman::decode_batch(&mut samplers, black_box(&batches[place]), Want::default(), threads));
    };
    Contestant { face: Face::Raw, level, call: Box::new(call) }
}
