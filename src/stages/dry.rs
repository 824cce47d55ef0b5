//! DRY ("don't repeat yourself"): the longer the repetition that a token would continue, the larger its penalty.

use super::{Built, EXEMPT, EditScratch, Editor, LAST_N, OFF, StageInfo, edits, scope, sorted_tokens};
use crate::bregman::Generators;
use crate::history::{Breakers, Edit, History, Scope};
use crate::math::{ln, pow};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use std::sync::Arc;

pub(super) const INFO: StageInfo = StageInfo {
    name: "dry",
    aliases: &[],
    summary: "subtracts multiplier x base^(length - allowed) from a token that would continue a repetition of that length",
    definition: "l' = l - m b^min(n - a, floor(88.72/ln b)), n the longest repetition continued, cut at breakers",
    agrees: "llama.cpp",
    source: "p-e-w, text-generation-webui pull request 5677; llama.cpp, llama_sampler_init_dry",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "multiplier",
            aliases: &["dry_multiplier"],
            summary: "the penalty of the shortest repetition; 0 switches the stage off",
            kind: Kind::Number { min: 0.0, max: 1e6, open: false },
            default: "0.8",
            required: false,
        },
        ParameterInfo {
            name: "base",
            aliases: &["dry_base"],
            summary: "what every further token multiplies the penalty by (the stage is off with multiplier=0)",
            kind: Kind::Number { min: 1.0, max: 1e6, open: false },
            default: "1.75",
            required: false,
        },
        ParameterInfo {
            name: "allowed",
            aliases: &["allowed_length", "dry_allowed_length"],
            summary: "repetitions shorter than this are not penalised",
            kind: Kind::Count { min: 0 },
            default: "2",
            required: false,
        },
        ParameterInfo { aliases: &["dry_penalty_last_n", "range"], ..LAST_N },
        ParameterInfo {
            name: "breakers",
            aliases: &["sequence_breakers", "dry_sequence_breakers"],
            summary: "token sequences at which a repetition is broken off, separated by semicolons: 13; 25 11",
            kind: Kind::Sequences,
            default: "",
            required: false,
        },
        ParameterInfo {
            name: "scope",
            aliases: &[],
            summary: "the tokens that count: the window of the last ones, all, or only the output, of which last_n may be the \
                      last",
            kind: Kind::Choice(&["window", "all", "output"]),
            default: "window",
            required: false,
        },
        EXEMPT,
    ],
    build,
};

/// Above this an f32 is infinite: its natural logarithm. In f32, as llama.cpp has it: 128 at base 2.
const LARGEST: f32 = 88.722_84;

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (multiplier, base) = (arguments.number("multiplier"), arguments.number("base"));
    let scope = scope(arguments)?;
    if multiplier == 0.0 || scope.is_empty() {
        return OFF;
    }
    edits(Dry {
        exempt: sorted_tokens(arguments, "exempt"),
        multiplier,
        base,
        // No bound where the power does not grow.
        most: if base > 1.000_001 { (LARGEST / ln(base) as f32) as usize } else { usize::MAX },
        allowed: arguments.count("allowed"),
        breakers: Arc::new(Breakers::new(&arguments.sequences("breakers"))),
        scope,
    })
}

struct Dry {
    exempt: Vec<u32>,
    multiplier: f64,
    base: f64,
    /// The largest exponent.
    most: usize,
    allowed: usize,
    breakers: Arc<Breakers>,
    scope: Scope,
}

impl Editor for Dry {
    fn edit(&self, history: &History, scratch: &mut EditScratch) {
        let mut lengths = std::mem::take(&mut scratch.lengths);
        // The length stands in the place of what is subtracted, until the longest of each token is known.
        let found = history.repetitions(self.scope, &self.breakers, self.allowed, &mut lengths, |token, length| {
            scratch.gather(Edit::subtract(token, length as f64));
        });
        scratch.lengths = lengths;
        scratch.note(found);
        scratch.keep_largest();
        for edit in &mut scratch.edits {
            let exponent = (edit.subtract - self.allowed as f64).min(self.most as f64);
            edit.subtract = self.multiplier * pow(self.base, exponent);
        }
    }

    fn repeats(&self) -> Option<Scope> {
        Some(self.scope)
    }

    fn breakers(&self) -> Option<Arc<Breakers>> {
        Some(self.breakers.clone())
    }

    fn exempt(&self) -> &[u32] {
        &self.exempt
    }
}
