//! A token as one integer that sorts by descending logit, then by ascending index.

use crate::order::{from_rank, to_rank};

/// A logit's rank among all floats, above the complement of the token's index: the larger value comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RankedToken(u64);

impl RankedToken {
    /// The smallest value.
    pub(crate) const LAST: Self = Self(0);

    #[inline(always)]
    pub(crate) fn new(index: u32, logit: f32) -> Self {
        // Adding 0 turns -0 into 0, with which it ties.
        Self(u64::from(to_rank(logit + 0.0)) << 32 | u64::from(!index))
    }

    /// The logit's rank among all floats.
    pub(crate) fn order(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The token's position in the row.
    pub(crate) fn index(self) -> u32 {
        !(self.0 as u32)
    }

    /// The token's logit, 0 for -0.
    pub(crate) fn logit(self) -> f32 {
        from_rank(self.order())
    }
}
