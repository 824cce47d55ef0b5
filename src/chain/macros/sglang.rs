//! SGLang.

use super::ValueSource::{Always, Parameter};
use super::engines::{is, is_below_one, is_positive, nothing, number};
use super::parameters::{count, number as between, optional, positive};
use super::{MacroInfo, Part};
use crate::parameters::{Arguments, Kind, ParameterInfo};

/// SGLang takes lower temperatures, and a top_k of 1, for greedy.
fn is_warm(a: &Arguments) -> bool {
    number(a, "temperature") >= 1e-6 && number(a, "top_k") != 1.0
}

/// FlashInfer's kernels keep equals at a cut; torch's sort does not.
fn is_flashinfer(a: &Arguments) -> bool {
    is_warm(a) && is(a, "sampling_backend", "flashinfer")
}

fn is_pytorch(a: &Arguments) -> bool {
    is_warm(a) && is(a, "sampling_backend", "pytorch")
}

pub(super) const SGLANG: MacroInfo = MacroInfo {
    name: "sglang",
    aliases: &[],
    summary: "SGLang's sampler: min tokens, penalties over the output, bias, temperature, top-k and top-p side by side on all \
              probabilities, min-p",
    source: "SGLang, srt/sampling/sampling_params.py, srt/sampling/sampling_batch_info.py and srt/layers/sampler.py",
    leaves_out: "grammars, which are the host's mask; custom logit processors; the tokenizer's own end tokens, which \
                 stop_token_ids must name",
    parameters: &PARAMETERS,
    refuses: nothing,
    parts: &[
        Part {
            stage: "min_tokens",
            is_on: |a| is_positive(a, "min_new_tokens"),
            values: &[("n", Parameter("min_new_tokens")), ("stop", Parameter("stop_token_ids"))],
        },
        // What is subtracted comes before what multiplies, which SGLang keeps in a sum of their own.
        Part {
            stage: "penalties",
            is_on: |a| (number(a, "frequency_penalty"), number(a, "presence_penalty")) != (0.0, 0.0),
            values: &[
                ("frequency", Parameter("frequency_penalty")),
                ("presence", Parameter("presence_penalty")),
                ("scope", Always("output")),
            ],
        },
        Part {
            stage: "penalties",
            is_on: |a| number(a, "repetition_penalty") != 1.0,
            values: &[("repeat", Parameter("repetition_penalty")), ("scope", Always("output"))],
        },
        Part {
            stage: "logit_bias",
            is_on: |a| a.is_given("logit_bias"),
            values: &[("biases", Parameter("logit_bias"))],
        },
        Part {
            stage: "temperature",
            is_on: |a| is_warm(a) && number(a, "temperature") != 1.0,
            values: &[("t", Parameter("temperature"))],
        },
        // Before top-k, because it measures the mass of all tokens.
        Part {
            stage: "top_p",
            is_on: |a| is_pytorch(a) && is_below_one(a, "top_p"),
            values: &[("p", Parameter("top_p")), ("rule", Always("reach"))],
        },
        Part {
            stage: "top_p",
            is_on: |a| is_flashinfer(a) && is_below_one(a, "top_p") && !is_positive(a, "min_p"),
            values: &[("p", Parameter("top_p")), ("rule", Always("ties"))],
        },
        Part {
            stage: "top_k",
            is_on: |a| is_pytorch(a) && is_positive(a, "top_k"),
            values: &[("k", Parameter("top_k"))],
        },
        Part {
            stage: "top_k",
            is_on: |a| is_flashinfer(a) && is_positive(a, "top_k"),
            values: &[("k", Parameter("top_k")), ("ties", Always("keep"))],
        },
        // With min-p FlashInfer renormalises after each.
        Part {
            stage: "top_p",
            is_on: |a| is_flashinfer(a) && is_below_one(a, "top_p") && is_positive(a, "min_p"),
            values: &[("p", Parameter("top_p")), ("rule", Always("ties"))],
        },
        Part { stage: "min_p", is_on: |a| is_warm(a) && is_positive(a, "min_p"), values: &[("p", Parameter("min_p"))] },
        Part { stage: "draw", is_on: is_warm, values: &[] },
        Part { stage: "greedy", is_on: |a| !is_warm(a), values: &[] },
    ],
    ordered: None,
};

const PARAMETERS: [ParameterInfo; 11] = [
    optional("temperature", &["temp"], between(0.0, 1e6), "1", "below 1e-6 it is greedy"),
    optional(
        "top_p",
        &[],
        positive(1.0),
        "1",
        "the mass of more likely tokens that a token may have before it; 1 switches it off",
    ),
    optional(
        "top_k",
        &[],
        count(-1),
        "-1",
        "keep this many tokens; 1 is greedy, -1 switches it off, and so does 0, which SGLang refuses",
    ),
    optional("min_p", &[], between(0.0, 1.0), "0", "the fraction of the largest probability; 0 switches it off"),
    optional(
        "frequency_penalty",
        &[],
        between(-2.0, 2.0),
        "0",
        "subtracted for every time that a token is in the output",
    ),
    optional("presence_penalty", &[], between(-2.0, 2.0), "0", "subtracted once from a token of the output"),
    optional(
        "repetition_penalty",
        &[],
        positive(2.0),
        "1",
        "divides positive logits of tokens of the output and multiplies the others; 1 switches it off",
    ),
    optional(
        "min_new_tokens",
        &[],
        count(0),
        "0",
        "tokens of the output before a stop token may come; 0 switches it off",
    ),
    optional("stop_token_ids", &["stop", "eos"], Kind::Tokens, "", "the stop tokens, separated by spaces"),
    optional("logit_bias", &[], Kind::Biases, "", "token:bias pairs, separated by spaces"),
    optional(
        "sampling_backend",
        &[],
        Kind::Choice(&["pytorch", "flashinfer"]),
        "pytorch",
        "the server's kernels: flashinfer keeps equals at a cut, and with min_p measures top_p's mass among the top_k tokens",
    ),
];
