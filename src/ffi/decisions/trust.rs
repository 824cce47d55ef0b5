//! Abstention, calibration and distortion.

use super::{answer, area, check, check_sized};
use crate::decisions;
use std::ffi::c_char;

/// The answer of bregman_calibration_error, of the squared error.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_calibration {
    /// sizeof(bregman_calibration), set by the caller before the call. Fields of a later version than the library's stay as
    /// they were.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Number of cells with at least one sample.
    pub cells: usize,
    /// An unbiased estimate T of the squared error of the binned probabilities; negative at times if that is near 0.
    pub squared_error: f64,
    /// n times the variance of T, estimated, where n is the number of samples; at times below 0 by a little.
    pub variance: f64,
    /// Lower end of the interval for the squared error, at least 0.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
    /// p-value of the test that the probabilities are calibrated; NaN without resamples.
    pub p_value: f64,
}

/// Whether to answer at all, for inputs that the model may not have been made for (SCOD, arXiv 2301.12386):
/// (1 - c_in - c_out)(1 - max p) + c_out ρ > c_in rejects. For a host that returns "I do not know" or asks a larger model; not
/// a detector, because max p and ρ are the caller's.
///
/// `max_p`: `rows` probabilities of the most likely answer, from 0 to 1. `ratios`: an estimate of ρ for each, how much
/// likelier the input is under the other inputs than under those that the model was made for; from 0, +infinity allowed.
/// `c_in`: the cost of rejecting an input of the model's own; `c_out`: the cost of answering another one, where an error on
/// an input of the model's own costs 1 - c_in - c_out; not negative, with a sum of at most 1. `rejects` receives `rows`
/// bytes, 1 to reject and 0 to answer.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_abstain(
    max_p: *const f64,
    ratios: *const f64,
    rows: usize,
    c_in: f64,
    c_out: f64,
    rejects: *mut u8,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's arrays.
    unsafe {
        answer(error, error_size, || {
            let (max_p, ratios) = (check::slice(max_p, rows, "max_p")?, check::slice(ratios, rows, "ratios")?);
            let rejects = check::slice_mut(rejects, rows, "rejects")?;
            for (to, from) in rejects.iter_mut().zip(decisions::abstain(max_p, ratios, c_in, c_out)?) {
                *to = u8::from(from);
            }
            Ok(())
        })
    }
}

/// The ℓ2 calibration error of the `top` most likely classes, with an interval (arXiv 2408.08998) and a test. For a host that
/// reports whether probabilities can be trusted; not for small sets, where a cell of one sample says nothing.
///
/// `probabilities`: `samples` rows of `top` probabilities (`top` at least 1; 1 for the confidence alone), each from 0 to 1,
/// with a sum of at most 1. `ranks`: for each sample 1 if the first of these classes was right, 2 if the second was, and so
/// on, 0 if none was; with `top` 1 that is 1 for a right answer and 0 for a wrong one. Each probability is sorted into one
/// of `bins` bins of the same width (1 to UINT32_MAX; a probability of 1 is in the last); samples with the same bins make a
/// cell. `level`: the coverage of the interval, above 0 and below 1.
///
/// The test draws `resamples` sets of outcomes from the probabilities, with the random numbers of `seed`, and counts those
/// with at least the same T. It is exact, and its cost is proportional to `resamples` times `samples`; 999 is usual, 0 is
/// for none. `out` receives the answer; the caller sets its `struct_size`.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, no samples, NULL, misaligned). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_calibration_error(
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
) -> u32 {
    // SAFETY: the caller's struct and arrays.
    unsafe {
        answer(error, error_size, || {
            let probabilities = check::slice(probabilities, area(samples, top)?, "probabilities")?;
            let ranks = check::slice(ranks, samples, "ranks")?;
            check_sized(out, "out")?;
            let found = decisions::calibration_error(probabilities, ranks, top, bins, level, resamples, seed)?;
            *out = bregman_calibration {
                struct_size: (*out).struct_size,
                reserved: 0,
                cells: found.cells,
                squared_error: found.squared_error,
                variance: found.variance,
                lower: found.lower,
                upper: found.upper,
                p_value: found.p_value,
            };
            Ok(())
        })
    }
}

/// The distortion of a sequence by truncation with renormalisation (arXiv 2503.21929): ln q - ln p = -Σ ln S_t, in nats,
/// where q is the law that was sampled, p the model's, and S_t the mass that was kept for token t. For a host that compares
/// samples with the model's own law; not a measure of quality.
///
/// `log_kept`: ln S_t of `tokens` tokens, finite and at most 0. It has to be ln S_t, because f32 knows no S_t between
/// 1 - 6e-8 and 1. `distortion` receives the sum, 0 for no tokens.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_distortion(
    log_kept: *const f64,
    tokens: usize,
    distortion: *mut f64,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's array and number.
    unsafe {
        answer(error, error_size, || {
            let log_kept = check::slice(log_kept, tokens, "log_kept")?;
            check::pointer(distortion, "distortion")?;
            *distortion = decisions::distortion(log_kept)?;
            Ok(())
        })
    }
}

/// bregman_distortion for any decoder, such as Bregman's with α ≠ 1, which does more than renormalise:
/// Σ (ln p̂_t - ln p_t) over the tokens of a sequence, in nats.
///
/// `decoded`: ln p̂_t of `tokens` tokens under the decoded distribution; `model`: ln p_t of the same under the model; both
/// finite and at most 0. `distortion` receives the sum, 0 for no tokens.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range, NULL, misaligned). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_distortion_of_logprobs(
    decoded: *const f64,
    model: *const f64,
    tokens: usize,
    distortion: *mut f64,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's arrays and number.
    unsafe {
        answer(error, error_size, || {
            let (decoded, model) = (check::slice(decoded, tokens, "decoded")?, check::slice(model, tokens, "model")?);
            check::pointer(distortion, "distortion")?;
            *distortion = decisions::distortion_of_logprobs(decoded, model)?;
            Ok(())
        })
    }
}
