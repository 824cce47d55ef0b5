//! Detectors of watermarks.

use super::check;
use super::guard;
use super::types::*;
use crate::error::{Error, Result};
use crate::watermark_score;
use std::ffi::c_char;

/// What a detector says of a text.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_watermark {
    /// sizeof(bregman_watermark), set by the caller before the call.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The stage's statistic, larger for a marked text. watermark: the sum of -ln(1 - u) over the tokens counted.
    /// synthid: the mean of the bits (hash=transformers: with weights that fall from layer to layer). green_list: by
    /// how many standard deviations there are more green tokens than expected. 0 if no token counts.
    pub score: f64,
    /// The probability that a text which knows nothing of the key scores as much, from 0 to 1. 1 if no token counts.
    pub p_value: f64,
    /// Number of tokens that were counted: tokens whose context occurred before are not.
    pub counted: usize,
}

/// Looks for a watermark in a text of `n` tokens: the output from its beginning, without the prompt. Needs no sampler,
/// no logits and no model.
///
/// `stage`: the stage that marked it, as in a chain and with its parameters, such as "watermark(key=0x9d3c55aa10f2e671,
/// width=4)"; NUL-terminated UTF-8. green_list needs its parameter vocab here. `tokens` may be NULL if `n` is 0. `out`
/// receives the result; unchanged on failure. `error`: NULL, or a buffer of `error_size` bytes for the message of a
/// failure, which is cut to fit, NUL-terminated, and does not contain the key. Thread-safe; it allocates and takes time
/// with `n`.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, struct_size too small, a token that is negative or not in the
/// vocabulary), BREGMAN_INVALID_CHAIN (not the text of one watermark stage).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_watermark_score(
    stage: *const c_char,
    tokens: *const i32,
    n: usize,
    out: *mut bregman_watermark,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        let score = || -> Result<bregman_watermark> {
            check::pointer(out, "out")?;
            // SAFETY: just checked; the caller set this field.
            let struct_size = unsafe { (*out).struct_size };
            if (struct_size as usize) < size_of::<bregman_watermark>() {
                return Err(Error::InvalidArgument(format!(
                    "out->struct_size is {struct_size}, less than the {} of this version",
                    size_of::<bregman_watermark>()
                )));
            }
            // SAFETY: the caller's string.
            let stage = unsafe { check::text(stage, "stage", Error::InvalidChain) }?;
            // SAFETY: the caller's array.
            let score = watermark_score(stage, unsafe { check::slice(tokens, n, "tokens") }?)?;
            let crate::WatermarkScore { score, p_value, counted } = score;
            Ok(bregman_watermark { struct_size, reserved: 0, score, p_value, counted })
        };
        match score() {
            Ok(score) => {
                // SAFETY: checked above.
                unsafe { *out = score };
                BREGMAN_OK
            }
            Err(e) => {
                // SAFETY: the caller's buffer.
                unsafe { check::write_error(&e, error, error_size) };
                status_of(&e)
            }
        }
    })
}
