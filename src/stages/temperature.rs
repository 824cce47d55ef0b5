//! Temperature: logits divided by T.

use super::{Context, Need, Stage, StageInfo};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::parameters::{Arguments, Kind, ParameterInfo};

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

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let t = arguments.number("t").unwrap_or(1.0);
    if t > 0.0 && t < 1e-6 {
        return Err(Error::InvalidChain(format!("parameter `t` must be 0 or at least 1e-6, got `{t}`")));
    }
    Ok(Box::new(Temperature { t }))
}

struct Temperature {
    t: f64,
}

impl Stage for Temperature {
    fn need(&self) -> Need {
        if self.t == 0.0 { Need::Largest } else { Need::Scale(1.0 / self.t) }
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        if self.t == 0.0 {
            dist.keep_first();
        } else if self.t != 1.0 {
            dist.scale_by(1.0 / self.t);
        }
        Ok(())
    }

    fn takes_bulk(&self) -> bool {
        self.t > 0.0
    }

    fn is_pointwise(&self) -> bool {
        self.t > 0.0
    }
}
