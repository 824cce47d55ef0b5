//! How far the logits spread: their standard deviation, which top-nσ needs.

use super::Vocabulary;
use super::lanes::{LANES, Lanes};
use super::passes::ROWS;
use super::run::{Allowed, Format, Source, for_each_block};
use crate::logits::BLOCK;

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
pub(super) fn spread<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, measure: Measure) -> Spread {
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

impl Vocabulary<'_> {
    /// The standard deviation of the finite logits, the sum of squares divided by their number less `ddof`; 0 where
    /// that is none.
    ///
    /// Two passes: one for the mean, one around it, so that a small deviation far from zero keeps its digits. Logits
    /// whose squares would not fit f32 take the two passes again in a unit of their own.
    pub(crate) fn deviation(&mut self, ddof: u32) -> f64 {
        /// Squares below it leave room for a block's sum.
        const FITS: f64 = 1e30;
        /// 2^-80.
        const SMALL: f32 = f32::from_bits((127 - 80) << 23);
        let mut measure = Measure { centre: self.max(), factor: 1.0 };
        let mut first = self.spread(measure);
        if first.squares >= FITS || !first.squares.is_finite() {
            measure.factor = SMALL;
            first = self.spread(measure);
        }
        let factor = f64::from(measure.factor);
        let mean = f64::from(measure.centre) + first.sum / first.count as f64 / factor;
        let around = self.spread(Measure { centre: mean as f32, ..measure });
        let n = around.count as f64;
        let divisor = n - f64::from(ddof);
        if divisor <= 0.0 {
            return 0.0;
        }
        let variance = (around.squares - around.sum * around.sum / n).max(0.0) / divisor;
        variance.sqrt() / factor
    }

    fn spread(&mut self, measure: Measure) -> Spread {
        let mut total = Spread::default();
        let Self { row, kernels, scratch, .. } = self;
        row.for_each_run(0..row.blocks(), &mut scratch.copied, |_, run| {
            let part = (kernels.spread)(run, measure);
            total.count += part.count;
            total.sum += part.sum;
            total.squares += part.squares;
        });
        total
    }
}
