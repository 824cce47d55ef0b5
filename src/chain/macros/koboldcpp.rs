//! koboldcpp.

use super::ValueSource::{Always, AtLeast, Computed, Parameter, Temperature};
use super::engines::{is, is_below_one, is_positive, number};
use super::parameters::{count, number as between, optional, positive};
use super::{MacroInfo, Ordered, Part};
use crate::parameters::{Arguments, Kind, ParameterInfo};

/// Mirostat takes the place of every truncation.
fn truncates(a: &Arguments) -> bool {
    is(a, "mirostat", "0")
}

fn is_adaptive(a: &Arguments) -> bool {
    truncates(a) && is_positive(a, "adaptive_target")
}

fn is_dynamic(a: &Arguments) -> bool {
    truncates(a) && is_positive(a, "dynatemp_range")
}

/// Adaptive-p without a truncation: koboldcpp then sets a min-p.
fn needs_min_p(a: &Arguments) -> bool {
    is_adaptive(a) && !is_positive(a, "min_p") && !is_below_one(a, "top_p")
}

fn penalises(a: &Arguments) -> bool {
    is_positive(a, "rep_pen_range") && (number(a, "rep_pen"), number(a, "presence_penalty")) != (1.0, 0.0)
}

fn repeats(a: &Arguments) -> bool {
    is_positive(a, "dry_multiplier")
}

const REP_PEN: u32 = 6;
const TEMPERATURE: u32 = 5;

/// The numbers of koboldcpp's sampler_order.
const STEPS: [&[Part]; 7] = [
    &[Part {
        stage: "top_k",
        is_on: |a| truncates(a) && is_positive(a, "top_k"),
        values: &[("k", Parameter("top_k"))],
    }],
    &[Part {
        stage: "top_a",
        is_on: |a| truncates(a) && is_positive(a, "top_a"),
        values: &[("a", Parameter("top_a"))],
    }],
    &[
        Part {
            stage: "top_p",
            is_on: |a| truncates(a) && is_below_one(a, "top_p"),
            values: &[("p", Parameter("top_p"))],
        },
        Part {
            stage: "min_p",
            is_on: |a| truncates(a) && (is_positive(a, "min_p") || needs_min_p(a)),
            values: &[("p", Computed(|a| if needs_min_p(a) { 0.002 } else { number(a, "min_p") }))],
        },
    ],
    &[Part {
        stage: "tail_free",
        is_on: |a| truncates(a) && is_below_one(a, "tfs"),
        values: &[("z", Parameter("tfs"))],
    }],
    &[Part {
        stage: "typical",
        is_on: |a| truncates(a) && is_below_one(a, "typical"),
        values: &[("p", Parameter("typical")), ("rule", Always("exceed"))],
    }],
    &[
        Part {
            stage: "dynamic_temperature",
            is_on: is_dynamic,
            values: &[
                ("t", AtLeast("temperature", 0.0)),
                ("delta", Parameter("dynatemp_range")),
                ("exponent", Parameter("dynatemp_exponent")),
            ],
        },
        Part {
            stage: "temperature",
            is_on: |a| !is_dynamic(a) && number(a, "temperature") != 1.0,
            values: &[("t", Temperature("temperature"))],
        },
        Part {
            stage: "smoothing",
            is_on: |a| is_positive(a, "smoothing_factor"),
            values: &[("factor", Parameter("smoothing_factor")), ("curve", Parameter("smoothing_curve"))],
        },
        Part {
            stage: "top_n_sigma",
            is_on: |a| truncates(a) && is_positive(a, "nsigma"),
            values: &[("n", Parameter("nsigma"))],
        },
    ],
    &[Part {
        stage: "penalties",
        is_on: penalises,
        values: &[
            ("repeat", Parameter("rep_pen")),
            ("presence", Parameter("presence_penalty")),
            ("last_n", Parameter("rep_pen_range")),
        ],
    }],
];

