//! XTC: takes the most likely tokens away, all but the last of those that are likely enough.

use super::{Built, Context, MIN_KEEP, OFF, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::Result;
use crate::math::{exp, ln};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::random::{Purpose, uniform_of};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "xtc",
    aliases: &["exclude_top_choices"],
    summary: "takes away the most likely tokens, all but the last of those with at least the threshold's \
              probability, in a share of the rows; or, without a coin, on average",
    definition: "with the given probability (a coin for each row): if m >= 2 tokens have p >= threshold, drop the \
                 first m - 1, unless fewer than min_keep remained; mode=average: p_i (1 - P) / (1 + P M / (1 - M)) \
                 for i < m, M the mass of these, which is the same marginal distribution",
    source: "p-e-w, Exclude Top Choices (text-generation-webui); llama.cpp, llama_sampler_init_xtc",
    agrees: "llama.cpp, koboldcpp (mode=coin); ExLlamaV3 (mode=average)",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "probability",
            aliases: &["xtc_probability", "p"],
            summary: "the share of rows in which it acts; 0 switches the stage off",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "threshold",
            aliases: &["xtc_threshold", "t"],
            summary: "the probability that a top choice has at least; above 0.5 nothing is ever taken away",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "0.1",
            required: false,
        },
        ParameterInfo {
            name: "mode",
            aliases: &[],
            summary: "coin: a coin for each row, from the seed and the position; average: the distribution that the coin \
                      leads to on average, without one",
            kind: Kind::Choice(&["coin", "average"]),
            default: "coin",
            required: false,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (probability, threshold) = (arguments.number("probability"), arguments.number("threshold"));
    // Of two tokens above 1/2 there can be only one.
    if probability == 0.0 || threshold > 0.5 {
        return OFF;
    }
    // With probability 1 there is nothing to average.
    let is_averaged = arguments.is("mode", "average") && probability < 1.0;
    on(Xtc { probability, threshold, is_averaged, min_keep: arguments.count("min_keep") })
}

struct Xtc {
    probability: f64,
    threshold: f64,
    is_averaged: bool,
    min_keep: usize,
}

impl Xtc {
    /// How many tokens go.
    fn top_choices(&self, dist: &mut Distribution<'_>) -> usize {
        let total = dist.total();
        let above = dist.deepen_to(ln(self.threshold * total));
        let n = above.saturating_sub(1);
        if n > 0 && self.min_keep > 1 && dist.support() - n < self.min_keep { 0 } else { n }
    }

    /// What the weights of the first `n` are multiplied by.
    fn average(&self, dist: &mut Distribution<'_>, n: usize) -> f64 {
        let taken: f64 = dist.entries()[..n].iter().map(|e| exp(e.x)).sum();
        let left: f64 = dist.beyond(n);
        (1.0 - self.probability) / (1.0 + self.probability * taken / left)
    }
}

impl Stage for Xtc {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Total)
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        dist.make_room_to_demote()?;
        let coin = || uniform_of(context.seed, context.position, Purpose::Coin, context.stage);
        if !self.is_averaged && self.probability < 1.0 && coin() >= self.probability {
            return Ok(());
        }
        match self.top_choices(dist) {
            0 => Ok(()),
            n if self.is_averaged => {
                let factor = self.average(dist, n);
                dist.demote_first(n, ln(factor))
            }
            n => dist.drop_first(n),
        }
    }
}
