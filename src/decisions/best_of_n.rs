//! Best-of-n: of n independent candidates the one with the highest reward is returned (docs/mathematics.md, 15.1).
//!
//! For a host that reranks samples with a reward or a judge and reports how far that departs from the model. Not for choosing
//! among given candidates, which is a comparison of their rewards.

use super::check;
use crate::error::Result;
use crate::math::{exp, expm1, ln, log1p};
use crate::memory;
use std::cmp::Ordering;

/// The law of best-of-n over given outcomes.
#[derive(Debug, Clone, PartialEq)]
pub struct BestOfN {
    /// Probability of each outcome.
    pub law: Vec<f64>,
    /// Its Kullback-Leibler divergence from the law of one candidate, in nats.
    pub kl: f64,
    /// Probability that it beats one more candidate, where ties count one half.
    pub win_rate: f64,
}

/// What no reward can exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestOfNBounds {
    /// ln n - (n - 1) / n: the largest divergence from the law of one candidate, in nats.
    pub kl: f64,
    /// n / (n + 1): the largest win rate against one candidate.
    pub win_rate: f64,
}

/// The law of the best of `n` independent candidates. `p` has the weights of the outcomes under the law of one candidate:
/// not negative, with a positive finite sum, which need not be 1. `rewards` are compared and may be infinite; equal ones
/// are a tie, which the first candidate drawn wins.
///
/// # Errors
/// A weight or a sum out of its range, a reward that is NaN, `n` of 0, no outcomes, different lengths.
pub fn best_of_n(p: &[f64], rewards: &[f64], n: u64) -> Result<BestOfN> {
    check::positive(n, "n")?;
    check::same_length(rewards, "rewards", p, "p")?;
    check::positive(p.len() as u64, "the number of outcomes")?;
    check::all(p, "p", "finite and not negative", |p| p >= 0.0 && p.is_finite())?;
    check::all(rewards, "rewards", "a number", |r| !r.is_nan())?;
    let total: f64 = p.iter().sum();
    check::one(total, "the sum of p", "positive and finite", |total| total > 0.0 && total.is_finite())?;

    let descending = |&i: &usize, &j: &usize| rewards[j].partial_cmp(&rewards[i]).unwrap_or(Ordering::Equal);
    let mut order = memory::collected(p.len(), (0..p.len()).filter(|&i| p[i] > 0.0))?;
    order.sort_unstable_by(|i, j| descending(i, j).then(i.cmp(j)));
    let ties = || order.chunk_by(|&i, &j| rewards[i] == rewards[j]);
    let mass = |ties: &[usize]| ties.iter().map(|&i| p[i]).sum::<f64>() / total;
    let masses = memory::collected(order.len(), ties().map(mass))?;
    // The masses with a lower reward, summed from the lowest.
    let mut below = memory::filled(masses.len(), 0.0)?;
    for at in (1..masses.len()).rev() {
        below[at - 1] = below[at] + masses[at];
    }

    let mut best = BestOfN { law: memory::filled(p.len(), 0.0)?, kl: 0.0, win_rate: 0.0 };
    let mut above = 0.0;
    for ((ties, &mass), &below) in ties().zip(&masses).zip(&below) {
        let chosen = mass_of_best(above, mass, below, n as f64);
        for &i in ties {
            best.law[i] = chosen * (p[i] / total / mass);
        }
        best.kl += if chosen > 0.0 { chosen * ln(chosen / mass) } else { 0.0 };
        best.win_rate += chosen * (below + 0.5 * mass);
        above += mass;
    }
    best.kl = best.kl.max(0.0);
    Ok(best)
}

/// Fⁿ - F⁻ⁿ with F = `mass` + `below` and F⁻ = `below`, without cancellation: Fⁿ (1 - (F⁻/F)ⁿ).
fn mass_of_best(above: f64, mass: f64, below: f64, n: f64) -> f64 {
    let log_f = if above < 0.5 { log1p(-above) } else { ln(mass + below) };
    exp(n * log_f) * -expm1(-n * log1p(mass / below))
}

/// The bounds for `n` candidates, whatever the model and the reward.
///
/// # Errors
/// `n` of 0.
pub fn best_of_n_bounds(n: u64) -> Result<BestOfNBounds> {
    check::positive(n, "n")?;
    let n = n as f64;
    Ok(BestOfNBounds { kl: kl_bound(n), win_rate: n / (n + 1.0) })
}

fn kl_bound(n: f64) -> f64 {
    ln(n) - (n - 1.0) / n
}

/// Estimates of the divergence of best-of-n from the law of one candidate, in nats: one for each prompt, from ln ε, where
/// ε is the probability of the answer that was returned under the model. For a sequence ln ε is the sum of its tokens'
/// log-probabilities, of which ε itself would underflow. The mean over prompts is what a report states.
///
/// It is the exact divergence if the answer is the best that there is and no other answer has a noticeable probability; 0
/// for ε = 1, and [`best_of_n_bounds`] for ε = 0 (-infinity).
///
/// # Errors
/// A `log_epsilons` that is NaN or above 0, `n` of 0.
pub fn best_of_n_kl_estimates(log_epsilons: &[f64], n: u64) -> Result<Vec<f64>> {
    check::positive(n, "n")?;
    check::all(log_epsilons, "log_epsilons", "at most 0", |x| x <= 0.0)?;
    memory::collected(log_epsilons.len(), log_epsilons.iter().map(|&log_epsilon| kl_estimate(log_epsilon, n as f64)))
}

/// (1-ε)ⁿ (ln n + (n-1) ln(1-ε) - (n-1)/n) + c ln(c/ε) with c = 1 - (1-ε)ⁿ.
fn kl_estimate(log_epsilon: f64, n: f64) -> f64 {
    let log_rest = log_one_minus_exp(log_epsilon);
    let (rest, chosen) = (exp(n * log_rest), -expm1(n * log_rest));
    let others = if rest > 0.0 { rest * (kl_bound(n) + (n - 1.0) * log_rest) } else { 0.0 };
    let answer = if chosen > 0.0 { chosen * (ln(chosen) - log_epsilon) } else { 0.0 };
    (others + answer).max(0.0)
}

/// ln(1 - e^x) for x <= 0, accurate at both ends.
fn log_one_minus_exp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 { ln(-expm1(x)) } else { log1p(-exp(x)) }
}
