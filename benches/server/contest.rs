//! Times the contestants in turn, each after a model step of its own and again right after that.

use crate::contestants::{Contestant, Who};
use crate::model::Model;
use std::time::Instant;

/// When a step is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// After the model: the rows are in memory, and so is everything else.
    AfterModel,
    /// Again at once: the rows are in whatever cache holds them.
    Again,
}

impl When {
    pub fn name(self) -> &'static str {
        match self {
            When::AfterModel => "after the model",
            When::Again => "again",
        }
    }
}

/// The tokens of a step, and when they were there.
pub struct Clock {
    start: Instant,
    end: f64,
    waits: Vec<f64>,
    tokens: Vec<i32>,
}

impl Clock {
    fn new(slots: usize) -> Self {
        let (waits, tokens) = (Vec::with_capacity(slots), Vec::with_capacity(slots));
        Self { start: Instant::now(), end: f64::NAN, waits, tokens }
    }

    fn restart(&mut self) {
        self.waits.clear();
        self.tokens.clear();
        self.start = Instant::now();
    }

    /// The next slot has its token.
    pub fn token(&mut self, token: i32) {
        self.waits.push(self.start.elapsed().as_nanos() as f64);
        self.tokens.push(token);
    }

    /// The step is done.
    pub fn end(&mut self) {
        self.end = self.start.elapsed().as_nanos() as f64;
    }

    /// A token that was there only when the step was done.
    pub fn token_at_end(&mut self, token: i32) {
        self.waits.push(self.end);
        self.tokens.push(token);
    }
}

/// Nanoseconds: of each step, and of each token from the beginning of its step.
pub struct Times {
    pub who: Who,
    pub threads: usize,
    pub when: When,
    pub steps: Vec<f64>,
    pub waits: Vec<f64>,
}

/// Rounds before the first that counts: buffers grow, and threads are started.
const FIRST: usize = 2;

pub fn run(model: &mut Model, contestants: &mut [Contestant<'_>], rounds: usize) -> Vec<Times> {
    let slots = model.logits.count;
    let mut clock = Clock::new(slots);
    let mut times: Vec<Times> = vec![];
    for when in [When::AfterModel, When::Again] {
        let of = |c: &Contestant<'_>| Times { who: c.who, threads: c.threads, when, steps: vec![], waits: vec![] };
        times.extend(contestants.iter().map(of));
    }
    let n = contestants.len();
    for round in 0..FIRST + rounds {
        let mut drawn: Vec<Option<Vec<i32>>> = vec![None; 2 * n];
        for turn in 0..n {
            let at = (round + turn) % n;
            model.step(round);
            for again in 0..2 {
                clock.restart();
                (contestants[at].step)(&model.logits, 2 * round + again, &mut clock);
                if contestants[at].who.is_ours() {
                    drawn[again * n + at] = Some(clock.tokens.clone());
                }
                if round >= FIRST {
                    let times = &mut times[again * n + at];
                    times.steps.push(clock.end);
                    times.waits.extend(&clock.waits);
                }
            }
        }
        agree(&drawn[..n]);
        agree(&drawn[n..]);
    }
    times
}

/// All that draw bregman's tokens drew the same ones.
fn agree(drawn: &[Option<Vec<i32>>]) {
    let mut tokens = drawn.iter().flatten();
    let first = tokens.next().expect("one of ours takes part");
    assert!(tokens.all(|tokens| tokens == first), "the stage and the batches drew different tokens");
}
