//! The stages, one file each: what it does to the law, and its entry in the catalogue.

mod adaptive_p;
mod bregman;
mod draw;
mod dynamic_temperature;
mod epsilon;
mod eta;
mod greedy;
mod min_p;
mod mirostat;
mod p_less;
mod smoothing;
mod state;
mod tail_free;
mod temperature;
mod top_a;
mod top_h;
mod top_k;
mod top_n_sigma;
mod top_p;
mod typical;
mod xtc;

pub(crate) use state::State;

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

    /// What a drawing stage remembers before the first token.
    fn initial(&self) -> State {
        State::default()
    }

    /// Takes a token from the law, if this is a drawing stage; returns what it remembers from now on.
    fn draw(&self, law: &mut Law<'_>, context: &Context<'_>) -> State {
        let _ = law;
        context.state
    }

    /// What a drawing stage remembers once the sequence goes on with `token`.
    fn accepted(&self, state: State, token: i32) -> State {
        let _ = token;
        state
    }
}

/// What a stage may use besides the law.
pub(crate) struct Context<'a> {
    /// Random numbers are a function of these two.
    pub(crate) seed: u64,
    pub(crate) position: u64,
    /// The place of the stage that runs, from 0: stages of one chain draw independent numbers.
    pub(crate) stage: u32,
    /// What the chain's drawing stage remembers.
    pub(crate) state: State,
    /// Memory for the decoders.
    pub(crate) problem: &'a mut Problem,
}

impl<'a> Context<'a> {
    pub(crate) fn new(seed: u64, position: u64, state: State, problem: &'a mut Problem) -> Self {
        Self { seed, position, stage: 0, state, problem }
    }
}

/// Every stage there is.
pub(crate) static ALL: [StageInfo; 21] = [
    temperature::INFO,
    dynamic_temperature::INFO,
    smoothing::INFO,
    bregman::INFO,
    top_n_sigma::INFO,
    top_k::INFO,
    typical::INFO,
    top_p::INFO,
    min_p::INFO,
    top_a::INFO,
    tail_free::INFO,
    top_h::INFO,
    p_less::INFO,
    epsilon::INFO,
    eta::INFO,
    xtc::INFO,
    draw::INFO,
    greedy::INFO,
    mirostat::V1,
    mirostat::V2,
    adaptive_p::INFO,
];

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
