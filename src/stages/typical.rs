//! Typical: the tokens whose surprise is nearest to the expected one.

use super::{Built, Context, MIN_KEEP, OFF, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::{Distribution, WindowEnd, WindowRule};
use crate::error::Result;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "typical",
    aliases: &["typical_p", "typ_p", "locally_typical"],
    summary: "keeps the tokens whose surprise is nearest to the entropy, until they have mass p; the most likely one \
              need not be among them",
    definition: "sort by |-ln p_i - H| ascending (ties: the lower id), H the entropy; keep until the mass reaches p",
    source: "arXiv 2202.00666, Locally Typical Sampling",
    agrees: "Hugging Face transformers (rule=reach), llama.cpp (rule=exceed), ExLlamaV2 (rule=within), \
             but for its scores, which are of p + ln p",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "p",
            aliases: &["typical_p", "typ_p", "mass"],
            summary: "the mass to reach; 1 switches the stage off, 0 keeps one token",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "rule",
            aliases: &[],
            summary: "where it ends: reach, at the first token with which the mass is at least p, with its equals; \
                      exceed, at the first with which it is above p; within, before that one",
            kind: Kind::Choice(&["reach", "exceed", "within"]),
            default: "reach",
            required: false,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let rule = match arguments.word("rule") {
        "exceed" => WindowRule::Exceed,
        "within" => WindowRule::Within,
        _ => WindowRule::Reach,
    };
    let p = arguments.number("p");
    if p >= 1.0 { OFF } else { on(Typical { p, rule, min_keep: arguments.count("min_keep") }) }
}

struct Typical {
    p: f64,
    rule: WindowRule,
    min_keep: usize,
}

impl Stage for Typical {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::TotalAndMoment)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        // -ln p_i - H is the mean log-weight less the token's own: the normaliser cancels.
        let level = dist.mean_log_weight();
        let weight = self.p * dist.total();
        dist.keep_nearest(level, WindowEnd { weight, rule: self.rule, min_keep: self.min_keep })
    }
}
