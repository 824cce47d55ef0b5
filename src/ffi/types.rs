//! The structs and constants of the C ABI: fixed-width, no `bool`, no bit-field.

use crate::error::Error;
use crate::logits::Candidate;
use crate::sampler::Token;
use std::ffi::c_void;

/// Version of the binary interface; the shared library's SONAME follows it. Functions and trailing struct fields may
/// be added within a version, nothing changes its meaning.
pub const BREGMAN_ABI_VERSION: u32 = 1;

/// Status: the call did what it says.
pub const BREGMAN_OK: u32 = 0;
/// Status: an argument is NULL, misaligned, out of range or in use by another call.
pub const BREGMAN_INVALID_ARGUMENT: u32 = 1;
/// Status: the chain's text does not parse, or a parameter in it is out of its range.
pub const BREGMAN_INVALID_CHAIN: u32 = 2;
/// Status: a logit that may be sampled is NaN or +infinity.
pub const BREGMAN_INVALID_LOGITS: u32 = 3;
/// Status: every token is masked or -infinity.
pub const BREGMAN_EMPTY_SUPPORT: u32 = 4;
/// Status: a user's generator led to no solution, or returned NaN.
pub const BREGMAN_NO_CONVERGENCE: u32 = 5;
/// Status: the caller's buffers cannot hold the answer; its length was reported.
pub const BREGMAN_BUFFER_TOO_SMALL: u32 = 6;
/// Status: valid, but not with this chain, this version or on this machine.
pub const BREGMAN_UNSUPPORTED: u32 = 7;
/// Status: a defect of this library, caught before it could reach the caller.
pub const BREGMAN_INTERNAL: u32 = 8;

/// Number format of logits: IEEE single precision, 4-byte aligned.
pub const BREGMAN_F32: u32 = 0;
/// Number format of logits: IEEE half precision, 2-byte aligned.
pub const BREGMAN_F16: u32 = 1;
/// Number format of logits: bfloat16, 2-byte aligned.
pub const BREGMAN_BF16: u32 = 2;

/// Flag: fill `bregman_result.kept_mass`.
pub const BREGMAN_WANT_KEPT_MASS: u32 = 1;
/// Flag: fill `bregman_result.model_logprob`.
pub const BREGMAN_WANT_MODEL_LOGPROB: u32 = 2;
/// Flag: fill `bregman_result.entropy`.
pub const BREGMAN_WANT_ENTROPY: u32 = 4;
/// Flag: accept each drawn token into its sampler's history.
pub const BREGMAN_ACCEPT: u32 = 8;

/// Log-probabilities: the model's, of the untouched logits (no mask, no bias, no stage, temperature 1).
pub const BREGMAN_OF_MODEL: u32 = 0;
/// Log-probabilities: those of the decoded distribution.
pub const BREGMAN_OF_DECODED: u32 = 1;

/// One row's answer.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_result {
    /// The token's id; -1 unless `status` is BREGMAN_OK.
    pub token: i32,
    /// BREGMAN_OK, or why this row has no token. The text is on the row's sampler: bregman_sampler_error.
    pub status: u32,
    /// Number of tokens with positive probability under the decoded distribution: k*. 0 without a token.
    pub support: u32,
    /// The token's probability under the decoded distribution, in (0, 1]; NaN without a token.
    pub p: f32,
    /// The model's mass on the support, in (0, 1], at the temperature that the first truncating stage saw; NaN unless
    /// BREGMAN_WANT_KEPT_MASS.
    pub kept_mass: f32,
    /// Natural logarithm of the token's probability under the untouched logits (no mask, no bias, temperature 1); NaN
    /// unless BREGMAN_WANT_MODEL_LOGPROB.
    pub model_logprob: f32,
    /// Entropy of the decoded distribution in nats; NaN unless BREGMAN_WANT_ENTROPY.
    pub entropy: f32,
    /// 0.
    pub reserved: u32,
}

