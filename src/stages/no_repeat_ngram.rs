//! No-repeat n-gram: no n tokens in a row twice.

use super::{
    Built, EXEMPT, EditScratch, Editor, OFF, SCOPE, StageInfo, YIELD, edits, sorted_tokens, whole_scope, yields,
};
use crate::bregman::Generators;
use crate::history::{Edit, History, Scope};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "no_repeat_ngram",
    aliases: &["no_repeat_ngram_size"],
    summary: "bans every token that would complete n tokens in a row which the history has already",
    definition: "l' = -inf for a token that completes an n-gram of the history",
    agrees: "transformers",
    source: "Hugging Face transformers, NoRepeatNGramLogitsProcessor",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "n",
            aliases: &["ngram_size", "size"],
            summary: "the length of the sequences; 0 switches the stage off",
            kind: Kind::Count { min: 0 },
            default: "",
            required: true,
        },
        SCOPE,
        YIELD,
        EXEMPT,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    match arguments.count("n").checked_sub(1) {
        None => OFF,
        Some(before) => edits(NoRepeatNgram {
            exempt: sorted_tokens(arguments, "exempt"),
            before,
            scope: whole_scope(arguments),
            yields: yields(arguments),
        }),
    }
}

struct NoRepeatNgram {
    exempt: Vec<u32>,
    /// How many tokens of a sequence stand before the one that is banned.
    before: usize,
    scope: Scope,
    yields: bool,
}

impl Editor for NoRepeatNgram {
    fn edit(&self, history: &History, scratch: &mut EditScratch) {
        let mut lengths = std::mem::take(&mut scratch.lengths);
        let ban = |token| scratch.gather(Edit::ban(token));
        let found = history.continuations(self.scope, self.before, &mut lengths, ban);
        scratch.lengths = lengths;
        scratch.note(found);
        scratch.keep_largest();
    }

    fn repeats(&self) -> Option<Scope> {
        Some(self.scope)
    }

    fn yields(&self) -> bool {
        self.yields
    }

    fn exempt(&self) -> &[u32] {
        &self.exempt
    }
}
