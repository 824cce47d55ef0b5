//! Top-k: the α = 1 decoder under the name that everybody knows, with a fixed k or an adaptive one.

use super::bregman::{self, Bregman};
use super::{Context, Need, Stage};
use crate::bregman::{Family, Mode};
use crate::chain::Generators;
use crate::chain::arguments::Arguments;
use crate::chain::catalogue::{Kind, ParameterInfo, StageInfo};
use crate::error::Result;
use crate::law::Law;

pub(super) const INFO: StageInfo = StageInfo {
    name: "top_k",
    aliases: &["topk"],
    summary: "keeps the k largest tokens; with lambda or floor k adapts: the bregman stage at alpha = 1",
    source: "arXiv 2505.19371 (Kullback-Leibler case); llama.cpp, llama_sampler_init_top_k",
    draws: false,
    parameters: &[
        ParameterInfo {
            name: "k",
            aliases: &["top_k"],
            summary: "keep this many tokens (ties: the lower id); 0 switches the stage off",
            kind: Kind::Count { min: 0 },
            default: "",
            required: false,
        },
        bregman::LAMBDA,
        bregman::FLOOR,
        bregman::K_MIN,
        bregman::K_MAX,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    if arguments.count("k") == Some(0) && arguments.exactly_one(&bregman::SIZES).is_ok() {
        return Ok(Box::new(Off));
    }
    Ok(Box::new(Bregman::new(Family::Alpha(1.0), Mode::Primal, arguments)?))
}

/// `top_k(0)`, which engines write for no top-k at all.
struct Off;

impl Stage for Off {
    fn need(&self) -> Need {
        Need::Scale(1.0)
    }

    fn transform(&self, _: &mut Law<'_>, _: &mut Context<'_>) -> Result<()> {
        Ok(())
    }
}
