//! How far the logits spread: their standard deviation, which top-nσ needs.

use super::Vocabulary;
use super::kernels::spread::{Measure, Spread};

impl Vocabulary<'_> {
    /// The standard deviation of the finite logits, the sum of squares divided by their number less `ddof`; 0 where
    /// that is none.
    ///
    /// One pass around the mean of a sample. Only if the mean turns out to be further from there than the logits
    /// spread, there is another around it, so that a small deviation far from zero keeps its digits; and logits whose
    /// squares would not fit f32 are looked at again in a unit of their own.
    pub(crate) fn deviation(&mut self, ddof: u32) -> f64 {
        /// Squares below it leave room for a block's sum.
        const FITS: f64 = 1e30;
        /// 2^-80.
        const SMALL: f32 = f32::from_bits((127 - 80) << 23);
        let mut measure = Measure { centre: self.sampled_mean(), factor: 1.0 };
        let mut around = self.spread(measure);
        if around.squares >= FITS || !around.squares.is_finite() {
            measure.factor = SMALL;
            around = self.spread(measure);
        }
        let (factor, n) = (f64::from(measure.factor), around.count as f64);
        // Squares around the mean are what is left of these without the mean's own share: half of them at the least.
        if around.sum * around.sum > 0.5 * around.squares * n {
            let mean = f64::from(measure.centre) + around.sum / n / factor;
            around = self.spread(Measure { centre: mean as f32, ..measure });
        }
        let divisor = n - f64::from(ddof);
        if divisor <= 0.0 {
            return 0.0;
        }
        let variance = (around.squares - around.sum * around.sum / n).max(0.0) / divisor;
        variance.sqrt() / factor
    }

    /// The mean of the finite logits of a sample; the largest logit if it has none.
    fn sampled_mean(&mut self) -> f32 {
        let sampled = self.sample();
        let finite = self.scratch.sample.logits[..sampled].iter().filter(|l| l.is_finite());
        let (sum, n) = finite.fold((0.0, 0.0), |(sum, n), &l| (sum + f64::from(l), n + 1.0));
        if n > 0.0 { (sum / n) as f32 } else { self.max() }
    }

    fn spread(&mut self, measure: Measure) -> Spread {
        let mut total = Spread::default();
        let Self { row, kernels, scratch, .. } = self;
        row.for_each_run(0..row.blocks(), &mut scratch.copied, |_, run| {
            let part = (kernels.spread)(run, measure);
            total.count += part.count;
            total.sum += part.sum;
            total.squares += part.squares;
        });
        total
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FirstPass, LANES, Scratch, kernels};
    use super::*;
    use crate::logits::Row;

    #[test]
    fn the_deviation_is_right_whatever_the_sample_says() {
        // A sample takes the first of every few vectors.
        let first = |i: u16| (i / LANES as u16).is_multiple_of(10);
        let tokens = || (0..40_000u16).map(|i| (i, f32::from(i % 7)));
        for (name, logits) in [
            ("even", (0..40_000u16).map(|i| f32::from(i % 997) / 100.0).collect::<Vec<_>>()),
            ("far and narrow", tokens().map(|(_, l)| 1000.0 + l / 1024.0).collect()),
            ("a sample far off", tokens().map(|(i, l)| if first(i) { 5000.0 } else { l / 1024.0 }).collect()),
            ("a sample of nothing", tokens().map(|(i, l)| if first(i) { f32::NEG_INFINITY } else { l }).collect()),
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
