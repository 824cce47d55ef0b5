//! The token rule (Leviathan et al., arXiv 2211.17192; Chen et al., arXiv 2302.01318) and the block rule (Sun et al.,
//! arXiv 2403.10444): p is the target's probability, q the draft's.

/// Whether the token rule accepts a token; `u` is uniform in (0, 1).
pub(crate) fn accepts(u: f64, p: f64, q: f64) -> bool {
    u * q < p
}

/// The block rule along a draft. After i tokens, P_i = min(1, P_{i-1} p_i / q_i) is in `reach`.
pub(crate) struct Block {
    pub(crate) reach: f64,
}

impl Block {
    pub(crate) fn new() -> Self {
        Self { reach: 1.0 }
    }

    /// The next drafted token, with its probabilities.
    pub(crate) fn push(&mut self, p: f64, q: f64) {
        self.reach = (self.reach * p / q).min(1.0);
    }

    /// h_i, the chance that the draft is accepted up to here at least, unless it is further on; `excess` is the sum of
    /// max(P_i p(x) - q(x), 0) over the distributions of the next token, none at the draft's end.
    pub(crate) fn chance(&self, excess: Option<f64>) -> f64 {
        let Some(excess) = excess else { return self.reach };
        let rest = excess + 1.0 - self.reach;
        if rest > 0.0 { excess / rest } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_rule_accepts_with_probability_p_over_q() {
        assert!(accepts(0.999, 0.5, 0.2) && !accepts(0.601, 0.3, 0.5) && accepts(0.599, 0.3, 0.5));
        assert!(!accepts(f64::MIN_POSITIVE, 0.0, 0.3));
    }

    #[test]
    fn block_rule_without_a_reach_never_stops_later() {
        let mut block = Block::new();
        block.push(0.0, 0.5);
        assert_eq!((block.reach, block.chance(Some(0.0)), block.chance(None)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn block_rule_accepts_all_where_the_distributions_are_equal() {
        let mut block = Block::new();
        block.push(0.25, 0.25);
        assert_eq!((block.chance(Some(0.0)), block.chance(None)), (1.0, 1.0));
    }
}
