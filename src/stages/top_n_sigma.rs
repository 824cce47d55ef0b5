//! Top-nσ: every token whose logit is within n standard deviations of the largest.

use super::{
    Built, MIN_KEEP, OFF, StageInfo,
    threshold::{EQUAL, threshold},
};
use crate::bregman::Generators;
use crate::distribution::{Edge, Ties};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "top_n_sigma",
    aliases: &["top_nsigma", "nsigma", "topnsigma"],
    summary: "keeps the tokens whose logit is within n standard deviations of the largest",
    definition: "keep l_i >= max l - n sigma, sigma the standard deviation of the logits that are left (banned ones \
                 have none), divided by their number less ddof",
    source: "arXiv 2411.07641, Top-nσ: Not All Logits Are You Need",
    agrees: "llama.cpp, mlx-vlm (ddof 0); the authors' code, aphrodite (ddof 1); after top_k koboldcpp's, which \
             takes sigma over survivors",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "n",
            aliases: &["top_n_sigma", "top_nsigma"],
            summary: "standard deviations below the largest logit; 0 switches the stage off",
            kind: Kind::Number { min: 0.0, max: 1e6, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "ddof",
            aliases: &[],
            summary: "what the divisor is less than the number of logits: 0 for the population's deviation, 1 for a \
                      sample's",
            kind: Kind::Choice(&["0", "1"]),
            default: "0",
            required: false,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (n, ddof) = (arguments.number("n"), u32::from(arguments.is("ddof", "1")));
    if n == 0.0 {
        return OFF;
    }
    threshold(arguments, FirstPass::Maxima, (Edge::Inside, Ties::Exact), move |dist| -n * dist.deviation(ddof) / EQUAL)
}
