//! Adaptive-p: draws tokens near a probability that keeps the average at a target.

use super::{Built, Context, Learnt, Stage, StageInfo, draw::Draw, on};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Drawn};
use crate::error::Result;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::random::{Purpose, uniform};
use crate::vocab::{AdaptivePCurve, FirstPass};

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
    learns: true,
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

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (target, decay) = (arguments.number("target"), arguments.number("decay"));
    if target < 0.0 { on(Draw) } else { on(AdaptiveP { target, decay }) }
}

struct AdaptiveP {
    target: f64,
    decay: f64,
}

impl Stage for AdaptiveP {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Total)
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        /// The distance from the target that counts as 1.
        const WIDTH: f64 = 0.3;
        const PEAK: f64 = 5.0;
        const SHARPNESS: f64 = 10.0;
        let Learnt { level, weight, .. } = context.learnt;
        let target = (2.0 * self.target - level / weight).clamp(0.0, 1.0);
        let total = dist.total();
        dist.remember(total)?;
        dist.adaptive_p(AdaptivePCurve { target, inverse_width: 1.0 / WIDTH, peak: PEAK, sharpness: SHARPNESS }, total)
    }

    fn initial(&self) -> Learnt {
        let weight = 1.0 / (1.0 - self.decay);
        Learnt { level: self.target * weight, weight, pending: None }
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        let drawn = dist.draw(uniform(context.seed, context.position, Purpose::Token));
        let pending = dist.remembered_p(drawn.index).map(|p| (dist.id(drawn.index), p));
        Some((drawn, Learnt { pending, ..context.learnt }))
    }

    fn accepted(&self, learnt: Learnt, token: i32) -> Learnt {
        match learnt.pending {
            Some((drawn, p)) if drawn == token => {
                Learnt { level: p + self.decay * learnt.level, weight: 1.0 + self.decay * learnt.weight, pending: None }
            }
            _ => Learnt { pending: None, ..learnt },
        }
    }
}
