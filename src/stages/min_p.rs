//! Min-p: every token that is at least some fraction as likely as the first.

use super::{Context, MIN_KEEP, Need, Stage};
use crate::chain::Generators;
use crate::chain::arguments::Arguments;
use crate::chain::catalogue::{Kind, ParameterInfo, StageInfo};
use crate::error::Result;
use crate::law::Law;
use crate::math::ln;

pub(super) const INFO: StageInfo = StageInfo {
    name: "min_p",
    aliases: &["minp"],
    summary: "keeps the tokens with at least p times the largest probability",
    source: "arXiv 2407.01082, Turning Up the Heat: Min-p Sampling; llama.cpp, llama_sampler_init_min_p",
    draws: false,
    parameters: &[
        ParameterInfo {
            name: "p",
            aliases: &["min_p"],
            summary: "the fraction of the largest probability; 0 switches the stage off, 1 keeps the ties for the first",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    Ok(Box::new(MinP { p: arguments.number("p").unwrap_or(0.0), min_keep: arguments.count("min_keep").unwrap_or(1) }))
}

struct MinP {
    p: f64,
    min_keep: usize,
}

impl Stage for MinP {
    fn need(&self) -> Need {
        if self.p > 0.0 { Need::Largest } else { Need::Scale(1.0) }
    }

    fn transform(&self, law: &mut Law<'_>, _: &mut Context<'_>) -> Result<()> {
        if self.p <= 0.0 {
            return Ok(());
        }
        let mut k = law.reach_down_to(ln(self.p));
        if k < self.min_keep {
            k = law.reach(self.min_keep).min(self.min_keep);
        }
        law.truncate(k);
        Ok(())
    }
}
