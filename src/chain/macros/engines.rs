//! The engines: their stages in their order, and what switches each on.

use super::ValueSource::{Always, AtLeast, Parameter, Temperature, Without};
use super::exllama::{EXLLAMAV2, EXLLAMAV3};
use super::koboldcpp::KOBOLDCPP;
use super::mlx_lm::MLX_LM;
use super::sglang::SGLANG;
use super::{MacroInfo, Part, parameters, without};
use crate::parameters::Arguments;

pub(super) static ALL: [MacroInfo; 8] =
    [LLAMA_CPP, TRANSFORMERS, VLLM, SGLANG, MLX_LM, KOBOLDCPP, EXLLAMAV2, EXLLAMAV3];

/// Any values go together.
pub(super) fn nothing(_: &Arguments) -> Option<String> {
    None
}

/// A number, which each of these parameters has.
pub(super) fn number(a: &Arguments, name: &str) -> f64 {
    a.as_number(name)
}

pub(super) fn is(a: &Arguments, name: &str, word: &str) -> bool {
    a.is(name, word)
}

pub(super) fn is_positive(a: &Arguments, name: &str) -> bool {
    number(a, name) > 0.0
}

pub(super) fn is_below_one(a: &Arguments, name: &str) -> bool {
    number(a, name) < 1.0
}

/// Mirostat takes the place of every truncation.
fn truncates(a: &Arguments) -> bool {
    is(a, "mirostat", "0")
}

fn penalises(a: &Arguments) -> bool {
    let given = (number(a, "repeat_penalty"), number(a, "frequency_penalty"), number(a, "presence_penalty"));
    truncates(a) && given != (1.0, 0.0, 0.0)
}

fn has_dry(a: &Arguments) -> bool {
    truncates(a) && is_positive(a, "dry_multiplier") && number(a, "dry_base") >= 1.0
}

fn is_adaptive(a: &Arguments) -> bool {
    truncates(a) && number(a, "adaptive_target") >= 0.0
}

