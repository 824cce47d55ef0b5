//! The stages, one file each: what it does to the law, and its entry in the catalogue.

mod bregman;
mod draw;
mod greedy;
mod min_p;
mod temperature;
mod top_k;
mod top_p;

use crate::bregman::Problem;
use crate::chain::catalogue::{Kind, ParameterInfo, StageInfo};
use crate::error::Result;
use crate::law::Law;

/// What a stage will ask of a law that is still the whole vocabulary: it decides what the first pass over the row does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Need {
    /// The largest tokens: the maxima suffice.
    Largest,
    /// The total of the weights.
    Total,
    /// The total, and how many tokens there are.
    Whole,
    /// Nothing: the next stage decides, at a scale changed by this factor.
    Scale(f64),
}

/// One step of a chain: immutable, so that a sampler and its clones share it.
pub(crate) trait Stage: Send + Sync {
    /// Changes the law; takes no token and consumes no randomness.
    fn transform(&self, law: &mut Law<'_>, context: &mut Context<'_>) -> Result<()>;

    /// What it asks first.
    fn need(&self) -> Need {
        Need::Largest
    }

    /// Takes a token from the law, if this is a drawing stage.
    fn draw(&self, law: &mut Law<'_>, context: &Context<'_>) {
        let _ = (law, context);
    }
}

/// What a stage may use besides the law.
pub(crate) struct Context<'a> {
    /// Random numbers are a function of these two.
    pub(crate) seed: u64,
    pub(crate) position: u64,
    /// Memory for the decoders.
    pub(crate) problem: &'a mut Problem,
}

/// Every stage there is.
pub(crate) static ALL: [StageInfo; 7] =
    [temperature::INFO, bregman::INFO, top_k::INFO, top_p::INFO, min_p::INFO, draw::INFO, greedy::INFO];

/// Parameters of a stage that exclude each other: of each group one is given, unless one of it has a default.
pub(crate) static ALTERNATIVES: [(&str, &[&str]); 3] =
    [("bregman", &bregman::SIZES), ("bregman", &["alpha", "generator"]), ("top_k", &bregman::SIZES)];

/// The parameter that every truncation by probability has.
const MIN_KEEP: ParameterInfo = ParameterInfo {
    name: "min_keep",
    aliases: &[],
    summary: "keep at least this many tokens, if there are as many",
    kind: Kind::Count { min: 1 },
    default: "1",
    required: false,
};
