//! Elementary functions over lists of f64, branch-free so that they vectorise.
//!
//! Each uses only additions, multiplications, divisions and bit operations, every one rounded by itself. The results
//! therefore do not depend on the register width: [`ListMath`] holds one instance per instruction set, and all return
//! the same bits.

/// The list functions compiled for one instruction set. `vocab/dispatch.rs` has the instances.
#[derive(Debug)]
pub(crate) struct ListMath {
    pub(crate) exp: fn(&mut [f64]),
    pub(crate) expm1: fn(&mut [f64]),
    pub(crate) ln: fn(&mut [f64]),
    pub(crate) log1p: fn(&mut [f64]),
}

impl ListMath {
    /// The instance for the build's base target.
    pub(crate) const PORTABLE: Self = Self { exp, expm1, ln, log1p };

    /// Replaces each x by e^x, to an ulp or two. Results are clamped to normal numbers, 3e-308 to 8e307.
    pub(crate) fn exp(&self, xs: &mut [f64]) {
        (self.exp)(xs);
    }

    /// Replaces each x by e^x - 1, to a few ulp.
    pub(crate) fn expm1(&self, xs: &mut [f64]) {
        (self.expm1)(xs);
    }

    /// Replaces each x > 0 by ln x, with the bits of [`super::ln`]. Zero counts as about the smallest positive number.
    pub(crate) fn ln(&self, xs: &mut [f64]) {
        (self.ln)(xs);
    }

    /// Replaces each x > -1 by ln(1 + x), to a few ulp.
    pub(crate) fn log1p(&self, xs: &mut [f64]) {
        (self.log1p)(xs);
    }

    /// Replaces each x > 0 by x^y, to about |y ln x| ulp.
    pub(crate) fn pow(&self, xs: &mut [f64], y: f64) {
        self.ln(xs);
        xs.iter_mut().for_each(|x| *x *= y);
        self.exp(xs);
    }

    /// Appends e^x for each x.
    pub(crate) fn append_exp(&self, xs: impl ExactSizeIterator<Item = f64>, out: &mut Vec<f64>) {
        let first = out.len();
        out.extend(xs);
        self.exp(&mut out[first..]);
    }
}

impl Default for &'static ListMath {
    fn default() -> Self {
        &ListMath::PORTABLE
    }
}

/// Numbers of a block: where they are all equal they are treated as one.
pub(super) const BLOCK: usize = 64;

/// The number that a block has in each place, if they are equal.
#[inline(always)]
pub(super) fn one_of(block: &[f64; BLOCK]) -> Option<f64> {
    let first = block[0];
    // Most blocks differ at their ends; the others are compared without a branch.
    let differs = |x: f64| x.to_bits() ^ first.to_bits();
    (differs(block[BLOCK - 1]) == 0 && block.iter().fold(0, |bits, &x| bits | differs(x)) == 0).then_some(first)
}

/// Replaces each number by a function of it.
#[inline(always)]
fn replace(xs: &mut [f64], of: impl Fn(f64) -> f64) {
    let (blocks, rest) = xs.as_chunks_mut();
    for block in blocks {
        match one_of(block) {
            Some(x) => *block = [of(x); BLOCK],
            None => block.iter_mut().for_each(|x| *x = of(*x)),
        }
    }
    rest.iter_mut().for_each(|x| *x = of(*x));
}

/// See [`ListMath::exp`]. These four are inlined into the function that carries an instruction set's features.
#[inline(always)]
pub(crate) fn exp(xs: &mut [f64]) {
    replace(xs, exp_of);
}

#[inline(always)]
pub(crate) fn expm1(xs: &mut [f64]) {
    replace(xs, expm1_of);
}

#[inline(always)]
pub(crate) fn ln(xs: &mut [f64]) {
    replace(xs, ln_of);
}

#[inline(always)]
pub(crate) fn log1p(xs: &mut [f64]) {
    replace(xs, log1p_of);
}

/// 1.5 * 2^52: adding it to a small number rounds that to an integer and leaves the integer in the low bits.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// ln 2 in two parts. The first has few enough bits that its product with the exponent is exact.
const LN_2: [f64; 2] = [f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76)];

/// Between these e^x is a normal number.
const LOWEST: f64 = -708.0;
const HIGHEST: f64 = 709.0;

