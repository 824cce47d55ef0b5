//! P-less: every token at least as likely as two draws are to agree.

use super::{
    Built, MIN_KEEP, StageInfo,
    threshold::{EQUAL, threshold},
};
use crate::bregman::Generators;
use crate::distribution::{Edge, Ties};
use crate::math::ln;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "p_less",
    aliases: &["pless"],
    summary: "keeps the tokens whose probability is at least that of two draws giving the same token; no parameter to tune",
    definition: "keep p_i >= s (to one part in a million, so that equals stay together): plain s = sum of p_j^2; \
                 norm s = (V sum of p_j^2 - 1) / (V - 1), V the number of candidates",
    source: "arXiv 2509.23234, p-less Sampling: A Robust Hyperparameter-Free Approach for LLM Decoding",
    agrees: "the authors' code (p_less, p_less_norm), mlx-vlm",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "form",
            aliases: &[],
            summary: "the threshold: plain, or norm, which is lower and keeps more",
            kind: Kind::Choice(&["plain", "norm"]),
            default: "plain",
            required: false,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let is_norm = arguments.is("form", "norm");
    threshold(arguments, FirstPass::TotalAndSquares, (Edge::Inside, Ties::Exact), move |dist| {
        let (collision, total, v) = (dist.collision(), dist.total(), dist.size() as f64);
        let threshold = if is_norm && v > 1.0 { (v * collision - 1.0) / (v - 1.0) } else { collision };
        // The second form is 0, up to rounding, where all tokens are equal: all are kept.
        ln((threshold * total * EQUAL).max(0.0))
    })
}
