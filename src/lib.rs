//! bregman turns rows of LLM logits into tokens.
//!
//! Its heart are the **Bregman decoders** of *Foundations of Top-k Decoding for Language Models* (arXiv 2505.19371):
//! the sparse distribution nearest to the model's, every token at a price, with a k that adapts to each token. Top-k
//! is the Kullback-Leibler case.
//!
//! Engines link the C library (`include/bregman.h`); from Rust the front door is [`Sampler`].
//!
//! # The map
//!
//! A row flows one way: `logits → vocab passes → head → stages in chain order → draw → token`.
//!
//! | where | what |
//! |---|---|
//! | `logits.rs` | a borrowed row: number format, mask, edits |
//! | `vocab/` | the vocabulary room: passes over all logits, written once over 16 lanes; knows nothing of decoders |
//! | `head.rs`, `head/` | the sorted head, which deepens itself by asking the vocabulary for more |
//! | `law.rs`, `law/` | the distribution between two stages: whole vocabulary, then a sorted head, or a crowd too large to sort; what stages do to it |
//! | [`bregman`] | the decoders: objective, support, renormalisation; plain f64 |
//! | `stages/` | one file a stage |
//! | `chain/` | the chain's text, and the catalogue of stages |
//! | `history/` | the tokens of a sequence so far, and what stages about repetition make of them |
//! | `sampler.rs`, `sampler/` | a chain with the state of one sequence; as a stage in an engine's own chain |
//! | `random.rs` | (seed, position) → uniform; (seed, position, token) → Gumbel |
//! | `gumbel.rs` | the race of all tokens: one draw, or several without replacement |
//! | `answers.rs` | a row's most likely tokens, ranks and kept tokens |
//! | `batch.rs` | rows in parallel |
//! | `math.rs`, `order.rs` | elementary functions that are the same everywhere; floats in their order |
//! | `diagnostics.rs` | kept mass, entropy, the model's log-probability |
//! | `ffi/` | the C boundary, and only that |
//!
//! # One promise
//!
//! The same chain, seed, position and logits give the same token, bit for bit, whatever the instruction set, the
//! number of threads and the composition of the batch.

#![deny(missing_docs)]
#![warn(unreachable_pub)]

mod answers;
mod batch;
pub mod bregman;
mod chain;
mod diagnostics;
mod distribution;
mod error;
pub mod ffi;
mod gumbel;
mod history;
mod logits;
mod math;
mod order;
mod parameters;
mod random;
mod sampler;
mod stages;
mod vocab;

pub use answers::{Answers, Source, Told};
pub use chain::macros::{MacroInfo, macros};
pub use error::{Error, Result};
pub use gumbel::Sample;
pub use logits::{Candidate, Row, Values};
pub use parameters::{Kind, ParameterInfo};
pub use sampler::{Applied, Order, Sampler, Token, Want};
pub use stages::{StageInfo, stages};

/// Decodes one row with each sampler, on up to `threads` threads (0 or 1: the caller's). No row's failure is another's,
/// and neither the number of threads nor the company a row is in changes its token.
///
/// # Panics
/// If there are not as many rows as samplers.
pub fn decode_batch(samplers: &mut [Sampler], rows: &[Row<'_>], want: Want, threads: usize) -> Vec<Result<Token>> {
    assert_eq!(samplers.len(), rows.len(), "one sampler for each row");
    let mut jobs: Vec<_> = samplers.iter_mut().map(|sampler| (sampler, Err(Error::EmptySupport))).collect();
    let done = batch::for_each(&mut jobs, threads, |r, (sampler, result)| *result = sampler.decode(rows[r], want));
    match done {
        Ok(()) => jobs.into_iter().map(|(_, result)| result).collect(),
        Err(e) => vec![Err(e); rows.len()],
    }
}

/// The instruction set in use: "scalar", "avx2", "avx512" or "neon". `BREGMAN_SIMD` lowers it; a value that names no
/// level of this machine is an error here and at every sampler's creation.
pub fn simd_level() -> Result<&'static str> {
    Ok(vocab::kernels()?.level.to_str().unwrap_or_default())
}

/// The instruction sets that this build and machine have, the lowest first.
pub fn simd_levels() -> Vec<&'static str> {
    vocab::levels().iter().map(|kernels| kernels.level.to_str().unwrap_or_default()).collect()
}

/// The README's Rust example, compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
