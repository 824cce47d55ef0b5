//! bregman turns rows of LLM logits into tokens.
//!
//! At its core are the **Bregman decoders** of *Foundations of Top-k Decoding for Language Models* (arXiv 2505.19371):
//! they choose the sparse distribution that minimises a Bregman divergence to the model's plus a penalty for each
//! token kept. Top-k is the Kullback-Leibler case; k adapts to each token.
//!
//! Engines link the C library (`include/bregman.h`); from Rust the front door is [`Sampler`].
//!
//! A row flows one way: `logits → passes over the vocabulary → distribution → stages in chain order → draw → token`.
//! `CONTRIBUTING.md` has the map of the source.
//!
//! # One promise
//!
//! The same chain, seed, position, history and logits give the same token, bit for bit, whatever the instruction set,
//! the number of threads and the composition of the batch. Stages that learn (`mirostat`, `mirostat_v2`, `adaptive_p`)
//! also depend on the tokens that they drew: a saved state ([`Sampler::to_bytes`]) has that, too.

#![deny(missing_docs)]
#![warn(unreachable_pub)]

mod answers;
mod batch;
pub mod bregman;
mod chain;
pub mod decisions;
mod diagnostics;
mod distribution;
mod error;
pub mod ffi;
mod gumbel;
mod history;
mod logits;
mod math;
mod memory;
mod order;
mod parameters;
mod process;
mod random;
mod sampler;
mod speculation;
mod stages;
#[cfg(test)]
mod testing;
mod vocab;
mod watermark;

pub use answers::{Answers, Source, TokenRank};
pub use chain::limits::{LONGEST_CHAIN, MOST_READING_STAGES, MOST_STAGES};
pub use chain::macros::{MacroInfo, macros};
pub use error::{Error, Result};
pub use gumbel::Sample;
pub use logits::{Candidate, Rest, Row, Values};
pub use parameters::{Kind, ParameterInfo};
pub use sampler::{Applied, Order, Sampler, Token, Verified, Want, model_answers, reduce};
pub use speculation::{Draft, DraftLaws, Rule};
pub use stages::{StageInfo, stages};
pub use watermark::Score as WatermarkScore;

/// Decodes one row with each sampler, on up to `threads` threads (0 or 1: the caller's). No row's failure is another's,
/// and neither the number of threads nor the company a row is in changes its token.
///
/// The samplers may be anywhere: `requests.iter_mut().map(|request| &mut request.sampler)`.
///
/// # Panics
/// If there are not as many rows as samplers.
pub fn decode_batch<'s>(
    samplers: impl IntoIterator<Item = &'s mut Sampler>,
    rows: &[Row<'_>],
    want: Want,
    threads: usize,
) -> Vec<Result<Token>> {
    let mut jobs: Vec<_> = samplers.into_iter().map(|sampler| (sampler, Err(Error::EmptySupport))).collect();
    assert_eq!(jobs.len(), rows.len(), "one sampler for each row");
    batch::for_each(&mut jobs, threads, |r, (sampler, result)| *result = sampler.decode(rows[r], want));
    jobs.into_iter().map(|(_, result)| result).collect()
}

/// Looks for a watermark in the tokens of a text, from the beginning of its output, without the prompt. `stage` is the
/// stage that marked it, as in a chain: `watermark(key=0x9d3c55aa10f2e671)`. Needs no model and no logits.
///
/// `green_list` needs `vocab`, which a text does not tell. Memory and time grow with the text.
pub fn watermark_score(stage: &str, tokens: &[i32]) -> Result<WatermarkScore> {
    chain::Chain::new(stage, &[])?.score(tokens)
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

/// The number of logits that each kind of pass has read on this thread since the last call. With debug assertions only,
/// for tests.
#[cfg(debug_assertions)]
#[doc(hidden)]
pub fn take_logits_read() -> impl IntoIterator<Item = (&'static str, u64)> {
    vocab::take_logits_read()
}

/// The number of places of histories that were read on this thread since the last call. With debug assertions only, for
/// tests.
#[cfg(debug_assertions)]
#[doc(hidden)]
pub fn take_places_read() -> u64 {
    history::take_places_read()
}

/// The README's Rust example, compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
