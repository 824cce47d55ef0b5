//! The parameters of the macros: by the engine's names, with its ranges and defaults.

use crate::parameters::{Kind, ParameterInfo};

/// None of them has to be given.
pub(super) const fn optional(
    name: &'static str,
    aliases: &'static [&'static str],
    kind: Kind,
    default: &'static str,
    summary: &'static str,
) -> ParameterInfo {
    ParameterInfo { name, aliases, summary, kind, default, required: false }
}

pub(super) const fn number(min: f64, max: f64) -> Kind {
    Kind::Number { min, max, open: false }
}

/// From above 0 to `max`.
pub(super) const fn positive(max: f64) -> Kind {
    Kind::Number { min: 0.0, max, open: true }
}

pub(super) const fn count(min: i64) -> Kind {
    Kind::Count { min }
}

pub(super) const LLAMA_CPP: [ParameterInfo; 26] = [
    optional(
        "temperature",
        &["temp"],
        number(-1e6, 1e6),
        "0.8",
        "0 or less leaves only the most likely token, and so does less than 1e-6",
    ),
    optional("top_k", &[], count(-1), "40", "keep this many tokens; 0 or -1 switches it off"),
    optional("top_p", &[], number(0.0, 1.0), "0.95", "the mass to reach; 1 switches it off"),
    optional("min_p", &[], number(0.0, 1.0), "0.05", "the fraction of the largest probability; 0 switches it off"),
    optional("min_keep", &[], count(0), "0", "keep at least this many tokens; 0 is 1"),
    optional("typical_p", &["typical", "typ_p"], number(0.0, 1.0), "1", "locally typical sampling; 1 switches it off"),
    optional(
        "top_n_sigma",
        &[],
        number(-1.0, 1e6),
        "-1",
        "standard deviations below the largest logit; 0 or less switches it off",
    ),
    optional(
        "xtc_probability",
        &[],
        number(0.0, 1.0),
        "0",
        "how often the top choices are excluded; 0 switches it off",
    ),
    optional(
        "xtc_threshold",
        &[],
        number(0.0, 1.0),
        "0.1",
        "the probability of a top choice; above 0.5 switches it off",
    ),
    optional(
        "repeat_penalty",
        &["penalty_repeat"],
        positive(1000.0),
        "1",
        "divides positive logits of tokens seen and multiplies the others; 1 switches it off",
    ),
    optional(
        "frequency_penalty",
        &["penalty_freq"],
        number(-1000.0, 1000.0),
        "0",
        "subtracted for every time that a token was seen",
    ),
    optional(
        "presence_penalty",
        &["penalty_present"],
        number(-1000.0, 1000.0),
        "0",
        "subtracted once from a token seen",
    ),
    optional(
        "repeat_last_n",
        &["penalty_last_n"],
        count(-1),
        "64",
        "the last tokens that the penalties look at; 0 switches them off, -1 is all",
    ),
    optional("dry_multiplier", &[], number(0.0, 1e6), "0", "DRY's smallest penalty; 0 switches it off"),
    optional(
        "dry_base",
        &[],
        number(0.0, 1e6),
        "1.75",
        "what every further repeated token multiplies DRY's penalty by; less than 1 switches DRY off",
    ),
    optional("dry_allowed_length", &[], count(0), "2", "repetitions shorter than this are not penalised"),
    optional(
        "dry_penalty_last_n",
        &[],
        count(-1),
        "64",
        "the last tokens that DRY looks at; 0 switches it off, -1 is all",
    ),
    optional(
        "dry_sequence_breakers",
        &["dry_breakers"],
        Kind::Sequences,
        "",
        "token sequences that break off a repetition, separated by semicolons. None by default: llama.cpp's are texts \
         (newline, colon, quotation mark, asterisk), of which bregman_llama_dry_breakers (bregman_llama.h) makes sequences \
         of a model's tokens",
    ),
    optional(
        "dynatemp_range",
        &[],
        number(0.0, 1e6),
        "0",
        "the temperature varies by this much with the entropy; 0 switches that off",
    ),
    optional(
        "dynatemp_exponent",
        &["dynatemp_exp"],
        number(0.0, 1e3),
        "1",
        "how the entropy is mapped to the temperature",
    ),
    optional(
        "mirostat",
        &[],
        Kind::Choice(&["0", "1", "2"]),
        "0",
        "1 or 2: mirostat of that version in the place of penalties, truncations and draw",
    ),
    optional("mirostat_tau", &["mirostat_ent"], number(0.0, 1e3), "5", "mirostat's target surprise, in bits"),
    optional("mirostat_eta", &["mirostat_lr"], number(0.0, 1.0), "0.1", "mirostat's learning rate"),
    optional(
        "adaptive_target",
        &[],
        number(-1.0, 1.0),
        "-1",
        "adaptive-p's target probability; below 0 switches it off",
    ),
    optional("adaptive_decay", &[], number(0.0, 0.99), "0.9", "adaptive-p's memory"),
    optional("logit_bias", &[], Kind::Biases, "", "token:bias pairs, separated by spaces"),
];

