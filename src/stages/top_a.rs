//! Top-a: every token that is likely enough against the square of the first one's probability.

use super::{Context, MIN_KEEP, Need, Stage, StageInfo};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Edge, Least, Ties};
use crate::error::Result;
use crate::math::ln;
use crate::parameters::{Arguments, Kind, ParameterInfo};

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

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let least = Least { tokens: arguments.count("min_keep").unwrap_or(1), ties: Ties::Exact };
    Ok(Box::new(TopA { a: arguments.number("a").unwrap_or(0.0), least }))
}

struct TopA {
    a: f64,
    least: Least,
}

impl Stage for TopA {
    fn need(&self) -> Need {
        if self.a > 0.0 { Need::Total } else { Need::Scale(1.0) }
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        if self.a > 0.0 {
            // In weights, of which the first one is 1: w_i / total >= a / total^2.
            let total = dist.total();
            dist.keep_down_to(ln(self.a / total), Edge::Inside, self.least);
        }
        Ok(())
    }
}
