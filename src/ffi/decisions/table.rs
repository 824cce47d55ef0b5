//! The table of these functions behind one symbol, for hosts that `dlopen` the library. A function that is added gets a
//! field at the end, and a line in `TABLE`.

use super::*;

/// Every function of this header, under its name without the prefix `bregman_`. Described at the functions themselves.
/// Static.
///
/// The table grows at its end. Field `f` is in the library's table if `offsetof(bregman_decisions, f) < struct_size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_decisions {
    /// sizeof(bregman_decisions) in the library. It may be smaller or larger than in this header.
    pub struct_size: u32,
    /// BREGMAN_ABI_VERSION of the library.
    pub abi: u32,

    /// bregman_best_of_n
    pub best_of_n: unsafe extern "C" fn(
        p: *const f64,
        rewards: *const f64,
        outcomes: usize,
        n: u64,
        law: *mut f64,
        kl: *mut f64,
        win_rate: *mut f64,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_best_of_n_bounds
    pub best_of_n_bounds:
        unsafe extern "C" fn(n: u64, kl: *mut f64, win_rate: *mut f64, error: *mut c_char, error_size: usize) -> u32,
    /// bregman_best_of_n_kl_estimates
    pub best_of_n_kl_estimates: unsafe extern "C" fn(
        log_epsilons: *const f64,
        prompts: usize,
        n: u64,
        estimates: *mut f64,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_soft_values
    pub soft_values: unsafe extern "C" fn(
        values: *const f64,
        log_ratios: *const f64,
        rows: usize,
        candidates: usize,
        alpha: f64,
        weights: *mut f64,
        soft_values: *mut f64,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_route
    pub route: unsafe extern "C" fn(
        options: *const bregman_gate_options,
        bias: *const f64,
        logits: *const f64,
        rows: usize,
        ids: *mut i32,
        weights: *mut f64,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_next_arm
    pub next_arm: unsafe extern "C" fn(
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
    ) -> u32,
    /// bregman_best_arm
    pub best_arm: unsafe extern "C" fn(
        rewards: u32,
        sigma: f64,
        means: *const f64,
        pulls: *const u64,
        arms: usize,
        delta: f64,
        out: *mut bregman_verdict,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_abstain
    pub abstain: unsafe extern "C" fn(
        max_p: *const f64,
        ratios: *const f64,
        rows: usize,
        c_in: f64,
        c_out: f64,
        rejects: *mut u8,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_calibration_error
    pub calibration_error: unsafe extern "C" fn(
        probabilities: *const f64,
        ranks: *const u32,
        samples: usize,
        top: usize,
        bins: usize,
        level: f64,
        resamples: u32,
        seed: u64,
        out: *mut bregman_calibration,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_distortion
    pub distortion: unsafe extern "C" fn(
        log_kept: *const f64,
        tokens: usize,
        distortion: *mut f64,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
    /// bregman_distortion_of_logprobs
    pub distortion_of_logprobs: unsafe extern "C" fn(
        decoded: *const f64,
        model: *const f64,
        tokens: usize,
        distortion: *mut f64,
        error: *mut c_char,
        error_size: usize,
    ) -> u32,
}

static TABLE: bregman_decisions = bregman_decisions {
    struct_size: size_of::<bregman_decisions>() as u32,
    abi: BREGMAN_ABI_VERSION,
    best_of_n: bregman_best_of_n,
    best_of_n_bounds: bregman_best_of_n_bounds,
    best_of_n_kl_estimates: bregman_best_of_n_kl_estimates,
    soft_values: bregman_soft_values,
    route: bregman_route,
    next_arm: bregman_next_arm,
    best_arm: bregman_best_arm,
    abstain: bregman_abstain,
    calibration_error: bregman_calibration_error,
    distortion: bregman_distortion,
    distortion_of_logprobs: bregman_distortion_of_logprobs,
};

/// The type of bregman_get_decisions: what a host casts the result of `dlsym` to.
pub type bregman_get_decisions_fn = unsafe extern "C" fn(abi: u32) -> *const bregman_decisions;

/// The table of the functions of this header for version `abi` of the binary interface (the host's BREGMAN_ABI_VERSION).
/// The same static table at every call; NULL if this library does not have that version. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_get_decisions(abi: u32) -> *const bregman_decisions {
    guard(std::ptr::null(), || if abi == BREGMAN_ABI_VERSION { &raw const TABLE } else { std::ptr::null() })
}
