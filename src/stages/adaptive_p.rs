//! Adaptive-p: draws tokens near a probability that keeps the average at a target.

use super::{Context, Learnt, Need, Stage, StageInfo};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::Result;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::random::{Purpose, uniform};
use crate::vocab::AdaptivePCurve;

pub(super) const INFO: StageInfo = StageInfo {
    name: "adaptive_p",
    aliases: &[],
    summary: "draws tokens whose probability is near a target, which moves so that the average of those drawn stays \
              there",
    definition: "t' = clamp(2 target - W / N, 0, 1); d = |p - t'| / 0.3; l' = 5 - 10 d^2 / (1 + d); draw; once the \
                 drawn token is accepted W = p + decay W, N = 1 + decay N, from W = target / (1 - decay), N = 1 / (1 \
                 - decay)",
    source: "llama.cpp, llama_sampler_init_adaptive_p",
    agrees: "llama.cpp, koboldcpp",
    draws: true,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "target",
            aliases: &[],
            summary: "the probability to stay at on average; negative draws from the distribution as it is",
            kind: Kind::Number { min: -1.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "decay",
            aliases: &[],
            summary: "how much of the past stays at each token: about 1 / (1 - decay) tokens are remembered",
            kind: Kind::Number { min: 0.0, max: 0.99, open: false },
            default: "0.9",
            required: false,
        },
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let (target, decay) = (arguments.number("target").unwrap_or(-1.0), arguments.number("decay").unwrap_or(0.9));
    Ok(Box::new(AdaptiveP { target, decay }))
}

struct AdaptiveP {
    target: f64,
    decay: f64,
}

impl AdaptiveP {
    fn is_plain(&self) -> bool {
        self.target < 0.0
    }
}

impl Stage for AdaptiveP {
    fn rewrites(&self) -> bool {
        true
    }

    fn need(&self) -> Need {
        if self.is_plain() { Need::Whole } else { Need::Total }
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        /// The distance from the target that counts as 1.
        const WIDTH: f64 = 0.3;
        const PEAK: f64 = 5.0;
        const SHARPNESS: f64 = 10.0;
        if self.is_plain() {
            return Ok(());
        }
        let Learnt { level, weight, .. } = context.state;
        let target = (2.0 * self.target - level / weight).clamp(0.0, 1.0);
        let total = dist.total();
        dist.remember(total);
        dist.ring(AdaptivePCurve { target, inverse_width: 1.0 / WIDTH, peak: PEAK, sharpness: SHARPNESS }, total)
    }

    fn initial(&self) -> Learnt {
        let weight = 1.0 / (1.0 - self.decay);
        Learnt { level: self.target * weight, weight, pending: None }
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Learnt {
        dist.draw(uniform(context.seed, context.position, Purpose::Token));
        let drawn = dist.drawn().map(|drawn| drawn.index);
        let pending = drawn.and_then(|index| Some((index as i32, dist.remembered_p(index)?)));
        Learnt { pending: if self.is_plain() { None } else { pending }, ..context.state }
    }

    fn accepted(&self, state: Learnt, token: i32) -> Learnt {
        match state.pending {
            Some((drawn, p)) if drawn == token => {
                Learnt { level: p + self.decay * state.level, weight: 1.0 + self.decay * state.weight, pending: None }
            }
            _ => Learnt { pending: None, ..state },
        }
    }
}
