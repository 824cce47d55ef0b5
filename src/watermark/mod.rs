//! Watermarks: the pseudo-random functions of key and context, and what a detector computes with them. The stages that
//! mark a text are in `stages/`; docs/watermarks.md has definitions and limits.
//!
//! | file | what it is |
//! |---|---|
//! | `context.rs` | the tokens before a token, and whether they were there before |
//! | `philox.rs` | vLLM's function of key, context and token |
//! | `tournament.rs` | SynthID's bits of a token, from vLLM's function or from transformers' hash and table |
//! | `mersenne.rs` | torch's generator on the CPU |
//! | `green.rs` | green lists: a share of the vocabulary for each context |
//! | `tails.rs` | p-values |

mod context;
mod green;
mod mersenne;
mod philox;
mod tails;
mod tournament;

pub(crate) use context::{Contexts, Padding};
pub(crate) use green::{GreenList, Scheme};
pub(crate) use philox::Prf;
pub(crate) use tails::{binomial_tail, gamma_tail};
pub(crate) use tournament::{MOST_LAYERS, Tournament};

/// What a detector says of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The scheme's own statistic: larger for a marked text. docs/watermarks.md says what it is for each stage.
    pub score: f64,
    /// The probability that a text which knows nothing of the key has at least this score. 1 if nothing was counted.
    pub p_value: f64,
    /// The tokens that were counted: those whose context did not occur before.
    pub counted: usize,
}

impl Score {
    /// Of a text in which no token counts.
    pub(crate) const NOTHING: Self = Self { score: 0.0, p_value: 1.0, counted: 0 };
}
