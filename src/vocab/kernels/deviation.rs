//! The sums behind the standard deviation of the logits (top-nσ).

use super::format::Format;
use super::lanes::{LANES, Lanes};
use super::run::{Mask, TypedRun, for_each_block};
use super::{BLOCK, ROWS};

/// The origin and unit of [`CentredSums`]: u = (logit - centre) * factor.
#[derive(Clone, Copy)]
pub(crate) struct Centring {
    pub(crate) centre: f32,
    /// A power of two, so that multiplying by it is exact.
    pub(crate) factor: f32,
}

/// Sums over the finite logits of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CentredSums {
    /// How many are finite.
    pub(crate) count: u64,
    /// Σ u.
    pub(crate) sum: f64,
    /// Σ u².
    pub(crate) squares: f64,
}

#[inline(always)]
pub(crate) fn centred_sums<L: Lanes, F: Format, M: Mask>(run: TypedRun<'_, F, M>, centring: Centring) -> CentredSums {
    let (factor, centre) = (L::splat(centring.factor), L::splat(centring.centre * centring.factor));
    let lowest = L::splat(f32::MIN);
    let (mut count, mut sums, mut squares) = (0, L::zero_sums(), L::zero_sums());
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
    CentredSums { count, sum: L::reduce_sums(sums), squares: L::reduce_sums(squares) }
}

// A lane adds at most this many squares of a block: if each is below 1e30, the sum is finite.
const _: () = assert!(BLOCK / LANES <= 64);