pub(super) const TRANSFORMERS: [ParameterInfo; 16] = [
    optional("temperature", &["temp"], number(1e-6, 1e6), "1", "above 0"),
    optional("top_k", &[], count(0), "50", "keep this many tokens and their ties; 0 switches it off"),
    optional("top_p", &[], number(0.0, 1.0), "1", "the mass to reach; 1 switches it off"),
    optional("min_p", &[], number(0.0, 1.0), "0", "the fraction of the largest probability; 0 switches it off"),
    optional("typical_p", &["typical"], positive(1.0), "1", "locally typical sampling; 1 switches it off"),
    optional("epsilon_cutoff", &[], number(0.0, 1.0), "0", "the least probability; 0 switches it off"),
    optional("eta_cutoff", &[], number(0.0, 1.0), "0", "eta sampling; 0 switches it off"),
    optional("top_h", &[], positive(1.0), "", "the share of the entropy to keep; left out switches it off"),
    optional("do_sample", &[], Kind::Choice(&["true", "false"]), "true", "false takes the most likely token"),
    optional(
        "repetition_penalty",
        &[],
        positive(1000.0),
        "1",
        "divides positive logits of tokens seen and multiplies the others; 1 switches it off",
    ),
    optional("no_repeat_ngram_size", &[], count(0), "0", "no so many tokens in a row twice; 0 switches it off"),
    optional(
        "bad_words_ids",
        &["bad_words"],
        Kind::Sequences,
        "",
        "token sequences that must not be completed, separated by semicolons; a token of eos_token_id alone is taken off the list",
    ),
    optional(
        "min_length",
        &[],
        count(0),
        "0",
        "tokens, those of the prompt included, before an end may come; 0 switches it off",
    ),
    optional("min_new_tokens", &[], count(0), "0", "tokens of the output before an end may come; 0 switches it off"),
    optional("eos_token_id", &["eos"], Kind::Tokens, "", "the tokens that end a sequence, separated by spaces"),
    optional(
        "min_tokens_to_keep",
        &["min_keep"],
        count(1),
        "1",
        "the truncations but top_h keep at least this many tokens: with beams generate has one more than there are ends",
    ),
];

pub(super) const VLLM: [ParameterInfo; 12] = [
    optional("temperature", &["temp"], number(0.0, 1e6), "1", "0 is greedy; from there to 0.01 it is 0.01"),
    optional("top_p", &[], positive(1.0), "1", "the mass to reach; 1 switches it off"),
    optional("top_k", &[], count(-1), "0", "keep this many tokens and their ties; 0 or -1 switches it off"),
    optional("min_p", &[], number(0.0, 1.0), "0", "the fraction of the largest probability; 0 switches it off"),
    optional("presence_penalty", &[], number(-2.0, 2.0), "0", "subtracted once from a token of the output"),
    optional(
        "frequency_penalty",
        &[],
        number(-2.0, 2.0),
        "0",
        "subtracted for every time that a token is in the output",
    ),
    optional(
        "repetition_penalty",
        &[],
        positive(1000.0),
        "1",
        "divides positive logits of tokens of prompt and output and multiplies the others; 1 switches it off",
    ),
    optional("min_tokens", &[], count(0), "0", "tokens of the output before a stop token may come; 0 switches it off"),
    optional("stop_token_ids", &["stop", "eos"], Kind::Tokens, "", "the stop tokens, separated by spaces"),
    optional("allowed_token_ids", &[], Kind::Tokens, "", "the only tokens that may come, separated by spaces"),
    optional(
        "bad_words",
        &[],
        Kind::Sequences,
        "",
        "token sequences that the output must not complete, separated by semicolons",
    ),
    optional("logit_bias", &[], Kind::Biases, "", "token:bias pairs, separated by spaces"),
];
