//! Repetition, frequency and presence penalties.

use super::scope;
use super::{EditScratch, EditStage, Editor, Stage, StageInfo};
use crate::bregman::Generators;
use crate::error::Result;
use crate::history::{Edit, History, Scope};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "penalties",
    aliases: &["penalty"],
    summary: "lowers the logits of tokens seen: divided by repeat (multiplied where not positive), less times seen times \
              frequency, less presence",
    definition: "l' = (l > 0 ? l/r : l r) - c f - [c > 0] g, c the token's count",
    agrees: "llama.cpp (window); transformers and vLLM repetition (scope=all); vLLM frequency and presence (scope=output)",
    source: "CTRL, arXiv 1909.05858; OpenAI API; llama.cpp, llama_sampler_init_penalties; Hugging Face transformers, \
             RepetitionPenaltyLogitsProcessor",
    draws: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "repeat",
            aliases: &["repetition_penalty", "repeat_penalty", "penalty_repeat", "repetition"],
            summary: "above 1 discourages tokens seen, below 1 encourages them",
            kind: Kind::Number { min: 0.0, max: 1000.0, open: true },
            default: "1",
            required: false,
        },
        ParameterInfo {
            name: "frequency",
            aliases: &["frequency_penalty", "penalty_freq"],
            summary: "subtracted for every time that a token was seen",
            kind: Kind::Number { min: -1000.0, max: 1000.0, open: false },
            default: "0",
            required: false,
        },
        ParameterInfo {
            name: "presence",
            aliases: &["presence_penalty", "penalty_present"],
            summary: "subtracted once from a token seen",
            kind: Kind::Number { min: -1000.0, max: 1000.0, open: false },
            default: "0",
            required: false,
        },
        ParameterInfo {
            name: "last_n",
            aliases: &["repeat_last_n", "penalty_last_n"],
            summary: "the length of the window; 0 switches the stage off; only with scope=window",
            kind: Kind::Count { min: 0 },
            default: "64",
            required: false,
        },
        ParameterInfo {
            name: "scope",
            aliases: &[],
            summary: "the tokens that count: the window of the last ones, all, or only the output (what was accepted \
                      after the first row)",
            kind: Kind::Choice(&["window", "all", "output"]),
            default: "window",
            required: false,
        },
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    Ok(Box::new(EditStage(Penalties {
        repeat: arguments.number("repeat").unwrap_or(1.0),
        frequency: arguments.number("frequency").unwrap_or(0.0),
        presence: arguments.number("presence").unwrap_or(0.0),
        scope: scope(arguments, Some("last_n"))?,
    })))
}

struct Penalties {
    repeat: f64,
    frequency: f64,
    presence: f64,
    scope: Scope,
}

impl Editor for Penalties {
    fn edit(&self, history: &History, work: &mut EditScratch) {
        if (self.repeat, self.frequency, self.presence) == (1.0, 0.0, 0.0) {
            return;
        }
        work.edits.extend(history.counts(self.scope).iter().map(|counted| Edit {
            token: counted.token,
            repetition: self.repeat,
            subtract: self.frequency * f64::from(counted.count) + self.presence,
        }));
    }

    fn counts(&self) -> Option<Scope> {
        Some(self.scope)
    }
}