const LLAMA_CPP: MacroInfo = MacroInfo {
    name: "llama_cpp",
    aliases: &["llamacpp"],
    summary: "llama.cpp's default chain: bias, penalties, DRY, truncations at temperature 1, temperature last",
    source: "llama.cpp, common/common.h and common/sampling.cpp",
    leaves_out: "samplers in another order (write the stages instead); grammars, which are the host's mask; the reasoning budget, a stage of its own",
    parameters: &parameters::LLAMA_CPP,
    refuses: nothing,
    ordered: None,
    parts: &[
        Part {
            stage: "logit_bias",
            is_on: |a| a.is_given("logit_bias"),
            values: &[("biases", Parameter("logit_bias"))],
        },
        Part {
            stage: "penalties",
            is_on: |a| penalises(a) && is_positive(a, "repeat_last_n"),
            values: &[
                ("repeat", Parameter("repeat_penalty")),
                ("frequency", Parameter("frequency_penalty")),
                ("presence", Parameter("presence_penalty")),
                ("last_n", Parameter("repeat_last_n")),
            ],
        },
        Part {
            stage: "penalties",
            is_on: |a| penalises(a) && number(a, "repeat_last_n") < 0.0,
            values: &[
                ("repeat", Parameter("repeat_penalty")),
                ("frequency", Parameter("frequency_penalty")),
                ("presence", Parameter("presence_penalty")),
                ("scope", Always("all")),
            ],
        },
        Part {
            stage: "dry",
            is_on: |a| has_dry(a) && is_positive(a, "dry_penalty_last_n"),
            values: &[
                ("multiplier", Parameter("dry_multiplier")),
                ("base", Parameter("dry_base")),
                ("allowed", Parameter("dry_allowed_length")),
                ("last_n", Parameter("dry_penalty_last_n")),
                ("breakers", Parameter("dry_sequence_breakers")),
            ],
        },
        Part {
            stage: "dry",
            is_on: |a| has_dry(a) && number(a, "dry_penalty_last_n") < 0.0,
            values: &[
                ("multiplier", Parameter("dry_multiplier")),
                ("base", Parameter("dry_base")),
                ("allowed", Parameter("dry_allowed_length")),
                ("scope", Always("all")),
                ("breakers", Parameter("dry_sequence_breakers")),
            ],
        },
        Part {
            stage: "top_n_sigma",
            is_on: |a| truncates(a) && is_positive(a, "top_n_sigma"),
            values: &[("n", Parameter("top_n_sigma"))],
        },
        Part {
            stage: "top_k",
            is_on: |a| truncates(a) && is_positive(a, "top_k"),
            values: &[("k", Parameter("top_k"))],
        },
        Part {
            stage: "typical",
            is_on: |a| truncates(a) && is_below_one(a, "typical_p"),
            values: &[
                ("p", Parameter("typical_p")),
                ("rule", Always("exceed")),
                ("min_keep", AtLeast("min_keep", 1.0)),
            ],
        },
        Part {
            stage: "top_p",
            is_on: |a| truncates(a) && is_below_one(a, "top_p"),
            values: &[("p", Parameter("top_p")), ("min_keep", AtLeast("min_keep", 1.0))],
        },
        Part {
            stage: "min_p",
            is_on: |a| truncates(a) && is_positive(a, "min_p"),
            values: &[("p", Parameter("min_p")), ("min_keep", AtLeast("min_keep", 1.0))],
        },
        Part {
            stage: "xtc",
            is_on: |a| truncates(a) && is_positive(a, "xtc_probability") && number(a, "xtc_threshold") <= 0.5,
            values: &[
                ("probability", Parameter("xtc_probability")),
                ("threshold", Parameter("xtc_threshold")),
                ("min_keep", AtLeast("min_keep", 1.0)),
            ],
        },
        Part {
            stage: "dynamic_temperature",
            is_on: |a| is_positive(a, "dynatemp_range") && truncates(a),
            values: &[
                ("t", AtLeast("temperature", 0.0)),
                ("delta", Parameter("dynatemp_range")),
                ("exponent", Parameter("dynatemp_exponent")),
            ],
        },
        Part {
            stage: "temperature",
            is_on: |a| number(a, "temperature") != 1.0 && !(is_positive(a, "dynatemp_range") && truncates(a)),
            values: &[("t", Temperature("temperature"))],
        },
        Part {
            stage: "mirostat",
            is_on: |a| is(a, "mirostat", "1"),
            values: &[("tau", Parameter("mirostat_tau")), ("eta", Parameter("mirostat_eta"))],
        },
        Part {
            stage: "mirostat_v2",
            is_on: |a| is(a, "mirostat", "2"),
            values: &[("tau", Parameter("mirostat_tau")), ("eta", Parameter("mirostat_eta"))],
        },
        Part {
            stage: "adaptive_p",
            is_on: is_adaptive,
            values: &[("target", Parameter("adaptive_target")), ("decay", Parameter("adaptive_decay"))],
        },
        Part { stage: "draw", is_on: |a| truncates(a) && !is_adaptive(a), values: &[] },
    ],
};

fn samples(a: &Arguments) -> bool {
    is(a, "do_sample", "true")
}

