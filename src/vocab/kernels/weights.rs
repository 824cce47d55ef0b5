//! The weight of each token.

use super::exponential::{ExpKernel, ExpParams};
use super::format::Format;
use super::lanes::{LANES, Lanes, Vector};
use super::run::{Mask, TypedRun, for_each_block};
use super::{BLOCK, ROWS};

/// Writes the weight of each token.
#[inline(always)]
pub(crate) fn weights<L: Lanes, F: Format, M: Mask>(run: TypedRun<'_, F, M>, params: ExpParams, out: &mut [f32]) {
    let (exp, len) = (ExpKernel::<L>::new(params), out.len());
    for_each_block!(run, |b, block| {
        for v in 0..ROWS {
            let weight = exp.weights(run.vector::<L>(block, b, v));
            let out = &mut out[(b * BLOCK + v * LANES).min(len)..];
            if let Some(out) = out.first_chunk_mut() {
                weight.store(out);
            } else {
                let mut lanes = [0.0; LANES];
                weight.store(&mut lanes);
                out.iter_mut().zip(lanes).for_each(|(out, weight)| *out = weight);
            }
        }
    });
}

/// The total weight of one column of a block: sixteen tokens.
#[inline(always)]
pub(crate) fn column_weight<L: Lanes>(logits: &Vector, params: ExpParams) -> f64 {
    let (p, power) = ExpKernel::<L>::new(params).factors(L::load(logits));
    let mut sum = L::zero_sums();
    p.mul(power).add_to(&mut sum);
    -L::reduce_sums(sum)
}
