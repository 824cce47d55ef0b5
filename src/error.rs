//! What can go wrong, in words; the C boundary turns it into a status.

use thiserror::Error;

/// Why a call failed. The text names the argument and the reason; nothing was changed by the call.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument of the call itself is out of its range.
    #[error("{0}")]
    InvalidArgument(String),
    /// The chain's text does not parse, or a parameter in it is out of its range.
    #[error("{0}")]
    InvalidChain(String),
    /// A logit that may be sampled is NaN or +infinity.
    #[error("logit {index} is {value}: logits must be finite or -infinity")]
    InvalidLogits {
        /// Position in the row (or in the candidate array) of the first such logit.
        index: usize,
        /// NaN or +infinity.
        value: f32,
    },
    /// Every token is masked or -infinity.
    #[error("no token can be sampled: every logit is masked or -infinity")]
    EmptySupport,
    /// The chain or the logit bias bans every token that row and mask leave. The text says which of them took the last.
    #[error("no token can be sampled: {0}")]
    NothingLeft(String),
    /// A user's generator did not lead to a solution.
    #[error("{0}")]
    NoConvergence(String),
    /// The caller's buffers cannot hold the answer.
    #[error("the buffers hold {capacity} entries, the answer has {needed}")]
    BufferTooSmall {
        /// Entries that the answer has.
        needed: usize,
        /// Entries that the caller's buffers hold.
        capacity: usize,
    },
    /// The call is valid, but not with this chain or on this machine.
    #[error("{0}")]
    Unsupported(String),
    /// A sparse row does not hold what the chain or the call needs.
    #[error("the sparse row is not enough: it would need {0}")]
    Incomplete(String),
    /// There is no memory for the call. Any call may succeed later.
    #[error("out of memory")]
    OutOfMemory,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