const TRANSFORMERS: MacroInfo = MacroInfo {
    name: "transformers",
    aliases: &["hf", "huggingface"],
    summary: "Hugging Face transformers' generate: processors over prompt and output, temperature, then truncations, each \
              on what the one before left",
    source: "Hugging Face transformers, generation/utils.py, _get_logits_processor",
    leaves_out: "guidance_scale and processors of the user; sequence_bias, length_decay, forced tokens and watermarks, which are stages of their own",
    parameters: &parameters::TRANSFORMERS,
    refuses: nothing,
    ordered: None,
    parts: &[
        Part {
            stage: "penalties",
            is_on: |a| number(a, "repetition_penalty") != 1.0,
            values: &[("repeat", Parameter("repetition_penalty")), ("scope", Always("all"))],
        },
        Part {
            stage: "no_repeat_ngram",
            is_on: |a| is_positive(a, "no_repeat_ngram_size"),
            values: &[("n", Parameter("no_repeat_ngram_size"))],
        },
        Part {
            stage: "bad_words",
            // Transformers drops the tokens that end a sequence from its list.
            is_on: |a| !without(a, "bad_words_ids", "eos_token_id").is_empty(),
            values: &[("sequences", Without("bad_words_ids", "eos_token_id"))],
        },
        Part {
            stage: "min_tokens",
            is_on: |a| is_positive(a, "min_length"),
            values: &[("n", Parameter("min_length")), ("stop", Parameter("eos_token_id")), ("scope", Always("all"))],
        },
        Part {
            stage: "min_tokens",
            is_on: |a| is_positive(a, "min_new_tokens"),
            values: &[("n", Parameter("min_new_tokens")), ("stop", Parameter("eos_token_id"))],
        },
        Part {
            stage: "temperature",
            is_on: |a| samples(a) && number(a, "temperature") != 1.0,
            values: &[("t", Parameter("temperature"))],
        },
        Part { stage: "top_h", is_on: |a| samples(a) && a.is_given("top_h"), values: &[("h", Parameter("top_h"))] },
        Part {
            stage: "top_k",
            is_on: |a| samples(a) && is_positive(a, "top_k"),
            values: &[("k", Parameter("top_k")), ("ties", Always("keep")), ("k_min", Parameter("min_tokens_to_keep"))],
        },
        Part {
            stage: "top_p",
            is_on: |a| samples(a) && is_below_one(a, "top_p"),
            values: &[("p", Parameter("top_p")), ("min_keep", Parameter("min_tokens_to_keep"))],
        },
        Part {
            stage: "min_p",
            is_on: |a| samples(a) && is_positive(a, "min_p"),
            values: &[("p", Parameter("min_p")), ("min_keep", Parameter("min_tokens_to_keep"))],
        },
        Part {
            stage: "typical",
            is_on: |a| samples(a) && is_below_one(a, "typical_p"),
            values: &[
                ("p", Parameter("typical_p")),
                ("rule", Always("reach")),
                ("min_keep", Parameter("min_tokens_to_keep")),
            ],
        },
        Part {
            stage: "epsilon",
            is_on: |a| samples(a) && is_positive(a, "epsilon_cutoff"),
            values: &[("epsilon", Parameter("epsilon_cutoff")), ("min_keep", Parameter("min_tokens_to_keep"))],
        },
        Part {
            stage: "eta",
            is_on: |a| samples(a) && is_positive(a, "eta_cutoff"),
            values: &[("epsilon", Parameter("eta_cutoff")), ("min_keep", Parameter("min_tokens_to_keep"))],
        },
        Part { stage: "draw", is_on: samples, values: &[] },
        Part { stage: "greedy", is_on: |a| !samples(a), values: &[] },
    ],
};

/// vLLM takes 0 for greedy, and raises other temperatures to 0.01.
fn is_warm(a: &Arguments) -> bool {
    number(a, "temperature") > 0.0
}

const VLLM: MacroInfo = MacroInfo {
    name: "vllm",
    aliases: &[],
    summary: "vLLM's sampler: allowed tokens, bad words, min tokens, bias, penalties (repetition over prompt and output, the others over \
              the output), temperature, min-p, top-k, top-p",
    source: "vLLM, v1/sample/sampler.py",
    leaves_out: "grammars, which are the host's mask, and logits processors of the user; thinking_token_budget and watermarks, which are stages of their own",
    parameters: &parameters::VLLM,
    refuses: nothing,
    ordered: None,
    parts: &[
        Part {
            stage: "allowed_tokens",
            is_on: |a| a.is_given("allowed_token_ids"),
            values: &[("tokens", Parameter("allowed_token_ids"))],
        },
        Part {
            stage: "bad_words",
            is_on: |a| a.is_given("bad_words"),
            values: &[("sequences", Parameter("bad_words")), ("scope", Always("output")), ("yield", Always("true"))],
        },
        Part {
            stage: "min_tokens",
            is_on: |a| is_positive(a, "min_tokens"),
            values: &[("n", Parameter("min_tokens")), ("stop", Parameter("stop_token_ids")), ("yield", Always("true"))],
        },
        Part {
            stage: "logit_bias",
            is_on: |a| a.is_given("logit_bias"),
            values: &[("biases", Parameter("logit_bias"))],
        },
        Part {
            stage: "penalties",
            is_on: |a| number(a, "repetition_penalty") != 1.0,
            values: &[("repeat", Parameter("repetition_penalty")), ("scope", Always("all"))],
        },
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
            stage: "temperature",
            is_on: |a| is_warm(a) && number(a, "temperature") != 1.0,
            values: &[("t", AtLeast("temperature", 0.01))],
        },
        Part { stage: "min_p", is_on: |a| is_warm(a) && is_positive(a, "min_p"), values: &[("p", Parameter("min_p"))] },
        Part {
            stage: "top_k",
            is_on: |a| is_warm(a) && is_positive(a, "top_k"),
            values: &[("k", Parameter("top_k")), ("ties", Always("keep"))],
        },
        Part {
            stage: "top_p",
            is_on: |a| is_warm(a) && is_below_one(a, "top_p"),
            values: &[("p", Parameter("top_p"))],
        },
        Part { stage: "draw", is_on: is_warm, values: &[] },
        Part { stage: "greedy", is_on: |a| !is_warm(a), values: &[] },
    ],
};
