//! The same functions for the lists of a head: without a branch, so that a processor works on several entries at once,
//! which takes a fraction of the time. Additions, multiplications, divisions and bits alone, and each rounded by
//! itself: the same numbers everywhere, however wide its registers are: `BREGMAN_SIMD`, which is about the passes over
//! the vocabulary, need not lower them.

/// e^x for each x, to an ulp or two, from 3e-308 to 8e307: beyond, the nearest of these.
pub(crate) fn exp(xs: &mut [f64]) {
    replace(xs, exp_of);
}

/// e^x - 1 for each x, to a few ulp of itself.
pub(crate) fn expm1(xs: &mut [f64]) {
    replace(xs, expm1_of);
}

/// ln x for each x > 0, bit for bit what the plain function gives; of zero, that of about the smallest number.
pub(crate) fn ln(xs: &mut [f64]) {
    replace(xs, ln_of);
}

/// ln(1 + x) for each x > -1, to a few ulp of itself.
pub(crate) fn log1p(xs: &mut [f64]) {
    replace(xs, log1p_of);
}

/// x^y for each x > 0: right to about |y ln x| ulp.
pub(crate) fn pow(xs: &mut [f64], y: f64) {
    ln(xs);
    xs.iter_mut().for_each(|x| *x *= y);
    exp(xs);
}

/// Appends e^x for each `x`.
pub(crate) fn exp_all(xs: impl ExactSizeIterator<Item = f64>, out: &mut Vec<f64>) {
    let first = out.len();
    out.extend(xs);
    exp(&mut out[first..]);
}

/// Puts `of(x)` in the place of each x.
#[inline(always)]
fn replace(xs: &mut [f64], of: impl Fn(f64) -> f64) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        fn by_fours(xs: &mut [f64], of: impl Fn(f64) -> f64) {
            xs.iter_mut().for_each(|x| *x = of(*x));
        }
        // SAFETY: the processor has it.
        return unsafe { by_fours(xs, of) };
    }
    xs.iter_mut().for_each(|x| *x = of(*x));
}

/// Adding it to a small number rounds that to an integer, which then stands in the low bits: 1.5 * 2^52.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// ln 2 in two parts, of which the first has so few bits that its product with an integer is exact.
const LN_2: [f64; 2] = [f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76)];

/// e^x is a normal number between these.
const LOWEST: f64 = -708.0;
const HIGHEST: f64 = 709.0;

/// (2^n, q) with e^x = 2^n (1 + q) and |q| < 1/2; x is brought into the range of normal numbers.
#[inline(always)]
fn exp_parts(x: f64) -> (f64, f64) {
    /// 1/k! from k = 2 to 13: what is left out is below 2^-57.
    const TAYLOR: [f64; 12] = [
        0.5,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5_040.0,
        1.0 / 40_320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
        1.0 / 39_916_800.0,
        1.0 / 479_001_600.0,
        1.0 / 6_227_020_800.0,
    ];
    let x = at_least(LOWEST, at_most(HIGHEST, x));
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    // By pairs of pairs: a chain of twelve steps would have to be waited for.
    let (r_2, r_4) = (r * r, (r * r) * (r * r));
    let four = |c: &[f64]| (c[0] + c[1] * r) + (c[2] + c[3] * r) * r_2;
    let rest = four(&TAYLOR[..4]) + (four(&TAYLOR[4..8]) + four(&TAYLOR[8..]) * r_4) * r_4;
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    (power, r + r_2 * rest)
}

#[inline(always)]
fn exp_of(x: f64) -> f64 {
    let (power, q) = exp_parts(x);
    (1.0 + q) * power
}

#[inline(always)]
fn expm1_of(x: f64) -> f64 {
    let (power, q) = exp_parts(x);
    power * q + (power - 1.0)
}

