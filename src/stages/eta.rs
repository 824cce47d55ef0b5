//! Eta: an epsilon that falls with the entropy.

use super::{Context, MIN_KEEP, Need, Stage, StageInfo};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Edge, Least, Ties};
use crate::error::Result;
use crate::math::{exp, ln};
use crate::parameters::{Arguments, Kind, ParameterInfo};

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

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let least = Least { tokens: arguments.count("min_keep").unwrap_or(1), ties: Ties::Keep };
    Ok(Box::new(Eta { epsilon: arguments.number("epsilon").unwrap_or(0.0), least }))
}

struct Eta {
    epsilon: f64,
    least: Least,
}

impl Stage for Eta {
    fn need(&self) -> Need {
        if self.epsilon > 0.0 { Need::Entropy } else { Need::Scale(1.0) }
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        if self.epsilon > 0.0 {
            let eta = self.epsilon.min(self.epsilon.sqrt() * exp(-dist.entropy()));
            let total = dist.total();
            dist.keep_down_to(ln(eta * total), Edge::Inside, self.least);
        }
        Ok(())
    }
}
