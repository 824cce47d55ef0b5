//! The passes over the vocabulary, each with one job, written once over [`Lanes`].
//!
//! A pass takes a run of whole blocks (`crate::logits::BLOCK`; only the row's last block may be short) and leaves one
//! number a block, so that a block can be done again later and its number taken back exactly.

use super::lanes::{LANES, Lanes};
use crate::logits::BLOCK;

/// How a logit becomes a weight: `exp((l - max) / T)`, as `2^((l - max) * c)`.
#[derive(Clone, Copy)]
pub(crate) struct Weighting {
    max: f32,
    /// log2(e) / T.
    c: f32,
}

impl Weighting {
    /// `scale` is 1/T, positive.
    pub(crate) fn new(max: f32, scale: f64) -> Self {
        // At 1e30 any two different logits near 1 are already certain; more would make 0 * inf of the maximum itself.
        Self { max, c: (std::f64::consts::LOG2_E * scale).min(1e30) as f32 }
    }
}

/// A token met by [`collect`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hit {
    /// Position in the row.
    pub(crate) index: u32,
    pub(crate) logit: f32,
}

/// The maximum of each block. False if a logit is NaN or +infinity.
#[inline(always)]
pub(super) fn block_maxima<L: Lanes>(run: &[f32], maxima: &mut [f32]) -> bool {
    let infinity = L::splat(f32::INFINITY);
    let mut valid = L::splat(0.0).lt(infinity);
    for (block, out) in run.chunks(BLOCK).zip(maxima) {
        let mut max = L::splat(f32::NEG_INFINITY);
        for x in vectors::<L>(block) {
            max = x.max(max);
            valid = L::and(valid, x.lt(infinity));
        }
        *out = max.largest();
    }
    L::bits(valid) == u32::from(u16::MAX)
}

/// The sum of the weights of each block.
#[inline(always)]
pub(super) fn block_sums<L: Lanes>(run: &[f32], weighting: Weighting, sums: &mut [f64]) {
    let weigh = Weigh::<L>::new(weighting);
    for (block, out) in run.chunks(BLOCK).zip(sums) {
        let mut sum = L::splat(0.0);
        for x in vectors::<L>(block) {
            sum = sum.add(weigh.weight(x));
        }
        *out = sum.sum();
    }
}

/// The sum over the run of weight times (logit - max), which the entropy needs.
#[inline(always)]
pub(super) fn moment<L: Lanes>(run: &[f32], weighting: Weighting) -> f64 {
    let weigh = Weigh::<L>::new(weighting);
    // A weight of zero meets a finite factor: -infinity would make it NaN.
    let lowest = L::splat(f32::MIN);
    let mut total = 0.0;
    for block in run.chunks(BLOCK) {
        let mut sum = L::splat(0.0);
        for x in vectors::<L>(block) {
            sum = weigh.weight(x).fma(x.sub(weigh.max).max(lowest), sum);
        }
        total += sum.sum();
    }
    total
}

/// The weight of each token.
#[inline(always)]
pub(super) fn weights<L: Lanes>(run: &[f32], weighting: Weighting, out: &mut [f32]) {
    let weigh = Weigh::<L>::new(weighting);
    for (x, out) in vectors::<L>(run).zip(out.chunks_mut(LANES)) {
        let lanes = weigh.weight(x).to_array();
        out.copy_from_slice(&lanes[..out.len()]);
    }
}

/// Appends the tokens with `low <= logit < high`; `first` is the index of the run's first token.
#[inline(always)]
pub(super) fn collect<L: Lanes>(run: &[f32], first: u32, low: f32, high: f32, hits: &mut Vec<Hit>) {
    let (low, high) = (L::splat(low), L::splat(high));
    for (v, x) in vectors::<L>(run).enumerate() {
        let mut bits = L::bits(L::and(x.ge(low), x.lt(high)));
        while bits != 0 {
            let at = v * LANES + bits.trailing_zeros() as usize;
            hits.push(Hit { index: first + at as u32, logit: run[at] });
            bits &= bits - 1;
        }
    }
}

/// The number of tokens with `logit >= low`.
#[inline(always)]
pub(super) fn count<L: Lanes>(run: &[f32], low: f32) -> u64 {
    let low = L::splat(low);
    let mut n = 0;
    for x in vectors::<L>(run) {
        n += u64::from(L::bits(x.ge(low)).count_ones());
    }
    n
}

