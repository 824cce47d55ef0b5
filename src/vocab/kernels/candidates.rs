//! An engine's candidate array: logits copied out, new logits and probabilities written back.

use super::UNROLL;
use super::exponential::{ExpKernel, ExpParams, TileScale};
use super::lanes::{IdCheck, LANES, Lanes};
use crate::logits::Candidate;

/// How a logit becomes a probability.
#[derive(Clone, Copy)]
pub(crate) struct ProbabilityScale {
    params: ExpParams,
    shift: f32,
    /// From weight to probability, as two factors: the product may be too small for an f32.
    factor: [f32; 2],
    /// Smaller weights count as 0: their probability would be subnormal, which many processors compute slowly.
    least: f32,
}

impl ProbabilityScale {
    const NONE: Self = Self { params: ExpParams::NONE, shift: 0.0, factor: [0.0; 2], least: 0.0 };

    /// For logits weighted by `tile_scale`; `unit` is the probability of the largest logit.
    pub(crate) fn new(tile_scale: TileScale, unit: f64) -> Self {
        let factor = tile_scale.unit * unit;
        // A power of two near the square root: the first product is exact.
        let half = f64::from_bits(factor.sqrt().to_bits() & !((1 << 52) - 1)).max(f64::from(f32::MIN_POSITIVE));
        Self {
            params: tile_scale.params,
            shift: tile_scale.shift,
            factor: [half as f32, (factor / half) as f32],
            least: (f64::from(f32::MIN_POSITIVE) / factor) as f32,
        }
    }
}

/// Copies the logits out; returns whether the ids count up by one from the first candidate's.
#[inline(always)]
pub(crate) fn unpack_candidates<L: Lanes>(candidates: &[Candidate], logits: &mut [f32]) -> bool {
    let (vectors, rest) = candidates.as_chunks::<LANES>();
    let (out, out_rest) = logits.as_chunks_mut::<LANES>();
    let first = candidates.first().map_or(0, |c| c.id);
    let mut ids = L::IdCheck::new(first);
    for (candidates, out) in vectors.iter().zip(out) {
        L::load_logits(candidates).store(out);
        ids.update(candidates);
    }
    let mut in_order = ids.ok();
    for (i, (c, out)) in (vectors.len() * LANES..).zip(rest.iter().zip(out_rest)) {
        *out = c.logit;
        in_order &= c.id == first.wrapping_add(i as i32);
    }
    in_order
}

/// How a logit changes: to `(logit - pivot) * scale + base`, in f64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LogitChange {
    pub(crate) pivot: f64,
    pub(crate) scale: f64,
    pub(crate) base: f64,
}

/// Kinds of changes, each of which has a loop of its own.
const SAME: u8 = 0;
const SCALED: u8 = 1;
const MOVED: u8 = 2;

impl LogitChange {
    const NONE: Self = Self { pivot: 0.0, scale: 1.0, base: 0.0 };

    fn kind(&self) -> u8 {
        match *self {
            Self::NONE => SAME,
            // Adding 0 would make a zero of a negative one.
            Self { pivot: 0.0, base: 0.0, .. } => SCALED,
            _ => MOVED,
        }
    }
}

/// What to write into candidates.
#[derive(Clone, Copy)]
pub(crate) struct CandidateUpdate<'a> {
    /// New logits; none keeps the candidates' own.
    pub(crate) logits: Option<&'a [f32]>,
    /// How each logit changes.
    pub(crate) change: LogitChange,
    /// How probabilities are computed, from the logit before its change; none leaves them unchanged.
    pub(crate) probability: Option<ProbabilityScale>,
}

/// Writes logits and probabilities.
#[inline(always)]
pub(crate) fn update_candidates<L: Lanes>(candidates: &mut [Candidate], update: CandidateUpdate<'_>) {
    match update.change.kind() {
        SAME => update_by_kind::<L, SAME>(candidates, update),
        SCALED => update_by_kind::<L, SCALED>(candidates, update),
        _ => update_by_kind::<L, MOVED>(candidates, update),
    }
}

