//! Bad words: token sequences that must not be completed.

use super::{Built, EditScratch, Editor, SCOPE, StageInfo, YIELD, edits, whole_scope, yields};
use crate::bregman::Generators;
use crate::history::{Edit, History, Scope};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "bad_words",
    aliases: &["bad_words_ids"],
    summary: "bans the last token of each sequence where the history ends with the others; a single token always",
    definition: "l' = -inf for the last token of a sequence whose others end the history",
    agrees: "transformers; vLLM with scope=output",
    source: "Hugging Face transformers, NoBadWordsLogitsProcessor; vLLM, bad_words",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "sequences",
            aliases: &["words"],
            summary: "token sequences, separated by semicolons: 5; 6 7",
            kind: Kind::Sequences,
            default: "",
            required: true,
        },
        SCOPE,
        YIELD,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    edits(BadWords {
        sequences: arguments.sequences("sequences"),
        scope: whole_scope(arguments),
        yields: yields(arguments),
    })
}

struct BadWords {
    sequences: Vec<Vec<u32>>,
    scope: Scope,
    yields: bool,
}

impl Editor for BadWords {
    fn edit(&self, history: &History, scratch: &mut EditScratch) {
        let tokens = history.tokens_in(self.scope);
        for (last, before) in self.sequences.iter().filter_map(|s| s.split_last()) {
            let end = tokens.len().checked_sub(before.len()).map(|start| &tokens[start..]);
            if end.is_some_and(|end| end.iter().zip(before).all(|(&t, &b)| i64::from(t) == i64::from(b))) {
                scratch.push(Edit::ban(*last));
            }
        }
        scratch.keep_largest();
    }

    fn yields(&self) -> bool {
        self.yields
    }
}
