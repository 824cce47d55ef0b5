//! Per-lane maxima and sums of weights, in one pass.

use super::exponential::{ExpKernel, ExpParams};
use super::format::Format;
use super::lanes::{IdCheck, LANES, Lanes, Vector};
use super::maxima::{Extent, Maxima, all_ordered};
use super::run::{Mask, TypedRun, for_each_block, groups};
use super::{ROWS, UNROLL};

/// What [`sums`] computes besides maxima and sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum SumsExtra {
    #[default]
    None,
    /// The smallest logit.
    Min,
    /// The sum of weight * (logit - from), for the entropy.
    Moment { from: f32 },
    /// The sum of weight^2 * [`SQUARES_UNIT`], for the probability that two draws agree.
    Squares,
}

/// A block's logits, aligned as the widest registers are. With a variable like this the compiler aligns the whole stack
/// frame, so that the registers that it saves there do not lie across cache lines.
#[repr(align(64))]
struct Aligned([Vector; ROWS]);

/// The square of a weight, which may be 2^106, would overflow.
pub(crate) const SQUARES_UNIT: f32 = 7.888_609e-31; // 2^-100

impl SumsExtra {
    /// The same, with a moment taken from here.
    pub(crate) fn from(self, from: f32) -> Self {
        if matches!(self, Self::Moment { .. }) { Self::Moment { from } } else { self }
    }
}

/// Writes the maximum and the sum of the weights of each lane of each block.
#[inline(always)]
pub(crate) fn sums<L: Lanes, F: Format, M: Mask>(
    run: TypedRun<'_, F, M>,
    params: ExpParams,
    extra: SumsExtra,
    maxima: Maxima<'_>,
    sums: &mut [Vector],
) -> Extent {
    // An instance each: the pass is bound by its number of instructions.
    match extra {
        SumsExtra::None => sums_with::<L, F, M, false, false, false>(run, params, 0.0, maxima, sums),
        SumsExtra::Min => sums_with::<L, F, M, true, false, false>(run, params, 0.0, maxima, sums),
        SumsExtra::Moment { from } => sums_with::<L, F, M, false, true, false>(run, params, from, maxima, sums),
        SumsExtra::Squares => sums_with::<L, F, M, false, false, true>(run, params, 0.0, maxima, sums),
    }
}

/// -infinity raised to the lowest finite number: times a weight of zero it would be NaN.
#[inline(always)]
fn finite<L: Lanes>(x: L) -> L {
    x.max(L::splat(f32::MIN))
}

#[inline(always)]
fn sums_with<L: Lanes, F: Format, M: Mask, const MIN: bool, const MOMENT: bool, const SQUARES: bool>(
    run: TypedRun<'_, F, M>,
    params: ExpParams,
    from: f32,
    mut maxima: Maxima<'_>,
    sums: &mut [Vector],
) -> Extent {
    let exp = ExpKernel::<L>::new(params);
    let (mut ordered, mut ids) = (L::all(), L::IdCheck::new(maxima.first_token()));
    let (mut largest, mut smallest) = (L::splat(f32::NEG_INFINITY), L::splat(f32::INFINITY));
    let (from, unit, mut extras) = (L::splat(from), L::splat(SQUARES_UNIT), L::zero_sums());
    let mut floats = Aligned([[0.0; LANES]; ROWS]);
    for_each_block!(run, |b, block| {
        if F::STAGED {
            for v in groups::<F>() {
                for v in v..v + UNROLL {
                    run.vector_permuted::<L>(block, b, v).store(&mut floats.0[v]);
                    F::check_ids::<L>(&mut ids, &block[v]);
                }
            }
        }
        let (mut max, mut sum, mut extra) = (L::splat(f32::NEG_INFINITY), L::splat(0.0), L::splat(0.0));
        for v in (0..ROWS).step_by(UNROLL) {
            let mut x = [L::splat(0.0); UNROLL];
            let mut weight = [(L::splat(0.0), L::splat(0.0)); UNROLL];
            for i in 0..UNROLL {
                x[i] = if F::STAGED { L::load(&floats.0[v + i]) } else { run.vector_permuted::<L>(block, b, v + i) };
                weight[i] = exp.factors(x[i]);
            }
            for i in 0..UNROLL {
                if MOMENT {
                    let weight = weight[i].0.mul(weight[i].1);
                    sum = sum.add(weight);
                    let below = x[i].sub(from);
                    extra = weight.fma(if M::MASKS { finite(below) } else { below }, extra);
                } else {
                    sum = weight[i].0.fma(weight[i].1, sum);
                }
                if SQUARES {
                    let weight = weight[i].0.mul(weight[i].1);
                    extra = weight.fma(weight.mul(unit), extra);
                }
                max = x[i].max(max);
                if MIN {
                    smallest = x[i].min(smallest);
                }
            }
            ordered = L::and(ordered, all_ordered(x));
        }
        largest = max.max(largest);
        maxima.put(b, run.unpermute(max));
        // The product of the factors is negative.
        run.unpermute(L::splat(0.0).sub(sum)).store(&mut sums[b]);
        if MOMENT {
            // Without a mask -infinity is rare: the block is summed again only if it made a NaN.
            if !M::MASKS && !L::is_all(extra.ordered(extra)) {
                extra = L::splat(0.0);
                for v in 0..ROWS {
                    let x = run.vector_permuted::<L>(block, b, v);
                    let (p, power) = exp.factors(x);
                    extra = p.mul(power).fma(finite(x.sub(from)), extra);
                }
            }
            // Of negative weights.
            extra = L::splat(0.0).sub(extra);
        }
        if MOMENT || SQUARES {
            run.unpermute(extra).add_to(&mut extras);
        }
    });
    let mut lanes = [0.0; LANES];
    smallest.store(&mut lanes);
    Extent {
        max: largest.reduce_max(),
        min: if MIN { lanes.into_iter().fold(f32::INFINITY, f32::min) } else { f32::NEG_INFINITY },
        ordered: L::is_all(ordered),
        in_order: ids.ok(),
        extra: if MOMENT || SQUARES { L::reduce_sums(extras) } else { 0.0 },
    }
}

/// The sum over blocks and lanes in f64: each lane over the blocks, then the lanes by halves.
#[inline(always)]
pub(crate) fn total<L: Lanes>(blocks: &[Vector]) -> f64 {
    let mut sum = L::zero_sums();
    for block in blocks {
        L::load(block).add_to(&mut sum);
    }
    L::reduce_sums(sum)
}
