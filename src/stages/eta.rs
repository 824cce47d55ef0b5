//! Eta: an epsilon that falls with the entropy.

use super::{
    Built, MIN_KEEP, OFF, StageInfo,
    threshold::{EQUAL, threshold},
};
use crate::bregman::Generators;
use crate::distribution::{Edge, Ties};
use crate::math::{exp, ln};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "eta",
    aliases: &["eta_cutoff"],
    summary: "keeps the tokens with at least a probability that falls as the entropy grows",
    definition: "keep p_i >= min(epsilon, sqrt(epsilon) exp(-H)), H the entropy in nats; of fewer than min_keep, \
                 min_keep and the equals of the last of these",
    source: "arXiv 2210.15191, Truncation Sampling as Language Model Desmoothing (the authors' code, whose root does \
             not cover the exponential)",
    agrees: "Hugging Face transformers (EtaLogitsWarper), ties included",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "epsilon",
            aliases: &["eta_cutoff", "eta", "p"],
            summary: "the largest threshold, typically 3e-4 to 4e-3; 0 switches the stage off",
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
    threshold(arguments, FirstPass::TotalAndMoment, (Edge::Inside, Ties::Keep), move |dist| {
        let eta = epsilon.min(epsilon.sqrt() * exp(-dist.entropy()));
        ln(eta * dist.total() * EQUAL)
    })
}
