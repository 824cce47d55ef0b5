//! The C boundary: handles, checks, panics, errors, and no logic.
//!
//! Every function here is declared in `include/bregman.h`, which is generated from these sources; the comments on the
//! items are the header's.
//!
//! # Safety
//!
//! Everywhere: a pointer is NULL (then the call fails with a status where NULL is not allowed) or valid for what the
//! documentation says is read or written there, and a handle is one that a constructor of this library returned and
//! that was not freed. What can be checked is checked: NULL, alignment, lengths, enums, sizes of structs, and whether
//! a handle is in use by another call.
//!
//! | file | what it is |
//! |---|---|
//! | `types.rs` | the structs and constants |
//! | `handle.rs` | samplers as handles: who may enter, where errors are kept |
//! | `check.rs` | pointers to slices and strings, with the argument's name in the error |
//! | `api.rs` | the table of all functions, for hosts that `dlopen` |
//! | `library.rs` | version, level, names of statuses |
//! | `sampler.rs` | creation, state, description |
//! | `rows.rs` | rows of logits and arrays of answers |
//! | `decode.rs` | one row, distribution, logits processor |
//! | `batch.rs` | many rows |
//! | `state.rs` | prompt and mask of a sampler |
//! | `draws.rs` | several tokens of one row |
//! | `answers.rs` | most likely tokens |
//! | `apply.rs` | a candidate array |
//! | `generator.rs` | a user's φ |
//! | `catalogue.rs` | the stages for a host to list |
//! | `llama.rs` | a stage for llama.cpp without its header |

#![allow(non_camel_case_types, reason = "these are C's names")]
#![allow(clippy::missing_safety_doc, reason = "the module says once what holds for every function")]

mod answers;
mod api;
mod apply;
mod batch;
mod catalogue;
mod check;
mod decode;
mod draws;
mod generator;
mod handle;
mod library;
mod llama;
mod rows;
mod sampler;
mod state;
mod types;

pub use answers::*;
pub use api::*;
pub use apply::*;
pub use batch::*;
pub use catalogue::*;
pub use decode::*;
pub use draws::*;
pub use generator::*;
pub use handle::bregman_sampler;
pub use library::*;
pub use llama::*;
pub use sampler::*;
pub use state::*;
pub use types::*;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs an entry point's body; a panic becomes `on_panic` and goes no further.
fn guard<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        // Dropping what was thrown may run anything, even another panic.
        std::mem::forget(payload);
        on_panic
    })
}
