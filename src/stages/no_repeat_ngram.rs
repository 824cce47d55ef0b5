//! No-repeat n-gram: no n tokens in a row twice.

use super::SCOPE;
use super::scope;
use super::{EditScratch, EditStage, Editor, Stage, StageInfo};
use crate::bregman::Generators;
use crate::error::Result;
use crate::history::{Edit, History, Scope, continuations};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "no_repeat_ngram",
    aliases: &["no_repeat_ngram_size"],
    summary: "bans every token that would complete n tokens in a row which the history has already",
    definition: "l' = -inf for a token that completes an n-gram of the history",
    agrees: "transformers",
    source: "Hugging Face transformers, NoRepeatNGramLogitsProcessor",
    draws: false,
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
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    Ok(Box::new(EditStage(NoRepeatNgram { n: arguments.count("n").unwrap_or(0), scope: scope(arguments, None)? })))
}

struct NoRepeatNgram {
    n: usize,
    scope: Scope,
}

impl Editor for NoRepeatNgram {
    fn edit(&self, history: &History, work: &mut EditScratch) {
        if let Some(before) = self.n.checked_sub(1) {
            continuations(history.tokens_in(self.scope), before, |token| work.edits.push(Edit::ban(token)));
            super::put_in_order(&mut work.edits);
        }
    }
}