pub(super) const KOBOLDCPP: MacroInfo = MacroInfo {
    name: "koboldcpp",
    aliases: &["kobold"],
    summary: "koboldcpp's sampler: bias, DRY, the 3000 largest logits, then by default repetition penalty, top-k, top-a, tail-free, \
              typical, top-p, min-p, temperature with smoothing and top-nσ, at the end XTC",
    source: "koboldcpp 1.115, gpttype_adapter.cpp, SampleLogits, and koboldcpp.py, generate",
    leaves_out: "rep_pen_slope below 1, which weakens the penalty of the older half of the window; smoothing_curve above 3; grammars, \
                 which are the host's mask; banned texts; guidance_scale; tail-free sampling of exactly three tokens, which koboldcpp leaves as they are; the reasoning budget, a stage of its own",
    parameters: &PARAMETERS,
    refuses: |a| {
        let unknown = a.tokens("sampler_order").into_iter().find(|&step| step as usize >= STEPS.len());
        unknown.map(|step| format!("parameter `sampler_order` has {step}: the numbers are 0 to {}", STEPS.len() - 1))
    },
    parts: &[
        Part {
            stage: "logit_bias",
            is_on: |a| a.is_given("logit_bias"),
            values: &[("biases", Parameter("logit_bias"))],
        },
        Part {
            stage: "dry",
            is_on: |a| repeats(a) && is_positive(a, "dry_penalty_last_n"),
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
            is_on: |a| repeats(a) && !is_positive(a, "dry_penalty_last_n"),
            values: &[
                ("multiplier", Parameter("dry_multiplier")),
                ("base", Parameter("dry_base")),
                ("allowed", Parameter("dry_allowed_length")),
                ("breakers", Parameter("dry_sequence_breakers")),
                ("scope", Always("all")),
            ],
        },
        Part { stage: "top_k", is_on: |_| true, values: &[("k", Always("3000"))] },
    ],
    ordered: Some(Ordered {
        order: |a| if truncates(a) { a.tokens("sampler_order") } else { vec![REP_PEN, TEMPERATURE] },
        steps: &STEPS,
        end: &[
            Part {
                stage: "xtc",
                is_on: |a| truncates(a) && is_positive(a, "xtc_probability") && number(a, "xtc_threshold") <= 0.5,
                values: &[("probability", Parameter("xtc_probability")), ("threshold", Parameter("xtc_threshold"))],
            },
            Part {
                stage: "mirostat",
                is_on: |a| is(a, "mirostat", "1"),
                values: &[
                    ("tau", Parameter("mirostat_tau")),
                    ("eta", Parameter("mirostat_eta")),
                    ("vocab", Parameter("n_vocab")),
                ],
            },
            Part {
                stage: "mirostat_v2",
                is_on: |a| is(a, "mirostat", "2"),
                values: &[("tau", Parameter("mirostat_tau")), ("eta", Parameter("mirostat_eta"))],
            },
            Part {
                stage: "adaptive_p",
                is_on: is_adaptive,
                values: &[
                    ("target", Parameter("adaptive_target")),
                    ("decay", Computed(|a| number(a, "adaptive_decay").clamp(0.01, 0.99))),
                ],
            },
            Part { stage: "draw", is_on: |a| truncates(a) && !is_adaptive(a), values: &[] },
        ],
    }),
};

