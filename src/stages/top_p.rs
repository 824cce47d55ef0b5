//! Top-p (nucleus): the smallest prefix with at least this much mass.

use super::{Context, MIN_KEEP, Need, Stage};
use crate::chain::Generators;
use crate::chain::arguments::Arguments;
use crate::chain::catalogue::{Kind, ParameterInfo, StageInfo};
use crate::error::Result;
use crate::law::Law;

pub(super) const INFO: StageInfo = StageInfo {
    name: "top_p",
    aliases: &["topp", "nucleus"],
    summary: "keeps a token while the mass of the tokens before it is below p",
    source: "arXiv 1904.09751, The Curious Case of Neural Text Degeneration; the boundary as in llama.cpp, transformers \
             and vLLM",
    draws: false,
    parameters: &[
        ParameterInfo {
            name: "p",
            aliases: &["top_p"],
            summary: "the mass to reach; 1 switches the stage off, 0 keeps one token",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Result<Box<dyn Stage>> {
    Ok(Box::new(TopP { p: arguments.number("p").unwrap_or(1.0), min_keep: arguments.count("min_keep").unwrap_or(1) }))
}

struct TopP {
    p: f64,
    min_keep: usize,
}

/// A nucleus is usually smaller than this.
const FIRST_LOOK: usize = 64;

impl Stage for TopP {
    fn need(&self) -> Need {
        if self.p < 1.0 { Need::Total } else { Need::Scale(1.0) }
    }

    fn transform(&self, law: &mut Law<'_>, _: &mut Context<'_>) -> Result<()> {
        if self.p >= 1.0 {
            return Ok(());
        }
        let known = law.reach(FIRST_LOOK);
        // The head in f64 and only the rest in f32: so close to 1 as p may be, the error is relative to the rest.
        let target = self.p * (law.weights().iter().sum::<f64>() + law.beyond(known));
        let (mut k, mut sum) = (0, 0.0);
        'deepen: while k < law.entries().len() || k < law.reach(k + 1) {
            for weight in &law.weights()[k..] {
                sum += weight;
                k += 1;
                if sum >= target && k >= self.min_keep {
                    break 'deepen;
                }
            }
        }
        law.truncate(k);
        Ok(())
    }
}
