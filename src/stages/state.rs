//! What a stage remembers from token to token.

/// The memory of a chain. Stages are immutable and shared by a sampler and its clones, so the sampler holds it; and as
/// only drawing stages remember anything, and a chain ends with the first of those, one is enough for all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Learnt {
    /// What the stage steers by: mirostat's mu; adaptive-p's weighted sum of probabilities.
    pub(crate) level: f64,
    /// adaptive-p's sum of weights.
    pub(crate) weight: f64,
    /// The token that was drawn last and what the stage wants to know of it if it is accepted.
    pub(crate) pending: Option<(i32, f64)>,
}
