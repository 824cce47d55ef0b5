//! Gates of mixtures of experts.

use super::{answer, area, check};
use crate::decisions::{self, GateConvention, GateOptions};
use crate::error::{Error, Result};
use std::ffi::c_char;

/// Convention of a gate, Mixtral: softmax over all experts, the k largest, renormalised.
pub const BREGMAN_GATE_MIXTRAL: u32 = 0;
/// Convention of a gate, Qwen2-MoE: softmax over all experts, the k largest, not renormalised.
pub const BREGMAN_GATE_QWEN2: u32 = 1;
/// Convention of a gate, Qwen3-MoE: as Mixtral.
pub const BREGMAN_GATE_QWEN3: u32 = 2;
/// Convention of a gate, gpt-oss: the k largest logits, softmax over these. The same weights as Mixtral's.
pub const BREGMAN_GATE_GPT_OSS: u32 = 3;
/// Convention of a gate, Llama 4: the k largest logits, the sigmoid of each.
pub const BREGMAN_GATE_LLAMA4: u32 = 4;
/// Convention of a gate, DeepSeek-V3 and GLM-4-MoE: s = sigmoid(h) of each logit h; the k largest s + bias within the
/// best groups of experts; weights s / (Σs + 1e-20) times the scale.
pub const BREGMAN_GATE_DEEPSEEK_V3: u32 = 5;

/// The gate of a mixture of experts. The last three fields are for BREGMAN_GATE_DEEPSEEK_V3, and 0 for the others.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_gate_options {
    /// sizeof(bregman_gate_options), set by the caller. The larger struct of a later version is accepted if its additional
    /// fields are 0.
    pub struct_size: u32,
    /// One of BREGMAN_GATE_.
    pub convention: u32,
    /// Number of experts, from 1 to INT32_MAX.
    pub experts: usize,
    /// Number of experts that each row goes to, from 1 to the number that can be chosen.
    pub top_k: usize,
    /// Number of groups of consecutive experts, which divides `experts`; 0 for 1.
    pub groups: usize,
    /// Number of groups from which experts are chosen: those with the largest sum of the two largest s + bias; 0 for all.
    pub top_groups: usize,
    /// Factor of the weights, positive and finite; 0 for 1.
    pub scale: f64,
}

// SAFETY: numbers alone.
unsafe impl check::Grows for bregman_gate_options {
    const FIRST_SIZE: usize = size_of::<Self>();
}

fn convention(number: u32) -> Result<GateConvention> {
    match number {
        BREGMAN_GATE_MIXTRAL => Ok(GateConvention::Mixtral),
        BREGMAN_GATE_QWEN2 => Ok(GateConvention::Qwen2),
        BREGMAN_GATE_QWEN3 => Ok(GateConvention::Qwen3),
        BREGMAN_GATE_GPT_OSS => Ok(GateConvention::GptOss),
        BREGMAN_GATE_LLAMA4 => Ok(GateConvention::Llama4),
        BREGMAN_GATE_DEEPSEEK_V3 => Ok(GateConvention::DeepSeekV3),
        other => Err(Error::InvalidArgument(format!("options->convention is {other}: must be one of BREGMAN_GATE_"))),
    }
}

/// Routes rows of router logits to experts by the convention of a model. For an engine that routes on the CPU, or checks
/// its routing against a second implementation; not for a GPU, where the gate is part of a kernel.
///
/// `bias`: NULL, or for BREGMAN_GATE_DEEPSEEK_V3 `options->experts` finite corrections, which change the choice and not the
/// weights. `logits`: `rows` rows of `options->experts` logits, finite or -infinity. `ids` and `weights` receive
/// `options->top_k` experts of each row, from 0, with their weights, in descending order of what they were chosen by
/// (ties: ascending id).
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an argument out of its range; a row of a convention with softmax in which every
/// logit is -infinity; NULL, misaligned), BREGMAN_UNSUPPORTED (a field of a later version). Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_route(
    options: *const bregman_gate_options,
    bias: *const f64,
    logits: *const f64,
    rows: usize,
    ids: *mut i32,
    weights: *mut f64,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    // SAFETY: the caller's struct and arrays.
    unsafe {
        answer(error, error_size, || {
            let options = check::sized(options, "options")?;
            let (experts, top_k) = (options.experts, options.top_k);
            let bias = if bias.is_null() { &[] } else { check::slice(bias, experts, "bias")? };
            let gate = GateOptions {
                convention: convention(options.convention)?,
                experts,
                top_k,
                groups: options.groups,
                top_groups: options.top_groups,
                scale: options.scale,
                bias,
            };
            let logits = check::slice(logits, area(rows, experts)?, "logits")?;
            let chosen = area(rows, top_k)?;
            let (ids, weights) = (check::slice_mut(ids, chosen, "ids")?, check::slice_mut(weights, chosen, "weights")?);
            let routes = decisions::route(&gate, logits)?;
            ids.copy_from_slice(&routes.ids);
            weights.copy_from_slice(&routes.weights);
            Ok(())
        })
    }
}
