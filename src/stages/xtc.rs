//! XTC: takes the most likely tokens away, all but the last of those that are likely enough.

use super::{Built, Context, EXEMPT, MIN_KEEP, OFF, Stage, StageInfo, on, sorted_tokens};
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
                 first m - 1 but those that are exempt, unless fewer than min_keep remained, or, with rule=none, one of \
                 them is exempt; mode=average: p_i (1 - P) / (1 + P M / (1 - M)) for those that the coin drops, M the mass of \
                 these, which is the same marginal distribution",
    source: "p-e-w, Exclude Top Choices (text-generation-webui, where newline and end are exempt); llama.cpp, \
             llama_sampler_init_xtc; mlx-lm, apply_xtc",
    agrees: "llama.cpp, koboldcpp (mode=coin); text-generation-webui (exempt, rule=none); mlx-lm (exempt, rule=others), but for \
             ties; ExLlamaV3 (mode=average)",
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
        ParameterInfo { aliases: &["special_tokens", "xtc_special_tokens"], ..EXEMPT },
        ParameterInfo {
            name: "rule",
            aliases: &[],
            summary: "what is taken away where an exempt token would be: none takes nothing away, others takes the others",
            kind: Kind::Choice(&["none", "others"]),
            default: "none",
            required: false,
        },
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
    on(Xtc {
        probability,
        threshold,
        is_averaged,
        min_keep: arguments.count("min_keep"),
        exempt: sorted_tokens(arguments, "exempt"),
        takes_others: arguments.is("rule", "others"),
    })
}

struct Xtc {
    probability: f64,
    threshold: f64,
    is_averaged: bool,
    min_keep: usize,
    exempt: Vec<u32>,
    /// Whether the other tokens go where one that is exempt would.
    takes_others: bool,
}

impl Xtc {
    fn is_exempt(&self, id: i32) -> bool {
        u32::try_from(id).is_ok_and(|token| self.exempt.binary_search(&token).is_ok())
    }

    /// Among how many of the first tokens all go that are not exempt; 0 if none does.
    fn top_choices(&self, dist: &mut Distribution<'_>) -> usize {
        let total = dist.total();
        let above = dist.deepen_to(ln(self.threshold * total));
        let n = above.saturating_sub(1);
        let exempt = (0..n).filter(|&at| self.is_exempt_at(dist, at)).count();
        let goes = if exempt == 0 || self.takes_others { n - exempt } else { 0 };
        let is_too_many = goes > 0 && self.min_keep > 1 && dist.support() - goes < self.min_keep;
        if goes == 0 || is_too_many { 0 } else { n }
    }

    fn is_exempt_at(&self, dist: &mut Distribution<'_>, at: usize) -> bool {
        let index = dist.entries()[at].index;
        self.is_exempt(dist.id(index))
    }

    /// What the weights of those that go, among the first `n`, are multiplied by.
    fn average(&self, dist: &mut Distribution<'_>, n: usize) -> f64 {
        let (mut taken, mut left) = (0.0, dist.beyond(n));
        for at in 0..n {
            let weight = exp(dist.entries()[at].x);
            *(if self.is_exempt_at(dist, at) { &mut left } else { &mut taken }) += weight;
        }
        (1.0 - self.probability) / (1.0 + self.probability * taken / left)
    }
}

impl Stage for Xtc {
    fn first_pass(&self) -> Option<FirstPass> {
        // Often nothing is dropped, and then all are counted.
        Some(FirstPass::TotalAndMin)
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        dist.make_room_to_demote()?;
        let coin = || uniform_of(context.seed, context.position, Purpose::Coin, context.stage);
        if !self.is_averaged && self.probability < 1.0 && coin() >= self.probability {
            return Ok(());
        }
        let is_exempt = |id| self.is_exempt(id);
        match self.top_choices(dist) {
            0 => Ok(()),
            n if self.is_averaged => {
                let factor = self.average(dist, n);
                dist.demote_first(n, ln(factor), is_exempt)
            }
            n => dist.drop_first(n, is_exempt),
        }
    }
}
