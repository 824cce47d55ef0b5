//! A row with other logits: a function of each token's log-weight, or of its probability, in f64.

use super::BLOCK;
use super::ROWS;
use super::exponential::{ExpKernel, ExpParams};
use super::lanes::{LANES, Lanes};
use super::run::{Allowed, Format, TypedRun, for_each_block};

/// A polynomial of the log-weight x = (logit - max) * scale: (cube * x - square) * x^2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SmoothingCurve {
    pub(crate) square: f64,
    pub(crate) cube: f64,
}

impl SmoothingCurve {
    #[inline(always)]
    pub(crate) fn of(&self, x: f64) -> f64 {
        (self.cube * x - self.square) * x * x
    }
}

/// A bell over the probability: peak - sharpness * d^2 / (1 + d), d the distance from its centre in units of a width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdaptivePCurve {
    pub(crate) target: f64,
    /// 1 over the width.
    pub(crate) inverse_width: f64,
    pub(crate) peak: f64,
    pub(crate) sharpness: f64,
}

impl AdaptivePCurve {
    #[inline(always)]
    pub(crate) fn of(&self, p: f64) -> f64 {
        let d = (p - self.target).abs() * self.inverse_width;
        self.peak - self.sharpness * d * d / (1.0 + d)
    }
}

/// What a log-weight is measured from, and what is eligible.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) max: f32,
    pub(crate) scale: f64,
    /// The smallest logit that is eligible; those below become -infinity.
    pub(crate) lowest: f32,
}

/// Writes the polynomial of each token's log-weight.
#[inline(always)]
pub(crate) fn bend<L: Lanes, F: Format, A: Allowed>(
    run: TypedRun<'_, F, A>,
    origin: Origin,
    powers: SmoothingCurve,
    out: &mut [f32],
) {
    // Mostly there is no cube: made a constant.
    if powers.cube == 0.0 {
        bend_by::<L, F, A, false>(run, origin, powers, out);
    } else {
        bend_by::<L, F, A, true>(run, origin, powers, out);
    }
}

#[inline(always)]
fn bend_by<L: Lanes, F: Format, A: Allowed, const CUBE: bool>(
    run: TypedRun<'_, F, A>,
    Origin { max, scale, lowest }: Origin,
    powers: SmoothingCurve,
    out: &mut [f32],
) {
    let (mut memory, max) = ([[0.0; LANES]; ROWS], f64::from(max));
    for_each_block!(run, |b, block| {
        let logits = run.floats::<L>(block, b, &mut memory).as_flattened();
        for (out, &l) in out[b * BLOCK..].iter_mut().zip(logits) {
            let x = (f64::from(l) - max) * scale;
            let bent = if CUBE { powers.of(x) } else { -powers.square * x * x };
            *out = if l >= lowest { bent as f32 } else { f32::NEG_INFINITY };
        }
    });
}

/// Writes the bell over each token's probability, which is its weight times `share`; tokens below `lowest` become
/// -infinity.
#[inline(always)]
pub(crate) fn ring<L: Lanes, F: Format, A: Allowed>(
    run: TypedRun<'_, F, A>,
    params: ExpParams,
    share: f64,
    lowest: f32,
    bell: AdaptivePCurve,
    out: &mut [f32],
) {
    let weigh = ExpKernel::<L>::new(params);
    let (mut memory, mut weights) = ([[0.0; LANES]; ROWS], [[0.0; LANES]; ROWS]);
    for_each_block!(run, |b, block| {
        for (v, weights) in weights.iter_mut().enumerate() {
            weigh.weights(run.vector::<L>(block, b, v)).store(weights);
        }
        let logits = run.floats::<L>(block, b, &mut memory).as_flattened();
        for (out, (&weight, &l)) in out[b * BLOCK..].iter_mut().zip(weights.as_flattened().iter().zip(logits)) {
            let y = bell.of(f64::from(weight) * share) as f32;
            *out = if l >= lowest { y } else { f32::NEG_INFINITY };
        }
    });
}
