//! ExLlamaV2 and ExLlamaV3.

use super::ValueSource::{Always, Computed, Parameter, Temperature};
use super::engines::{is, is_below_one, is_positive, nothing, number};
use super::parameters::{count, number as between, optional, positive};
use super::{MacroInfo, Part};
use crate::parameters::{Arguments, Kind, ParameterInfo};

/// ExLlamaV2's temperatures for greedy, unless the temperature comes last.
fn is_warm(a: &Arguments) -> bool {
    number(a, "temperature") >= 0.01 || is(a, "temperature_last", "true")
}

/// Strictly between 0 and 1: ExLlamaV2's other values switch off.
fn is_share(a: &Arguments, name: &str) -> bool {
    is_warm(a) && is_positive(a, name) && is_below_one(a, name)
}

fn is_dynamic(a: &Arguments) -> bool {
    is_warm(a) && number(a, "max_temp") > number(a, "min_temp")
}

fn is_mirostat(a: &Arguments) -> bool {
    is_warm(a) && is(a, "mirostat", "true")
}

fn penalises(a: &Arguments) -> bool {
    let of = ["token_repetition_penalty", "token_frequency_penalty", "token_presence_penalty"];
    of.map(|name| number(a, name)) != [1.0, 0.0, 0.0]
}

pub(super) const EXLLAMAV2: MacroInfo = MacroInfo {
    name: "exllamav2",
    aliases: &["exl2"],
    summary: "ExLlamaV2's sampler: penalties, bias, smoothing, temperature, top-k, top-p, top-a, min-p, tail-free, mirostat, dynamic \
              temperature",
    source: "ExLlamaV2, generator/sampler.py and exllamav2_ext/ext_sampling.cpp",
    leaves_out: "token_repetition_decay; DRY, which counts repetitions otherwise; typical, whose scores are of p + ln p there; XTC, which \
                 reads the neighbour of the token that it weighs; skew; filters, which are the host's mask; and top-p's limit, which \
                 drops probabilities below 1e-6",
    parameters: &V2,
    refuses: |a| {
        let late = is(a, "temperature_last", "true") || is_dynamic(a);
        (is_mirostat(a) && late).then(|| {
            "mirostat draws at the end of a chain, and has no temperature after it: not with temperature_last or max_temp".into()
        })
    },
    parts: &[
        Part {
            stage: "penalties",
            is_on: |a| penalises(a) && number(a, "token_repetition_range") < 0.0,
            values: &[
                ("repeat", Parameter("token_repetition_penalty")),
                ("frequency", Parameter("token_frequency_penalty")),
                ("presence", Parameter("token_presence_penalty")),
                ("scope", Always("all")),
            ],
        },
        Part {
            stage: "penalties",
            is_on: |a| penalises(a) && is_positive(a, "token_repetition_range"),
            values: &[
                ("repeat", Parameter("token_repetition_penalty")),
                ("frequency", Parameter("token_frequency_penalty")),
                ("presence", Parameter("token_presence_penalty")),
                ("last_n", Parameter("token_repetition_range")),
            ],
        },
        Part {
            stage: "logit_bias",
            is_on: |a| a.is_given("token_bias"),
            values: &[("biases", Parameter("token_bias"))],
        },
        // The square is of the logits' distances before the temperature.
        Part {
            stage: "smoothing",
            is_on: |a| is_warm(a) && is_positive(a, "smoothing_factor"),
            values: &[("factor", Parameter("smoothing_factor"))],
        },
        Part {
            stage: "temperature",
            is_on: |a| is_warm(a) && is(a, "temperature_last", "false") && number(a, "temperature") != 1.0,
            values: &[("t", Temperature("temperature"))],
        },
        Part { stage: "top_k", is_on: |a| is_warm(a) && is_positive(a, "top_k"), values: &[("k", Parameter("top_k"))] },
        Part {
            stage: "top_p",
            is_on: |a| is_share(a, "top_p"),
            values: &[("p", Parameter("top_p")), ("rule", Always("within"))],
        },
        Part { stage: "top_a", is_on: |a| is_warm(a) && is_positive(a, "top_a"), values: &[("a", Parameter("top_a"))] },
        Part { stage: "min_p", is_on: |a| is_share(a, "min_p"), values: &[("p", Parameter("min_p"))] },
        Part {
            stage: "tail_free",
            is_on: |a| is_share(a, "tfs"),
            values: &[("z", Parameter("tfs")), ("rule", Always("after"))],
        },
        Part {
            stage: "dynamic_temperature",
            is_on: is_dynamic,
            values: &[
                ("t", Computed(|a| f64::midpoint(number(a, "min_temp"), number(a, "max_temp")))),
                ("delta", Computed(|a| ((number(a, "max_temp") - number(a, "min_temp")) / 2.0).max(0.0))),
                ("exponent", Parameter("temp_exponent")),
            ],
        },
        Part {
            stage: "temperature",
            is_on: |a| is(a, "temperature_last", "true") && !is_dynamic(a) && number(a, "temperature") != 1.0,
            values: &[("t", Temperature("temperature"))],
        },
        Part {
            stage: "mirostat_v2",
            is_on: is_mirostat,
            values: &[("tau", Parameter("mirostat_tau")), ("eta", Parameter("mirostat_eta"))],
        },
        Part { stage: "draw", is_on: |a| is_warm(a) && !is_mirostat(a), values: &[] },
        Part { stage: "greedy", is_on: |a| !is_warm(a), values: &[] },
    ],
    ordered: None,
};

