//! Which rows and how many slots meet which chain, and who takes part.

use crate::check;
use crate::common::llama::{Llama, Stage};
use crate::common::options::Options;
use crate::common::rows::Kind;
use crate::contest;
use crate::contestants;
use crate::model::Model;
use crate::record::{self, Line};
use crate::slots::Slot;
use crate::table;

/// A chain, as bregman's and as llama.cpp's samplers.
pub struct Work {
    pub key: &'static str,
    pub title: &'static str,
    pub chain: &'static str,
    /// For a vocabulary; empty where llama.cpp has nothing of the kind.
    pub llama: fn(usize) -> Vec<Stage>,
}

pub const WORKS: [Work; 4] = [
    Work {
        key: "default_64",
        title: "default, penalties over 64",
        chain: "llama_cpp(repeat_penalty=1.1)",
        llama: |vocab| default_chain(vocab, 64),
    },
    Work {
        key: "default_all",
        title: "default, penalties over all",
        chain: "llama_cpp(repeat_penalty=1.1, repeat_last_n=-1)",
        // Its server puts the length of the context in the place of -1.
        llama: |vocab| default_chain(vocab, 8192),
    },
    Work {
        key: "temperature",
        title: "temperature 0.8 alone",
        chain: "temperature(0.8) | draw",
        llama: |_| vec![Stage::TempExt(0.8, 0.0, 1.0), Stage::Dist],
    },
    Work {
        key: "alpha_1.5",
        title: "Bregman α = 1.5, adaptive",
        chain: "bregman(alpha=1.5, floor=0.01) | draw",
        llama: |_| vec![],
    },
];

/// What llama.cpp's server makes of its defaults and a repetition penalty. Samplers that are off do nothing, but are there;
/// DRY, which is off too, is left out, because it needs a model's vocabulary.
fn default_chain(vocab: usize, last: i32) -> Vec<Stage> {
    vec![
        Stage::Penalties(vocab as i32, last, 1.1),
        Stage::TopNSigma(-1.0),
        Stage::TopK(40),
        Stage::Typical(1.0),
        Stage::TopP(0.95),
        Stage::MinP(0.05),
        Stage::Xtc(0.0, 0.1),
        Stage::TempExt(0.8, 0.0, 1.0),
        Stage::Dist,
    ]
}

/// What a table is about: everything but who and how fast.
pub struct Case {
    pub kind: Kind,
    pub vocab: usize,
    pub slots: usize,
    pub work: &'static Work,
}

impl Case {
    pub fn name(&self) -> String {
        let Self { kind, vocab, slots, work } = self;
        format!("{}/V={vocab}/{}/{slots}slots", work.key, kind.name())
    }
}

/// Different rows that the model writes in turn.
const ROWS: usize = 64;

pub fn cases(options: &Options) -> Vec<Case> {
    let works = |few: bool| WORKS.iter().filter(move |work| !few || ["default_64", "temperature"].contains(&work.key));
    let kinds: &[(Kind, usize, &[usize])] = match (options.timed, options.quick) {
        (false, _) => &[(Kind::HEADLINE, 32_000, &[1, 8])],
        (true, true) => &[(Kind::HEADLINE, 128_256, &[1, 32]), (Kind::Real, 262_144, &[8]), (Kind::Real, 49_152, &[8])],
        (true, false) => &[
            (Kind::HEADLINE, 128_256, &[1, 8, 32, 64]),
            (Kind::HEADLINE, 262_144, &[1, 8, 32, 64]),
            (Kind::Real, 262_144, &[1, 8, 32, 64]),
            (Kind::Real, 49_152, &[1, 8, 32, 64]),
        ],
    };
    let mut cases = vec![];
    for &(kind, vocab, slots) in kinds {
        for work in works(kind == Kind::Real || options.quick) {
            cases.extend(slots.iter().map(|&slots| Case { kind, vocab, slots, work }));
        }
    }
    cases.retain(|case| options.has(&case.name()));
    cases
}

/// Checks and times a case.
pub fn run(case: &Case, options: &Options, llama: Option<&Llama>, level: &str) -> Vec<Line> {
    let Case { kind, vocab, slots: count, work } = *case;
    let rows = match kind.rows(vocab, if options.timed { ROWS } else { 8 }) {
        Ok(rows) => rows,
        Err(why) => {
            println!("\nskipped: {}: {why}", case.name());
            return vec![];
        }
    };
    let slots = Slot::some(count, &rows);
    let mut model = Model::new(rows, count, options.timed);
    check::slots(work, vocab, &slots, &model, llama);
    let mut contestants = vec![contestants::touch()];
    if let Some(llama) = llama {
        let stages = (work.llama)(vocab);
        if !stages.is_empty() {
            contestants.push(contestants::llama(llama, &stages, &slots, vocab));
        }
        contestants.push(contestants::stage(llama, work.chain, &slots, vocab));
    }
    contestants.extend([1, 2].map(|threads| contestants::batch(work.chain, &slots, threads)));
    let rounds = match (options.timed, options.quick) {
        (false, _) => 2,
        (true, true) => 20,
        (true, false) => 100,
    };
    let times = contest::run(&mut model, &mut contestants, rounds);
    if !options.timed {
        return vec![];
    }
    let masked = slots.iter().filter(|slot| slot.mask(0).is_some()).count();
    let lines = record::lines(level, case, masked, &times);
    print!("\n{}\n{}", case.name(), table::of_case(&lines));
    lines
}
