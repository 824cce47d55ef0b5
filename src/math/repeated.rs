//! Sums in which the same number is often added again, with the bits of a loop.

use super::list::{BLOCK, one_of};

/// The sum, one number after another.
pub(crate) fn sum_in_order(xs: &[f64]) -> f64 {
    let (blocks, rest) = xs.as_chunks();
    rest.iter().fold(blocks.iter().fold(-0.0, add_block), |sum, x| sum + x)
}

/// The place of the first number with which the sum of all so far exceeds a limit; the last place if there is none.
/// No number is negative.
pub(crate) fn first_above(xs: &[f64], limit: f64) -> usize {
    let (mut sum, mut place) = (-0.0, 0);
    for block in xs.as_chunks().0 {
        let with = add_block(sum, block);
        if with > limit {
            break;
        }
        (sum, place) = (with, place + BLOCK);
    }
    let mut exceeds = |x: &f64| {
        sum += x;
        sum > limit
    };
    xs[place..].iter().position(&mut exceeds).map_or(xs.len() - 1, |more| place + more)
}

/// The sum after the numbers of a block.
fn add_block(sum: f64, block: &[f64; BLOCK]) -> f64 {
    match one_of(block) {
        Some(x) => add_times(sum, x, BLOCK),
        None => block.iter().fold(sum, |sum, x| sum + x),
    }
}

/// The sum after `n` additions of `x`, with the bits of a loop.
pub(crate) fn add_times(mut sum: f64, x: f64, mut n: usize) -> f64 {
    /// Of sums from 2^1023 on, and of those that are negative.
    const BEYOND: u64 = 0x7fe;
    let exponent = |x: f64| x.to_bits() >> 52;
    while n > 1 {
        let once = sum + x;
        let twice = once + x;
        let (begin, step) = (exponent(sum), twice - once);
        (sum, n) = (twice, n - 2);
        // As long as the sum stays between two powers of 2 its unit is the same, and every addition rounds x to the same
        // multiple of it. A tie goes to the even sum, so the first may differ.
        if begin == exponent(sum) && begin < BEYOND {
            if step == 0.0 {
                return sum;
            }
            let end = f64::from_bits((begin + 1) << 52);
            let times = (((end - sum) / step) as usize).saturating_sub(2).min(n);
            // Exact: the product is a multiple of the unit, and the new sum is below the next power of 2.
            (sum, n) = (sum + times as f64 * step, n - times);
        }
    }
    if n == 1 { sum + x } else { sum }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::testing::Lcg;

    /// Lists with blocks of equal numbers, and without.
    pub(in super::super) fn lists_with_equal_blocks() -> impl Iterator<Item = Vec<f64>> {
        let mut random = Lcg::new(6);
        (0..60).map(move |shape| {
            let mut value = 0.0;
            (0..(random.unit() * 700.0) as usize)
                .map(|i| {
                    if i % [1, 64, 100, 1000][shape % 4] == 0 {
                        value = random.unit();
                    }
                    value
                })
                .collect()
        })
    }

    #[test]
    fn sums_with_equal_blocks_equal_loops() {
        for xs in lists_with_equal_blocks() {
            assert_eq!(sum_in_order(&xs).to_bits(), xs.iter().sum::<f64>().to_bits());
            let total = sum_in_order(&xs);
            for limit in [-1.0, 0.0, 0.3 * total, 0.9 * total, total.next_down(), total, 2.0 * total] {
                let mut sum = 0.0;
                let found = xs.iter().position(|x| {
                    sum += x;
                    sum > limit
                });
                if !xs.is_empty() {
                    assert_eq!(first_above(&xs, limit), found.unwrap_or(xs.len() - 1), "{limit}");
                }
            }
        }
    }

    #[test]
    fn add_times_equals_a_loop() {
        let mut random = Lcg::new(4);
        let plain = |sum: f64, x: f64, n: usize| (0..n).fold(sum, |sum, _| sum + x);
        let check = |sum: f64, x: f64, n: usize| {
            assert_eq!(add_times(sum, x, n).to_bits(), plain(sum, x, n).to_bits(), "{sum:e} + {n} * {x:e}");
        };
        for _ in 0..4000 {
            let bits = random.next_u64() >> (random.next_u64() % 50);
            let n = (random.next_u64() % 3000) as usize;
            // Any magnitudes, few bits as well as many: ties occur.
            let x = f64::from_bits((bits & ((1 << 52) - 1)) | (1000 + random.next_u64() % 30) << 52);
            let sum =
                f64::from_bits((random.next_u64() << 30 & ((1 << 52) - 1)) | (1000 + random.next_u64() % 80) << 52);
            check(sum, x, n);
            check(0.0, x, n);
            let unit = f64::EPSILON * 2.0f64.powi((random.next_u64() % 3) as i32);
            check(1.0 + unit * (random.next_u64() % 8) as f64, unit * (random.next_u64() % 9) as f64 * 0.25, n);
        }
        for (sum, x) in [(0.0, 5e-324), (-0.0, 0.0), (1e-310, 1e-311), (1e308, 1e305), (-1.0, 1e-3), (1.0, -1e-3)] {
            check(sum, x, 5000);
        }
        assert!(add_times(1.0, f64::NAN, 9).is_nan());
    }
}
