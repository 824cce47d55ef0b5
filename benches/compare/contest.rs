//! Times several contestants in turn, so that whatever else the machine does meets them all alike.

use crate::floor;
use crate::rows::Rows;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// bregman, from raw logits.
    Raw,
    /// bregman, on an engine's candidate array that is filled each time.
    Chain,
    /// llama.cpp's own samplers on such an array.
    Llama,
    /// The filling of that array alone.
    Fill,
    /// One read of that array after it was filled.
    Read,
    /// The same from its end, which was written last.
    ReadBack,
}

impl Face {
    pub fn name(self) -> &'static str {
        match self {
            Face::Raw => "raw",
            Face::Chain => "chain",
            Face::Llama => "llama.cpp",
            Face::Fill => "fill",
            Face::Read => "read",
            Face::ReadBack => "read back",
        }
    }

    /// Whether the array's filling is part of what is measured.
    pub fn fills(self) -> bool {
        matches!(self, Face::Chain | Face::Llama | Face::Read | Face::ReadBack)
    }
}

/// One that does the work; `call(r)` decodes row r, or the r-th batch of rows.
pub struct Contestant<'a> {
    pub face: Face,
    /// Instruction set; empty if it is not ours to choose.
    pub level: &'static str,
    pub call: Box<dyn FnMut(usize) + 'a>,
}

/// The rows that all of them work on.
pub struct Course<'a> {
    /// What the floor reads.
    pub rows: &'a Rows<f32>,
    /// Rows decoded in a call.
    pub batch: usize,
    /// Every call takes the next rows, which come from memory, or stays with rows that are in the cache.
    pub cold: bool,
    pub rounds: usize,
}

/// Nanoseconds a call, of each round: the floor's just before, and the contestant's own.
pub struct Times {
    pub face: Face,
    pub level: &'static str,
    pub floor: Vec<f64>,
    pub own: Vec<f64>,
}

/// How long a contestant runs at a time: short, so that the next one meets the same machine.
const BURST: Duration = Duration::from_micros(60);

/// A call longer than this brings its row into the cache itself.
const LONG: Duration = Duration::from_micros(400);

/// Runs every contestant in every round, each right after a floor of its own.
pub fn run(course: &Course<'_>, contestants: &mut [Contestant<'_>]) -> Vec<Times> {
    let places = course.rows.count / course.batch;
    let mut read = |place: usize| {
        let rows = place * course.batch..(place + 1) * course.batch;
        black_box(rows.map(|r| floor::sum(black_box(course.rows.row(r)))).sum::<f32>());
    };
    let mut next = 0;
    let floor_once = duration(&mut read, places);
    let once: Vec<_> = contestants.iter_mut().map(|c| duration(&mut c.call, places)).collect();
    let mut times: Vec<_> =
        contestants.iter().map(|c| Times { face: c.face, level: c.level, floor: vec![], own: vec![] }).collect();
    for round in 0..course.rounds {
        for ((contestant, times), once) in contestants.iter_mut().zip(&mut times).zip(&once) {
            let mut burst = |call: &mut dyn FnMut(usize), once: Duration| {
                let calls = (BURST.as_nanos() / once.as_nanos().max(1)).clamp(1, 1000) as usize;
                if !course.cold && once < LONG {
                    call(round % places);
                }
                let start = Instant::now();
                for _ in 0..calls {
                    call(if course.cold { next % places } else { round % places });
                    next += 1;
                }
                start.elapsed().as_nanos() as f64 / calls as f64
            };
            times.floor.push(burst(&mut read, floor_once));
            times.own.push(burst(&mut contestant.call, *once));
        }
    }
    times
}

/// The shortest of a few calls.
fn duration(call: &mut dyn FnMut(usize), places: usize) -> Duration {
    let one = |i: usize| {
        let start = Instant::now();
        call(i % places);
        start.elapsed()
    };
    (0..3).map(one).min().expect("three calls")
}
