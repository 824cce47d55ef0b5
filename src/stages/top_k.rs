//! Top-k: the α = 1 decoder under the name that everybody knows, with a fixed k or an adaptive one.

use super::bregman::{self, Bregman};
use super::{Context, Need, Stage, StageInfo};
use crate::bregman::Generators;
use crate::bregman::{Family, Mode};
use crate::distribution::{Distribution, Ties};
use crate::error::{Error, Result};
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "top_k",
    aliases: &["topk"],
    summary: "keeps the k largest tokens; with lambda or floor k adapts: the bregman stage at alpha = 1",
    definition: "the k largest, ties to the lower id (ties=exact), or with all equals of the k-th (ties=keep); with \
                 lambda or floor: bregman(alpha=1, ...)",
    source: "arXiv 2505.19371 (Kullback-Leibler case); llama.cpp, llama_sampler_init_top_k",
    agrees: "llama.cpp, SGLang, mistral.rs, ONNX Runtime GenAI, ExLlamaV2 (ties=exact); Hugging Face transformers, \
             vLLM, TensorRT-LLM (ties=keep)",
    draws: false,
    learns: false,
    alternatives: &[&bregman::SIZES],
    parameters: &[
        ParameterInfo {
            name: "k",
            aliases: &["top_k"],
            summary: "keep this many tokens; 0 switches the stage off",
            kind: Kind::Count { min: 0 },
            default: "",
            required: false,
        },
        ParameterInfo {
            name: "ties",
            aliases: &[],
            summary: "equals of the k-th token: exact keeps k tokens, those with the lower ids; keep keeps them all",
            kind: Kind::Choice(&["exact", "keep"]),
            default: "exact",
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
    let keeps_ties = arguments.word("ties").as_deref() == Some("keep");
    match (arguments.count("k"), arguments.exactly_one(&bregman::SIZES)) {
        (Some(0), Ok(_)) => Ok(Box::new(Off)),
        (Some(k), Ok(_)) if keeps_ties => Ok(Box::new(WithTies { k })),
        (None, Ok(size)) if keeps_ties => {
            Err(Error::InvalidChain(format!("ties=keep goes with k: {size} decides about equals by the objective")))
        }
        _ => Ok(Box::new(Bregman::new(Family::Alpha(1.0), Mode::Primal, arguments)?)),
    }
}

/// `top_k(0)`, which engines write for no top-k at all.
struct Off;

impl Stage for Off {
    fn need(&self) -> Need {
        Need::Scale(1.0)
    }

    fn transform(&self, _: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        Ok(())
    }
}

/// The k largest and the equals of the last of them.
struct WithTies {
    k: usize,
}

impl Stage for WithTies {
    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        dist.keep_largest(self.k, Ties::Keep);
        Ok(())
    }
}
