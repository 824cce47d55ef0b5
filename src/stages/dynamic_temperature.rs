//! Dynamic temperature: a temperature that grows with the entropy.

use super::{Context, Need, Stage, StageInfo};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::Result;
use crate::math::{ln, pow};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "dynamic_temperature",
    aliases: &["dynatemp", "dynamic_temp", "temp_ext"],
    summary: "a temperature between t - delta and t + delta that grows with the entropy",
    definition: "T = low + (high - low) (H / ln n)^exponent, low = max(0, t - delta), high = t + delta, H the \
                 entropy, n the number of candidates (of a whole row its length, banned tokens included); logits are \
                 divided by T, at 0 only the most likely token is left",
    source: "llama.cpp, llama_sampler_init_temp_ext; koboldcpp, dynamic temperature",
    agrees: "llama.cpp, koboldcpp",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "t",
            aliases: &["temperature", "temp"],
            summary: "the middle of the range",
            kind: Kind::Number { min: 0.0, max: 1e6, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "delta",
            aliases: &["dynatemp_range", "range"],
            summary: "half of the range; at 0 it is a plain temperature",
            kind: Kind::Number { min: 0.0, max: 1e6, open: false },
            default: "0",
            required: false,
        },
        ParameterInfo {
            name: "exponent",
            aliases: &["dynatemp_exponent"],
            summary: "of the share of the entropy: above 1 the temperature stays low for longer",
            kind: Kind::Number { min: 0.0, max: 1e3, open: false },
            default: "1",
            required: false,
        },
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let number = |name| arguments.number(name).unwrap_or(1.0);
    Ok(Box::new(DynamicTemperature { t: number("t"), delta: number("delta"), exponent: number("exponent") }))
}

struct DynamicTemperature {
    t: f64,
    delta: f64,
    exponent: f64,
}

impl DynamicTemperature {
    fn temperature(&self, dist: &mut Distribution<'_>) -> f64 {
        let n = dist.size();
        if self.delta == 0.0 || n <= 1 {
            return self.t;
        }
        let (low, high) = ((self.t - self.delta).max(0.0), self.t + self.delta);
        let share = (dist.entropy() / ln(n as f64)).min(1.0);
        low + (high - low) * pow(share, self.exponent)
    }
}

impl Stage for DynamicTemperature {
    fn need(&self) -> Need {
        Need::Entropy
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        match self.temperature(dist) {
            t if t > 0.0 => dist.scale_by(1.0 / t),
            _ => dist.keep_first(),
        }
        Ok(())
    }
}
