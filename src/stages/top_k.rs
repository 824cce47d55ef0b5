//! Top-k: the α = 1 decoder under its usual name, with a fixed k or an adaptive one.

use super::{Built, Context, OFF, Stage, StageInfo, bregman, on};
use crate::bregman::{Family, Generators, Mode};
use crate::distribution::{Distribution, Ties};
use crate::error::{Error, Result};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

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
    alternatives: &[&SIZES],
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

/// Exactly one of these decides how many tokens are kept.
const SIZES: [&str; 3] = ["lambda", "floor", "k"];

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let keeps_ties = arguments.is("ties", "keep");
    match (arguments.optional_count("k"), arguments.exactly_one(&SIZES)) {
        // Engines write this for no top-k at all.
        (Some(0), Ok(_)) => OFF,
        (Some(k), Ok(_)) if keeps_ties => {
            let k_max = arguments.optional_count("k_max").unwrap_or(usize::MAX);
            on(WithTies { k: k.max(arguments.count("k_min")).min(k_max), k_max })
        }
        (None, Ok(size)) if keeps_ties => {
            Err(Error::InvalidChain(format!("ties=keep goes with k: {size} decides about equals by the objective")))
        }
        _ => bregman::stage(Family::Alpha(1.0), Mode::Primal, arguments, &SIZES),
    }
}

/// The k largest and the equals of the last of them, but no more than `k_max`.
struct WithTies {
    k: usize,
    k_max: usize,
}

impl Stage for WithTies {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Maxima)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        dist.keep_largest(self.k, Ties::Keep);
        if dist.support() > self.k_max {
            dist.truncate(self.k_max);
        }
        Ok(())
    }
}
