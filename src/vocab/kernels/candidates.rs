//! An engine's candidates: their logits taken out, and new logits and probabilities written into them.

use super::UNROLL;
use super::exponential::TileScale;
use super::exponential::{ExpKernel, ExpParams};
use super::lanes::{LANES, Lanes};
use crate::logits::Candidate;

/// What becomes of a logit's weight.
#[derive(Clone, Copy)]
pub(crate) struct ProbabilityScale {
    params: ExpParams,
    shift: f32,
    /// The factor that makes it a probability, in two halves: all of it may be too small for an f32.
    factor: [f32; 2],
    /// A smaller weight is none: what it is worth has no normal number, and processors are slow with others.
    least: f32,
}

impl ProbabilityScale {
    const NONE: Self = Self { params: ExpParams::NONE, shift: 0.0, factor: [0.0; 2], least: 0.0 };

    /// The logits were weighed like this, and `unit` is what a weight of 1, the first token's, is to be worth.
    pub(crate) fn new(tile_scale: TileScale, unit: f64) -> Self {
        let factor = tile_scale.unit * unit;
        // A power of two near the root, so that nothing is rounded before the second product.
        let half = f64::from_bits(factor.sqrt().to_bits() & !((1 << 52) - 1)).max(f64::from(f32::MIN_POSITIVE));
        Self {
            params: tile_scale.params,
            shift: tile_scale.shift,
            factor: [half as f32, (factor / half) as f32],
            least: (f64::from(f32::MIN_POSITIVE) / factor) as f32,
        }
    }
}

/// Takes the logits out; whether the ids count up from the first one's by one.
#[inline(always)]
pub(crate) fn unpack_candidates<L: Lanes>(candidates: &[Candidate], logits: &mut [f32]) -> bool {
    let (vectors, rest) = candidates.as_chunks::<LANES>();
    let (out, out_rest) = logits.as_chunks_mut::<LANES>();
    let first = candidates.first().map_or(0, |c| c.id);
    let mut ids = L::new_id_check(first);
    for (candidates, out) in vectors.iter().zip(out) {
        L::load_logits(candidates).store(out);
        L::update_id_check(&mut ids, candidates);
    }
    let mut in_order = L::id_check_passed(ids);
    for (i, (c, out)) in (vectors.len() * LANES..).zip(rest.iter().zip(out_rest)) {
        *out = c.logit;
        in_order &= c.id == first.wrapping_add(i as i32);
    }
    in_order
}

/// What is written into candidates.
#[derive(Clone, Copy)]
pub(crate) struct CandidateUpdate<'a> {
    /// Other logits than theirs.
    pub(crate) logits: Option<&'a [f32]>,
    /// What each logit is multiplied by, in f64.
    pub(crate) scale: f64,
    /// What each probability becomes; none: what it is.
    pub(crate) probability: Option<ProbabilityScale>,
}

/// Writes logits and probabilities.
#[inline(always)]
pub(crate) fn update_candidates<L: Lanes>(candidates: &mut [Candidate], rewritten: CandidateUpdate<'_>) {
    let scale = rewritten.scale;
    match (rewritten.logits, rewritten.probability) {
        (None, None) if scale == 1.0 => {}
        (None, None) => rewrite_some::<L, false, true, false>(candidates, &[], scale, ProbabilityScale::NONE),
        (None, Some(share)) if scale == 1.0 => rewrite_some::<L, false, false, true>(candidates, &[], scale, share),
        (None, Some(share)) => rewrite_some::<L, false, true, true>(candidates, &[], scale, share),
        (Some(logits), None) => rewrite_some::<L, true, true, false>(candidates, logits, scale, ProbabilityScale::NONE),
        (Some(logits), Some(share)) => rewrite_some::<L, true, true, true>(candidates, logits, scale, share),
    }
}

/// Candidates that are worked on side by side.
const GROUP: usize = UNROLL * LANES;

#[inline(always)]
fn rewrite_some<L: Lanes, const NEW: bool, const LOGIT: bool, const P: bool>(
    candidates: &mut [Candidate],
    logits: &[f32],
    scale: f64,
    share: ProbabilityScale,
) {
    let (groups, rest) = candidates.as_chunks_mut::<GROUP>();
    let (new, new_rest) = logits.as_chunks::<GROUP>();
    for (i, candidates) in groups.iter_mut().enumerate() {
        let Some(logits) = (if NEW { new.get(i) } else { Some(&[0.0; GROUP]) }) else { break };
        rewrite_group::<L, NEW, LOGIT, P>(candidates, logits, scale, share);
    }
    if !rest.is_empty() {
        let mut last = [Candidate { id: 0, logit: f32::NEG_INFINITY, p: 0.0 }; GROUP];
        let mut last_logits = [f32::NEG_INFINITY; GROUP];
        last[..rest.len()].copy_from_slice(rest);
        last_logits[..new_rest.len()].copy_from_slice(new_rest);
        rewrite_group::<L, NEW, LOGIT, P>(&mut last, &last_logits, scale, share);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

#[inline(always)]
fn rewrite_group<L: Lanes, const NEW: bool, const LOGIT: bool, const P: bool>(
    candidates: &mut [Candidate; GROUP],
    logits: &[f32; GROUP],
    scale: f64,
    share: ProbabilityScale,
) {
    let weigh = ExpKernel::<L>::new(share.params);
    // A product of a weight's factors is negative; it is subtracted from 0, so that a weight of 0 becomes 0 and not -0.
    let (shift, least) = (L::splat(share.shift), L::splat(-share.least));
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let factors = [L::splat(share.factor[0]), L::splat(share.factor[1])];
    let (vectors, _) = candidates.as_chunks_mut::<LANES>();
    let (new, _) = logits.as_chunks::<LANES>();
    let (mut logits, mut p) = ([L::splat(0.0); UNROLL], [L::splat(0.0); UNROLL]);
    for i in 0..UNROLL {
        logits[i] = if NEW { L::load(&new[i]).permute() } else { L::load_logits_permuted(&vectors[i]) };
        if P {
            let (weight, power) = weigh.factors(logits[i].sub(shift));
            let weight = weight.mul(power);
            // Rounding may bring the largest share above 1.
            p[i] = zero.sub(weight.keep(least.ge(weight)).mul(factors[0]).mul(factors[1])).min(one);
        }
    }
    for i in 0..UNROLL {
        let logits = if LOGIT { logits[i].times(scale) } else { logits[i] };
        L::put::<LOGIT, P>(&mut vectors[i], logits, p[i]);
    }
}
