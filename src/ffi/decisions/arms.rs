//! Which arm to pull, and when to stop.

use super::{answer, check, check_sized};
use crate::decisions::{self, ArmOptions, ArmRule, Rewards};
use crate::error::{Error, Result};
use std::ffi::c_char;

/// Rewards of arms: normal with a known standard deviation, the same for all arms.
pub const BREGMAN_REWARDS_GAUSSIAN: u32 = 0;
/// Rewards of arms: 0 or 1.
pub const BREGMAN_REWARDS_BERNOULLI: u32 = 1;

/// Rule of bregman_next_arm: top-two Thompson sampling. The posterior is drawn again until another arm leads.
pub const BREGMAN_ARMS_TTTS: u32 = 0;
/// Rule of bregman_next_arm: T3C. The challenger is the arm with the smallest transport cost from the leader; of several
/// the draw decides.
pub const BREGMAN_ARMS_T3C: u32 = 1;

/// The rule of bregman_next_arm.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_arm_options {
    /// sizeof(bregman_arm_options), set by the caller. The larger struct of a later version is accepted if its additional
    /// fields are 0.
    pub struct_size: u32,
    /// BREGMAN_ARMS_TTTS or BREGMAN_ARMS_T3C.
    pub rule: u32,
    /// BREGMAN_REWARDS_GAUSSIAN or BREGMAN_REWARDS_BERNOULLI.
    pub rewards: u32,
    /// BREGMAN_ARMS_TTTS: after so many draws with the same leader the challenger is T3C's; 0 for 1000. Otherwise 0.
    pub redraws: u32,
    /// BREGMAN_REWARDS_GAUSSIAN: the standard deviation of one reward, positive and finite. Otherwise 0.
    pub sigma: f64,
    /// Probability of pulling the leader, above 0 and at most 1; 0.5 is usual.
    pub beta: f64,
}

// SAFETY: numbers alone.
unsafe impl check::Grows for bregman_arm_options {
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// The answer of bregman_best_arm.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_verdict {
    /// sizeof(bregman_verdict), set by the caller before the call. Fields of a later version than the library's stay as
    /// they were.
    pub struct_size: u32,
    /// 1 if `best` may be returned now, that is if `statistic` is at least `threshold`; otherwise 0.
    pub stop: u32,
    /// The arm with the largest mean (ties: the lowest); 0 if no arm was pulled.
    pub best: usize,
    /// The evidence for it: the smallest transport cost W(best, j) over the other arms j. 0 while an arm was not pulled,
    /// infinity for a single arm.
    pub statistic: f64,
    /// ln((1 + ln t) / δ), where t is the number of pulls of all arms.
    pub threshold: f64,
}

fn rewards(number: u32, sigma: f64, name: &str) -> Result<Rewards> {
    match number {
        BREGMAN_REWARDS_GAUSSIAN => Ok(Rewards::Gaussian { sigma }),
        BREGMAN_REWARDS_BERNOULLI if sigma == 0.0 => Ok(Rewards::Bernoulli),
        BREGMAN_REWARDS_BERNOULLI => {
            Err(Error::InvalidArgument(format!("sigma is {sigma}: must be 0 for BREGMAN_REWARDS_BERNOULLI")))
        }
        other => Err(Error::InvalidArgument(format!("{name} is {other}: must be one of BREGMAN_REWARDS_"))),
    }
}

/// The arm to pull next to find the one with the largest mean reward: a candidate to judge, a prompt to try (TTTS; T3C of
/// arXiv 1910.10945). For a host that pays for every answer of a judge; not for earning rewards on the way. An arm without
/// pulls comes first, the lowest one.
///
/// `means`: the mean reward of each of the `arms` arms so far, finite, and for BREGMAN_REWARDS_BERNOULLI from 0 to 1; not
/// read for an arm without pulls. `pulls`: how often each was pulled. `arms`: at least 1. The answer is a function of the
/// arguments: take the number of pulls so far as the `position` of the random numbers of `seed`, so that no two calls use
/// the same ones. `arm` receives the arm to pull, `leader` the leader: the same, or the arm that it challenges.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned), BREGMAN_UNSUPPORTED (a field of a
/// later version). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_next_arm(
    options: *const bregman_arm_options,
    means: *const f64,
    pulls: *const u64,
    arms: usize,
    seed: u64,
    position: u64,
    arm: *mut usize,
    leader: *mut usize,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's struct and arrays.
    unsafe {
        answer(error, error_size, || {
            let options = check::sized(options, "options")?;
            let (means, pulls) = (check::slice(means, arms, "means")?, check::slice(pulls, arms, "pulls")?);
            check::pointer(arm, "arm")?;
            check::pointer(leader, "leader")?;
            let rule = match options.rule {
                BREGMAN_ARMS_TTTS => ArmRule::Ttts,
                BREGMAN_ARMS_T3C => ArmRule::T3c,
                other => {
                    let what = format!("options->rule is {other}: must be BREGMAN_ARMS_TTTS or BREGMAN_ARMS_T3C");
                    return Err(Error::InvalidArgument(what));
                }
            };
            let rewards = rewards(options.rewards, options.sigma, "options->rewards")?;
            let options = ArmOptions { rule, rewards, beta: options.beta, redraws: options.redraws };
            let next = decisions::next_arm(&options, means, pulls, seed, position)?;
            (*arm, *leader) = (next.arm, next.leader);
            Ok(())
        })
    }
}

/// Whether the arms were pulled often enough to return the best one: the stopping rule beside bregman_next_arm.
///
/// `rewards`: BREGMAN_REWARDS_GAUSSIAN with `sigma`, the standard deviation of one reward, or BREGMAN_REWARDS_BERNOULLI with
/// 0. `means`, `pulls` and `arms` as for bregman_next_arm. `delta`: the accepted probability of a wrong arm, above 0 and
/// below 1. The threshold is the usual one, ln((1 + ln t) / δ); it has no proof for a finite number of pulls, and errors
/// were well below `delta` in simulations. `out` receives the verdict; the caller sets its `struct_size`.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_best_arm(
    rewards: u32,
    sigma: f64,
    means: *const f64,
    pulls: *const u64,
    arms: usize,
    delta: f64,
    out: *mut bregman_verdict,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's struct and arrays.
    unsafe {
        answer(error, error_size, || {
            let (means, pulls) = (check::slice(means, arms, "means")?, check::slice(pulls, arms, "pulls")?);
            check_sized(out, "out")?;
            let verdict = decisions::best_arm(self::rewards(rewards, sigma, "rewards")?, means, pulls, delta)?;
            *out = bregman_verdict {
                struct_size: (*out).struct_size,
                stop: u32::from(verdict.stop),
                best: verdict.best,
                statistic: verdict.statistic,
                threshold: verdict.threshold,
            };
            Ok(())
        })
    }
}
