//! Reasoning budget: so many tokens after a start sequence, then a message and the end sequence.

use super::{Built, Selector, StageInfo, YIELD, selects, yields};
use crate::bregman::Generators;
use crate::history::{History, Scope};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "reasoning_budget",
    aliases: &["thinking_budget"],
    summary: "lets n tokens follow the start sequence; then forces the message and the end sequence, token by token",
    definition: "a block opens where start ends, unless one is open, and closes where end ends. In a block with n tokens or \
                 more, let j be the length of the longest beginning of message, end that those after the n-th end with: \
                 only token j + 1 of message, end is allowed",
    agrees: "llama.cpp (reasoning budget, but for its wait for whole characters); vLLM (thinking_token_budget), which counts \
             tokens of the prompt after the start too",
    source: "llama.cpp, common/reasoning-budget.cpp; vLLM, v1/sample/thinking_budget_state.py",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "start",
            aliases: &["start_tokens"],
            summary: "the sequence that opens a block, token ids separated by spaces",
            kind: Kind::Tokens,
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "end",
            aliases: &["end_tokens"],
            summary: "the sequence that closes it",
            kind: Kind::Tokens,
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "n",
            aliases: &["budget", "thinking_token_budget"],
            summary: "tokens of a block that the model may choose; those of the prompt after the start count",
            kind: Kind::Count { min: 0 },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "message",
            aliases: &[],
            summary: "tokens that are forced before the end sequence",
            kind: Kind::Tokens,
            default: "",
            required: false,
        },
        YIELD,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (start, end) = (arguments.tokens("start"), arguments.tokens("end"));
    let forced = [arguments.tokens("message"), end.clone()].concat();
    selects(ReasoningBudget { start, end, forced, n: arguments.count("n"), yields: yields(arguments) })
}

struct ReasoningBudget {
    start: Vec<u32>,
    end: Vec<u32>,
    /// The message and the end sequence.
    forced: Vec<u32>,
    n: usize,
    yields: bool,
}

fn equal(tokens: &[i32], sequence: &[u32]) -> bool {
    tokens.iter().zip(sequence).all(|(&t, &s)| i64::from(t) == i64::from(s))
}

impl ReasoningBudget {
    /// The tokens of the block that is open.
    fn block<'h>(&self, tokens: &'h [i32]) -> Option<&'h [i32]> {
        let ends = tokens.windows(self.end.len()).rposition(|window| equal(window, &self.end));
        let rest = &tokens[ends.map_or(0, |at| at + self.end.len())..];
        let starts = rest.windows(self.start.len()).position(|window| equal(window, &self.start))?;
        Some(&rest[starts + self.start.len()..])
    }
}

impl Selector for ReasoningBudget {
    fn allowed<'a>(&'a self, history: &History) -> Option<&'a [u32]> {
        let beyond = self.block(history.tokens_in(Scope::ALL))?.get(self.n..)?;
        let most = beyond.len().min(self.forced.len() - 1);
        let is_there = |&j: &usize| equal(&beyond[beyond.len() - j..], &self.forced[..j]);
        let next = (0..=most).rev().find(is_there)?;
        Some(&self.forced[next..=next])
    }

    fn yields(&self) -> bool {
        self.yields
    }
}
