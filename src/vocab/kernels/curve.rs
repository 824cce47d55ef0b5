//! A row of new logits: a function of each token's log-weight or probability, in f64.

use super::exponential::{ExpKernel, ExpParams};
use super::format::Format;
use super::lanes::{LANES, Lanes};
use super::run::{Mask, TypedRun, for_each_block};
use super::{BLOCK, ROWS};

/// Quadratic smoothing: a polynomial of the log-weight x, (cube * x - square) * x^2.
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

/// Adaptive-p: peak - sharpness * d^2 / (1 + d), where d is the distance of the probability from the target in units of
/// the width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdaptivePCurve {
    pub(crate) target: f64,
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

/// What [`reshape`] applies to each token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Curve {
    /// Of the log-weight (logit - max) * scale.
    Smoothing { curve: SmoothingCurve, max: f32, scale: f64 },
    /// Of the probability: the token's weight by `params`, times `factor`.
    AdaptiveP { curve: AdaptivePCurve, params: ExpParams, factor: f64 },
}

/// Writes the curve of each token; tokens with a logit below `lowest` become -infinity.
#[inline(always)]
pub(crate) fn reshape<L: Lanes, F: Format, M: Mask>(
    run: TypedRun<'_, F, M>,
    curve: Curve,
    lowest: f32,
    out: &mut [f32],
) {
    match curve {
        // Usually there is no cubic term: an instance of its own.
        Curve::Smoothing { curve: SmoothingCurve { square, cube: 0.0 }, max, scale } => {
            apply::<L, F, M, _>(run, Quadratic { square, max: f64::from(max), scale }, lowest, out);
        }
        Curve::Smoothing { curve, max, scale } => {
            apply::<L, F, M, _>(run, Cubic { curve, max: f64::from(max), scale }, lowest, out);
        }
        Curve::AdaptiveP { curve, params, factor } => {
            apply::<L, F, M, _>(run, AdaptiveP { curve, params, factor }, lowest, out);
        }
    }
}

/// A function of a token's logit and weight.
trait Pointwise: Copy {
    /// How weights are computed; none if the function does not use them.
    fn params(self) -> Option<ExpParams>;
    fn of(self, logit: f32, weight: f32) -> f64;
}

#[derive(Clone, Copy)]
struct Quadratic {
    square: f64,
    max: f64,
    scale: f64,
}

impl Pointwise for Quadratic {
    #[inline(always)]
    fn params(self) -> Option<ExpParams> {
        None
    }

    #[inline(always)]
    fn of(self, logit: f32, _: f32) -> f64 {
        let x = (f64::from(logit) - self.max) * self.scale;
        -self.square * x * x
    }
}

#[derive(Clone, Copy)]
struct Cubic {
    curve: SmoothingCurve,
    max: f64,
    scale: f64,
}

impl Pointwise for Cubic {
    #[inline(always)]
    fn params(self) -> Option<ExpParams> {
        None
    }

    #[inline(always)]
    fn of(self, logit: f32, _: f32) -> f64 {
        self.curve.of((f64::from(logit) - self.max) * self.scale)
    }
}

#[derive(Clone, Copy)]
struct AdaptiveP {
    curve: AdaptivePCurve,
    params: ExpParams,
    factor: f64,
}

impl Pointwise for AdaptiveP {
    #[inline(always)]
    fn params(self) -> Option<ExpParams> {
        Some(self.params)
    }

    #[inline(always)]
    fn of(self, _: f32, weight: f32) -> f64 {
        self.curve.of(f64::from(weight) * self.factor)
    }
}

#[inline(always)]
fn apply<L: Lanes, F: Format, M: Mask, C: Pointwise>(run: TypedRun<'_, F, M>, curve: C, lowest: f32, out: &mut [f32]) {
    let exp = curve.params().map(ExpKernel::<L>::new);
    let (mut buffer, mut weights) = ([[0.0; LANES]; ROWS], [[0.0; LANES]; ROWS]);
    for_each_block!(run, |b, block| {
        if let Some(exp) = exp {
            for (v, weights) in weights.iter_mut().enumerate() {
                exp.weights(run.vector::<L>(block, b, v)).store(weights);
            }
        }
        let logits = run.floats::<L>(block, b, &mut buffer).as_flattened();
        for (out, (&logit, &weight)) in out[b * BLOCK..].iter_mut().zip(logits.iter().zip(weights.as_flattened())) {
            let y = curve.of(logit, weight) as f32;
            *out = if logit >= lowest { y } else { f32::NEG_INFINITY };
        }
    });
}
