//! The exponential of the passes: what a logit weighs.
//!
//! A weight is 2^t with t = l · log2(e)/T - (e + 14), e a whole number near the largest logit's: then t < -1 for every
//! logit of the row, and t · 2^23, one fused multiply-add and one rounding, is a whole number whose upper bits are the
//! floor of t and whose lower 23 are the fraction f. The upper bits, read as a float, are the power of two already
//! (`Lanes::split`); 2^f comes from a polynomial, and the product goes into a sum by another fused multiply-add. That
//! is eleven instructions for sixteen tokens and no test for small numbers: the power falls to zero at t = -256.
//!
//! The polynomial has degree 5 in 1 + f, is minimax for the relative error under the condition that 2^0 comes out
//! right, and is divided by its leading coefficient, which turns a multiply-add into an add: weights come in units of
//! [`unit`]. Its error is 1.54 ulp at the most and 3e-10 on average; with the rounding of log2(e)/T and of t a weight
//! is right to 1.54 ulp + |t| · 2^-23, which is enough for a tail.

use super::lanes::Lanes;

/// 2^23: t is counted in units of 2^-23.
const ONE: f32 = 8_388_608.0;

/// How far t lies below zero for a logit at the exponent e.
const DEPTH: i32 = 14;

/// How far above e, in binary orders, a logit may lie.
pub(crate) const ROOM: f64 = 12.0;

/// Beyond this e no logit is brought: t would lose its fraction.
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

/// log2(e) / T as the passes have it.
pub(crate) fn binary_scale(scale: f64) -> f32 {
    // At 1e30 any two different logits near 1 are already certain; more would make 0 * inf of the maximum itself.
    (std::f64::consts::LOG2_E * scale).min(1e30) as f32
}

impl ExpParams {
    /// Nothing weighs anything.
    pub(crate) const NONE: Self = Self { c: 0.0, offset: f32::MIN, exponent: 0 };

    /// Whether logits up to this one can be weighed as they are.
    pub(crate) fn fits(max: f32, c: f32) -> bool {
        f64::from(max).abs() * f64::from(c) <= LARGEST_EXPONENT
    }

    /// For logits up to `ROOM` binary orders above `max`, which fits.
    pub(crate) fn new(max: f32, c: f32) -> Self {
        let exponent = (f64::from(max) * f64::from(c)).round() as i32;
        Self { c: c * ONE, offset: -((exponent + DEPTH) as f32) * ONE, exponent }
    }

    /// e: two weightings of one scale differ by a factor of 2^(e - e').
    pub(crate) fn exponent(&self) -> i32 {
        self.exponent
    }

    /// Whether a logit as large as this can be weighed.
    pub(crate) fn has_room_for(&self, max: f32, c: f32) -> bool {
        f64::from(max) * f64::from(c) <= f64::from(self.exponent) + ROOM
    }

    /// The factor that brings weights to exp((l - max) / T), which is 1 for the largest logit.
    pub(crate) fn unit(&self, max: f32, c: f32) -> f64 {
        let above = f64::from(self.exponent) - f64::from(max) * f64::from(c);
        crate::math::exp(above * std::f64::consts::LN_2) * power(DEPTH - 129) / f64::from(AT_ONE)
    }
}

/// How some logits were weighed.
#[derive(Clone, Copy)]
pub(crate) struct TileScale {
    pub(crate) params: ExpParams,
    /// Brings their weights to exp((l - max) * scale).
    pub(crate) unit: f64,
    /// What was subtracted from them.
    pub(crate) shift: f32,
}

/// 2^n for |n| < 1023.
pub(crate) fn power(n: i32) -> f64 {
    f64::from_bits(((1023 + n) as u64) << 52)
}

/// Coefficients of x^4 to x^0, for x = (1 + f) · 2^-6, scaled by powers of two accordingly:
/// -0.17064659, 20.567980, 57.947544, 189.32248, 266.91400.
const POLYNOMIAL: [f32; 5] = [
    f32::from_bits(0xbb2e_bdfb),
    f32::from_bits(0x3ba4_8b39),
    f32::from_bits(0x3967_ca49),
    f32::from_bits(0x373d_528e),
    f32::from_bits(0x3485_74fe),
];

/// What the polynomial gives for 2^0, in f32 arithmetic.
const AT_ONE: f32 = f32::from_bits(0x3505_e535);

/// A parameters in registers.
#[derive(Clone, Copy)]
pub(crate) struct ExpKernel<L> {
    c: L,
    offset: L,
    polynomial: [L; 5],
}

impl<L: Lanes> ExpKernel<L> {
    #[inline(always)]
    pub(crate) fn new(w: ExpParams) -> Self {
        let mut polynomial = [L::splat(0.0); 5];
        for (lanes, c) in polynomial.iter_mut().zip(POLYNOMIAL) {
            *lanes = L::splat(c);
        }
        Self { c: L::splat(w.c), offset: L::splat(w.offset), polynomial }
    }

    /// The weights.
    #[inline(always)]
    pub(crate) fn weights(&self, x: L) -> L {
        let (p, power) = self.factors(x);
        L::splat(0.0).sub(p.mul(power))
    }

    /// The weights' two factors; their product is negative.
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

    fn weigh(params: ExpParams, logits: [f32; LANES]) -> [f32; LANES] {
        let (p, power) = ExpKernel::<Scalar>::new(params).factors(Scalar::load(&logits));
        let mut out = [0.0; LANES];
        p.mul(power).store(&mut out);
        out.map(|w| -w)
    }

    #[test]
    fn weights_are_as_exact_as_they_say() {
        let max = 3.25f32;
        for scale in [0.5, 1.0, 1.0 / 0.7, 3.0] {
            let c = binary_scale(scale);
            let params = ExpParams::new(max, c);
            let unit = params.unit(max, c);
            for i in 0..200_000 {
                let l = max - i as f32 * 4e-4;
                let w = f64::from(weigh(params, [l; LANES])[0]) * unit;
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

    /// The error of the polynomial alone, over every fraction there is.
    #[test]
    fn the_polynomial_is_right_to_its_figure() {
        let (mut worst, mut sum) = (0.0f64, 0.0);
        for first in (0..1u32 << 23).step_by(LANES) {
            // With c = 1 and e = -12, t = -2 + n * 2^-23, exactly.
            let x = std::array::from_fn(|i| (first + i as u32) as f32 / ONE);
            let params = ExpParams::new(-12.0, 1.0);
            let unit = params.unit(0.0, 1.0);
            for (x, w) in x.iter().zip(weigh(params, x)) {
                let error = f64::from(w) * unit / f64::from(*x).exp2() - 1.0;
                worst = worst.max(error.abs());
                sum += error;
            }
        }
        assert!(worst < 1.54 * 2f64.powi(-23), "{worst:e}");
        assert!((sum / 2f64.powi(23)).abs() < 4e-10, "{sum:e}");
    }

    #[test]
    fn the_largest_logit_weighs_one() {
        for (max, scale) in [(0.0f32, 1.0), (17.3, 1.25), (-250.0, 0.3), (1e5, 2.0)] {
            let c = binary_scale(scale);
            let params = ExpParams::new(max, c);
            let w = f64::from(weigh(params, [max; LANES])[0]) * params.unit(max, c);
            assert!((w - 1.0).abs() < 4e-7 && params.has_room_for(max, c), "{max} {scale}: {w}");
        }
        assert_eq!(weigh(ExpParams::new(0.0, 1.0), [0.0; LANES])[0], AT_ONE * 2f32.powi(115));
    }

    #[test]
    fn infinite_and_far_logits_weigh_nothing() {
        let w = weigh(
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
