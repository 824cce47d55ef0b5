//! Temperature: logits divided by T.

use super::{Built, Context, OFF, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "temperature",
    aliases: &["temp", "t"],
    summary: "divides the logits by t; 0 leaves only the most likely token (ties: the lowest id)",
    definition: "l' = l / t; at 0 the largest l alone, ties to the lower id",
    source: "llama.cpp, llama_sampler_init_temp; Hugging Face transformers, TemperatureLogitsWarper",
    agrees: "llama.cpp, Hugging Face transformers, vLLM, SGLang and all others for t > 0",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[ParameterInfo {
        name: "t",
        aliases: &["temperature", "temp"],
        summary: "0, or 1e-6 to 1e6; above 1 flattens, below 1 sharpens",
        kind: Kind::Number { min: 0.0, max: 1e6, open: false },
        default: "",
        required: true,
    }],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    checked(arguments.number("t"))
}

/// The lowest temperature but 0.
pub(crate) const LOWEST: f64 = 1e-6;

/// The stage for a temperature, which is refused between 0 and the lowest one.
pub(super) fn checked(t: f64) -> Built {
    if t > 0.0 && t < LOWEST {
        return Err(Error::InvalidChain(format!("parameter `t` must be 0 or at least {LOWEST:e}, got `{t}`")));
    }
    if t == 1.0 {
        OFF
    } else if t == 0.0 {
        on(Zero)
    } else {
        on(Temperature { factor: 1.0 / t })
    }
}

struct Temperature {
    factor: f64,
}

impl Stage for Temperature {
    fn first_pass(&self) -> Option<FirstPass> {
        None
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        dist.scale_by(self.factor);
        Ok(())
    }
}

/// Temperature 0.
struct Zero;

impl Stage for Zero {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Maxima)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        dist.keep_first();
        Ok(())
    }
}
