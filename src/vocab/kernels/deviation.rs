//! How far the logits spread: their standard deviation, which top-nσ needs.

use super::BLOCK;
use super::ROWS;
use super::lanes::{LANES, Lanes};
use super::run::{Allowed, Format, TypedRun, for_each_block};

/// Sums over the finite logits of a run, each taken as u = (logit - centre) * factor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    /// How many are finite.
    pub(crate) count: u64,
    /// Σ u.
    pub(crate) sum: f64,
    /// Σ u².
    pub(crate) squares: f64,
}

/// Where [`spread`] measures from, and in what unit.
#[derive(Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) centre: f32,
    /// A power of two, so that it costs no precision.
    pub(crate) factor: f32,
}

#[inline(always)]
pub(crate) fn spread<L: Lanes, F: Format, A: Allowed>(run: TypedRun<'_, F, A>, measure: Measure) -> Spread {
    let (factor, centre) = (L::splat(measure.factor), L::splat(measure.centre * measure.factor));
    let lowest = L::splat(f32::MIN);
    let (mut count, mut sums, mut squares) = (0, L::no_sums(), L::no_sums());
    for_each_block!(run, |b, block| {
        let (mut sum, mut square) = (L::splat(0.0), L::splat(0.0));
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let finite = x.ge(lowest);
            let u = x.mul(factor).sub(centre).keep(finite);
            count += u64::from(L::bits(finite).count_ones());
            sum = sum.add(u);
            square = u.fma(u, square);
        }
        sum.add_to(&mut sums);
        square.add_to(&mut squares);
    });
    Spread { count, sum: L::sum(sums), squares: L::sum(squares) }
}

// A lane adds up at most this many squares of a block: below 1e30 each, they stay finite.
const _: () = assert!(BLOCK / LANES <= 64);
