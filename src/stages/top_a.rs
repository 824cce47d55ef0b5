//! Top-a: every token that is likely enough against the square of the first one's probability.

use super::{
    Built, MIN_KEEP, OFF, StageInfo,
    threshold::{EQUAL, threshold},
};
use crate::bregman::Generators;
use crate::distribution::{Edge, Ties};
use crate::math::ln;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "top_a",
    aliases: &["topa"],
    summary: "keeps the tokens with at least a times the square of the largest probability",
    definition: "keep p_i >= a p_1^2",
    source: "koboldcpp, sample_top_a; BlinkDL, RWKV-LM, top-a sampling",
    agrees: "koboldcpp, ExLlamaV2",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "a",
            aliases: &["top_a"],
            summary: "the factor; 0 switches the stage off",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let a = arguments.number("a");
    if a == 0.0 {
        return OFF;
    }
    // In weights, of which the first one is 1: w_i / total >= a / total^2.
    threshold(arguments, FirstPass::Total, (Edge::Inside, Ties::Exact), move |dist| ln(a / dist.total() * EQUAL))
}