/// (2^n, q) with e^x = 2^n (1 + q) and |q| < 1/2, for x clamped to [LOWEST, HIGHEST].
#[inline(always)]
fn exp_parts(x: f64) -> (f64, f64) {
    /// 1/k! for k = 2 to 13; the omitted terms are below 2^-57.
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
    // Estrin's scheme: Horner's would be one dependency chain of twelve steps.
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

/// libm's algorithm (FreeBSD's msun), without its branches.
#[inline(always)]
fn ln_of(x: f64) -> f64 {
    /// The upper bits of sqrt(1/2): the argument is reduced to [sqrt(1/2), sqrt(2)).
    const LEAST: u64 = 0x3fe6_a09e << 32;
    const ONE: u64 = 0x3ff0_0000 << 32;
    const MANTISSA: u64 = (1 << 52) - 1;
    /// 2^52: setting its low bits to a small integer adds that integer.
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
    // Scale subnormal numbers up.
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
    // The exact rounding error of u, whichever of 1 and x is larger.
    let whole = u - x;
    let lost = (1.0 - whole) + (x - (u - whole));
    ln_of(u) + lost / u
}

/// The larger of the two; NaN if `x` is NaN. One instruction, unlike `f64::max`.
#[inline(always)]
pub(crate) fn at_least(low: f64, x: f64) -> f64 {
    if low > x { low } else { x }
}

/// The smaller of the two; NaN if `x` is NaN.
#[inline(always)]
pub(crate) fn at_most(high: f64, x: f64) -> f64 {
    if high < x { high } else { x }
}

/// The sum, accumulated in four lanes so that it vectorises; the same order on every machine.
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

/// The largest number, or 0 if none is positive.
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
    use crate::math as scalar;

    /// The largest error of the list function relative to the scalar one, over a million numbers from `low` to `high`.
    fn largest_error(low: f64, high: f64, list: impl Fn(&mut [f64]), scalar: impl Fn(f64) -> f64) -> f64 {
        let step = (high - low) / 1e6;
        let xs: Vec<f64> = (0..=1_000_000).map(|i| low + f64::from(i) * step).collect();
        let mut ours = xs.clone();
        list(&mut ours);
        let error = |(x, y): (&f64, f64)| if y == scalar(*x) { 0.0 } else { (y / scalar(*x) - 1.0).abs() };
        xs.iter().zip(ours).map(error).fold(0.0, f64::max)
    }

    fn one(list: impl Fn(&mut [f64]), x: f64) -> f64 {
        let mut xs = [x];
        list(&mut xs);
        xs[0]
    }

    #[test]
    fn exp_and_expm1_are_within_an_ulp_or_two_of_libm() {
        for limit in [1e-300, 1e-9, 1e-3, 1.0, 30.0, 708.0] {
            assert!(largest_error(-limit, limit, exp, scalar::exp) < 4.5e-16, "exp up to {limit}");
            assert!(largest_error(-limit, limit, expm1, scalar::expm1) < 9e-16, "expm1 up to {limit}");
        }
        assert_eq!([one(exp, 0.0), one(expm1, 0.0), one(expm1, -1e4)], [1.0, 0.0, -1.0]);
        assert_eq!([one(exp, -1e300), one(exp, f64::NEG_INFINITY)], [one(exp, LOWEST); 2]);
        assert!(one(exp, LOWEST).is_normal() && one(exp, 1e300) == one(exp, HIGHEST) && one(exp, HIGHEST).is_finite());
        assert!(one(exp, f64::NAN).is_nan());
    }

    #[test]
    fn append_exp_appends_the_exponentials() {
        let (mut all, mut some) = (vec![7.0], vec![-1.0, -2.5, 0.0]);
        ListMath::PORTABLE.append_exp(some.iter().copied(), &mut all);
        exp(&mut some);
        assert_eq!(all, [&[7.0], &some[..]].concat());
    }

    #[test]
    fn ln_has_the_bits_of_libm() {
        for (low, high) in [(1e-300, 1e-3), (0.5, 2.0), (1.0, 1e9), (5e-324, 1e-305)] {
            assert_eq!(largest_error(low, high, ln, scalar::ln), 0.0, "{low:e} to {high:e}");
        }
        for e in -1074..1024 {
            let x = scalar::pow(2.0, f64::from(e)) * 1.3;
            assert_eq!(one(ln, x), scalar::ln(x), "{x:e}");
        }
        for x in [f64::MIN_POSITIVE, f64::MAX, 5e-324, 1.0, 1.0 + f64::EPSILON, 1.0 - f64::EPSILON / 2.0] {
            assert_eq!(one(ln, x), scalar::ln(x), "{x:e}");
        }
        assert!(one(ln, 0.0) < scalar::ln(5e-324) && one(ln, 0.0) > -760.0);
    }

    #[test]
    fn log1p_is_accurate_near_zero() {
        for (low, high) in
            [(-1e-300, 1e-300), (-1e-9, 1e-9), (-1e-3, 1e-3), (-0.5, 0.5), (-1.0 + 1e-12, 2.0), (0.0, 1e9)]
        {
            let error = largest_error(low, high, log1p, scalar::log1p);
            assert!(error < 9e-16, "log1p from {low} to {high}: {error:e}");
        }
    }

    #[test]
    fn pow_error_is_bounded_by_y_ln_x() {
        for y in [-20.0, -2.0, -0.5, 0.1, 0.5, 1.0, 2.0, 7.0] {
            let error = largest_error(1e-6, 1.0, |xs| ListMath::PORTABLE.pow(xs, y), |x| scalar::pow(x, y));
            assert!(error < 1e-15 + 2e-16 * 14.0 * f64::abs(y), "x^{y}: {error:e}");
        }
    }

    #[test]
    fn list_functions_do_not_depend_on_position_or_length() {
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
    fn equal_blocks_change_no_bit() {
        for xs in super::super::repeated::tests::lists_with_equal_blocks() {
            let mut logs = xs.clone();
            ln(&mut logs);
            assert!(logs.iter().zip(&xs).all(|(log, x)| log.to_bits() == ln_of(*x).to_bits()));
        }
    }

    #[test]
    fn sum_and_largest_cover_every_position() {
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
