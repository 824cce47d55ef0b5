//! Length decay: the longer the text, the likelier its end.

use super::{Built, EditScratch, Editor, OFF, SCOPE, StageInfo, edits, sorted_tokens, whole_scope};
use crate::bregman::Generators;
use crate::history::{Edit, History, Scope};
use crate::math::pow;
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "length_decay",
    aliases: &["exponential_decay_length_penalty"],
    summary: "raises the logits of the stop tokens exponentially once there are more than start tokens",
    definition: "l' = l + |l| (factor^(t - start) - 1) for stop tokens where the scope has t > start tokens; the power is at \
                 most 3.4e38, the largest f32",
    agrees: "transformers",
    source: "Hugging Face transformers, ExponentialDecayLengthPenalty",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "start",
            aliases: &["start_index"],
            summary: "this many tokens before it begins",
            kind: Kind::Count { min: 0 },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "factor",
            aliases: &["decay_factor"],
            summary: "what each further token multiplies by: above 1 raises the stop tokens, below 1 lowers them; 1 switches \
                      the stage off",
            kind: Kind::Number { min: 0.0, max: 1000.0, open: true },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "stop",
            aliases: &["eos", "stop_token_ids"],
            summary: "the stop tokens, separated by spaces",
            kind: Kind::Tokens,
            default: "",
            required: true,
        },
        ParameterInfo { default: "output", ..SCOPE },
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let factor = arguments.number("factor");
    if factor == 1.0 {
        return OFF;
    }
    edits(LengthDecay {
        start: arguments.count("start"),
        factor,
        stop: sorted_tokens(arguments, "stop"),
        scope: whole_scope(arguments),
    })
}

struct LengthDecay {
    start: usize,
    factor: f64,
    stop: Vec<u32>,
    scope: Scope,
}

impl Editor for LengthDecay {
    fn edit(&self, history: &History, scratch: &mut EditScratch) {
        let beyond = history.tokens_in(self.scope).len().saturating_sub(self.start);
        if beyond > 0 {
            let share = pow(self.factor, beyond as f64).min(f64::from(f32::MAX)) - 1.0;
            scratch.extend(self.stop.len(), self.stop.iter().map(|&token| Edit::raise(token, share)));
        }
    }
}
