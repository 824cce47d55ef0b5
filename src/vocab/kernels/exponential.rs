//! The exponential of the kernels: the weight of a logit.
//!
//! A weight is 2^t with t = l * log2(e)/T - (e + 14), where e is an integer near the largest logit's exponent, so that
//! t < -1 for every logit of the row. t * 2^23 takes one fused multiply-add and one rounding; it is an integer whose
//! upper bits are the floor of t and whose lower 23 bits are the fraction f. The upper bits read as a float are the
//! power of two already (`Lanes::split`), 2^f comes from a polynomial, and another fused multiply-add adds their product
//! to a sum. That is eleven instructions for sixteen tokens, and no test for small numbers: the power falls to zero at
//! t = -256.
//!
//! The polynomial has degree 5 in 1 + f and is minimax for the relative error under the condition that 2^0 is exact. It
//! is divided by its leading coefficient, which turns a multiply-add into an add; weights are therefore in units of
//! [`ExpParams::unit`]. Its error is at most 1.54 ulp, and 3e-10 on average. With the rounding of log2(e)/T and of t a
//! weight is accurate to 1.54 ulp + |t| * 2^-23, which is enough for the mass of a tail.

use super::lanes::{LANES, Lanes};

/// 2^23: t is an integer count of units of 2^-23.
const ONE: f32 = 8_388_608.0;

/// t of a logit at the exponent e is minus this.
const DEPTH: i32 = 14;

/// How far above e, in binary orders of magnitude, a logit may lie.
pub(crate) const ROOM: f64 = 12.0;

/// The largest e: beyond it t would have no bits left for its fraction.
const LARGEST_EXPONENT: f64 = 2_097_152.0;

/// How a logit becomes a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ExpParams {
    /// log2(e) / T, in units of 2^-23.
    c: f32,
    /// -(e + 14), in the same units.
    offset: f32,
    exponent: i32,
}

/// log2(e) / T in the precision of the kernels, for the scale 1/T.
pub(crate) fn binary_scale(scale: f64) -> f32 {
    // At 1e30 any two different logits near 1 are infinitely far apart already; an infinite scale would make 0 * inf of
    // the maximum itself.
    (std::f64::consts::LOG2_E * scale).min(1e30) as f32
}

impl ExpParams {
    /// Every weight is zero.
    pub(crate) const NONE: Self = Self { c: 0.0, offset: f32::MIN, exponent: 0 };

    /// Whether logits up to `max` can be weighted as they are.
    pub(crate) fn fits(max: f32, c: f32) -> bool {
        f64::from(max).abs() * f64::from(c) <= LARGEST_EXPONENT
    }

    /// For logits up to `ROOM` binary orders of magnitude above `max`, which must fit.
    pub(crate) fn new(max: f32, c: f32) -> Self {
        let exponent = (f64::from(max) * f64::from(c)).round() as i32;
        Self { c: c * ONE, offset: -((exponent + DEPTH) as f32) * ONE, exponent }
    }

    /// e: weights of the same scale with the exponents e and e' differ by a factor of 2^(e - e').
    pub(crate) fn exponent(&self) -> i32 {
        self.exponent
    }

    /// Whether a logit as large as this can be weighted.
    pub(crate) fn has_room_for(&self, max: f32, c: f32) -> bool {
        f64::from(max) * f64::from(c) <= f64::from(self.exponent) + ROOM
    }

    /// The factor from weights to exp((l - max) / T), which is 1 for the largest logit.
    pub(crate) fn unit(&self, max: f32, c: f32) -> f64 {
        let above = f64::from(self.exponent) - f64::from(max) * f64::from(c);
        crate::math::exp(above * std::f64::consts::LN_2) * power(DEPTH - 129) / f64::from(AT_ONE)
    }
}

/// How the logits of a tile were weighted.
#[derive(Clone, Copy)]
pub(crate) struct TileScale {
    pub(crate) params: ExpParams,
    /// The factor from weights to exp((l - max) * scale).
    pub(crate) unit: f64,
    /// What was subtracted from the logits first.
    pub(crate) shift: f32,
}

/// 2^n for |n| < 1023.
pub(crate) fn power(n: i32) -> f64 {
    f64::from_bits(((1023 + n) as u64) << 52)
}

/// Coefficients of x^4 to x^0 for x = (1 + f) * 2^-6, scaled by powers of two accordingly:
/// -0.17064659, 20.567980, 57.947544, 189.32248, 266.91400.
const POLYNOMIAL: [f32; 5] = [
    f32::from_bits(0xbb2e_bdfb),
    f32::from_bits(0x3ba4_8b39),
    f32::from_bits(0x3967_ca49),
    f32::from_bits(0x373d_528e),
    f32::from_bits(0x3485_74fe),
];

/// The polynomial's value for 2^0 in f32 arithmetic.
const AT_ONE: f32 = f32::from_bits(0x3505_e535);

