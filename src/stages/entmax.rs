//! Entmax: the sparse law that maximises Tsallis entropy and the mean logit.

use super::{Built, Context, OFF, Stage, StageInfo, on};
use crate::bregman::{Decoder, Entmax, Generators};
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "entmax",
    aliases: &["sparsemax"],
    summary: "the sparse softmax: probabilities that fall to 0 at a finite distance from the largest logit",
    definition: "p_i = max(0, (alpha - 1) l_i - tau)^(1/(alpha - 1)), tau such that they sum to 1; the softmax at alpha 1, \
                 sparsemax at 2",
    agrees: "the authors' package entmax (sparsemax, entmax15, entmax_bisect)",
    source: "arXiv 1905.05702, Sparse Sequence-to-Sequence Models; arXiv 1602.02068, From Softmax to Sparsemax",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[ParameterInfo {
        name: "alpha",
        aliases: &[],
        summary: "1, or 1.01 to 64; 1 switches the stage off, larger ones keep fewer tokens: those within 1/(alpha - 1) of \
                  the largest logit at the most",
        kind: Kind::Number { min: 1.0, max: 64.0, open: false },
        default: "2",
        required: false,
    }],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    match arguments.number("alpha") {
        1.0 => OFF,
        alpha if alpha < 1.01 => {
            Err(Error::InvalidChain(format!("parameter `alpha` must be 1 or at least 1.01, got `{alpha}`")))
        }
        alpha => on(Entmax::new(alpha)),
    }
}

impl Stage for Entmax {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Maxima)
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        // No other token can be in the support.
        let n = dist.deepen_to(-self.reach() * (1.0 + 1e-12));
        context.problem.make_room(n)?;
        let math = dist.math();
        let falls = dist.entries()[..n].iter().map(|e| -e.x);
        self.solve(math, context.problem, falls);
        dist.renormalise(Decoder::solution(context.problem));
        Ok(())
    }
}
