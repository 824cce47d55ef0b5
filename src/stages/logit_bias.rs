//! Logit bias: a number added to the logits of some tokens.

use super::{Edit, Edits, Stage, StageInfo, Work};
use crate::bregman::Generators;
use crate::error::Result;
use crate::history::{Change, History};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "logit_bias",
    aliases: &["bias"],
    summary: "adds a number to the logits of some tokens; -inf bans a token",
    definition: "l' = l + b; -inf bans",
    agrees: "OpenAI API, llama.cpp, vLLM",
    source: "OpenAI API, logit_bias; llama.cpp, llama_sampler_init_logit_bias",
    draws: false,
    alternatives: &[],
    parameters: &[ParameterInfo {
        name: "biases",
        aliases: &["logit_bias"],
        summary: "token:bias pairs, separated by spaces, such as 15:-2.5 30:-inf",
        kind: Kind::Biases,
        default: "",
        required: true,
    }],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let mut changes: Vec<_> =
        arguments.biases("biases").iter().map(|&(token, bias)| Change::subtract(token, -f64::from(bias))).collect();
    changes.sort_unstable_by_key(|c| c.token);
    Ok(Box::new(Edits(LogitBias { changes })))
}

struct LogitBias {
    changes: Vec<Change>,
}

impl Edit for LogitBias {
    fn edit(&self, _: &History, work: &mut Work) {
        work.changes.extend_from_slice(&self.changes);
    }
}
