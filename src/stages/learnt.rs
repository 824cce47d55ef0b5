//! What a stage remembers from token to token.

/// What a chain's drawing stage has learnt. Stages are immutable and shared by a sampler and its clones, so the sampler
/// holds it; one is enough for a chain, which ends with its only drawing stage.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Learnt {
    /// mirostat's mu; adaptive-p's weighted sum of probabilities.
    pub(crate) level: f64,
    /// adaptive-p's sum of weights.
    pub(crate) weight: f64,
    /// The id that was drawn last, and its probability before adaptive-p reshaped it: what is learnt if it is accepted.
    pub(crate) pending: Option<(i32, f64)>,
}
