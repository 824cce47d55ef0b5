//! The record: one line for each contestant of each case, with what it needs to be understood later.

use crate::common::figures::{median, percentile_99, round};
use crate::contest::Times;
use crate::contestants::Who;
use crate::plan::Case;
use serde::{Deserialize, Serialize};

/// A figure.
#[derive(Serialize, Deserialize)]
pub struct Line {
    /// The library's instruction set.
    pub level: String,
    pub vocab: usize,
    pub rows: String,
    pub slots: usize,
    /// Slots with a grammar, which llama.cpp's samplers do without.
    pub masked: usize,
    pub work: String,
    pub chain: String,
    /// "touch", "llama.cpp", "stage" or "batch".
    pub who: String,
    pub threads: usize,
    /// "after the model" or "again".
    pub when: String,
    pub rounds: usize,
    /// Microseconds a step.
    pub step_us: f64,
    pub step_p99_us: f64,
    /// Microseconds from the beginning of a step to a slot's token; none for "touch".
    pub wait_us: Option<f64>,
    pub wait_p99_us: Option<f64>,
    /// As a multiple of touching the rows: the median over the rounds.
    pub touches: f64,
    /// How many times as fast as llama.cpp's samplers: the median over the rounds.
    pub faster: Option<f64>,
}

/// The lines of one contest.
pub fn lines(level: &str, case: &Case, masked: usize, times: &[Times]) -> Vec<Line> {
    let line = |t: &Times| {
        let of = |who: Who| times.iter().find(|other| other.who == who && other.when == t.when);
        let ratio = |a: &[f64], b: &[f64]| round(median(a.iter().zip(b).map(|(a, b)| a / b)));
        let us = |ns: f64| round(ns / 1000.0);
        let waits = (!t.waits.is_empty()).then_some(&t.waits);
        Line {
            level: level.into(),
            vocab: case.vocab,
            rows: case.kind.name(),
            slots: case.slots,
            masked,
            work: case.work.key.into(),
            chain: case.work.chain.into(),
            who: t.who.name().into(),
            threads: t.threads,
            when: t.when.name().into(),
            rounds: t.steps.len(),
            step_us: us(median(t.steps.iter().copied())),
            step_p99_us: us(percentile_99(t.steps.iter().copied())),
            wait_us: waits.map(|w| us(median(w.iter().copied()))),
            wait_p99_us: waits.map(|w| us(percentile_99(w.iter().copied()))),
            touches: ratio(&t.steps, &of(Who::Touch).expect("it takes part").steps),
            faster: of(Who::Llama).filter(|_| t.who.is_ours()).map(|llama| ratio(&llama.steps, &t.steps)),
        }
    };
    times.iter().map(line).collect()
}
