//! Draw: one token from the distribution, by inverting its cumulative distribution.

use super::{Built, Context, Learnt, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Drawn};
use crate::error::Result;
use crate::parameters::Arguments;
use crate::random::{Purpose, uniform};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "draw",
    aliases: &["dist", "sample", "multinomial"],
    summary: "draws a token with the distribution's probabilities; the random number depends on seed and position alone",
    definition: "the token at which the running sum of the probabilities first exceeds u, a number that depends on \
                 seed and position alone",
    source: "inverse transform sampling; llama.cpp, llama_sampler_init_dist",
    agrees: "same distribution as every engine; tokens differ because random numbers do",
    draws: true,
    learns: false,
    alternatives: &[],
    parameters: &[],
    build,
};

fn build(_: &Arguments, _: Generators<'_>) -> Built {
    on(Draw)
}

pub(super) struct Draw;

impl Stage for Draw {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::TotalAndMin)
    }

    fn transform(&self, _: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        let drawn = dist.draw(uniform(context.seed, context.position, Purpose::Token));
        Some((drawn, context.learnt))
    }
}
