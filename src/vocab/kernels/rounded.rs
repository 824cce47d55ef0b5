//! Sums of f64 weights, each rounded first to a multiple of one power of two. Such sums are exact, so the order in which
//! they are added does not matter.

use super::BLOCK;
use super::lanes::{LANES, Lanes};
use crate::math::list::at_least;
use std::ops::Range;

/// Positions in a list.
pub(crate) type Positions = Vec<u32>;

/// To what weights are rounded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// 1.5 * 2^52 times the step: a weight that is added to it is rounded, ties to even. 0 rounds nothing.
    shift: f64,
    /// Half a step: what is left of a weight halfway between two multiples.
    half: f64,
}

impl Grid {
    /// No rounding.
    pub(crate) const NONE: Self = Self { shift: 0.0, half: f64::NAN };

    /// The multiples of the last bit of `sum`, which is a normal number. Weights must be below a quarter of it.
    pub(crate) fn of(sum: f64) -> Self {
        let power = f64::from_bits(sum.to_bits() & 0x7ff0_0000_0000_0000);
        Self { shift: 1.5 * power, half: power * (0.5 * f64::EPSILON) }
    }
}

/// Some weights, summed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RoundedSum {
    pub(crate) sum: f64,
    /// Whether a weight lies halfway between two multiples.
    pub(crate) has_halfway: bool,
}

/// The sum of the weights of the tokens with `low <= logit < high`, each rounded. Both lists have whole vectors.
#[inline(always)]
pub(crate) fn rounded_sum<L: Lanes>(logits: &[f32], weights: &[f64], range: Range<f32>, grid: Grid) -> RoundedSum {
    let (mut sums, mut farthest) = ([0.0; LANES], [0.0; LANES]);
    let (logits, weights) = (logits.as_chunks::<LANES>().0, weights.as_chunks::<LANES>().0);
    for (logits, weights) in logits.iter().zip(weights) {
        for i in 0..LANES {
            let weight = if logits[i] >= range.start && logits[i] < range.end { weights[i] } else { 0.0 };
            let rounded = (grid.shift + weight) - grid.shift;
            sums[i] += rounded;
            farthest[i] = at_least(farthest[i], (weight - rounded).abs());
        }
    }
    RoundedSum { sum: sums.iter().sum(), has_halfway: farthest.contains(&grid.half) }
}

/// Appends, as far as there is room, the positions of the tokens with `low <= logit < high` whose weight lies halfway
/// between two multiples.
#[inline(always)]
pub(crate) fn halfway<L: Lanes>(
    logits: &[f32],
    weights: &[f64],
    range: Range<f32>,
    grid: Grid,
    positions: &mut Positions,
) {
    let is_halfway = |weight: f64| (weight - ((grid.shift + weight) - grid.shift)).abs() == grid.half;
    for (b, (logits, weights)) in logits.chunks(BLOCK).zip(weights.chunks(BLOCK)).enumerate() {
        let mut some = false;
        for &weight in weights {
            some |= is_halfway(weight);
        }
        if some {
            let places = (0..).zip(logits.iter().zip(weights));
            let found = places.filter(|&(_, (&logit, &weight))| range.contains(&logit) && is_halfway(weight));
            let room = positions.capacity() - positions.len();
            positions.extend(found.map(|(i, _): (u32, _)| (b * BLOCK) as u32 + i).take(room));
        }
    }
}
