//! How near tokens are to a level, as numbers that sort like logits: the nearest is the largest.

use super::BLOCK;
use super::lanes::{LANES, Lanes};
use crate::math::list;

/// A level that tokens are near to or far from: `(logit - max) * scale` is compared with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    pub(crate) max: f32,
    pub(crate) scale: f64,
    pub(crate) level: f64,
}

impl Level {
    /// The log-weight of a logit.
    #[inline(always)]
    pub(crate) fn log_weight(&self, logit: f32) -> f64 {
        (f64::from(logit) - f64::from(self.max)) * self.scale
    }

    /// The distance of a logit from the level.
    #[inline(always)]
    pub(crate) fn distance(&self, logit: f32) -> f64 {
        (self.log_weight(logit) - self.level).abs()
    }
}

/// Writes minus the distance of each logit, rounded to f32. Both lists have whole vectors.
#[inline(always)]
pub(crate) fn nearness<L: Lanes>(logits: &[f32], level: Level, out: &mut [f32]) {
    let (zero, max) = (L::splat(0.0), f64::from(level.max));
    for (logits, out) in logits.as_chunks::<LANES>().0.iter().zip(out.as_chunks_mut::<LANES>().0) {
        let above = L::load(logits).affine_f64(max, level.scale, -level.level);
        above.min(zero.sub(above)).store(out);
    }
}

/// The largest logit of those with a nearness of at least `low`; -infinity if there is none.
#[inline(always)]
pub(crate) fn largest_near<L: Lanes>(logits: &[f32], nearness: &[f32], low: f32) -> f32 {
    let (low, mut largest) = (L::splat(low), L::splat(f32::NEG_INFINITY));
    for (logits, nearness) in logits.as_chunks::<LANES>().0.iter().zip(nearness.as_chunks::<LANES>().0) {
        let inside = L::bits(L::load(nearness).ge(low)) as u16;
        largest = L::load(logits).allow(inside).max(largest);
    }
    largest.reduce_max()
}

/// Writes the weight of each logit relative to the one whose log-weight is `first`: what [`list::exp`] returns. Both lists
/// have whole vectors.
#[inline(always)]
pub(crate) fn exact_weights<L: Lanes>(logits: &[f32], level: Level, first: f64, out: &mut [f64]) {
    // In blocks, which stay in the first-level cache between the two loops.
    for (logits, out) in logits.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        for (&logit, out) in logits.iter().zip(&mut *out) {
            *out = level.log_weight(logit) - first;
        }
        list::exp(out);
    }
}
