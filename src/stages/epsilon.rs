//! Epsilon: every token with at least some probability.

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
    name: "epsilon",
    aliases: &["epsilon_cutoff"],
    summary: "keeps the tokens with at least this probability",
    definition: "keep p_i >= epsilon; of fewer than min_keep, min_keep and the equals of the last of these",
    source: "arXiv 2210.15191, Truncation Sampling as Language Model Desmoothing",
    agrees: "Hugging Face transformers (EpsilonLogitsWarper), ties included",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "epsilon",
            aliases: &["epsilon_cutoff", "p"],
            summary: "the least probability, typically 3e-4 to 9e-4; 0 switches the stage off",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let epsilon = arguments.number("epsilon");
    if epsilon == 0.0 {
        return OFF;
    }
    threshold(arguments, FirstPass::Total, (Edge::Inside, Ties::Keep), move |dist| ln(epsilon * dist.total() * EQUAL))
}
