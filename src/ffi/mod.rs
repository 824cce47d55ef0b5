//! The C boundary: handles, checks, panics and errors; no logic.
//!
//! `include/bregman.h` is generated from these sources; the doc comments here are the header's.
//!
//! # Safety
//!
//! For every function: a pointer is NULL, or valid for what the documentation says is read or written there; a handle
//! is NULL, or was returned by a constructor of this library and not freed. NULL, alignment, lengths, enums, sizes of
//! structs, and whether another call is using a handle are checked.
//!
//! | file | what it is |
//! |---|---|
//! | `types.rs` | the structs and constants |
//! | `handle.rs` | samplers as handles: one call at a time, error messages, panics |
//! | `check.rs` | pointers to slices and strings; errors name the argument |
//! | `environment.rs` | the host's floating-point environment, put aside for a call |
//! | `api.rs` | the table of all functions, for hosts that `dlopen` |
//! | `library.rs` | version, level, names of statuses |
//! | `sampler.rs` | create, free, reset, reseed, accept, bias, describe |
//! | `rows.rs` | rows of logits and arrays of answers |
//! | `decode.rs` | one row, distribution, logits processor |
//! | `batch.rs` | many rows |
//! | `state.rs` | prompt length, mask |
//! | `saved.rs` | save, load, rewind, position and history |
//! | `verify.rs` | drafts of many sequences |
//! | `draws.rs` | several different tokens of one row |
//! | `answers.rs` | most likely tokens; answers without samplers |
//! | `reduce.rs` | shards of rows, as lists for sparse rows |
//! | `distributions.rs` | the decoded distributions of many rows |
//! | `apply.rs` | a candidate array |
//! | `generator.rs` | a generator φ as callbacks |
//! | `catalogue.rs` | stages, macros and parameters |
//! | `decisions/` | decisions beside the decoder, with a header of their own |
//! | `watermark.rs` | detectors of watermarks |
//! | `llama.rs` | a stage for llama.cpp without its header |

#![allow(non_camel_case_types, reason = "these are C's names")]
#![allow(clippy::missing_safety_doc, reason = "the module documents it for all functions")]

mod answers;
mod api;
mod apply;
mod batch;
mod catalogue;
mod check;
mod decisions;
mod decode;
mod distributions;
mod draws;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod environment;
mod generator;
mod handle;
mod library;
mod llama;
mod reduce;
mod rows;
mod sampler;
mod saved;
mod state;
mod types;
mod verify;
mod watermark;

pub use answers::*;
pub use api::*;
pub use apply::*;
pub use batch::*;
pub use catalogue::*;
pub use decisions::*;
pub use decode::*;
pub use distributions::*;
pub use draws::*;
pub use generator::*;
pub use handle::bregman_sampler;
pub use library::*;
pub use llama::*;
pub use reduce::*;
pub use sampler::*;
pub use saved::*;
pub use state::*;
pub use types::*;
pub use verify::*;
pub use watermark::*;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of an entry point; a panic becomes the value `on_panic`.
fn guard<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    let _usual = environment::Usual::enter();
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        // Dropping the payload could panic again; what that leaves stays.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        on_panic
    })
}
