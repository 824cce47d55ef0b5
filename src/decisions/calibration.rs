//! The ℓ2 calibration error: how far stated probabilities are from the frequencies with which they hold
//! (docs/mathematics.md, 15.5).
//!
//! For a host that reports whether a model's probabilities can be trusted, with an interval and a test instead of a bare
//! number. Not for small sets: the interval is that of the normal distribution, and a cell of one sample says nothing.

use super::cells::Cells;
use super::check::{self, refuse};
use super::draws::Draws;
use crate::error::Result;
use crate::math::erfc;
use crate::memory;
use crate::random::Purpose;

/// The answer of [`calibration_error`], of the squared error.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// An unbiased estimate T of the squared error of the binned probabilities; negative at times if that is near 0.
    pub squared_error: f64,
    /// n times the variance of T, estimated; at times below 0 by a little.
    pub variance: f64,
    /// Lower end of the interval for the squared error, at least 0.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
    /// p-value of the test that the probabilities are calibrated; NaN without resamples.
    pub p_value: f64,
    /// Number of cells with at least one sample.
    pub cells: usize,
}

/// A sum of probabilities may be above 1 by the rounding of f32.
const LARGEST_SUM: f64 = 1.0 + 1e-5;

/// The calibration error of the `top` most likely classes of each sample (1 for the confidence alone).
///
/// `probabilities`: row after row, the probabilities of the `top` classes, from 0 to 1 and with a sum of at most 1.
/// `ranks`: for each sample 1 if the first of these classes was right, 2 if the second was, and so on, 0 if none was; with
/// `top` = 1 that is 1 for a right answer and 0 for a wrong one. Each probability is sorted into one of `bins` bins of the
/// same width, and samples with the same bins make a cell. `level`, in (0, 1): the coverage of the interval, such as 0.9.
///
/// The test draws `resamples` sets of outcomes from the probabilities themselves, with the random numbers of `seed`, and
/// counts those with at least the same T. It is exact for any number of samples, and takes resamples × samples random
/// numbers. 999 is usual; with 0 there is no test.
///
/// # Errors
/// An argument out of its range, no samples, lengths that do not fit.
pub fn calibration_error(
    probabilities: &[f64],
    ranks: &[u32],
    top: usize,
    bins: usize,
    level: f64,
    resamples: u32,
    seed: u64,
) -> Result<Calibration> {
    check::rows(probabilities, "probabilities", top, "top")?;
    let rows = probabilities.len() / top;
    if ranks.len() != rows {
        return refuse(format!("ranks has {} elements, probabilities has {rows} rows", ranks.len()));
    }
    check::positive(rows as u64, "the number of samples")?;
    if bins == 0 || u32::try_from(bins).is_err() || u32::try_from(rows).is_err() {
        return refuse(format!("bins is {bins} and there are {rows} samples: both must be from 1 to {}", u32::MAX));
    }
    check::one(level, "level", "above 0 and below 1", |level| level > 0.0 && level < 1.0)?;
    check::all(probabilities, "probabilities", "from 0 to 1", check::is_probability)?;
    if let Some(row) = probabilities.chunks_exact(top).position(|z| z.iter().sum::<f64>() > LARGEST_SUM) {
        return refuse(format!("row {row} of probabilities has a sum above 1"));
    }
    if let Some(at) = ranks.iter().position(|&rank| rank as usize > top) {
        return refuse(format!("ranks[{at}] is {}: must be from 0 to top, which is {top}", ranks[at]));
    }

    let cells = Cells::new(probabilities, top, bins)?;
    let (squared_error, variance) = (cells.statistic(ranks)?, cells.variance(ranks)?);
    let (lower, upper) = interval(squared_error, variance, rows as f64, 1.0 - level);
    let p_value = p_value(&cells, squared_error, rows, resamples, seed)?;
    Ok(Calibration { squared_error, variance, lower, upper, p_value, cells: cells.len() })
}

/// Two-sided where T is clearly above 0. Near 0, where T is not normal, the lower end goes to 0.
fn interval(t: f64, variance: f64, n: f64, alpha: f64) -> (f64, f64) {
    let deviation = (variance.max(0.0) / n).sqrt();
    let (one_sided, two_sided) = (upper_quantile(alpha) * deviation, upper_quantile(alpha / 2.0) * deviation);
    let t = t.max(0.0);
    let lower = if t >= 2.0 * two_sided {
        t - two_sided
    } else if t >= 2.0 * one_sided {
        t / 2.0
    } else {
        (t - one_sided).max(0.0)
    };
    (lower, t + two_sided)
}

/// The number that a standard normal one exceeds with probability `p`, in (0, 1): by bisection, to the last bit of erfc.
fn upper_quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -upper_quantile(1.0 - p);
    }
    // A normal number exceeds 39 with a probability below the smallest f64.
    let (mut low, mut high) = (0.0, 39.0);
    for _ in 0..64 {
        let middle = 0.5 * (low + high);
        let is_below = 0.5 * erfc(middle * std::f64::consts::FRAC_1_SQRT_2) > p;
        *(if is_below { &mut low } else { &mut high }) = middle;
    }
    0.5 * (low + high)
}

/// The share of sets drawn from the probabilities whose T is at least that of the samples, the samples' own included.
fn p_value(cells: &Cells<'_>, t: f64, samples: usize, resamples: u32, seed: u64) -> Result<f64> {
    if resamples == 0 {
        return Ok(f64::NAN);
    }
    let (mut ranks, mut extreme) = (memory::filled(samples, 0)?, 0.0);
    for resample in 0..resamples {
        let mut draws = Draws::new(seed, u64::from(resample), Purpose::Calibration);
        for (sample, rank) in ranks.iter_mut().enumerate() {
            *rank = draw_rank(cells.probabilities(sample), draws.uniform());
        }
        extreme += f64::from(u8::from(cells.statistic(&ranks)? >= t));
    }
    Ok((1.0 + extreme) / (1.0 + f64::from(resamples)))
}

/// The entry in whose share of [0, 1] the uniform number lies, from 1; 0 beyond all.
fn draw_rank(z: &[f64], u: f64) -> u32 {
    let mut below = 0.0;
    for (&z, entry) in z.iter().zip(1..) {
        below += z;
        if u < below {
            return entry;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, Normal};

    #[test]
    fn upper_quantiles_are_those_of_the_normal_distribution() {
        let normal = Normal::new(0.0, 1.0).expect("a distribution");
        for p in [1e-300, 1e-12, 0.005, 0.025, 0.05, 0.1, 0.5, 0.9, 0.999] {
            let x = upper_quantile(p);
            assert!((normal.cdf(-x) - p).abs() <= 1e-9 * p, "{p}: {x}");
        }
        assert!((upper_quantile(0.025) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!(upper_quantile(0.5).abs() < 1e-15);
    }
}
