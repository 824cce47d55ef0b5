//! The elementary functions of the head: pure Rust, because system libraries differ in the last bit and a token must
//! not depend on the machine. (`f64::sqrt` is correctly rounded everywhere and comes from std.)

pub(crate) use libm::{exp, expm1, log as ln, log1p, pow};

/// x^y for the inner loops: half the time of [`pow`], and right to |y ln x| ulp, which is 1e-14 where it is used.
pub(crate) fn fast_pow(x: f64, y: f64) -> f64 {
    exp(y * ln(x))
}

/// Appends e^x for each `x`, from -700 to 0: as [`exp`] to an ulp or two, but without a branch, so that a long list takes
/// a fraction of the time. Multiplications and additions alone, so the same everywhere.
pub(crate) fn exp_all(xs: impl ExactSizeIterator<Item = f64>, out: &mut Vec<f64>) {
    /// Adding it to a small number rounds that to an integer, which then stands in the low bits: 1.5 * 2^52.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts, of which the first has so few bits that its product with an integer is exact.
    const LN_2: [f64; 2] = [f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76)];
    /// 1/k! from k = 13 down to 2: what is left out is below 2^-57.
    const TAYLOR: [f64; 12] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    out.extend(xs.map(|x| {
        let shifted = x * std::f64::consts::LOG2_E + SHIFT;
        let n = shifted - SHIFT;
        let r = (x - n * LN_2[0]) - n * LN_2[1];
        let rest = TAYLOR.iter().fold(0.0, |sum, c| sum * r + c);
        let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
        (1.0 + (r + r * r * rest)) * power
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_exponentials_are_as_good_as_one() {
        let xs: Vec<f64> = (0..1_000_000).map(|i| f64::from(i) * -7e-4).collect();
        let mut all = vec![];
        exp_all(xs.iter().copied(), &mut all);
        assert_eq!(all[0], 1.0);
        for (x, e) in xs.iter().zip(all) {
            assert!((e / exp(*x) - 1.0).abs() < 4e-16, "exp({x}) = {e:e}");
        }
    }
}