/// Rows of logits to decode in one call: one base pointer and a stride.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_batch {
    /// sizeof(bregman_batch). A larger struct of a later version is taken if the fields unknown here are zero.
    pub struct_size: u32,
    /// BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16.
    pub dtype: u32,
    /// Row r begins at `logits` + r * `row_stride` elements. Read, never written.
    pub logits: *const c_void,
    /// Number of rows; 0 does nothing.
    pub rows: usize,
    /// Logits a row, from 1 to INT32_MAX.
    pub vocab: usize,
    /// Elements from the start of one row to the start of the next, at least `vocab`.
    pub row_stride: usize,
    /// NULL, or for each row `mask_stride` words in which token t is bit t % 32 of word t / 32 and a set bit allows it
    /// (the layout of llguidance and xgrammar).
    pub mask: *const u32,
    /// Words from one row's mask to the next, at least 1; tokens beyond them are banned. Unused without a mask.
    pub mask_stride: usize,
    /// BREGMAN_WANT_KEPT_MASS, BREGMAN_WANT_MODEL_LOGPROB, BREGMAN_WANT_ENTROPY, BREGMAN_ACCEPT, or'ed; 0 for none.
    pub flags: u32,
    /// 0 or 1: the caller's thread decodes all rows. n: up to n threads of a pool of this library's own, made when it
    /// is first asked for. The answers are the same.
    pub threads: u32,
}

/// What bregman_decode_batch_answers is to tell besides the tokens, and where it writes that. Every array may be NULL,
/// which asks for nothing; those that are not must not overlap. A row that fails leaves its places as they were.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_answers {
    /// sizeof(bregman_answers). A larger struct of a later version is taken if the fields unknown here are zero.
    pub struct_size: u32,
    /// Whose log-probabilities and ranks: BREGMAN_OF_MODEL or BREGMAN_OF_DECODED.
    pub source: u32,
    /// NULL, or for each row the log-probability of its token; NaN if the untouched logits have none (NaN or +infinity
    /// under the mask).
    pub logprobs: *mut f32,
    /// NULL, or for each row the rank of its token: how many tokens are at least as likely, itself among them. 0 where
    /// the log-probability is NaN.
    pub ranks: *mut u32,
    /// How many of the most likely tokens to tell of each row.
    pub top: usize,
    /// Elements from one row's most likely tokens to the next row's, at least `top`.
    pub top_stride: usize,
    /// NULL, or the most likely tokens in descending order (ties: ascending id); -1 where there are no more.
    pub top_ids: *mut i32,
    /// NULL, or their log-probabilities; -infinity where there are no more, NaN if the untouched logits have none.
    pub top_logprobs: *mut f32,
    /// How many of the kept tokens to tell of each row at the most; `bregman_result.support` says how many there are.
    pub kept: usize,
    /// Elements from one row's kept tokens to the next row's, at least `kept`.
    pub kept_stride: usize,
    /// NULL, or the tokens with positive probability, the most likely first; -1 where there are no more.
    pub kept_ids: *mut i32,
    /// NULL, or for each row `kept_mask_stride` words in which the bits of the tokens with positive probability are
    /// set: token t is bit t % 32 of word t / 32. Tokens beyond the words are left out.
    pub kept_mask: *mut u32,
    /// Words from one row's mask to the next row's.
    pub kept_mask_stride: usize,
}

/// An array of candidates, laid out as llama.cpp's llama_token_data_array.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_candidates {
    /// The candidates: changed in place, never moved elsewhere.
    pub data: *mut Candidate,
    /// How many there are, at least 1; never 0 after a call that succeeded.
    pub size: usize,
    /// Position in `data` of the token that was taken; -1 for none.
    pub selected: i64,
    /// Not 0 if the candidates are in descending order of logit. Only written, never trusted.
    pub sorted: u8,
}

impl bregman_result {
    pub(super) fn failed(status: u32) -> Self {
        Self {
            token: -1,
            status,
            support: 0,
            p: f32::NAN,
            kept_mass: f32::NAN,
            model_logprob: f32::NAN,
            entropy: f32::NAN,
            reserved: 0,
        }
    }
}

impl From<Token> for bregman_result {
    fn from(t: Token) -> Self {
        Self {
            token: t.token as i32,
            status: BREGMAN_OK,
            support: t.support as u32,
            p: t.p as f32,
            kept_mass: t.kept_mass as f32,
            model_logprob: t.model_logprob as f32,
            entropy: t.entropy as f32,
            reserved: 0,
        }
    }
}

/// The status that stands for an error.
pub(super) fn status_of(e: &Error) -> u32 {
    match e {
        Error::InvalidArgument(_) => BREGMAN_INVALID_ARGUMENT,
        Error::InvalidChain(_) => BREGMAN_INVALID_CHAIN,
        Error::InvalidLogits { .. } => BREGMAN_INVALID_LOGITS,
        Error::EmptySupport => BREGMAN_EMPTY_SUPPORT,
        Error::NoConvergence(_) => BREGMAN_NO_CONVERGENCE,
        Error::BufferTooSmall { .. } => BREGMAN_BUFFER_TOO_SMALL,
        Error::Unsupported(_) => BREGMAN_UNSUPPORTED,
    }
}
