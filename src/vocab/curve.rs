//! A row with other logits: a function of each token's log-weight, or of its probability.

use super::Vocabulary;
use super::kernels::BLOCK;
use super::kernels::elementwise::{AdaptivePCurve, Origin, SmoothingCurve};
use super::kernels::exponential::TileScale;

impl Vocabulary<'_> {
    /// Writes the row as a polynomial of its log-weights. Tokens below the logit `lowest` become -infinity.
    pub(crate) fn smooth(&mut self, scale: f64, lowest: f32, powers: SmoothingCurve, out: &mut Vec<f32>) {
        let Self { row, kernels, scratch, max, .. } = self;
        let origin = Origin { max: *max, scale, lowest };
        out.resize(row.vocab(), 0.0);
        row.for_each_run(0..row.blocks(), &mut scratch.copied, |block, run| {
            (kernels.bend)(run, origin, powers, &mut out[block * BLOCK..]);
        });
    }

    /// Writes the row as a bell over its probabilities, `exp((l - max) * scale) / total` each, to f32's precision.
    /// Tokens below the logit `lowest` become -infinity.
    pub(crate) fn adaptive_p(&mut self, scale: f64, lowest: f32, total: f64, bell: AdaptivePCurve, out: &mut Vec<f32>) {
        self.weigh(scale);
        let Self { row, kernels, scratch, .. } = self;
        let (sums, copied) = (&scratch.sums, &mut scratch.copied);
        out.resize(row.vocab(), 0.0);
        sums.for_each_tile(row, copied, |block, run, TileScale { params, unit, shift }| {
            (kernels.ring)(run, params, unit / total, lowest - shift, bell, &mut out[block * BLOCK..]);
        });
    }
}