const V2: [ParameterInfo; 19] = [
    optional("temperature", &["temp"], between(0.0, 1e6), "0.8", "below 0.01 it is greedy"),
    optional("top_k", &[], count(0), "50", "keep this many tokens; 0 switches it off"),
    optional("top_p", &[], between(0.0, 1.0), "0.8", "the mass not to exceed; 0 and 1 switch it off"),
    optional("top_a", &[], between(0.0, 1.0), "0", "the factor of the squared largest probability; 0 switches it off"),
    optional("min_p", &[], between(0.0, 1.0), "0", "the fraction of the largest probability; 0 and 1 switch it off"),
    optional("tfs", &[], between(0.0, 1.0), "0", "tail-free sampling's share; 0 and 1 switch it off"),
    optional(
        "token_repetition_penalty",
        &["repetition_penalty"],
        positive(1000.0),
        "1.025",
        "divides positive logits of tokens seen and multiplies the others; 1 switches it off",
    ),
    optional(
        "token_repetition_range",
        &[],
        count(-1),
        "-1",
        "the last tokens that the penalties look at; -1 is all, 0 switches them off",
    ),
    optional(
        "token_frequency_penalty",
        &["frequency_penalty"],
        between(-1000.0, 1000.0),
        "0",
        "subtracted for every time that a token was seen",
    ),
    optional(
        "token_presence_penalty",
        &["presence_penalty"],
        between(-1000.0, 1000.0),
        "0",
        "subtracted once from a token seen",
    ),
    optional(
        "smoothing_factor",
        &[],
        between(0.0, 1e3),
        "0",
        "quadratic smoothing before the temperature; 0 switches it off",
    ),
    optional("min_temp", &[], between(0.0, 1e6), "0", "the dynamic temperature at no entropy"),
    optional(
        "max_temp",
        &[],
        between(0.0, 1e6),
        "0",
        "that at the largest, after the truncations; at most min_temp switches it off",
    ),
    optional("temp_exponent", &[], between(0.0, 1e3), "1", "how the entropy is mapped to the temperature"),
    optional(
        "temperature_last",
        &[],
        Kind::Choice(&["false", "true"]),
        "false",
        "true: the temperature follows the truncations",
    ),
    optional(
        "mirostat",
        &[],
        Kind::Choice(&["false", "true"]),
        "false",
        "true: mirostat's second version after the truncations",
    ),
    optional("mirostat_tau", &[], between(0.0, 1e3), "1.5", "mirostat's target surprise, in bits"),
    optional("mirostat_eta", &[], between(0.0, 1.0), "0.1", "mirostat's learning rate"),
    optional("token_bias", &["logit_bias"], Kind::Biases, "", "token:bias pairs, separated by spaces"),
];

/// ExLlamaV3's cases of greedy.
fn draws(a: &Arguments) -> bool {
    number(a, "temperature") != 0.0 && number(a, "top_k") != 1.0
}

fn is_adaptive(a: &Arguments) -> bool {
    draws(a) && number(a, "adaptive_target") != 1.0
}

/// ExLlamaV3's own number for the whole history.
const WHOLE: f64 = 1e8;

fn adds(a: &Arguments) -> bool {
    (number(a, "freq_p"), number(a, "pres_p")) != (0.0, 0.0)
}

fn multiplies(a: &Arguments) -> bool {
    number(a, "rep_p") != 1.0
}

fn is_whole(a: &Arguments) -> bool {
    number(a, "rep_sustain_range") >= WHOLE
}

fn is_window(a: &Arguments) -> bool {
    window(a) > 0.0 && !is_whole(a)
}

/// The kernels compare places with `<=`, and look at one token less than the range says.
fn window(a: &Arguments) -> f64 {
    number(a, "rep_sustain_range") - 1.0
}

