//! Epsilon: every token with at least some probability.

use super::{Context, MIN_KEEP, Need, Stage, StageInfo};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Edge, Least, Ties};
use crate::error::Result;
use crate::math::ln;
use crate::parameters::{Arguments, Kind, ParameterInfo};

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

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let least = Least { tokens: arguments.count("min_keep").unwrap_or(1), ties: Ties::Keep };
    Ok(Box::new(Epsilon { epsilon: arguments.number("epsilon").unwrap_or(0.0), least }))
}

struct Epsilon {
    epsilon: f64,
    least: Least,
}

impl Stage for Epsilon {
    fn need(&self) -> Need {
        if self.epsilon > 0.0 { Need::Total } else { Need::Scale(1.0) }
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        if self.epsilon > 0.0 {
            let total = dist.total();
            dist.keep_down_to(ln(self.epsilon * total), Edge::Inside, self.least);
        }
        Ok(())
    }
}
