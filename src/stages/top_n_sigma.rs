//! Top-nσ: every token whose logit is within n standard deviations of the largest.

use super::{Context, MIN_KEEP, Stage, StageInfo};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Edge, Least, Ties};
use crate::error::Result;
use crate::parameters::{Arguments, Kind, ParameterInfo};

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

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    Ok(Box::new(TopNSigma {
        n: arguments.number("n").unwrap_or(0.0),
        ddof: u32::from(arguments.word("ddof").as_deref() == Some("1")),
        least: Least { tokens: arguments.count("min_keep").unwrap_or(1), ties: Ties::Exact },
    }))
}

struct TopNSigma {
    n: f64,
    ddof: u32,
    least: Least,
}

impl Stage for TopNSigma {
    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        if self.n > 0.0 {
            let sigma = dist.deviation(self.ddof);
            dist.keep_down_to(-self.n * sigma, Edge::Inside, self.least);
        }
        Ok(())
    }
}
