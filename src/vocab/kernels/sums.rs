//! The passes that weigh logits.

use super::BLOCK;
use super::exponential::{ExpKernel, ExpParams};
use super::lanes::{LANES, Lanes, Vector};
use super::run::{Allowed, Format, TypedRun, for_each_block, groups};
use super::{Extent, Maxima, ROWS, UNROLL, all_ordered, everywhere, is_everywhere};

/// What [`sums`] is to find besides maxima and sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Besides {
    Nothing,
    /// The smallest logit.
    Smallest,
    /// The sum of weight times (logit - from), which the entropy needs.
    Moment {
        from: f32,
    },
}

impl Besides {
    /// The same, a moment being taken from here.
    pub(crate) fn from(self, from: f32) -> Self {
        if matches!(self, Self::Moment { .. }) { Self::Moment { from } } else { self }
    }
}

/// The maximum and the sum of the weights of each lane of each block.
#[inline(always)]
pub(crate) fn sums<L: Lanes, F: Format, A: Allowed>(
    run: TypedRun<'_, F, A>,
    params: ExpParams,
    besides: Besides,
    maxima: Maxima<'_>,
    sums: &mut [Vector],
) -> Extent {
    // Made constants: the pass is bound by the number of its instructions.
    match besides {
        Besides::Nothing => sums_of::<L, F, A, false, false>(run, params, 0.0, maxima, sums),
        Besides::Smallest => sums_of::<L, F, A, true, false>(run, params, 0.0, maxima, sums),
        Besides::Moment { from } => sums_of::<L, F, A, false, true>(run, params, from, maxima, sums),
    }
}

/// What may meet a weight of zero: times -infinity that would be NaN.
#[inline(always)]
fn finite<L: Lanes>(x: L) -> L {
    x.max(L::splat(f32::MIN))
}

#[inline(always)]
fn sums_of<L: Lanes, F: Format, A: Allowed, const MIN: bool, const MOMENT: bool>(
    run: TypedRun<'_, F, A>,
    params: ExpParams,
    from: f32,
    mut maxima: Maxima<'_>,
    sums: &mut [Vector],
) -> Extent {
    let weigh = ExpKernel::<L>::new(params);
    let (mut ordered, mut ids) = (everywhere::<L>(), L::new_id_check(maxima.first_token()));
    let (mut largest, mut smallest) = (L::splat(f32::NEG_INFINITY), L::splat(f32::INFINITY));
    let (from, mut moments) = (L::splat(from), L::no_sums());
    let mut floats = [[0.0; LANES]; ROWS];
    for_each_block!(run, |b, block| {
        if F::STAGED {
            for v in groups::<F>() {
                for v in v..v + UNROLL {
                    run.vector_permuted::<L>(block, b, v).store(&mut floats[v]);
                    F::update_id_check::<L>(&mut ids, &block[v]);
                }
            }
        }
        let (mut max, mut sum, mut moment) = (L::splat(f32::NEG_INFINITY), L::splat(0.0), L::splat(0.0));
        for v in (0..ROWS).step_by(UNROLL) {
            let mut x = [L::splat(0.0); UNROLL];
            let mut weight = [(L::splat(0.0), L::splat(0.0)); UNROLL];
            for i in 0..UNROLL {
                x[i] = if F::STAGED { L::load(&floats[v + i]) } else { run.vector_permuted::<L>(block, b, v + i) };
                weight[i] = weigh.factors(x[i]);
            }
            for i in 0..UNROLL {
                if MOMENT {
                    let weight = weight[i].0.mul(weight[i].1);
                    sum = sum.add(weight);
                    let below = x[i].sub(from);
                    moment = weight.fma(if A::BANS { finite(below) } else { below }, moment);
                } else {
                    sum = weight[i].0.fma(weight[i].1, sum);
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
            // Where no mask bans anything, -infinity is so rare that it is looked for afterwards.
            if !A::BANS && !is_everywhere::<L>(moment.ordered(moment)) {
                moment = L::splat(0.0);
                for v in 0..ROWS {
                    let x = run.vector_permuted::<L>(block, b, v);
                    let (p, power) = weigh.factors(x);
                    moment = p.mul(power).fma(finite(x.sub(from)), moment);
                }
            }
            run.unpermute(moment).add_to(&mut moments);
        }
    });
    let mut lanes = [0.0; LANES];
    smallest.store(&mut lanes);
    Extent {
        max: largest.largest(),
        min: if MIN { lanes.into_iter().fold(f32::INFINITY, f32::min) } else { f32::NEG_INFINITY },
        ordered: is_everywhere::<L>(ordered),
        in_order: L::id_check_passed(ids),
        moment: if MOMENT { -L::sum(moments) } else { 0.0 },
    }
}

/// The sum of the weights of sixteen tokens.
#[inline(always)]
pub(crate) fn column<L: Lanes>(logits: &Vector, params: ExpParams) -> f64 {
    let (p, power) = ExpKernel::<L>::new(params).factors(L::load(logits));
    let mut sum = L::no_sums();
    p.mul(power).add_to(&mut sum);
    -L::sum(sum)
}

/// The weight of each token.
#[inline(always)]
pub(crate) fn weights<L: Lanes, F: Format, A: Allowed>(run: TypedRun<'_, F, A>, params: ExpParams, out: &mut [f32]) {
    let (weigh, len) = (ExpKernel::<L>::new(params), out.len());
    for_each_block!(run, |b, block| {
        for v in 0..ROWS {
            let weight = weigh.weights(run.vector::<L>(block, b, v));
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
