//! Typical: the tokens whose surprise is nearest to the expected one.

use super::{Context, MIN_KEEP, Need, Stage, StageInfo};
use crate::bregman::Generators;
use crate::distribution::{Distribution, WindowEnd, WindowRule};
use crate::error::Result;
use crate::parameters::{Arguments, Kind, ParameterInfo};

pub(super) const INFO: StageInfo = StageInfo {
    name: "typical",
    aliases: &["typical_p", "typ_p", "locally_typical"],
    summary: "keeps the tokens whose surprise is nearest to the entropy, until they have mass p; the most likely one \
              need not be among them",
    definition: "sort by |-ln p_i - H| ascending (ties: the lower id), H the entropy; keep until the mass reaches p",
    source: "arXiv 2202.00666, Locally Typical Sampling",
    agrees: "Hugging Face transformers (rule=reach), llama.cpp (rule=exceed), ExLlamaV2 (rule=within)",
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

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    let rule = match arguments.word("rule").as_deref() {
        Some("exceed") => WindowRule::Exceed,
        Some("within") => WindowRule::Within,
        _ => WindowRule::Reach,
    };
    let min_keep = arguments.count("min_keep").unwrap_or(1);
    Ok(Box::new(Typical { p: arguments.number("p").unwrap_or(1.0), rule, min_keep }))
}

struct Typical {
    p: f64,
    rule: WindowRule,
    min_keep: usize,
}

impl Stage for Typical {
    fn need(&self) -> Need {
        if self.p < 1.0 { Need::Entropy } else { Need::Scale(1.0) }
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        if self.p < 1.0 {
            // -ln p_i - H is the mean log-weight less the token's own: the normaliser cancels.
            let level = dist.mean_log_weight();
            let weight = self.p * dist.total();
            dist.keep_nearest(level, WindowEnd { weight, rule: self.rule, min_keep: self.min_keep });
        }
        Ok(())
    }
}
