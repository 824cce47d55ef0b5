//! Logit bias: a number added to the logits of some tokens.

use super::{Built, EditScratch, Editor, OFF, StageInfo, YIELD, edits, yields};
use crate::bregman::Generators;
use crate::history::{Edit, History};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "logit_bias",
    aliases: &["bias"],
    summary: "adds a number to the logits of some tokens; -inf bans a token",
    definition: "l' = l + b; -inf bans",
    agrees: "OpenAI API, llama.cpp, vLLM",
    source: "OpenAI API, logit_bias; llama.cpp, llama_sampler_init_logit_bias",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "biases",
            aliases: &["logit_bias"],
            summary: "token:bias pairs, separated by spaces, such as 15:-2.5 30:-inf",
            kind: Kind::Biases,
            default: "",
            required: true,
        },
        YIELD,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let biases = arguments.biases("biases").into_iter().filter(|&(_, bias)| bias != 0.0);
    let mut biases: Vec<_> = biases.map(|(token, bias)| Edit::subtract(token, -f64::from(bias))).collect();
    biases.sort_unstable_by_key(|edit| edit.token);
    if biases.is_empty() { OFF } else { edits(LogitBias { biases, yields: yields(arguments) }) }
}

struct LogitBias {
    biases: Vec<Edit>,
    yields: bool,
}

impl Editor for LogitBias {
    fn edit(&self, _: &History, scratch: &mut EditScratch) {
        scratch.extend(self.biases.len(), self.biases.iter().copied());
    }

    fn yields(&self) -> bool {
        self.yields
    }
}
