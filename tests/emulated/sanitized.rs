//! What ci/sanitized.sh runs with an instrumented library: calls through the C interface, one and several threads at a time.
//! Faults that are planted here (never in the library) must be found first.

#[path = "../common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod chains;
    pub mod handle;
    pub mod oracle;
    pub mod rows;
    pub mod shape;
}

#[path = "../abi/callers.rs"]
mod callers;
#[path = "../abi/corners.rs"]
mod corners;
#[path = "../abi/boundary/freed.rs"]
mod freed;
#[path = "../abi/sequence.rs"]
mod sequence;
#[path = "../abi/sparse.rs"]
mod sparse;
#[path = "../abi/threads.rs"]
mod threads;

mod planted;