/// [`ExpParams`] in registers.
#[derive(Clone, Copy)]
pub(crate) struct ExpKernel<L> {
    c: L,
    offset: L,
    polynomial: [L; 5],
}

impl<L: Lanes> ExpKernel<L> {
    #[inline(always)]
    pub(crate) fn new(params: ExpParams) -> Self {
        let mut polynomial = [L::splat(0.0); 5];
        for (lanes, c) in polynomial.iter_mut().zip(POLYNOMIAL) {
            *lanes = L::splat(c);
        }
        Self { c: L::splat(params.c), offset: L::splat(params.offset), polynomial }
    }

    /// For other parameters in each lane.
    #[inline(always)]
    pub(crate) fn of_lanes(params: &[ExpParams; LANES]) -> Self {
        let (c, offset) = (params.map(|params| params.c), params.map(|params| params.offset));
        Self { c: L::load(&c), offset: L::load(&offset), ..Self::new(ExpParams::NONE) }
    }

    /// The weights.
    #[inline(always)]
    pub(crate) fn weights(&self, x: L) -> L {
        let (p, power) = self.factors(x);
        L::splat(0.0).sub(p.mul(power))
    }

    /// The weights as two factors, for a fused multiply-add; their product is minus the weight.
    #[inline(always)]
    pub(crate) fn factors(&self, x: L) -> (L, L) {
        let (f, power) = x.fma(self.c, self.offset).split();
        let [c4, c3, c2, c1, c0] = self.polynomial;
        (f.add(c4).fma(f, c3).fma(f, c2).fma(f, c1).fma(f, c0), power)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::levels::scalar::Scalar;
    use super::super::lanes::LANES;
    use super::*;

    fn weights(params: ExpParams, logits: [f32; LANES]) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        ExpKernel::<Scalar>::new(params).weights(Scalar::load(&logits)).store(&mut out);
        out
    }

    #[test]
    fn weights_are_within_the_documented_error_of_exp() {
        let max = 3.25f32;
        for scale in [0.5, 1.0, 1.0 / 0.7, 3.0] {
            let c = binary_scale(scale);
            let params = ExpParams::new(max, c);
            let unit = params.unit(max, c);
            for i in 0..200_000 {
                let l = max - i as f32 * 4e-4;
                let w = f64::from(weights(params, [l; LANES])[0]) * unit;
                let exact = (f64::from(l - max) * scale).exp();
                if exact < 2f64.powi(-150) {
                    break;
                }
                let t = exact.log2().abs();
                let bound = 1.6 * 2f64.powi(-23) + (2.0 * t + 28.0) * 2f64.powi(-24);
                assert!((w / exact - 1.0).abs() <= bound, "exp of {} / {scale}: {w:e}, {exact:e}", l - max);
            }
        }
    }

    #[test]
    fn polynomial_error_over_every_fraction_is_below_the_documented_bound() {
        let (mut worst, mut sum) = (0.0f64, 0.0);
        for first in (0..1u32 << 23).step_by(LANES) {
            // With c = 1 and e = -12, t = -2 + n * 2^-23, exactly.
            let x = std::array::from_fn(|i| (first + i as u32) as f32 / ONE);
            let params = ExpParams::new(-12.0, 1.0);
            let unit = params.unit(0.0, 1.0);
            for (x, w) in x.iter().zip(weights(params, x)) {
                let error = f64::from(w) * unit / f64::from(*x).exp2() - 1.0;
                worst = worst.max(error.abs());
                sum += error;
            }
        }
        assert!(worst < 1.54 * 2f64.powi(-23), "{worst:e}");
        assert!((sum / 2f64.powi(23)).abs() < 4e-10, "{sum:e}");
    }

    #[test]
    fn weight_of_the_largest_logit_is_one() {
        for (max, scale) in [(0.0f32, 1.0), (17.3, 1.25), (-250.0, 0.3), (1e5, 2.0)] {
            let c = binary_scale(scale);
            let params = ExpParams::new(max, c);
            let w = f64::from(weights(params, [max; LANES])[0]) * params.unit(max, c);
            assert!((w - 1.0).abs() < 4e-7 && params.has_room_for(max, c), "{max} {scale}: {w}");
        }
        assert_eq!(weights(ExpParams::new(0.0, 1.0), [0.0; LANES])[0], AT_ONE * 2f32.powi(115));
    }

    #[test]
    fn weights_of_infinite_and_far_logits_are_zero() {
        let w = weights(
            ExpParams::new(0.0, 1.0),
            std::array::from_fn(|i| match i {
                0 => f32::NEG_INFINITY,
                1 => -3e38,
                2 => -241.5,
                3 => -240.5,
                _ => 0.0,
            }),
        );
        assert!(w[..3].iter().all(|&w| w == 0.0) && w[3] > 0.0, "{w:?}");
    }
}
