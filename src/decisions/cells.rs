//! Samples grouped by the bins of their probabilities, and the sums over groups of which the calibration error consists.

use crate::error::Result;
use crate::memory;

/// The samples of a calibration set, grouped: two are in the same cell if their probabilities are in the same bins.
pub(super) struct Cells<'a> {
    /// k probabilities of each sample.
    z: &'a [f64],
    k: usize,
    /// The samples, cell by cell; in a cell in their own order.
    order: Vec<usize>,
    /// The end of each cell in `order`.
    ends: Vec<usize>,
}

impl<'a> Cells<'a> {
    /// Every probability belongs to one of `bins` bins of the same width, 1 to the last.
    pub(super) fn new(z: &'a [f64], k: usize, bins: usize) -> Result<Self> {
        let bin = |z: f64| ((z * bins as f64) as usize).min(bins - 1);
        let n = z.len() / k;
        let cell = |i: usize| z[i * k..][..k].iter().map(move |&z| bin(z));
        let mut order = memory::collected(n, 0..n)?;
        order.sort_unstable_by(|&a, &b| cell(a).cmp(cell(b)).then(a.cmp(&b)));
        let starts_a_cell = |&at: &usize| at == n || !cell(order[at - 1]).eq(cell(order[at]));
        let ends = memory::collected(n, (1..=n).filter(starts_a_cell))?;
        Ok(Self { z, k, order, ends })
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn samples(&self) -> usize {
        self.order.len()
    }

    fn iter(&self) -> impl Iterator<Item = &[usize]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.order[start..end])
    }

    pub(super) fn probabilities(&self, sample: usize) -> &'a [f64] {
        &self.z[sample * self.k..][..self.k]
    }

    /// U of a sample: 1 less the probability at its rank (1 for the first entry, 0 for none), and minus the others.
    fn residual(&self, sample: usize, rank: u32) -> impl Iterator<Item = f64> {
        let z = self.probabilities(sample).iter();
        z.zip(1..).map(move |(&z, entry): (_, u32)| if entry == rank { 1.0 - z } else { -z })
    }

    /// The sum of U over a cell, and the sum of |U|².
    fn sums(&self, cell: &[usize], ranks: &[u32], sum: &mut [f64]) -> f64 {
        sum.fill(0.0);
        let mut squares = 0.0;
        for &sample in cell {
            for (sum, u) in sum.iter_mut().zip(self.residual(sample, ranks[sample])) {
                *sum += u;
                squares += u * u;
            }
        }
        squares
    }

    /// T = (1/n) Σ over cells of (|ΣU|² - Σ|U|²) / (N - 1).
    pub(super) fn statistic(&self, ranks: &[u32]) -> Result<f64> {
        let (mut sum, mut total) = (memory::filled(self.k, 0.0)?, 0.0);
        for cell in self.iter().filter(|cell| cell.len() > 1) {
            let squares = self.sums(cell, ranks, &mut sum);
            total += (norm(&sum) - squares) / (cell.len() - 1) as f64;
        }
        Ok(total / self.samples() as f64)
    }

    /// n times the variance of T: Σ (N/n) (4 m'Cm - 3 |m|⁴) - (Σ (N/n) |m|²)², where m is the mean of U in a cell and C that
    /// of UU'.
    pub(super) fn variance(&self, ranks: &[u32]) -> Result<f64> {
        let (mut mean, mut of_squares, mut of_means) = (memory::filled(self.k, 0.0)?, 0.0, 0.0);
        for cell in self.iter() {
            self.sums(cell, ranks, &mut mean);
            let n = cell.len() as f64;
            mean.iter_mut().for_each(|m| *m /= n);
            let along = |&i: &usize| self.residual(i, ranks[i]).zip(&mean).map(|(u, m)| u * m).sum::<f64>();
            let mcm = cell.iter().map(|i| along(i) * along(i)).sum::<f64>() / n;
            let (share, square) = (n / self.samples() as f64, norm(&mean));
            of_squares += share * (4.0 * mcm - 3.0 * square * square);
            of_means += share * square;
        }
        Ok(of_squares - of_means * of_means)
    }
}

/// |x|².
fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum()
}
