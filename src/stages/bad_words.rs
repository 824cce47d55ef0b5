//! Bad words: token sequences that must not be completed.

use super::SCOPE;
use super::scope;
use super::{EditScratch, EditStage, Editor, Stage, StageInfo};
use crate::bregman::Generators;
use crate::error::Result;
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
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    Ok(Box::new(EditStage(BadWords { sequences: arguments.sequences("sequences"), scope: scope(arguments, None)? })))
}

struct BadWords {
    sequences: Vec<Vec<u32>>,
    scope: Scope,
}

impl Editor for BadWords {
    fn edit(&self, history: &History, work: &mut EditScratch) {
        let tokens = history.tokens_in(self.scope);
        for (last, before) in self.sequences.iter().filter_map(|s| s.split_last()) {
            let end = tokens.len().checked_sub(before.len()).map(|start| &tokens[start..]);
            if end.is_some_and(|end| end.iter().zip(before).all(|(&t, &b)| i64::from(t) == b.into())) {
                work.edits.push(Edit::ban(*last));
            }
        }
        super::put_in_order(&mut work.edits);
    }
}
