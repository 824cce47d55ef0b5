//! The standard deviation of the logits (top-nσ).

use super::Vocabulary;
use super::kernels::deviation::{CentredSums, Centring};
use super::reads::Pass;

impl Vocabulary<'_> {
    /// The standard deviation of the finite logits, with n - `ddof` as divisor; 0 if that is not positive.
    ///
    /// One pass, centred at the mean of a sample. Only if the mean turns out to be further from there than the logits
    /// spread is there a second pass, centred at the mean, so that a small deviation far from zero keeps its digits.
    /// Logits whose squares would overflow f32 are summed again in smaller units.
    pub(crate) fn deviation(&mut self, ddof: u32) -> f64 {
        /// Squares below it leave room for a block's sum.
        const FITS: f64 = 1e30;
        /// 2^-80.
        const SMALL: f32 = f32::from_bits((127 - 80) << 23);
        let mut centring = Centring { centre: self.sampled_mean(), factor: 1.0 };
        let mut sums = self.centred_sums(centring);
        if sums.squares >= FITS || !sums.squares.is_finite() {
            centring.factor = SMALL;
            sums = self.centred_sums(centring);
        }
        let (factor, n) = (f64::from(centring.factor), sums.count as f64);
        // The squares around the mean are these less sum^2 / n; if that is more than half, centre at the mean.
        if sums.sum * sums.sum > 0.5 * sums.squares * n {
            let mean = f64::from(centring.centre) + sums.sum / n / factor;
            sums = self.centred_sums(Centring { centre: mean as f32, ..centring });
        }
        let divisor = n - f64::from(ddof);
        if divisor <= 0.0 {
            return 0.0;
        }
        let variance = (sums.squares - sums.sum * sums.sum / n).max(0.0) / divisor;
        variance.sqrt() / factor
    }

    /// The mean of the finite logits of a sample; the largest logit if it has none.
    fn sampled_mean(&mut self) -> f32 {
        let sampled = self.sample();
        let finite = self.scratch.sample.logits[..sampled].iter().filter(|l| l.is_finite());
        let (sum, n) = finite.fold((0.0, 0.0), |(sum, n), &l| (sum + f64::from(l), n + 1.0));
        if n > 0.0 { (sum / n) as f32 } else { self.max() }
    }

    fn centred_sums(&mut self, centring: Centring) -> CentredSums {
        let mut total = CentredSums::default();
        let Self { row, kernels, scratch, .. } = self;
        row.for_each_run(Pass::Deviation, 0..row.blocks(), &mut scratch.block, |_, run| {
            let part = (kernels.centred_sums)(run, centring);
            total.count += part.count;
            total.sum += part.sum;
            total.squares += part.squares;
        });
        total
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::lanes::LANES;
    use super::super::{FirstPass, Scratch, kernels};
    use super::*;
    use crate::logits::Row;

    #[test]
    fn deviation_is_exact_even_if_the_sample_is_not_representative() {
        // Whether token `i` is in the sample, which takes every tenth vector.
        let is_sampled = |i: u16| (i / LANES as u16).is_multiple_of(10);
        let tokens = || (0..40_000u16).map(|i| (i, f32::from(i % 7)));
        for (name, logits) in [
            ("uniform", (0..40_000u16).map(|i| f32::from(i % 997) / 100.0).collect::<Vec<_>>()),
            ("narrow, far from zero", tokens().map(|(_, l)| 1000.0 + l / 1024.0).collect()),
            (
                "outliers in the sample",
                tokens().map(|(i, l)| if is_sampled(i) { 5000.0 } else { l / 1024.0 }).collect(),
            ),
            (
                "sample without finite logits",
                tokens().map(|(i, l)| if is_sampled(i) { f32::NEG_INFINITY } else { l }).collect(),
            ),
            ("large", tokens().map(|(_, l)| l * 1e30).collect()),
        ] {
            let finite: Vec<f64> = logits.iter().filter(|l| l.is_finite()).map(|&l| f64::from(l)).collect();
            let mean = finite.iter().sum::<f64>() / finite.len() as f64;
            let squares: f64 = finite.iter().map(|l| (l - mean) * (l - mean)).sum();
            let exact = (squares / finite.len() as f64).sqrt();
            let mut scratch = Scratch::new();
            let mut vocab = Vocabulary::new(Row::from_f32(&logits).unwrap(), kernels().unwrap(), &mut scratch);
            vocab.read(FirstPass::Maxima, 1.0).unwrap();
            let found = vocab.deviation(0);
            assert!((found / exact - 1.0).abs() < 1e-5, "{name}: {found} {exact}");
        }
    }
}