const PARAMETERS: [ParameterInfo; 30] = [
    optional(
        "temperature",
        &["temp"],
        between(-1e6, 1e6),
        "0.75",
        "0 or less leaves only the most likely token, and so does less than 1e-6",
    ),
    optional("top_k", &[], count(-1), "100", "keep this many tokens; 0 or -1 switches it off"),
    optional("top_a", &[], between(0.0, 1.0), "0", "the factor of the squared largest probability; 0 switches it off"),
    optional("top_p", &[], between(0.0, 1.0), "0.92", "the mass to reach; 1 switches it off"),
    optional("min_p", &[], between(0.0, 1.0), "0", "the fraction of the largest probability; 0 switches it off"),
    optional("typical", &["typical_p", "typ_p"], between(0.0, 1.0), "1", "locally typical sampling; 1 switches it off"),
    optional("tfs", &["tfs_z"], between(0.0, 1.0), "1", "tail-free sampling's share; 1 switches it off"),
    optional(
        "nsigma",
        &["top_n_sigma"],
        between(0.0, 1e6),
        "0",
        "standard deviations below the largest logit, of the tokens that are left, after the temperature; 0 switches it off",
    ),
    optional(
        "rep_pen",
        &["repetition_penalty", "repeat_penalty"],
        positive(1000.0),
        "1",
        "divides positive logits of tokens seen and multiplies the others; 1 switches it off",
    ),
    optional(
        "rep_pen_range",
        &[],
        count(0),
        "320",
        "the last tokens that rep_pen and presence_penalty look at; 0 switches them off",
    ),
    optional("presence_penalty", &[], between(-1000.0, 1000.0), "0", "subtracted once from a token seen"),
    optional("dry_multiplier", &[], between(0.0, 1e6), "0", "DRY's smallest penalty; 0 switches it off"),
    optional(
        "dry_base",
        &[],
        between(1.0, 1e6),
        "1.75",
        "what every further repeated token multiplies DRY's penalty by",
    ),
    optional("dry_allowed_length", &[], count(0), "2", "repetitions shorter than this are not penalised"),
    optional("dry_penalty_last_n", &[], count(-1), "320", "the last tokens that DRY looks at; 0 or -1 is all"),
    optional(
        "dry_sequence_breakers",
        &["dry_breakers"],
        Kind::Sequences,
        "",
        "token sequences that break off a repetition, separated by semicolons (koboldcpp takes texts)",
    ),
    optional(
        "xtc_threshold",
        &[],
        between(0.0, 1.0),
        "0.2",
        "the probability of a top choice; above 0.5 switches it off",
    ),
    optional(
        "xtc_probability",
        &[],
        between(0.0, 1.0),
        "0",
        "how often the top choices are excluded; 0 switches it off",
    ),
    optional(
        "dynatemp_range",
        &[],
        between(0.0, 1e6),
        "0",
        "the temperature varies by this much with the entropy; 0 switches that off",
    ),
    optional("dynatemp_exponent", &[], between(0.0, 1e3), "1", "how the entropy is mapped to the temperature"),
    optional(
        "smoothing_factor",
        &[],
        between(0.0, 1e3),
        "0",
        "quadratic smoothing after the temperature; 0 switches it off",
    ),
    optional("smoothing_curve", &[], between(1.0, 3.0), "1", "1 is purely quadratic, 3 purely cubic"),
    optional(
        "mirostat",
        &[],
        Kind::Choice(&["0", "1", "2"]),
        "0",
        "1 or 2: mirostat of that version in the place of truncations and draw, after rep_pen and the temperature",
    ),
    optional("mirostat_tau", &[], between(0.0, 1e3), "5", "mirostat's target surprise, in bits"),
    optional("mirostat_eta", &[], between(0.0, 1.0), "0.1", "mirostat's learning rate"),
    optional(
        "n_vocab",
        &[],
        count(1),
        "",
        "the model's vocabulary, for mirostat=1; without it the number of candidates, at most 3000",
    ),
    optional(
        "adaptive_target",
        &[],
        between(-1.0, 1.0),
        "-1",
        "adaptive-p's target probability; 0 or less switches it off",
    ),
    optional(
        "adaptive_decay",
        &[],
        between(0.0, 1.0),
        "0.9",
        "adaptive-p's memory; below 0.01 it is 0.01, above 0.99 it is 0.99",
    ),
    optional(
        "sampler_order",
        &[],
        Kind::Tokens,
        "6 0 1 3 4 2 5",
        "which samplers act, in order: 0 top-k, 1 top-a, 2 top-p and min-p, 3 tail-free, 4 typical, 5 temperature with smoothing and \
         nsigma, 6 rep_pen",
    ),
    optional("logit_bias", &[], Kind::Biases, "", "token:bias pairs, separated by spaces"),
];
