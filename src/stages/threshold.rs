//! What stages that keep the tokens above a log-weight have in common.

use super::{Built, Context, Stage, on};
use crate::distribution::{Distribution, Edge, Least, Ties};
use crate::error::Result;
use crate::parameters::Arguments;
use crate::vocab::FirstPass;

/// Probabilities at least this share of a threshold are equal to it. Equal tokens are often exactly at a threshold, which
/// is a rounded sum, in f32 while the support is the whole vocabulary.
pub(super) const EQUAL: f64 = 1.0 - 1e-6;

/// A stage that keeps the tokens whose log-weight, relative to the first token's, is at least `log_weight(dist)`.
struct Threshold<F> {
    first_pass: FirstPass,
    edge: Edge,
    least: Least,
    log_weight: F,
}

/// Such a stage. `first_pass` is what `log_weight` needs of a row; `ties` says what becomes of the equals of the last
/// of `min_keep` tokens.
pub(super) fn threshold(
    arguments: &Arguments,
    first_pass: FirstPass,
    (edge, ties): (Edge, Ties),
    log_weight: impl Fn(&mut Distribution<'_>) -> f64 + Send + Sync + 'static,
) -> Built {
    let least = Least { tokens: arguments.count("min_keep"), ties };
    on(Threshold { first_pass, edge, least, log_weight })
}

impl<F: Fn(&mut Distribution<'_>) -> f64 + Send + Sync> Stage for Threshold<F> {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(self.first_pass)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        let x = (self.log_weight)(dist);
        dist.keep_down_to(x, self.edge, self.least);
        Ok(())
    }
}
