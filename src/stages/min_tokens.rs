//! Min tokens: no end before so many tokens.

use super::{Built, EditScratch, Editor, OFF, SCOPE, StageInfo, YIELD, edits, sort_by_token, whole_scope, yields};
use crate::bregman::Generators;
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
    learns: false,
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
        YIELD,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (n, scope) = (arguments.count("n"), whole_scope(arguments));
    let mut stop: Vec<_> = arguments.tokens("stop").into_iter().map(Edit::ban).collect();
    sort_by_token(&mut stop);
    if n == 0 { OFF } else { edits(MinTokens { n, stop, scope, yields: yields(arguments) }) }
}

struct MinTokens {
    n: usize,
    stop: Vec<Edit>,
    scope: Scope,
    yields: bool,
}

impl Editor for MinTokens {
    fn edit(&self, history: &History, scratch: &mut EditScratch) {
        if history.tokens_in(self.scope).len() < self.n {
            scratch.extend(self.stop.len(), self.stop.iter().copied());
        }
    }

    fn yields(&self) -> bool {
        self.yields
    }
}
