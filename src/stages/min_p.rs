//! Min-p: every token that is at least some fraction as likely as the first.

use super::{Built, MIN_KEEP, OFF, StageInfo, threshold::threshold};
use crate::bregman::Generators;
use crate::distribution::{Edge, Ties};
use crate::math::ln;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "min_p",
    aliases: &["minp"],
    summary: "keeps the tokens with at least p times the largest probability",
    definition: "keep p_i >= p p_1 (rule=at_least) or > (rule=above; the first always)",
    source: "arXiv 2407.01082, Turning Up the Heat: Min-p Sampling; llama.cpp, llama_sampler_init_min_p",
    agrees: "llama.cpp, Hugging Face transformers, vLLM, SGLang, koboldcpp, ExLlamaV2 (rule=at_least); mistral.rs \
             (rule=above)",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "p",
            aliases: &["min_p"],
            summary: "the fraction of the largest probability; 0 switches the stage off, 1 keeps the ties for the \
                      first",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "rule",
            aliases: &[],
            summary: "whether a token exactly at the fraction is kept (at_least) or dropped (above)",
            kind: Kind::Choice(&["at_least", "above"]),
            default: "at_least",
            required: false,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let p = arguments.number("p");
    if p == 0.0 {
        return OFF;
    }
    let edge = if arguments.is("rule", "above") { Edge::Outside } else { Edge::Inside };
    threshold(arguments, FirstPass::Maxima, (edge, Ties::Exact), move |_| ln(p))
}
