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

/// The total weights of sixteen columns of blocks, each with its own parameters: `logits[v][i]` is token `v` of column `i`.
/// The weights of a column are added by halves.
#[inline(always)]
pub(crate) fn column_weights<L: Lanes>(logits: &[Vector; ROWS], params: &[ExpParams; LANES], out: &mut Vector) {
    let exp = ExpKernel::<L>::of_lanes(params);
    let mut sums = [L::zero_sums(); ROWS];
    for (sum, logits) in sums.iter_mut().zip(logits) {
        let (p, power) = exp.factors(L::load(logits));
        p.mul(power).add_to(sum);
    }
    let mut half = ROWS / 2;
    while half > 0 {
        for v in 0..half {
            sums[v] = L::add_sums(sums[v], sums[v + half]);
        }
        half /= 2;
    }
    // The product of the factors is negative.
    L::splat(0.0).sub(L::round_sums(sums[0])).store(out);
}
