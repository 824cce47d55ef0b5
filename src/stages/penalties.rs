//! Repetition, frequency and presence penalties.

use super::{Built, EXEMPT, EditScratch, Editor, LAST_N, OFF, StageInfo, edits, scope, sorted_tokens};
use crate::bregman::Generators;
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
    learns: false,
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
        ParameterInfo { aliases: &["repeat_last_n", "penalty_last_n"], ..LAST_N },
        ParameterInfo {
            name: "scope",
            aliases: &[],
            summary: "the tokens that count: the window of the last ones, all, or only the output (what was accepted \
                      after the first row), of which last_n may be the last",
            kind: Kind::Choice(&["window", "all", "output"]),
            default: "window",
            required: false,
        },
        EXEMPT,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let [repeat, frequency, presence] = ["repeat", "frequency", "presence"].map(|name| arguments.number(name));
    let scope = scope(arguments)?;
    if (repeat, frequency, presence) == (1.0, 0.0, 0.0) || scope.is_empty() {
        return OFF;
    }
    edits(Penalties { exempt: sorted_tokens(arguments, "exempt"), repeat, frequency, presence, scope })
}

struct Penalties {
    exempt: Vec<u32>,
    repeat: f64,
    frequency: f64,
    presence: f64,
    scope: Scope,
}

impl Editor for Penalties {
    fn edit(&self, history: &History, scratch: &mut EditScratch) {
        let counts = history.counts(self.scope);
        scratch.extend(
            counts.len(),
            counts.iter().map(|seen| {
                let subtract = self.frequency * f64::from(seen.count) + self.presence;
                Edit::penalty(seen.token, self.repeat, subtract)
            }),
        );
    }

    fn counts(&self) -> Option<Scope> {
        Some(self.scope)
    }

    fn exempt(&self) -> &[u32] {
        &self.exempt
    }
}
