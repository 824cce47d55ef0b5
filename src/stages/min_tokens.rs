//! Min tokens: no end before so many tokens.

use super::SCOPE;
use super::scope;
use super::{EditScratch, EditStage, Editor, Stage, StageInfo};
use crate::bregman::Generators;
use crate::error::Result;
use crate::history::{Edit, History, Scope};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "min_tokens",
    aliases: &["min_new_tokens"],
    summary: "bans the stop tokens until there are n tokens",
    definition: "l' = -inf for stop tokens while the scope has fewer than n tokens",
    agrees: "vLLM; transformers (min_new_tokens; min_length with scope=all)",
    source: "vLLM, min_tokens; Hugging Face transformers, MinNewTokensLengthLogitsProcessor, and with scope=all \
             MinLengthLogitsProcessor",
    draws: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "n",
            aliases: &["min_tokens"],
            summary: "this many tokens before a stop token may come; 0 switches the stage off",
            kind: Kind::Count { min: 0 },
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

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let mut stop: Vec<_> = arguments.tokens("stop").into_iter().map(Edit::ban).collect();
    super::put_in_order(&mut stop);
    Ok(Box::new(EditStage(MinTokens { n: arguments.count("n").unwrap_or(0), stop, scope: scope(arguments, None)? })))
}

struct MinTokens {
    n: usize,
    stop: Vec<Edit>,
    scope: Scope,
}

impl Editor for MinTokens {
    fn edit(&self, history: &History, work: &mut EditScratch) {
        if history.tokens_in(self.scope).len() < self.n {
            work.edits.extend_from_slice(&self.stop);
        }
    }
}
