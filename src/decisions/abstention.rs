//! Abstention: whether to answer at all, when an input may be one that the model was not made for (docs/mathematics.md,
//! 15.4).
//!
//! For a host that returns "I do not know" or asks a larger model. Not a detector: max p and the density ratio are the
//! caller's, and the decision is as good as these.

use super::check;
use crate::error::Result;
use crate::memory;

/// Which inputs to reject: (1 - c_in - c_out)(1 - max p) + c_out ρ > c_in for each.
///
/// `max_p`: the probability of the most likely answer, from 0 to 1. `ratios`: an estimate of ρ = P_out(x) / P_in(x), how
/// much likelier the input is under the other inputs than under those that the model was made for; from 0, may be
/// +infinity. `c_in` is the cost of rejecting an input of the model's own, `c_out` that of answering another one, where an
/// error on an input of the model's own costs 1 - c_in - c_out; not negative, with a sum of at most 1.
///
/// # Errors
/// A number out of its range, different lengths.
pub fn abstain(max_p: &[f64], ratios: &[f64], c_in: f64, c_out: f64) -> Result<Vec<bool>> {
    check::same_length(ratios, "ratios", max_p, "max_p")?;
    check::one(c_in, "c_in", "from 0 to 1", check::is_probability)?;
    check::one(c_out, "c_out", "from 0 to 1", check::is_probability)?;
    // The sum of two costs such as 0.7 and 0.3 may be above 1 by a rounding.
    check::one(c_in + c_out, "c_in + c_out", "at most 1", |sum| sum <= 1.0 + f64::EPSILON)?;
    let c_error = (1.0 - c_in - c_out).max(0.0);
    check::all(max_p, "max_p", "from 0 to 1", check::is_probability)?;
    check::all(ratios, "ratios", "not negative", |ratio| ratio >= 0.0)?;
    let rejects = |(&p, &ratio): (&f64, &f64)| {
        let of_answer = if c_out > 0.0 { c_out * ratio } else { 0.0 };
        c_error * (1.0 - p) + of_answer > c_in
    };
    memory::collected(max_p.len(), max_p.iter().zip(ratios).map(rejects))
}
