//! Which of several arms to pull next to find the best one: top-two rules (docs/mathematics.md, 15.3).
//!
//! For a host that asks a judge or a verifier again and again which of k candidates is best, and pays for every answer. Not
//! for earning rewards on the way (a bandit's regret), and not for candidates whose rewards are known after one look.

use super::check;
use super::draws::Draws;
use super::stopping::{Rewards, check_arms, cost};
use crate::error::Result;
use crate::random::Purpose;

/// How the challenger of the leader is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArmRule {
    /// Top-two Thompson sampling: the posterior is drawn again until another arm leads.
    Ttts,
    /// T3C: the arm with the smallest transport cost from the leader; of several the draw decides.
    T3c,
}

/// The rule of [`next_arm`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmOptions {
    /// How the challenger is found.
    pub rule: ArmRule,
    /// What the rewards are like.
    pub rewards: Rewards,
    /// Probability of pulling the leader, above 0 and at most 1; 0.5 is usual.
    pub beta: f64,
    /// TTTS: after so many draws with the same leader the challenger is T3C's; 0 for 1000. T3C: 0.
    pub redraws: u32,
}

/// The answer of [`next_arm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextArm {
    /// The arm to pull.
    pub arm: usize,
    /// The leader: `arm` itself, or the arm that `arm` challenges.
    pub leader: usize,
}

/// The arm to pull next. An arm without pulls comes first, the lowest one.
///
/// `means`: the mean reward of each arm so far, as [`best_arm`](super::best_arm). `pulls`: how often each was pulled. The
/// answer is a function of the arguments: take the number of pulls so far, or a count of calls, as the `position` of the
/// random numbers of `seed`, so that no two calls use the same ones. The prior is flat: for Bernoulli rewards the uniform
/// one.
///
/// # Errors
/// An argument out of its range, no arms, different lengths.
pub fn next_arm(options: &ArmOptions, means: &[f64], pulls: &[u64], seed: u64, position: u64) -> Result<NextArm> {
    let ArmOptions { rule, rewards, beta, redraws } = *options;
    check_arms(rewards, means, pulls)?;
    check::one(beta, "beta", "above 0 and at most 1", |beta| beta > 0.0 && beta <= 1.0)?;
    if rule == ArmRule::T3c && redraws != 0 {
        return check::refuse(format!("redraws is {redraws}: only TTTS draws again"));
    }
    if let Some(arm) = pulls.iter().position(|&n| n == 0) {
        return Ok(NextArm { arm, leader: arm });
    }
    let mut draws = Draws::new(seed, position, Purpose::Arm);
    let leader = draw_leader(rewards, means, pulls, &mut draws);
    if means.len() == 1 || draws.uniform() < beta {
        return Ok(NextArm { arm: leader, leader });
    }
    let most = match (rule, redraws) {
        (ArmRule::T3c, _) => 0,
        (ArmRule::Ttts, 0) => 1000,
        (ArmRule::Ttts, redraws) => redraws,
    };
    let another = (0..most).map(|_| draw_leader(rewards, means, pulls, &mut draws)).find(|&arm| arm != leader);
    let arm = another.unwrap_or_else(|| closest(rewards, means, pulls, leader, &mut draws));
    Ok(NextArm { arm, leader })
}

/// The arm with the largest mean in a draw from the posterior.
fn draw_leader(rewards: Rewards, means: &[f64], pulls: &[u64], draws: &mut Draws) -> usize {
    let (mut leader, mut most) = (0, f64::NEG_INFINITY);
    for (i, (&mean, &n)) in means.iter().zip(pulls).enumerate() {
        let n = n as f64;
        let theta = match rewards {
            Rewards::Gaussian { sigma } => mean + sigma / n.sqrt() * draws.normal(),
            Rewards::Bernoulli => draws.beta(1.0 + n * mean, 1.0 + n * (1.0 - mean)),
        };
        if theta > most {
            (leader, most) = (i, theta);
        }
    }
    leader
}

/// The other arm with the smallest transport cost from the leader; of several, each with the same probability.
fn closest(rewards: Rewards, means: &[f64], pulls: &[u64], leader: usize, draws: &mut Draws) -> usize {
    let others = || (0..means.len()).filter(|&j| j != leader).map(|j| (j, cost(rewards, means, pulls, leader, j)));
    let least = others().map(|(_, cost)| cost).fold(f64::INFINITY, f64::min);
    let ties = || others().filter(|&(_, cost)| cost <= least).map(|(j, _)| j);
    // The first is there: some cost is the least.
    ties().nth(draws.below(ties().count())).unwrap_or(leader)
}
