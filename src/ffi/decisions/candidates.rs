//! Best-of-n and soft values.

use super::{answer, area, check};
use crate::decisions;
use std::ffi::c_char;

/// The law of best-of-n: of `n` independent candidates the one with the highest reward is returned (arXiv 2401.01879).
/// For a host that reranks samples and wants to know what comes out; not for choosing among given candidates, which is a
/// comparison of their rewards.
///
/// `p`: `outcomes` weights of the outcomes under the law of one candidate, not negative, with a positive finite sum that
/// need not be 1. `rewards`: the reward of each, which may be infinite; equal ones are a tie, which the first candidate
/// drawn wins. `n`: at least 1. `law` receives the `outcomes` probabilities under best-of-n; `kl` their Kullback-Leibler
/// divergence from the law of one candidate, in nats; `win_rate` the probability that best-of-n beats one more candidate,
/// where ties count one half.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_best_of_n(
    p: *const f64,
    rewards: *const f64,
    outcomes: usize,
    n: u64,
    law: *mut f64,
    kl: *mut f64,
    win_rate: *mut f64,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's arrays.
    unsafe {
        answer(error, error_size, || {
            let (p, rewards) = (check::slice(p, outcomes, "p")?, check::slice(rewards, outcomes, "rewards")?);
            let law = check::slice_mut(law, outcomes, "law")?;
            check::pointer(kl, "kl")?;
            check::pointer(win_rate, "win_rate")?;
            let best = decisions::best_of_n(p, rewards, n)?;
            law.copy_from_slice(&best.law);
            (*kl, *win_rate) = (best.kl, best.win_rate);
            Ok(())
        })
    }
}

/// What best-of-n cannot exceed, whatever the model and the reward: `kl` receives ln n - (n - 1) / n, the largest
/// Kullback-Leibler divergence from the law of one candidate, in nats; `win_rate` n / (n + 1). For a host that reports how far
/// a reranker can depart from the model. `n`: at least 1.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (n, NULL, misaligned). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_best_of_n_bounds(
    n: u64,
    kl: *mut f64,
    win_rate: *mut f64,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's numbers.
    unsafe {
        answer(error, error_size, || {
            check::pointer(kl, "kl")?;
            check::pointer(win_rate, "win_rate")?;
            let bounds = decisions::best_of_n_bounds(n)?;
            (*kl, *win_rate) = (bounds.kl, bounds.win_rate);
            Ok(())
        })
    }
}

/// Estimates how far best-of-n departs from the model, from nothing but the probability ε of the answer that it returned:
/// one estimate of the Kullback-Leibler divergence, in nats, for each prompt. A report states the mean over its prompts.
///
/// `log_epsilons`: ln ε of `prompts` answers under the model, at most 0, -infinity allowed; of a sequence, the sum of its
/// tokens' log-probabilities. `n`: the number of candidates of each prompt, at least 1. `estimates` receives `prompts`
/// numbers from 0 to the bound of bregman_best_of_n_bounds. An estimate is exact if its answer is the best that there is
/// and no other answer has a noticeable probability.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_best_of_n_kl_estimates(
    log_epsilons: *const f64,
    prompts: usize,
    n: u64,
    estimates: *mut f64,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's arrays.
    unsafe {
        answer(error, error_size, || {
            let log_epsilons = check::slice(log_epsilons, prompts, "log_epsilons")?;
            let estimates = check::slice_mut(estimates, prompts, "estimates")?;
            estimates.copy_from_slice(&decisions::best_of_n_kl_estimates(log_epsilons, n)?);
            Ok(())
        })
    }
}

/// Weights and soft values of candidates (SVDD, arXiv 2408.08252): w_m ∝ exp(v_m / α + l_m), and
/// α ln((1/M) Σ exp(v_m / α + l_m)) in the unit of the values. For a host that steers a generation by a value of its
/// continuations; not for drawing one, which `draw` over ln w does.
///
/// `values`: `rows` rows of `candidates` values (M, at least 1), finite or -infinity. `log_ratios`: NULL if the candidates
/// were drawn from the model; otherwise l_m for each value, ln of the candidate's probability under the model less ln of
/// that under the proposal from which it was drawn, finite or -infinity. `alpha`: positive and finite; small for the best
/// candidate alone, large for equal weights. `weights` receives a weight for each value, which sum to 1 in each row;
/// `soft_values` one number for each row.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, a row without a positive weight, NULL, misaligned).
/// Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_soft_values(
    values: *const f64,
    log_ratios: *const f64,
    rows: usize,
    candidates: usize,
    alpha: f64,
    weights: *mut f64,
    soft_values: *mut f64,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's arrays.
    unsafe {
        answer(error, error_size, || {
            let all = area(rows, candidates)?;
            let values = check::slice(values, all, "values")?;
            let log_ratios =
                if log_ratios.is_null() { None } else { Some(check::slice(log_ratios, all, "log_ratios")?) };
            let weights = check::slice_mut(weights, all, "weights")?;
            let soft_values = check::slice_mut(soft_values, rows, "soft_values")?;
            let soft = decisions::soft_values(values, log_ratios, candidates, alpha)?;
            weights.copy_from_slice(&soft.weights);
            soft_values.copy_from_slice(&soft.values);
            Ok(())
        })
    }
}