pub(super) const EXLLAMAV3: MacroInfo = MacroInfo {
    name: "exllamav3",
    aliases: &["exl3", "exllama"],
    summary: "ExLlamaV3's ComboSampler: bias, repetition penalty, presence and frequency penalties, temperature, min-p, top-k, top-p",
    source: "ExLlamaV3, generator/sampler/presets.py, ComboSampler, and generator/sampler/custom.py",
    leaves_out: "rep_decay_range; stacks of other steps, such as SS_XTC (write the stages instead); masks, which are the host's",
    parameters: &V3,
    refuses: nothing,
    parts: &[
        Part {
            stage: "logit_bias",
            is_on: |a| a.is_given("logit_bias"),
            values: &[("biases", Parameter("logit_bias"))],
        },
        Part {
            stage: "penalties",
            is_on: |a| multiplies(a) && is_whole(a),
            values: &[("repeat", Parameter("rep_p")), ("scope", Always("all"))],
        },
        Part {
            stage: "penalties",
            is_on: |a| multiplies(a) && is_window(a),
            values: &[("repeat", Parameter("rep_p")), ("last_n", Computed(window))],
        },
        Part {
            stage: "penalties",
            is_on: |a| adds(a) && is_whole(a),
            values: &[("frequency", Parameter("freq_p")), ("presence", Parameter("pres_p")), ("scope", Always("all"))],
        },
        Part {
            stage: "penalties",
            is_on: |a| adds(a) && is_window(a),
            values: &[
                ("frequency", Parameter("freq_p")),
                ("presence", Parameter("pres_p")),
                ("last_n", Computed(window)),
            ],
        },
        Part {
            stage: "temperature",
            is_on: |a| draws(a) && is(a, "temp_last", "false") && number(a, "temperature") != 1.0,
            values: &[("t", Temperature("temperature"))],
        },
        Part { stage: "min_p", is_on: |a| draws(a) && is_positive(a, "min_p"), values: &[("p", Parameter("min_p"))] },
        // The fused kernel keeps equals of the last token.
        Part {
            stage: "top_k",
            is_on: |a| draws(a) && is_positive(a, "top_k"),
            values: &[("k", Parameter("top_k")), ("ties", Always("keep"))],
        },
        Part {
            stage: "top_p",
            is_on: |a| draws(a) && is_below_one(a, "top_p"),
            values: &[("p", Parameter("top_p")), ("rule", Always("within"))],
        },
        Part {
            stage: "temperature",
            is_on: |a| draws(a) && is(a, "temp_last", "true") && number(a, "temperature") != 1.0,
            values: &[("t", Temperature("temperature"))],
        },
        Part {
            stage: "adaptive_p",
            is_on: is_adaptive,
            values: &[
                ("target", Parameter("adaptive_target")),
                ("decay", Computed(|a| number(a, "adaptive_decay").min(0.99))),
            ],
        },
        Part { stage: "draw", is_on: |a| draws(a) && !is_adaptive(a), values: &[] },
        Part { stage: "greedy", is_on: |a| !draws(a), values: &[] },
    ],
    ordered: None,
};

const V3: [ParameterInfo; 12] = [
    optional("temperature", &["temp"], between(0.0, 1e6), "1", "0 is greedy"),
    optional("min_p", &[], between(0.0, 1.0), "0", "the fraction of the largest probability; 0 switches it off"),
    optional("top_k", &[], count(0), "0", "keep this many tokens and their ties; 1 is greedy, 0 switches it off"),
    optional("top_p", &[], between(0.0, 1.0), "1", "the mass not to exceed; 1 switches it off"),
    optional(
        "temp_last",
        &["temperature_last"],
        Kind::Choice(&["false", "true"]),
        "false",
        "true: the temperature follows the truncations",
    ),
    optional(
        "rep_p",
        &["repetition_penalty"],
        positive(1000.0),
        "1",
        "divides positive logits of tokens seen and multiplies the others; 1 switches it off",
    ),
    optional(
        "freq_p",
        &["frequency_penalty"],
        between(-1000.0, 1000.0),
        "0",
        "subtracted for every time that a token was seen",
    ),
    optional("pres_p", &["presence_penalty"], between(0.0, 1000.0), "0", "subtracted once from a token seen"),
    optional(
        "rep_sustain_range",
        &[],
        count(0),
        "100000000",
        "the penalties look at the last tokens, one less than this; from 100000000 at all, 0 and 1 switch them off",
    ),
    optional("adaptive_target", &[], between(0.0, 1.0), "1", "adaptive-p's target probability; 1 switches it off"),
    optional("adaptive_decay", &[], between(0.0, 1.0), "0.9", "adaptive-p's memory, at most 0.99"),
    optional("logit_bias", &[], Kind::Biases, "", "token:bias pairs, separated by spaces"),
];
