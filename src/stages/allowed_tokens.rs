//! Allowed tokens: all others are banned.

use super::{Built, Selector, StageInfo, YIELD, selects, sorted_tokens, yields};
use crate::bregman::Generators;
use crate::history::History;
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "allowed_tokens",
    aliases: &["allowed_token_ids"],
    summary: "bans every token but those of a list",
    definition: "l' = -inf for every token that is not in the list",
    agrees: "vLLM (allowed_token_ids)",
    source: "vLLM, allowed_token_ids",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "tokens",
            aliases: &["allowed_token_ids"],
            summary: "the tokens that stay, separated by spaces",
            kind: Kind::Tokens,
            default: "",
            required: true,
        },
        YIELD,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    selects(AllowedTokens { tokens: sorted_tokens(arguments, "tokens"), yields: yields(arguments) })
}

struct AllowedTokens {
    tokens: Vec<u32>,
    yields: bool,
}

impl Selector for AllowedTokens {
    fn allowed<'a>(&'a self, _: &History) -> Option<&'a [u32]> {
        Some(&self.tokens)
    }

    fn yields(&self) -> bool {
        self.yields
    }
}
