//! Top-H: a prefix that has its share of the head's entropy.

use super::{Built, Context, MIN_KEEP, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::Result;
use crate::math::{exp, ln};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "top_h",
    aliases: &["toph"],
    summary: "keeps a prefix whose tokens contribute at most h of the entropy of the top_n likeliest",
    definition: "of the top_n largest, renormalised: keep while the sum of -p_j ln p_j over j <= i is at most h \
                 times the sum over all; the first always",
    source: "arXiv 2509.02510, Top-H Decoding",
    agrees: "Hugging Face transformers (TopHLogitsWarper)",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "h",
            aliases: &["top_h"],
            summary: "the share of the entropy, typically 0.3 to 0.5",
            kind: Kind::Number { min: 0.0, max: 1.0, open: true },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "top_n",
            aliases: &[],
            summary: "the likeliest tokens that count, at most; no others are kept",
            kind: Kind::Count { min: 1 },
            default: "100",
            required: false,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    on(TopH { h: arguments.number("h"), top_n: arguments.count("top_n"), min_keep: arguments.count("min_keep") })
}

struct TopH {
    h: f64,
    top_n: usize,
    min_keep: usize,
}

impl Stage for TopH {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Maxima)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        let n = dist.deepen(self.top_n).min(self.top_n);
        let head = &dist.entries()[..n];
        let total: f64 = head.iter().map(|e| exp(e.x)).sum();
        let log_total = ln(total);
        let term = |x: f64| exp(x) / total * (log_total - x);
        let entropy: f64 = head.iter().map(|e| term(e.x)).sum();
        // Summed in the same order, so that h = 1 is all of it.
        let mut sum = 0.0;
        let kept = head.iter().take_while(|e| {
            sum += term(e.x);
            sum <= self.h * entropy
        });
        let k = kept.count().max(self.min_keep.min(n));
        dist.truncate(k);
        Ok(())
    }
}
