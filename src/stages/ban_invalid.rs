//! Ban invalid: NaN and +infinity count as -infinity instead of failing the row.

use super::{Built, Context, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::Result;
use crate::parameters::Arguments;
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "ban_invalid",
    aliases: &[],
    summary: "bans tokens whose logit is NaN or +infinity, for which a row is refused without it; stands first. Figures and \
              answers about the model's own logits are still refused for such a row",
    definition: "l' = -inf where l is NaN or +inf",
    agrees: "none exactly: transformers (remove_invalid_values) makes NaN 0 and +inf the largest number, SGLang \
             (enable_nan_detection) makes NaN -1e5",
    source: "Hugging Face transformers, InfNanRemoveLogitsProcessor, and SGLang, whose replacements it does not have",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[],
    build,
};

fn build(_: &Arguments, _: Generators<'_>) -> Built {
    on(BanInvalid)
}

struct BanInvalid;

impl Stage for BanInvalid {
    fn first_pass(&self) -> Option<FirstPass> {
        None
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        dist.ban_invalid()
    }

    fn stands_first(&self) -> bool {
        true
    }
}
