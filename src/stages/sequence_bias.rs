//! Sequence bias: a bias on the last token of a sequence whose others end the history.

use super::{Built, EditScratch, Editor, OFF, SCOPE, StageInfo, YIELD, edits, whole_scope, yields};
use crate::bregman::Generators;
use crate::history::{Edit, History, Scope};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "sequence_bias",
    aliases: &[],
    summary: "adds a number to the last token of each sequence where the history ends with the others; to a single token \
              always",
    definition: "l' = l + bias for each sequence that the token would complete; -inf bans",
    agrees: "transformers, with a stage for each bias",
    source: "Hugging Face transformers, SequenceBiasLogitsProcessor",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "sequences",
            aliases: &[],
            summary: "token sequences, separated by semicolons: 5; 6 7",
            kind: Kind::Sequences,
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "bias",
            aliases: &[],
            summary: "what is added; 0 switches the stage off, -inf bans",
            kind: Kind::Number { min: f64::NEG_INFINITY, max: 1e6, open: false },
            default: "",
            required: true,
        },
        SCOPE,
        YIELD,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let bias = arguments.number("bias");
    if bias == 0.0 {
        return OFF;
    }
    let (sequences, scope) = (arguments.sequences("sequences"), whole_scope(arguments));
    edits(SequenceBias { sequences, bias, scope, yields: yields(arguments) })
}

struct SequenceBias {
    sequences: Vec<Vec<u32>>,
    bias: f64,
    scope: Scope,
    yields: bool,
}

impl Editor for SequenceBias {
    fn edit(&self, history: &History, scratch: &mut EditScratch) {
        let tokens = history.tokens_in(self.scope);
        for (last, before) in self.sequences.iter().filter_map(|s| s.split_last()) {
            let end = tokens.len().checked_sub(before.len()).map(|start| &tokens[start..]);
            if end.is_some_and(|end| end.iter().zip(before).all(|(&t, &b)| i64::from(t) == i64::from(b))) {
                scratch.push(Edit::subtract(*last, -self.bias));
            }
        }
        scratch.edits.sort_unstable_by_key(|edit| edit.token);
        // A token that completes several sequences gets the bias of each.
        scratch.edits.dedup_by(|next, first| {
            let is_same = next.token == first.token;
            first.subtract += if is_same { next.subtract } else { 0.0 };
            is_same
        });
    }

    fn yields(&self) -> bool {
        self.yields
    }
}