#[inline(always)]
fn update_by_kind<L: Lanes, const CHANGE: u8>(candidates: &mut [Candidate], update: CandidateUpdate<'_>) {
    let CandidateUpdate { logits, change, probability } = update;
    match (logits, probability) {
        (None, None) if CHANGE == SAME => {}
        (None, None) => update_with::<L, false, CHANGE, false>(candidates, &[], change, ProbabilityScale::NONE),
        (None, Some(p)) => update_with::<L, false, CHANGE, true>(candidates, &[], change, p),
        (Some(logits), None) => {
            update_with::<L, true, CHANGE, false>(candidates, logits, change, ProbabilityScale::NONE)
        }
        (Some(logits), Some(p)) => update_with::<L, true, CHANGE, true>(candidates, logits, change, p),
    }
}

/// Candidates that are processed side by side.
const GROUP: usize = UNROLL * LANES;

#[inline(always)]
fn update_with<L: Lanes, const NEW: bool, const CHANGE: u8, const P: bool>(
    candidates: &mut [Candidate],
    logits: &[f32],
    change: LogitChange,
    probability: ProbabilityScale,
) {
    let (groups, rest) = candidates.as_chunks_mut::<GROUP>();
    let (new, new_rest) = logits.as_chunks::<GROUP>();
    for (i, candidates) in groups.iter_mut().enumerate() {
        let Some(logits) = (if NEW { new.get(i) } else { Some(&[0.0; GROUP]) }) else { break };
        update_group::<L, NEW, CHANGE, P>(candidates, logits, change, probability);
    }
    if !rest.is_empty() {
        let mut last = [Candidate { id: 0, logit: f32::NEG_INFINITY, p: 0.0 }; GROUP];
        let mut last_logits = [f32::NEG_INFINITY; GROUP];
        last[..rest.len()].copy_from_slice(rest);
        last_logits[..new_rest.len()].copy_from_slice(new_rest);
        update_group::<L, NEW, CHANGE, P>(&mut last, &last_logits, change, probability);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

#[inline(always)]
fn update_group<L: Lanes, const NEW: bool, const CHANGE: u8, const P: bool>(
    candidates: &mut [Candidate; GROUP],
    logits: &[f32; GROUP],
    change: LogitChange,
    probability: ProbabilityScale,
) {
    let exp = ExpKernel::<L>::new(probability.params);
    // A product of a weight's factors is negative; it is subtracted from 0, so that a weight of 0 becomes 0 and not -0.
    let (shift, least) = (L::splat(probability.shift), L::splat(-probability.least));
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let factors = [L::splat(probability.factor[0]), L::splat(probability.factor[1])];
    let (vectors, _) = candidates.as_chunks_mut::<LANES>();
    let (new, _) = logits.as_chunks::<LANES>();
    let (mut logits, mut p) = ([L::splat(0.0); UNROLL], [L::splat(0.0); UNROLL]);
    for i in 0..UNROLL {
        logits[i] = if NEW { L::load(&new[i]).permute() } else { L::load_logits_permuted(&vectors[i]) };
        if P {
            let (weight, power) = exp.factors(logits[i].sub(shift));
            let weight = weight.mul(power);
            // Rounding may bring the largest share above 1.
            p[i] = zero.sub(weight.keep(least.ge(weight)).mul(factors[0]).mul(factors[1])).min(one);
        }
    }
    for i in 0..UNROLL {
        match CHANGE {
            SAME if !NEW => L::store_candidates::<false, P>(&mut vectors[i], logits[i], p[i]),
            SAME => L::store_candidates::<true, P>(&mut vectors[i], logits[i], p[i]),
            SCALED => L::store_candidates::<true, P>(&mut vectors[i], logits[i].mul_f64(change.scale), p[i]),
            _ => {
                let moved = logits[i].affine_f64(change.pivot, change.scale, change.base);
                L::store_candidates::<true, P>(&mut vectors[i], moved, p[i]);
            }
        }
    }
}
