//! Lanes of blocks that are summed again without some of their tokens.

use crate::vocab::Kernels;
use crate::vocab::kernels::BLOCK;
use crate::vocab::kernels::exponential::ExpParams;
use crate::vocab::kernels::lanes::{LANES, Vector};

/// Lanes of blocks that are summed again, sixteen at a time.
pub(super) struct Columns {
    logits: [Vector; BLOCK / LANES],
    params: [ExpParams; LANES],
    places: [(usize, usize); LANES],
    len: usize,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self {
            logits: [[f32::NEG_INFINITY; LANES]; BLOCK / LANES],
            params: [ExpParams::NONE; LANES],
            places: [(0, 0); LANES],
            len: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == LANES
    }

    /// Adds the lane of a block whose token `v` has this logit.
    pub(super) fn add(&mut self, place: (usize, usize), params: ExpParams, logit: impl Fn(usize) -> f32) {
        let at = self.len;
        for (v, logits) in self.logits.iter_mut().enumerate() {
            logits[at] = logit(v);
        }
        (self.params[at], self.places[at]) = (params, place);
        self.len += 1;
    }

    /// Writes the sums to their places, and begins again.
    pub(super) fn sum(&mut self, kernels: &Kernels, lanes: &mut [Vector]) {
        let mut sums = [0.0; LANES];
        (kernels.column_weights)(&self.logits, &self.params, &mut sums);
        for (&(block, lane), sum) in self.places[..self.len].iter().zip(sums) {
            lanes[block][lane] = sum;
        }
        self.len = 0;
    }
}

/// A token's number if those of each lane of a block were numbered on end; and back.
pub(super) fn by_columns(token: u32) -> u32 {
    const { assert!(BLOCK == LANES * LANES) };
    let (lanes, block) = (LANES as u32, BLOCK as u32);
    token / block * block + token % lanes * lanes + token % block / lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_columns_numbers_the_tokens_of_a_lane_on_end() {
        for token in [0, 1, 15, 16, 255, 256, 5000, 70_001] {
            let (number, lanes) = (by_columns(token), LANES as u32);
            assert_eq!(by_columns(number), token);
            assert_eq!(number / BLOCK as u32, token / BLOCK as u32);
            assert_eq!((number / lanes % lanes, number % lanes), (token % lanes, token / lanes % lanes));
        }
    }
}
