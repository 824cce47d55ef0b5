//! Decisions beside the decoder: among finished candidates, experts or answers instead of tokens.
//!
//! Whoever has best-of-n, a router or a judge in the process of the decoder finds its arithmetic here, in f64 and with the
//! same bits on every machine. `docs/decisions.md` says which method is for what, and what a chain over a row of rewards
//! or router logits already does; `docs/mathematics.md`, 15, derives the formulas.
//!
//! | file | method |
//! |---|---|
//! | `best_of_n.rs` | best-of-n: its law, its divergence, the bound and an estimate (arXiv 2401.01879) |
//! | `soft_value.rs` | soft values and weights of candidates (SVDD, arXiv 2408.08252) |
//! | `gates.rs` | gates of mixtures of experts, by the name of a model |
//! | `arms.rs`, `stopping.rs` | which candidate to judge next (TTTS, and T3C of arXiv 1910.10945), and when to stop |
//! | `abstention.rs` | whether to answer (SCOD, arXiv 2301.12386) |
//! | `calibration.rs`, `cells.rs` | the ℓ2 calibration error with an interval (arXiv 2408.08998) and a test |
//! | `distortion.rs` | how far truncation changed the law of a sequence (arXiv 2503.21929) |
//! | `draws.rs` | normal, gamma and beta numbers from the library's counter-based random numbers |
//! | `check.rs` | ranges of arguments |
//!
//! Every function is pure and thread-safe. An argument out of its range is an [`Error::InvalidArgument`] that names it.
//!
//! [`Error::InvalidArgument`]: crate::Error::InvalidArgument

mod abstention;
mod arms;
mod best_of_n;
mod calibration;
mod cells;
mod check;
mod distortion;
mod draws;
mod gates;
mod soft_value;
mod stopping;

pub use abstention::abstain;
pub use arms::{ArmOptions, ArmRule, NextArm, next_arm};
pub use best_of_n::{BestOfN, BestOfNBounds, best_of_n, best_of_n_bounds, best_of_n_kl_estimates};
pub use calibration::{Calibration, calibration_error};
pub use distortion::{distortion, distortion_of_logprobs};
pub use gates::{GateConvention, GateOptions, Routes, route};
pub use soft_value::{SoftValues, soft_values};
pub use stopping::{Rewards, Verdict, best_arm, transport_cost};