/// The plain function's polynomial, which is that of FreeBSD's msun.
#[inline(always)]
fn ln_of(x: f64) -> f64 {
    /// sqrt(1/2), in the bits that matter: what follows is reduced to [sqrt(1/2), sqrt(2)).
    const LEAST: u64 = 0x3fe6_a09e << 32;
    const ONE: u64 = 0x3ff0_0000 << 32;
    const MANTISSA: u64 = (1 << 52) - 1;
    /// 2^52: with a small integer in its low bits it is that much more.
    const BIG: f64 = 4_503_599_627_370_496.0;
    const L: [f64; 7] = [
        6.666_666_666_666_735e-1,
        3.999_999_999_940_942e-1,
        2.857_142_874_366_239e-1,
        2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1,
        1.531_383_769_920_937_3e-1,
        1.479_819_860_511_658_6e-1,
    ];
    // A subnormal number is scaled up.
    let (scale, less) = if x < f64::MIN_POSITIVE { (18_014_398_509_481_984.0, 54.0) } else { (1.0, 0.0) };
    let bits = (x * scale).to_bits().wrapping_add(ONE - LEAST);
    let n = f64::from_bits((bits >> 52) | BIG.to_bits()) - (BIG + 1023.0) - less;
    let f = f64::from_bits((bits & MANTISSA) + LEAST) - 1.0;
    let half_square = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (L[1] + w * (L[3] + w * L[5]));
    let odd = z * (L[0] + w * (L[2] + w * (L[4] + w * L[6])));
    s * (half_square + (odd + even)) + n * LN_2[1] - half_square + f + n * LN_2[0]
}

#[inline(always)]
fn log1p_of(x: f64) -> f64 {
    let u = 1.0 + x;
    // What the sum lost: exactly, whichever is larger.
    let whole = u - x;
    let lost = (1.0 - whole) + (x - (u - whole));
    ln_of(u) + lost / u
}

/// The larger one, by one instruction; NaN if `x` is.
#[inline(always)]
pub(crate) fn at_least(low: f64, x: f64) -> f64 {
    if low > x { low } else { x }
}

/// The smaller one.
#[inline(always)]
pub(crate) fn at_most(high: f64, x: f64) -> f64 {
    if high < x { high } else { x }
}

/// The sum, in four lanes of every fourth number each.
pub(crate) fn sum(xs: &[f64]) -> f64 {
    let (fours, rest) = xs.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for four in fours {
        for (lane, x) in lanes.iter_mut().zip(four) {
            *lane += x;
        }
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]) + rest.iter().sum::<f64>()
}

