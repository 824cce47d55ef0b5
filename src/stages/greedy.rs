//! Greedy: the most likely token.

use super::{Built, Context, Learnt, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Drawn};
use crate::error::Result;
use crate::parameters::Arguments;
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "greedy",
    aliases: &["argmax"],
    summary: "takes the most likely token (ties: the lowest id)",
    definition: "the largest l, ties to the lower id",
    source: "llama.cpp, llama_sampler_init_greedy",
    agrees: "llama.cpp, vLLM, SGLang and all others, ties aside",
    draws: true,
    learns: false,
    alternatives: &[],
    parameters: &[],
    build,
};

fn build(_: &Arguments, _: Generators<'_>) -> Built {
    on(Greedy)
}

struct Greedy;

impl Stage for Greedy {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Maxima)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        dist.keep_first();
        Ok(())
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        Some((dist.take_first(), context.learnt))
    }
}
