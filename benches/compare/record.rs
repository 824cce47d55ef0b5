//! The record: one line for each figure, with what it needs to be understood later.

use crate::common::figures::{median, min, round};
use crate::contest::{Face, Times};
use serde::{Deserialize, Serialize};

/// A figure.
#[derive(Serialize, Deserialize)]
pub struct Line {
    pub vocab: usize,
    pub rows: String,
    /// "hot" (in the cache) or "cold" (from memory).
    pub heat: String,
    pub dtype: String,
    pub batch: usize,
    pub threads: usize,
    pub work: String,
    pub chain: String,
    pub face: String,
    pub level: String,
    pub rounds: usize,
    /// Nanoseconds a call: median and minimum over the rounds.
    pub median_ns: f64,
    pub min_ns: f64,
    /// The floor's minimum: one f32 read of the same rows.
    pub floor_ns: f64,
    /// Times the floor: median over the rounds, and minimum by minimum.
    pub floors: f64,
    pub floors_min: f64,
    /// The same without the array's filling; none where nothing is filled.
    pub net_floors: Option<f64>,
    /// How many times as fast as llama.cpp's samplers: all for all from raw logits, in the chain and for one read of the
    /// array without the filling.
    pub faster: Option<f64>,
}

/// What a table is about: everything but who and how fast.
pub struct Case {
    pub vocab: usize,
    pub rows: String,
    pub heat: &'static str,
    pub dtype: &'static str,
    pub batch: usize,
    pub threads: usize,
}

impl Case {
    /// The case in a word, for filters and messages.
    pub fn name(&self) -> String {
        let Self { vocab, rows, heat, dtype, batch, threads } = self;
        format!("V={vocab}/{rows}/{heat}/{dtype}/{batch}x{threads}")
    }

    /// One row at a time, by the thread that calls.
    pub fn is_single(&self) -> bool {
        self.batch == 1 && self.threads == 1
    }
}

/// The lines of one contest.
pub fn lines(case: &Case, (work, chain): (&str, &str), times: &[Times]) -> Vec<Line> {
    let of = |face: Face| times.iter().find(|t| t.face == face);
    let (fill, llama) = (of(Face::Fill), of(Face::Llama));
    // Round by round, with or without the filling.
    let net = |t: &Times| -> Option<Vec<f64>> {
        let fill = fill.filter(|_| t.face.fills())?;
        Some(t.own.iter().zip(&fill.own).map(|(own, fill)| own - fill).collect())
    };
    let ratio = |a: &[f64], b: &[f64]| median(a.iter().zip(b).map(|(a, b)| a / b));
    times
        .iter()
        .map(|t| Line {
            vocab: case.vocab,
            rows: case.rows.clone(),
            heat: case.heat.into(),
            dtype: case.dtype.into(),
            batch: case.batch,
            threads: case.threads,
            work: work.into(),
            chain: chain.into(),
            face: t.face.name().into(),
            level: t.level.into(),
            rounds: t.own.len(),
            median_ns: round(median(t.own.iter().copied())),
            min_ns: round(min(&t.own)),
            floor_ns: round(min(&t.floor)),
            floors: round(ratio(&t.own, &t.floor)),
            floors_min: round(min(&t.own) / min(&t.floor)),
            net_floors: net(t).map(|net| round(ratio(&net, &t.floor))),
            faster: llama.and_then(|l| match t.face {
                Face::Raw => Some(round(ratio(&l.own, &t.own))),
                Face::Chain | Face::Read | Face::ReadBack => Some(round(ratio(&net(l)?, &net(t)?))),
                Face::Llama | Face::Fill => None,
            }),
        })
        .collect()
}
