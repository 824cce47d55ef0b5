//! mlx-lm.

use super::ValueSource::{Always, Parameter, Temperature};
use super::engines::{is_below_one, is_positive, nothing, number};
use super::parameters::{count, number as between, optional};
use super::{MacroInfo, Part};
use crate::parameters::{Arguments, Kind, ParameterInfo};

/// mlx-lm takes 0 for greedy, and then truncates nothing.
fn is_warm(a: &Arguments) -> bool {
    is_positive(a, "temp")
}

fn excludes(a: &Arguments) -> bool {
    is_warm(a) && is_positive(a, "xtc_probability")
}

pub(super) const MLX_LM: MacroInfo = MacroInfo {
    name: "mlx_lm",
    aliases: &["mlx"],
    summary: "mlx-lm's sampler and processors: bias, repetition, presence and frequency penalties with a window each, top-p, min-p, \
              XTC and top-k at temperature 1, temperature last",
    source: "mlx-lm 0.32, sample_utils.py, make_sampler and make_logits_processors",
    leaves_out: "a context size of 0, which is the whole history there; XTC differs for tokens exactly at its threshold and for equals \
                 of the last one above it, which mlx-lm keeps",
    parameters: &PARAMETERS,
    refuses: nothing,
    parts: &[
        Part {
            stage: "logit_bias",
            is_on: |a| a.is_given("logit_bias"),
            values: &[("biases", Parameter("logit_bias"))],
        },
        Part {
            stage: "penalties",
            is_on: |a| is_positive(a, "repetition_penalty") && number(a, "repetition_penalty") != 1.0,
            values: &[("repeat", Parameter("repetition_penalty")), ("last_n", Parameter("repetition_context_size"))],
        },
        Part {
            stage: "penalties",
            is_on: |a| number(a, "presence_penalty") != 0.0,
            values: &[("presence", Parameter("presence_penalty")), ("last_n", Parameter("presence_context_size"))],
        },
        Part {
            stage: "penalties",
            is_on: |a| number(a, "frequency_penalty") != 0.0,
            values: &[("frequency", Parameter("frequency_penalty")), ("last_n", Parameter("frequency_context_size"))],
        },
        Part {
            stage: "top_p",
            is_on: |a| is_warm(a) && is_positive(a, "top_p") && is_below_one(a, "top_p"),
            values: &[("p", Parameter("top_p")), ("rule", Always("ties"))],
        },
        Part {
            stage: "min_p",
            is_on: |a| is_warm(a) && is_positive(a, "min_p"),
            values: &[("p", Parameter("min_p")), ("min_keep", Parameter("min_tokens_to_keep"))],
        },
        Part {
            stage: "xtc",
            is_on: |a| excludes(a) && !a.is_given("xtc_special_tokens"),
            values: &[("probability", Parameter("xtc_probability")), ("threshold", Parameter("xtc_threshold"))],
        },
        Part {
            stage: "xtc",
            is_on: |a| excludes(a) && a.is_given("xtc_special_tokens"),
            values: &[
                ("probability", Parameter("xtc_probability")),
                ("threshold", Parameter("xtc_threshold")),
                ("exempt", Parameter("xtc_special_tokens")),
                ("rule", Always("others")),
            ],
        },
        Part { stage: "top_k", is_on: |a| is_warm(a) && is_positive(a, "top_k"), values: &[("k", Parameter("top_k"))] },
        Part {
            stage: "temperature",
            is_on: |a| is_warm(a) && number(a, "temp") != 1.0,
            values: &[("t", Temperature("temp"))],
        },
        Part { stage: "draw", is_on: is_warm, values: &[] },
        Part { stage: "greedy", is_on: |a| !is_warm(a), values: &[] },
    ],
    ordered: None,
};

const PARAMETERS: [ParameterInfo; 15] = [
    optional("temp", &["temperature"], between(0.0, 1e6), "0", "0 is greedy, without any truncation"),
    optional("top_p", &[], between(0.0, 1.0), "0", "the mass to reach; 0 and 1 switch it off"),
    optional("min_p", &[], between(0.0, 1.0), "0", "the fraction of the largest probability; 0 switches it off"),
    optional("min_tokens_to_keep", &[], count(1), "1", "min_p keeps at least this many tokens"),
    optional("top_k", &[], count(-1), "0", "keep this many tokens; 0 or -1 switches it off"),
    optional(
        "xtc_probability",
        &[],
        between(0.0, 1.0),
        "0",
        "how often the top choices are excluded; 0 switches it off",
    ),
    optional("xtc_threshold", &[], between(0.0, 0.5), "0.1", "the probability of a top choice"),
    optional("xtc_special_tokens", &[], Kind::Tokens, "", "tokens that XTC does not exclude, separated by spaces"),
    optional(
        "repetition_penalty",
        &[],
        between(0.0, 1000.0),
        "0",
        "divides positive logits of tokens seen and multiplies the others; 0 and 1 switch it off",
    ),
    optional("repetition_context_size", &[], count(1), "20", "the last tokens that repetition_penalty looks at"),
    optional("presence_penalty", &[], between(-1000.0, 1000.0), "0", "subtracted once from a token seen"),
    optional("presence_context_size", &[], count(1), "20", "the last tokens that presence_penalty looks at"),
    optional(
        "frequency_penalty",
        &[],
        between(-1000.0, 1000.0),
        "0",
        "subtracted for every time that a token was seen",
    ),
    optional("frequency_context_size", &[], count(1), "20", "the last tokens that frequency_penalty looks at"),
    optional("logit_bias", &[], Kind::Biases, "", "token:bias pairs, separated by spaces"),
];
