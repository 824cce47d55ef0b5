//! Quadratic smoothing: logits that fall with the square of their distance from the largest.

use super::{Built, Context, OFF, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::Result;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::{FirstPass, SmoothingCurve};

pub(super) const INFO: StageInfo = StageInfo {
    name: "smoothing",
    aliases: &["quadratic", "quadratic_sampling", "smoothing_factor"],
    summary: "lets logits fall with the square of their distance from the largest: near ones come closer, far ones \
              move away",
    definition: "d = l - max l; l' = max l - (3 - curve)/2 factor d^2 + (curve - 1)/2 factor d^3",
    source: "koboldcpp, smoothing_factor and smoothing_curve; kalomaze, Quadratic Sampling",
    agrees: "koboldcpp, for a curve up to 3",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "factor",
            aliases: &["smoothing_factor"],
            summary: "the strength; 0 switches the stage off",
            kind: Kind::Number { min: 0.0, max: 1e3, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "curve",
            aliases: &["smoothing_curve"],
            summary: "1 is purely quadratic, 3 purely cubic; beyond it less likely tokens would overtake more likely \
                      ones",
            kind: Kind::Number { min: 1.0, max: 3.0, open: false },
            default: "1",
            required: false,
        },
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (factor, curve) = (arguments.number("factor"), arguments.number("curve"));
    if factor == 0.0 {
        return OFF;
    }
    on(Smoothing(SmoothingCurve { square: (3.0 - curve) / 2.0 * factor, cube: (curve - 1.0) / 2.0 * factor }))
}

struct Smoothing(SmoothingCurve);

impl Stage for Smoothing {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Maxima)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        dist.smooth(self.0)
    }
}
