//! When the best of several arms is known with a given confidence (docs/mathematics.md, 15.3).
//!
//! For a host that pays for every judgement of a candidate. Not for a budget that is fixed beforehand.

use super::check::{self, refuse};
use crate::error::Result;
use crate::math::ln;

/// What the rewards of an arm are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rewards {
    /// Normal with a known standard deviation, the same for all arms; positive and finite.
    Gaussian {
        /// The standard deviation.
        sigma: f64,
    },
    /// 0 or 1.
    Bernoulli,
}

/// The answer of [`best_arm`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether `best` may be returned now: the statistic is at least the threshold.
    pub stop: bool,
    /// The arm with the largest mean (ties: the lowest); 0 if no arm was pulled.
    pub best: usize,
    /// The evidence for it: the smallest [`transport_cost`] against another arm. 0 while an arm was not pulled, infinite
    /// for a single arm.
    pub statistic: f64,
    /// ln((1 + ln t) / δ), where t is the number of pulls of all arms.
    pub threshold: f64,
}

/// Whether the arms were pulled often enough to return the best one, with an error probability of `delta`, in (0, 1).
///
/// `means`: the mean reward of each arm, finite, and for [`Rewards::Bernoulli`] from 0 to 1; not read for an arm without
/// pulls. `pulls`: how often each was pulled. The threshold is the usual one. It has no proof for a finite number of pulls;
/// in simulations the errors stay well below `delta`.
///
/// # Errors
/// An argument out of its range, no arms, different lengths.
pub fn best_arm(rewards: Rewards, means: &[f64], pulls: &[u64], delta: f64) -> Result<Verdict> {
    check_arms(rewards, means, pulls)?;
    check::one(delta, "delta", "above 0 and below 1", |delta| delta > 0.0 && delta < 1.0)?;
    let pulled = || (0..means.len()).filter(|&i| pulls[i] > 0);
    let best = pulled().fold(None, |best: Option<usize>, i| best.filter(|&b| means[b] >= means[i]).or(Some(i)));
    let best = best.unwrap_or(0);
    let others = (0..means.len()).filter(|&j| j != best);
    let costs = others.map(|j| cost(rewards, means, pulls, best, j));
    let statistic = if pulls.contains(&0) { 0.0 } else { costs.fold(f64::INFINITY, f64::min) };
    let t = pulls.iter().map(|&n| n as f64).sum::<f64>().max(1.0);
    let threshold = ln((1.0 + ln(t)) / delta);
    Ok(Verdict { stop: statistic >= threshold, best, statistic, threshold })
}

/// W(i, j): how much evidence the pulls have that arm `i` is better than arm `j`; 0 if its mean is not larger.
///
/// # Errors
/// As [`best_arm`]; an arm that does not exist.
pub fn transport_cost(rewards: Rewards, means: &[f64], pulls: &[u64], i: usize, j: usize) -> Result<f64> {
    check_arms(rewards, means, pulls)?;
    for (arm, name) in [(i, "i"), (j, "j")] {
        if arm >= means.len() {
            return refuse(format!("{name} is {arm}: there are {} arms", means.len()));
        }
    }
    Ok(cost(rewards, means, pulls, i, j))
}

pub(super) fn check_arms(rewards: Rewards, means: &[f64], pulls: &[u64]) -> Result<()> {
    check::same_length(pulls, "pulls", means, "means")?;
    check::positive(means.len() as u64, "the number of arms")?;
    if let Rewards::Gaussian { sigma } = rewards {
        check::one(sigma, "sigma", "positive and finite", |sigma| sigma > 0.0 && sigma.is_finite())?;
    }
    let (must, holds): (_, fn(f64) -> bool) = match rewards {
        Rewards::Gaussian { .. } => ("finite", f64::is_finite),
        Rewards::Bernoulli => ("from 0 to 1", check::is_probability),
    };
    match (0..means.len()).find(|&i| pulls[i] > 0 && !holds(means[i])) {
        Some(at) => refuse(format!("means[{at}] is {}: must be {must}", means[at])),
        None => Ok(()),
    }
}

/// [`transport_cost`] of arms that exist.
pub(super) fn cost(rewards: Rewards, means: &[f64], pulls: &[u64], i: usize, j: usize) -> f64 {
    if pulls[i] == 0 || pulls[j] == 0 || means[i] <= means[j] {
        return 0.0;
    }
    let (a, b, n, m) = (means[i], means[j], pulls[i] as f64, pulls[j] as f64);
    match rewards {
        Rewards::Gaussian { sigma } => {
            let gap = (a - b) / sigma;
            gap * gap / (2.0 * (1.0 / n + 1.0 / m))
        }
        Rewards::Bernoulli => {
            let pooled = (n * a + m * b) / (n + m);
            n * divergence(a, pooled) + m * divergence(b, pooled)
        }
    }
}

/// The Kullback-Leibler divergence of two Bernoulli laws.
fn divergence(a: f64, b: f64) -> f64 {
    let term = |a: f64, b: f64| if a > 0.0 { a * ln(a / b) } else { 0.0 };
    (term(a, b) + term(1.0 - a, 1.0 - b)).max(0.0)
}