/// The largest number of those above zero, or zero.
pub(crate) fn largest(xs: &[f64]) -> f64 {
    let (fours, rest) = xs.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for four in fours {
        for (lane, x) in lanes.iter_mut().zip(four) {
            *lane = at_least(*lane, *x);
        }
    }
    lanes.iter().chain(rest).fold(0.0, |largest, &x| at_least(largest, x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math as plain;

    /// The largest error of the list function relative to the plain one, over a million numbers from `low` to `high`.
    fn largest_error(low: f64, high: f64, fast: impl Fn(&mut [f64]), plain: impl Fn(f64) -> f64) -> f64 {
        let step = (high - low) / 1e6;
        let xs: Vec<f64> = (0..=1_000_000).map(|i| low + f64::from(i) * step).collect();
        let mut ours = xs.clone();
        fast(&mut ours);
        let error = |(x, y): (&f64, f64)| if y == plain(*x) { 0.0 } else { (y / plain(*x) - 1.0).abs() };
        xs.iter().zip(ours).map(error).fold(0.0, f64::max)
    }

    fn one(list: impl Fn(&mut [f64]), x: f64) -> f64 {
        let mut xs = [x];
        list(&mut xs);
        xs[0]
    }

    #[test]
    fn exponentials_are_the_plain_ones_to_an_ulp_or_two() {
        for reach in [1e-300, 1e-9, 1e-3, 1.0, 30.0, 708.0] {
            assert!(largest_error(-reach, reach, exp, plain::exp) < 4.5e-16, "exp up to {reach}");
            assert!(largest_error(-reach, reach, expm1, plain::expm1) < 9e-16, "expm1 up to {reach}");
        }
        assert_eq!([one(exp, 0.0), one(expm1, 0.0), one(expm1, -1e4)], [1.0, 0.0, -1.0]);
        assert_eq!([one(exp, -1e300), one(exp, f64::NEG_INFINITY)], [one(exp, LOWEST); 2]);
        assert!(one(exp, LOWEST).is_normal() && one(exp, 1e300) == one(exp, HIGHEST) && one(exp, HIGHEST).is_finite());
        assert!(one(exp, f64::NAN).is_nan());
    }

    #[test]
    fn appended_exponentials_are_those_of_the_list() {
        let (mut all, mut some) = (vec![7.0], vec![-1.0, -2.5, 0.0]);
        exp_all(some.iter().copied(), &mut all);
        exp(&mut some);
        assert_eq!(all, [&[7.0], &some[..]].concat());
    }

    #[test]
    fn logarithms_are_the_plain_ones_to_the_bit() {
        for (low, high) in [(1e-300, 1e-3), (0.5, 2.0), (1.0, 1e9), (5e-324, 1e-305)] {
            assert_eq!(largest_error(low, high, ln, plain::ln), 0.0, "{low:e} to {high:e}");
        }
        for e in -1074..1024 {
            let x = plain::pow(2.0, f64::from(e)) * 1.3;
            assert_eq!(one(ln, x), plain::ln(x), "{x:e}");
        }
        for x in [f64::MIN_POSITIVE, f64::MAX, 5e-324, 1.0, 1.0 + f64::EPSILON, 1.0 - f64::EPSILON / 2.0] {
            assert_eq!(one(ln, x), plain::ln(x), "{x:e}");
        }
        assert!(one(ln, 0.0) < plain::ln(5e-324) && one(ln, 0.0) > -760.0);
    }

    #[test]
    fn logarithms_beside_one_keep_their_digits() {
        for (low, high) in
            [(-1e-300, 1e-300), (-1e-9, 1e-9), (-1e-3, 1e-3), (-0.5, 0.5), (-1.0 + 1e-12, 2.0), (0.0, 1e9)]
        {
            let error = largest_error(low, high, log1p, plain::log1p);
            assert!(error < 9e-16, "log1p from {low} to {high}: {error:e}");
        }
    }

    #[test]
    fn powers_lose_no_more_than_their_logarithm_is_large() {
        for y in [-20.0, -2.0, -0.5, 0.1, 0.5, 1.0, 2.0, 7.0] {
            let error = largest_error(1e-6, 1.0, |xs| pow(xs, y), |x| plain::pow(x, y));
            assert!(error < 1e-15 + 2e-16 * 14.0 * f64::abs(y), "x^{y}: {error:e}");
        }
    }

    /// An entry's number depends neither on where in the list it stands nor on the registers.
    #[test]
    fn every_place_of_a_list_is_the_same() {
        let lists = [exp, expm1, ln, log1p].map(|list| list as fn(&mut [f64]));
        let alone = [exp_of, expm1_of, ln_of, log1p_of].map(|of| of as fn(f64) -> f64);
        for (list, of) in lists.into_iter().zip(alone) {
            for n in 1..40 {
                let mut xs: Vec<f64> = (1..=n).map(|i| f64::from(i * i) * 0.37).collect();
                let alone: Vec<f64> = xs.iter().map(|&x| of(std::hint::black_box(x))).collect();
                list(&mut xs);
                assert_eq!(xs, alone);
            }
        }
    }

    #[test]
    fn a_sum_in_lanes_is_the_sum_and_the_largest_is_found_anywhere() {
        for n in 0..40 {
            let mut xs: Vec<f64> = (0..n).map(|i| f64::from(i) + 1.0).collect();
            assert_eq!(sum(&xs), f64::from(n * (n + 1) / 2));
            for _ in 0..n {
                xs.rotate_left(1);
                assert_eq!(largest(&xs), f64::from(n));
            }
        }
    }
}
