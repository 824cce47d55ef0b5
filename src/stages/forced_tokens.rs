//! Forced tokens: at a length only some may come.

use super::{Built, SCOPE, Selector, StageInfo, YIELD, selects, sorted_tokens, whole_scope, yields};
use crate::bregman::Generators;
use crate::history::{History, Scope};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "forced_tokens",
    aliases: &[],
    summary: "allows only some tokens once there are n tokens",
    definition: "l' = -inf for every token that is not in the list, where the scope has exactly n tokens (rule=at) or at \
                 least n (rule=from)",
    agrees: "transformers: forced_bos_token_id with n=1, scope=all; forced_eos_token_id with n = max_length - 1, scope=all; \
             both with one token (to several transformers gives equal probabilities)",
    source: "Hugging Face transformers, ForcedBOSTokenLogitsProcessor, ForcedEOSTokenLogitsProcessor",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "n",
            aliases: &[],
            summary: "the number of tokens so far",
            kind: Kind::Count { min: 0 },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "tokens",
            aliases: &[],
            summary: "the tokens that may come then, separated by spaces",
            kind: Kind::Tokens,
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "rule",
            aliases: &[],
            summary: "at acts where there are exactly n tokens, from where there are n or more",
            kind: Kind::Choice(&["at", "from"]),
            default: "at",
            required: false,
        },
        ParameterInfo { default: "output", ..SCOPE },
        YIELD,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let n = arguments.count("n");
    selects(ForcedTokens {
        lengths: (n, if arguments.is("rule", "from") { usize::MAX } else { n }),
        tokens: sorted_tokens(arguments, "tokens"),
        scope: whole_scope(arguments),
        yields: yields(arguments),
    })
}

struct ForcedTokens {
    /// The shortest and the longest at which it acts.
    lengths: (usize, usize),
    tokens: Vec<u32>,
    scope: Scope,
    yields: bool,
}

impl Selector for ForcedTokens {
    fn allowed<'a>(&'a self, history: &History) -> Option<&'a [u32]> {
        let (from, to) = self.lengths;
        (from..=to).contains(&history.tokens_in(self.scope).len()).then_some(&self.tokens)
    }

    fn yields(&self) -> bool {
        self.yields
    }
}
