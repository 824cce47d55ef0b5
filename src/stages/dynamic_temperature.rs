//! Dynamic temperature: a temperature that grows with the entropy.

use super::{Built, Context, Stage, StageInfo, on, temperature};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::math::{ln, pow};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "dynamic_temperature",
    aliases: &["dynatemp", "dynamic_temp", "temp_ext"],
    summary: "a temperature between t - delta and t + delta that grows with the entropy",
    definition: "T = low + (high - low) (H / ln n)^exponent, low = max(0, t - delta), high = t + delta, H the \
                 entropy, n the number of candidates (of a whole row its length, banned tokens included); logits are \
                 divided by T, below 1e-6 only the most likely token is left",
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

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (t, delta, exponent) = (arguments.number("t"), arguments.number("delta"), arguments.number("exponent"));
    if delta == 0.0 {
        return temperature::checked(t);
    }
    if t + delta < temperature::LOWEST {
        return Err(Error::InvalidChain(format!(
            "parameters `t` and `delta` must add up to at least {:e}, or both be 0",
            temperature::LOWEST
        )));
    }
    on(DynamicTemperature { low: (t - delta).max(0.0), high: t + delta, t, exponent })
}

struct DynamicTemperature {
    low: f64,
    high: f64,
    /// Of a single candidate, which has no entropy.
    t: f64,
    exponent: f64,
}

impl DynamicTemperature {
    fn temperature(&self, dist: &mut Distribution<'_>) -> f64 {
        let n = dist.size();
        if n <= 1 {
            return self.t;
        }
        let share = (dist.entropy() / ln(n as f64)).min(1.0);
        self.low + (self.high - self.low) * pow(share, self.exponent)
    }
}

impl Stage for DynamicTemperature {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::TotalAndMoment)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        match self.temperature(dist) {
            t if t >= temperature::LOWEST => dist.scale_by(1.0 / t),
            _ => dist.keep_first(),
        }
        Ok(())
    }
}
