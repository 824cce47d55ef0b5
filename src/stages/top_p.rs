//! Top-p (nucleus): the smallest prefix with at least this much mass.

use super::{Built, Context, MIN_KEEP, OFF, Stage, StageInfo, on};
use crate::bregman::{EQUAL_MASS, Generators, is_below};
use crate::distribution::{Distribution, Least, Ties};
use crate::error::Result;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "top_p",
    aliases: &["topp", "nucleus"],
    summary: "keeps the most likely tokens until they have mass p",
    definition: "keep i while p_1 + ... + p_{i-1} < p (rule=below) or <= p (rule=reach); while p_1 + ... + p_i <= p \
                 (rule=within); while the sum of all p_j > p_i is < p (rule=ties); the first always",
    source: "arXiv 1904.09751, The Curious Case of Neural Text Degeneration; FlashInfer (rule=ties)",
    agrees: "llama.cpp, Hugging Face transformers, vLLM, koboldcpp, candle, mistral.rs, MLC (rule=below); SGLang and \
             TensorRT-LLM in torch (rule=reach); ExLlamaV2, ExLlamaV3 (rule=within); FlashInfer, mlx-lm (rule=ties)",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "p",
            aliases: &["top_p"],
            summary: "the mass to reach; 1 switches the stage off, 0 keeps one token",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "rule",
            aliases: &[],
            summary: "which token is the last: below keeps one while the mass before it is below p; reach while that is \
                      at most p; within while the mass with it is at most p; ties while the mass of strictly more \
                      likely ones is below p",
            kind: Kind::Choice(&["below", "reach", "within", "ties"]),
            default: "below",
            required: false,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let rule = match arguments.word("rule") {
        "reach" => PrefixRule::Reach,
        "within" => PrefixRule::Within,
        "ties" => PrefixRule::Ties,
        _ => PrefixRule::Below,
    };
    let p = arguments.number("p");
    if p >= 1.0 { OFF } else { on(TopP { p, rule, min_keep: arguments.count("min_keep") }) }
}

/// Which token is the last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PrefixRule {
    Below,
    Reach,
    Within,
    Ties,
}

struct TopP {
    p: f64,
    rule: PrefixRule,
    min_keep: usize,
}

impl TopP {
    /// Whether a token stays, from the mass before it and with it.
    fn keeps(&self, before: f64, with: f64, target: f64) -> bool {
        match self.rule {
            PrefixRule::Below | PrefixRule::Ties => is_below(before, target),
            PrefixRule::Reach => before <= target * (1.0 + EQUAL_MASS),
            PrefixRule::Within => with <= target * (1.0 + EQUAL_MASS),
        }
    }
}

impl Stage for TopP {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Total)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        let ties = if self.rule == PrefixRule::Ties { Ties::Keep } else { Ties::Exact };
        let least = Least { tokens: self.min_keep, ties };
        dist.keep_while(self.p, least, |before, with, target| self.keeps(before, with, target));
        Ok(())
    }
}
