//! Gumbel: one token from the distribution, as the winner of a race with noise for each token.

use super::{Built, Context, Learnt, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Drawn};
use crate::error::Result;
use crate::gumbel;
use crate::parameters::Arguments;
use crate::random::Noise;
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "gumbel",
    aliases: &["gumbel_max"],
    summary: "draws a token with the distribution's probabilities, by noise that depends on seed, position and token id alone: distributions \
              that differ little mostly give the same token",
    definition: "argmax ln p_i - ln(-ln u_i), u_i from (seed, position, token)",
    agrees: "exact categorical draw",
    source: "Gumbel-max: Maddison, Tarlow and Minka, arXiv 1411.0030",
    draws: true,
    learns: false,
    alternatives: &[],
    parameters: &[],
    build,
};

fn build(_: &Arguments, _: Generators<'_>) -> Built {
    on(Gumbel)
}

struct Gumbel;

impl Stage for Gumbel {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::TotalAndMin)
    }

    fn transform(&self, _: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        let drawn = gumbel::draw(dist, &Noise::new(context.seed, context.position))?;
        Some((drawn, context.learnt))
    }
}
