//! The row with new logits: a function of each token's log-weight or probability.

use super::Vocabulary;
use super::kernels::BLOCK;
use super::kernels::curve::{AdaptivePCurve, Curve, SmoothingCurve};
use super::kernels::exponential::TileScale;
use super::reads::Pass;
use crate::error::Result;
use crate::memory;

impl Vocabulary<'_> {
    /// Writes the smoothed row: the curve of each token's log-weight. Tokens with a logit below `lowest` become
    /// -infinity.
    pub(crate) fn smooth(&mut self, scale: f64, lowest: f32, curve: SmoothingCurve, out: &mut Vec<f32>) -> Result<()> {
        let Self { row, kernels, scratch, max, .. } = self;
        let curve = Curve::Smoothing { curve, max: *max, scale };
        memory::resize(out, row.vocab(), 0.0)?;
        row.for_each_run(Pass::Curve, 0..row.blocks(), &mut scratch.block, |block, run| {
            (kernels.reshape)(run, curve, lowest, &mut out[block * BLOCK..]);
        });
        Ok(())
    }

    /// Writes the row of adaptive-p: the curve of each token's probability, `exp((l - max) * scale) / total`, to f32's
    /// precision. Tokens with a logit below `lowest` become -infinity.
    pub(crate) fn adaptive_p(
        &mut self,
        scale: f64,
        lowest: f32,
        total: f64,
        curve: AdaptivePCurve,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        self.ensure_sums(scale);
        let Self { row, kernels, scratch, .. } = self;
        let (sums, buffer) = (&scratch.sums, &mut scratch.block);
        memory::resize(out, row.vocab(), 0.0)?;
        sums.for_each_tile(Pass::Curve, row, buffer, |block, run, TileScale { params, unit, shift }| {
            let curve = Curve::AdaptiveP { curve, params, factor: unit / total };
            (kernels.reshape)(run, curve, lowest - shift, &mut out[block * BLOCK..]);
        });
        Ok(())
    }
}
