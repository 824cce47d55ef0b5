//! Drafts, and the rules by which a target model's distributions verify them.
//!
//! | file | what it is |
//! |---|---|
//! | `draft.rs` | what a draft model proposes: tokens, and the distributions they were drawn from |
//! | `rules.rs` | how likely a drafted token is accepted, under the token rule and the block rule |
//! | `target.rs` | a target distribution's probabilities of tokens, and draws from what a draft's distribution leaves of it |

mod draft;
mod rules;
mod target;

pub use draft::{Draft, DraftLaws, Rule};

pub(crate) use rules::{Block, accepts};
pub(crate) use target::{SpeculationScratch, Target};
