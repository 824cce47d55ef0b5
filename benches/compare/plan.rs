//! Which rows meet which work, and who takes part.

use crate::check::{self, decode, sampler};
use crate::common;
use crate::contest::{self, Contestant, Course, Face};
use crate::floor;
use crate::llama::{Llama, blank, fill};
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

const KINDS: [Kind; 5] = [Kind::HEADLINE, Kind::Synth(16), Kind::Synth(48), Kind::Normal(25), Kind::Normal(10)];

/// Work that shows what another number format, a batch or memory costs.
const FEW: [&str; 6] = ["greedy", "top_k", "adaptive", "alpha_1.5", "temperature", "top_p"];

/// Rows in the profile: easy and hard ones, of which the first few are not typical.
const PROFILED: usize = 32;

/// Bytes of rows that no cache holds.
const MEMORY: usize = 128 << 20;

pub fn cases(options: &common::options::Options) -> Vec<Planned> {
    let mut cases = vec![];
    let mut add = |vocab, kind: Kind, heat, dtype, batch, threads| {
        cases.push(Planned { case: Case { vocab, rows: kind.name(), heat, dtype, batch, threads }, kind });
    };
    if options.quick {
        add(128_256, Kind::HEADLINE, "hot", "f32", 1, 1);
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
        add(*vocab, Kind::HEADLINE, "cold", "f32", 1, 1);
        add(*vocab, Kind::HEADLINE, "hot", "f16", 1, 1);
        add(*vocab, Kind::HEADLINE, "hot", "bf16", 1, 1);
        add(*vocab, Kind::HEADLINE, "cold", "f16", 1, 1);
        add(*vocab, Kind::HEADLINE, "cold", "bf16", 1, 1);
    }
    let vocab = if options.timed { 128_256 } else { 32_000 };
    for (batch, threads) in [(1, 2), (8, 1), (8, 2), (64, 1), (64, 2)] {
        add(vocab, Kind::HEADLINE, "cold", "f32", batch, threads);
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
pub fn run(planned: &Planned, options: &Options, llama: Option<&Llama>) -> Vec<Line> {
    let Planned { case, kind } = planned;
    let plain = case.is_single() && case.dtype == "f32" && case.heat == "hot";
    let few = options.common.quick && matches!(kind, Kind::Normal(_));
    let works: Vec<&Work> = work::ALL
        .iter()
        .filter(|work| options.common.has(&format!("{}/{}", work.key, case.name())))
        .filter(|work| plain || FEW.contains(&work.key))
        .filter(|work| !few || ["top_p", "typical"].contains(&work.key))
        .collect();
    if works.is_empty() {
        return vec![];
    }
    let count = match case.heat {
        "cold" if options.common.timed => (MEMORY / (4 * case.vocab)).next_multiple_of(case.batch),
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
    let prepared = Prepared { case, rows, typed, levels: options.levels(), options, llama };
    println!("\n{}\n{}", case.name(), table::head(&prepared.levels));
    let mut lines = vec![];
    for work in works {
        if !check::knows(work) {
            println!("skipped: {}: this library has no such chain", work.chain);
            continue;
        }
        prepared.check(work);
        if options.common.timed {
            let of_work = prepared.time(work);
            println!("{}", table::line(work, &of_work, &prepared.levels));
            lines.extend(of_work);
        }
    }
    lines
}

/// A case with its rows, and who may take part.
struct Prepared<'a> {
    case: &'a Case,
    rows: Rows<f32>,
    typed: Typed,
    levels: Vec<&'static str>,
    options: &'a Options,
    llama: Option<&'a Llama>,
}

impl Prepared<'_> {
    fn check(&self, work: &Work) {
        let Self { case, rows, typed, levels, llama, .. } = self;
        for r in 0..rows.count.min(2) {
            check::row(work, rows.row(r), levels, *llama);
            for level in levels {
                let (one, other) = (typed.values(rows, r), Values::F32(rows.row(r)));
                let tokens = [one, other].map(|values| decode(&mut sampler(work, level), values));
                assert!(
                    tokens[0].token == tokens[1].token && tokens[0].p == tokens[1].p,
                    "{}: {}",
                    work.key,
                    case.dtype
                );
            }
        }
        if !case.is_single() {
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

    fn time(&self, work: &Work) -> Vec<Line> {
        let Self { case, rows, options, .. } = self;
        // Every row has its turn as often as any other.
        let rounds = if options.common.quick { PROFILED } else { 3 * PROFILED };
        let course = Course { rows, batch: case.batch, cold: case.heat == "cold", rounds };
        record::lines(case, (work.key, work.chain), &contest::run(&course, &mut self.contestants(work)))
    }

    fn contestants(&self, work: &Work) -> Vec<Contestant<'_>> {
        let Self { case, rows, options, .. } = self;
        let has_candidates = case.is_single() && case.dtype == "f32";
        let mut contestants = vec![];
        for &level in &self.levels {
            if options.has_face("raw") {
                contestants.push(if case.is_single() { self.raw(work, level) } else { self.batches(work, level) });
            }
            if options.has_face("chain") && has_candidates {
                let mut sampler = sampler(work, level);
                let apply = move |c: &mut [Candidate]| {
                    black_box(sampler.apply(c).expect("the row is valid"));
                };
                contestants.push(on_candidates(Face::Chain, level, rows, apply));
            }
        }
        if !has_candidates {
            return contestants;
        }
        if let (Some(llama), true, false) = (self.llama, options.has_face("llama.cpp"), work.llama.is_empty()) {
            let mut sampler = llama.sampler(work.llama, 42);
            let apply = move |c: &mut [Candidate]| {
                black_box(sampler.apply(c));
            };
            contestants.push(on_candidates(Face::Llama, "", rows, apply));
        }
        for (face, backwards) in [(Face::Read, false), (Face::ReadBack, true)] {
            if options.has_face(face.name()) {
                contestants.push(on_candidates(face, "", rows, move |c| read(c, backwards)));
            }
        }
        if contestants.iter().any(|c| c.face.fills()) {
            contestants.push(on_candidates(Face::Fill, "", rows, |_| ()));
        }
        contestants
    }

    fn raw(&self, work: &Work, level: &'static str) -> Contestant<'_> {
        let mut sampler = sampler(work, level);
        let call = move |r| {
            black_box(decode(&mut sampler, black_box(self.typed.values(&self.rows, r))));
        };
        Contestant { face: Face::Raw, level, call: Box::new(call) }
    }

    fn batches(&self, work: &Work, level: &'static str) -> Contestant<'_> {
        let Self { case, rows, .. } = self;
        let mut samplers = samplers(work, level, case.batch);
        let batches: Vec<_> = (0..rows.count / case.batch).map(|place| batch(rows, place, case.batch)).collect();
        let threads = case.threads;
        let call = move |place: usize| {
            black_box(bregman::decode_batch(&mut samplers, black_box(&batches[place]), Want::default(), threads));
        };
        Contestant { face: Face::Raw, level, call: Box::new(call) }
    }
}

fn samplers(work: &Work, level: &str, count: usize) -> Vec<Sampler> {
    (0..count).map(|_| sampler(work, level)).collect()
}

fn batch(rows: &Rows<f32>, place: usize, count: usize) -> Vec<Row<'_>> {
    (0..count).map(|r| Row::from_f32(rows.row(place * count + r)).expect("a row is not empty")).collect()
}

/// One that works on an array of candidates, which is filled for each call.
fn on_candidates<'a>(
    face: Face,
    level: &'static str,
    rows: &'a Rows<f32>,
    mut work: impl FnMut(&mut [Candidate]) + 'a,
) -> Contestant<'a> {
    let mut candidates = blank(rows.vocab);
    let call = move |r| {
        fill(&mut candidates, black_box(rows.row(r)));
        work(black_box(&mut candidates));
    };
    Contestant { face, level, call: Box::new(call) }
}

fn read(candidates: &[Candidate], backwards: bool) {
    // SAFETY: a candidate is three words without padding.
    let words = unsafe { std::slice::from_raw_parts(candidates.as_ptr().cast(), 3 * candidates.len()) };
    black_box(floor::words(words, backwards));
}