/// The vectors of a run, the last one filled up. An iterator and not a closure, because a closure cannot be told to be
/// inlined into the function that has the target's features.
pub(super) struct Vectors<'a, L> {
    whole: std::slice::Iter<'a, [f32; LANES]>,
    rest: &'a [f32],
    lanes: std::marker::PhantomData<L>,
}

#[inline(always)]
pub(super) fn vectors<L: Lanes>(run: &[f32]) -> Vectors<'_, L> {
    let (whole, rest) = run.as_chunks::<LANES>();
    Vectors { whole: whole.iter(), rest, lanes: std::marker::PhantomData }
}

impl<L: Lanes> Iterator for Vectors<'_, L> {
    type Item = L;

    #[inline(always)]
    fn next(&mut self) -> Option<L> {
        if let Some(x) = self.whole.next() {
            return Some(L::load(x));
        }
        if self.rest.is_empty() {
            return None;
        }
        Some(L::load_partial(std::mem::take(&mut self.rest)))
    }
}

/// The exponential: 2^(n + f), n the nearest integer, 2^f by a minimax polynomial of degree 5 on [-1/2, 1/2] (2.02 ulp;
/// fitted to the relative error, constant term 1 so that the maximum weighs exactly 1). With the rounding of c and of the
/// product a weight is right to 2 ulp + |t| 2^-23, t its binary logarithm: what MATH.md, 8 allows for the tail.
struct Weigh<L> {
    max: L,
    c: L,
}

impl<L: Lanes> Weigh<L> {
    /// Highest power first: 0.0013264727, 0.009671513, 0.055507336, 0.24022242, 0.693147.
    const POLYNOMIAL: [f32; 5] = [
        f32::from_bits(0x3aad_dd0a),
        f32::from_bits(0x3c1e_7544),
        f32::from_bits(0x3d63_5ba9),
        f32::from_bits(0x3e75_fcde),
        f32::from_bits(0x3f31_7215),
    ];

    #[inline(always)]
    fn new(w: Weighting) -> Self {
        Self { max: L::splat(w.max), c: L::splat(w.c) }
    }

    #[inline(always)]
    fn weight(&self, x: L) -> L {
        let t = x.sub(self.max).mul(self.c);
        let (n, f) = t.split();
        let mut p = L::splat(Self::POLYNOMIAL[0]);
        for c in &Self::POLYNOMIAL[1..] {
            p = p.fma(f, L::splat(*c));
        }
        p = p.fma(f, L::splat(1.0));
        // Below 2^-125 the weight is zero on every machine, whatever it does with subnormal numbers.
        p.times_power(n).keep(t.ge(L::splat(-125.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalar::Scalar;
    use super::*;

    #[test]
    fn weights_are_as_exact_as_they_say() {
        let max = 3.25f32;
        for scale in [0.5, 1.0, 1.0 / 0.7, 3.0] {
            let logits: Vec<f32> = (0..200_000).map(|i| max - i as f32 * 4e-4).collect();
            let mut out = vec![0.0; logits.len()];
            weights::<Scalar>(&logits, Weighting::new(max, scale), &mut out);
            for (&l, &w) in logits.iter().zip(&out) {
                // The difference is taken in f32 here as there: what is tested is the exponential.
                let exact = (f64::from(l - max) * scale).exp();
                if exact < 2f64.powi(-124) {
                    continue;
                }
                let ulp = f64::from(f32::from_bits((exact as f32).to_bits() + 1) - exact as f32);
                let rounding = exact * exact.log2().abs() * 2f64.powi(-23);
                assert!(
                    (f64::from(w) - exact).abs() <= 2.5 * ulp + rounding,
                    "exp of {} / {scale}: {w:e}, {exact:e}",
                    l - max
                );
            }
        }
    }

    #[test]
    fn infinite_and_far_logits_weigh_nothing() {
        let logits = [0.0, f32::NEG_INFINITY, -1e38, -87.5, -1.0];
        let mut out = [9.0; 5];
        weights::<Scalar>(&logits, Weighting::new(0.0, 1.0), &mut out);
        assert_eq!(out[..4], [1.0, 0.0, 0.0, 0.0]);
        weights::<Scalar>(&logits, Weighting::new(0.0, 1e300), &mut out);
        assert_eq!(out, [1.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
