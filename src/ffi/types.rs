//! The structs and constants of the C ABI: fixed-width, no `bool`, no bit-field.

use super::check::Grows;
use crate::error::Error;
use crate::logits::Candidate;
use crate::sampler::Token;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr::{null, null_mut};

/// Version of the binary interface. The shared library's SONAME follows it. Within a version, functions and trailing
/// struct fields may be added; nothing that exists changes its meaning.
pub const BREGMAN_ABI_VERSION: u32 = 1;

/// Status: success.
pub const BREGMAN_OK: u32 = 0;
/// Status: an argument is NULL, misaligned or out of its range, or the handle is in use by another call.
pub const BREGMAN_INVALID_ARGUMENT: u32 = 1;
/// Status: the text of the chain is too long, is not UTF-8 or does not parse, or a parameter is out of its range.
pub const BREGMAN_INVALID_CHAIN: u32 = 2;
/// Status: a logit that is not masked is NaN or +infinity, and the chain does not begin with ban_invalid.
pub const BREGMAN_INVALID_LOGITS: u32 = 3;
/// Status: no token can be sampled; every logit is masked or -infinity.
pub const BREGMAN_EMPTY_SUPPORT: u32 = 4;
/// Status: a generator of the caller returned NaN, or the solver found no solution with it.
pub const BREGMAN_NO_CONVERGENCE: u32 = 5;
/// Status: the caller's buffers are too small for the result; the required length was written.
pub const BREGMAN_BUFFER_TOO_SMALL: u32 = 6;
/// Status: the call is valid, but not with this chain, in this version or on this machine.
pub const BREGMAN_UNSUPPORTED: u32 = 7;
/// Status: a defect of this library. Please report it.
pub const BREGMAN_INTERNAL: u32 = 8;
/// Status: a sparse row (bregman_batch.ids) does not hold what the chain needs; decode the whole row, or a longer list.
pub const BREGMAN_INCOMPLETE: u32 = 9;
/// There was no memory for the call, which changed nothing. Every call that needs memory may fail with it. The process is
/// aborted, as by any failed allocation of a Rust program, only where memory is refused to the few KB of a chain when its
/// text is read (bregman_sampler_new, bregman_sampler_load, bregman_watermark_score), to bregman_llama_attach, to the
/// batches that start threads, or to the text of another error.
pub const BREGMAN_OUT_OF_MEMORY: u32 = 10;

/// Format of logits: IEEE 754 single precision, 4-byte aligned.
pub const BREGMAN_F32: u32 = 0;
/// Format of logits: IEEE 754 half precision, 2-byte aligned.
pub const BREGMAN_F16: u32 = 1;
/// Format of logits: bfloat16, 2-byte aligned.
pub const BREGMAN_BF16: u32 = 2;

/// Flag: fill `bregman_result.kept_mass`.
pub const BREGMAN_WANT_KEPT_MASS: u32 = 1;
/// Flag: fill `bregman_result.model_logprob`.
pub const BREGMAN_WANT_MODEL_LOGPROB: u32 = 2;
/// Flag: fill `bregman_result.entropy`.
pub const BREGMAN_WANT_ENTROPY: u32 = 4;
/// Flag: append each drawn token to the history of its sampler, as bregman_sampler_accept does.
pub const BREGMAN_ACCEPT: u32 = 8;
/// Flag: fill `bregman_result.ln_kept_mass`.
pub const BREGMAN_WANT_LN_KEPT: u32 = 16;
/// Flag: leave the random position, and what the chain has learnt, as they are: for a grammar that is checked after the
/// draw. If the token is banned, draw again at the same position with the mask. If it stands, call bregman_sampler_reseed
/// with the same seed and the next position; a chain with a stage that learns (bregman_stage.learns) decodes the row once
/// more without this flag instead, which gives the same token. Not together with BREGMAN_ACCEPT.
pub const BREGMAN_STAY: u32 = 32;

/// Source of log-probabilities: the model, that is the untouched logits (no mask, no bias, no stage, temperature 1).
pub const BREGMAN_OF_MODEL: u32 = 0;
/// Source of log-probabilities: the decoded distribution.
pub const BREGMAN_OF_DECODED: u32 = 1;

/// The result of one row.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_result {
    /// The token, from 0 to vocab - 1; -1 unless `status` is BREGMAN_OK.
    pub token: i32,
    /// BREGMAN_OK, or why this row has no token. The message is on the row's sampler (bregman_sampler_error).
    pub status: u32,
    /// Size of the support: the number of tokens with positive probability under the decoded distribution (k*). 0
    /// without a token.
    pub support: u32,
    /// Probability of the token under the decoded distribution, in (0, 1]; NaN without a token.
    pub p: f32,
    /// Probability mass of the support before truncation, in (0, 1]: under the distribution that the first truncating
    /// stage received, after mask, bias and temperature. 1 if no token was dropped; 1e-45, the smallest f32, if it is
    /// less than that. NaN unless BREGMAN_WANT_KEPT_MASS. (`ln_kept_mass` is that of the untouched row.)
    pub kept_mass: f32,
    /// Natural logarithm of the token's probability under the untouched logits (no mask, no bias, no stage, temperature
    /// 1). NaN unless BREGMAN_WANT_MODEL_LOGPROB, or if an untouched logit is NaN or +infinity.
    pub model_logprob: f32,
    /// Entropy of the decoded distribution, in nats. NaN unless BREGMAN_WANT_ENTROPY.
    pub entropy: f32,
    /// Natural logarithm of the model's probability mass on the support, at most 0 and exact near it: under the
    /// untouched logits (no mask, no bias, no penalty) at the temperature T that the first truncating stage received (1
    /// after a stage that gives every token another logit, such as smoothing). Where masks, truncations and temperatures
    /// before them are all that a chain has, ln p = (ln p of the untouched row at T) - ln_kept_mass. For probabilities
    /// (.5, .3, .2), a mask of the last two and top_k(1) it is ln .3, and `kept_mass` is .6. NaN unless
    /// BREGMAN_WANT_LN_KEPT, or if an untouched logit is NaN or +infinity.
    pub ln_kept_mass: f32,
}

/// Rows of logits that one call decodes: a base pointer and a stride.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_batch {
    /// sizeof(bregman_batch), set by the caller. The larger struct of a later version is accepted if its additional
    /// fields are 0.
    pub struct_size: u32,
    /// BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16.
    pub dtype: u32,
    /// The logits, read only: row r begins at element r * `row_stride`.
    pub logits: *const c_void,
    /// Number of rows. With 0 the call does nothing.
    pub rows: usize,
    /// Logits per row, from 1 to INT32_MAX; of sparse rows the largest number of them.
    pub vocab: usize,
    /// Distance between the starts of consecutive rows, in elements; at least `vocab`.
    pub row_stride: usize,
    /// NULL, or `mask_stride` words for each row: token t is allowed if bit t % 32 of word t / 32 is set (the layout of
    /// llguidance and xgrammar). A mask of the sampler (bregman_sampler_set_mask) applies as well.
    pub mask: *const u32,
    /// Distance between the masks of consecutive rows, in words; at least 1. Tokens beyond the last word are banned.
    /// Ignored without a mask.
    pub mask_stride: usize,
    /// 0, or any of BREGMAN_WANT_KEPT_MASS, BREGMAN_WANT_MODEL_LOGPROB, BREGMAN_WANT_ENTROPY, BREGMAN_WANT_LN_KEPT,
    /// BREGMAN_ACCEPT and BREGMAN_STAY, or'ed.
    pub flags: u32,
    /// 0 or 1 to decode all rows on the caller's thread; n for up to n - 1 threads of the library's own pool to help it.
    /// They are started when they are first wanted, with the host's signals blocked: at most one for each core that the
    /// thread of that call may run on but one, and at most 255. They serve one call at a time, and calls at the same time
    /// leave a core to each other: a call that gets none does all the work itself. The results do not depend on it.
    pub threads: u32,
    /// NULL for dense rows: element i of a row is the logit of token i. Else the rows are sparse: `ids`, laid out as the
    /// logits (`row_stride`), has the token of each element, in any order, each token once; -1 for an element to be left out. `vocab` is then the number of
    /// elements of a row, masks are by token, and the other fields below apply.
    ///
    /// Decoding a sparse row gives what the whole row would give: the same token and support, probabilities to 1e-6. If
    /// that takes tokens that are not listed, or their weight where it is not known (see below), the row ends with
    /// BREGMAN_INCOMPLETE and nothing moves. Figures that the row does not tell are NaN, such ranks 0. A chain works on a
    /// list of the most likely tokens if a stage such as top_k, min_p or top_p drops all others; entropy, variance and the
    /// number of all tokens are known of a whole row only, and a mask or an edit of a token that is not listed makes the
    /// weight of the rest uncertain.
    pub ids: *const i32,
    /// NULL if every row has `vocab` elements, or the number of elements of each row, from 1 to `vocab`; what follows them is
    /// not read. Ignored if `ids` is NULL.
    pub lengths: *const u32,
    /// NULL if there are no other tokens. Else for each row ln of the sum of exp(l / rest_temperature) over the tokens that
    /// are not listed, of untouched logits: -infinity if none of them can be sampled, +infinity if the sum is not known. Ignored if `ids`
    /// is NULL.
    pub log_rest: *const f64,
    /// NULL, or for each row a number that no logit of a token that is not listed exceeds; tokens that are listed below it
    /// count as uncertain. With NULL it is the smallest finite logit that is listed, as for lists of the largest. Ignored if
    /// `ids` or `log_rest` is NULL.
    pub bound: *const f32,
    /// The temperature of `log_rest`; 0 stands for 1. `log_rest` serves stages that find the distribution at this
    /// temperature (to the precision of f32). Ignored if `ids` or `log_rest` is NULL.
    pub rest_temperature: f32,
    /// NULL: sampler i reads row i. Else sampler i reads row `row_index[i]`, with the mask and the other inputs of that
    /// row: several samplers may read one row, and rows may be left out. `rows` is then the number of samplers, results
    /// and indices, and the inputs have as many rows as the largest index needs.
    pub row_index: *const usize,
}

/// Outputs of bregman_decode_batch_answers in addition to the tokens, and of bregman_model_answers. Every array may be
/// NULL, and is then not computed. The elements of a row that fails are not written.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_answers {
    /// sizeof(bregman_answers), set by the caller. The larger struct of a later version is accepted if its additional
    /// fields are 0.
    pub struct_size: u32,
    /// Source of log-probabilities, ranks and most likely tokens: BREGMAN_OF_MODEL or BREGMAN_OF_DECODED.
    pub source: u32,
    /// NULL, or one element per row: ln p of its token under `source`. NaN for BREGMAN_OF_MODEL if an untouched logit
    /// is NaN or +infinity (a mask may hide it from the decoder).
    pub logprobs: *mut f32,
    /// NULL, or one element per row: the rank of its token, that is the number of tokens that are at least as likely,
    /// itself included; 1 for the most likely. 0 where the log-probability is NaN.
    pub ranks: *mut u32,
    /// Number of most likely tokens per row.
    pub top: usize,
    /// Distance between consecutive rows in `top_ids` and `top_logprobs`, in elements; at least `top`.
    pub top_stride: usize,
    /// NULL, or the `top` most likely tokens of each row in descending order of probability (ties: ascending id), then
    /// -1 if the distribution has fewer.
    pub top_ids: *mut i32,
    /// NULL, or ln p of these tokens, then -infinity if the distribution has fewer; all NaN where `logprobs` is NaN.
    pub top_logprobs: *mut f32,
    /// Largest number of kept tokens to write per row; `bregman_result.support` is how many there are.
    pub kept: usize,
    /// Distance between consecutive rows in `kept_ids`, in elements; at least `kept`.
    pub kept_stride: usize,
    /// NULL, or the tokens with positive probability under the decoded distribution, the most likely first, then -1 if
    /// there are fewer than `kept`. With `kept_offsets`: `rows` * `kept` elements.
    pub kept_ids: *mut i32,
    /// NULL, or `kept_mask_stride` words for each row: bit t % 32 of word t / 32 is set if token t has positive
    /// probability. Tokens beyond the last word are left out.
    pub kept_mask: *mut u32,
    /// Distance between consecutive rows in `kept_mask`, in words; at least 1 unless it is NULL.
    pub kept_mask_stride: usize,
    /// Number of tokens per row whose log-probabilities the caller asks for.
    pub given: usize,
    /// Distance between consecutive rows in `given_ids`, `given_logprobs` and `given_ranks`, in elements; at least
    /// `given`.
    pub given_stride: usize,
    /// The tokens asked for, read only; -1 asks for none. Any other id that is not in the vocabulary fails its row with
    /// BREGMAN_INVALID_ARGUMENT. Not NULL if `given_logprobs` or `given_ranks` is not.
    pub given_ids: *const i32,
    /// NULL, or ln p of these tokens under `source`: -infinity for a token that cannot be sampled, NaN for -1 and where
    /// `logprobs` would be NaN.
    pub given_logprobs: *mut f32,
    /// NULL, or the ranks of these tokens, as `ranks`; 0 where ln p is -infinity or NaN. Under BREGMAN_OF_MODEL each
    /// rank reads the row once.
    pub given_ranks: *mut u32,
    /// NULL, or one element per row: ln p of its token under the other source (the decoded distribution's for
    /// BREGMAN_OF_MODEL), as `logprobs`.
    pub other_logprobs: *mut f32,
    /// NULL, or ln p under the other source of the `top` tokens of each row, `top_stride` apart: -infinity where that
    /// cannot be sampled or there is no token.
    pub other_top_logprobs: *mut f32,
    /// NULL, or `rows` + 1 elements: the kept tokens of row r are elements `kept_offsets[r]` to `kept_offsets[r + 1]` - 1 of
    /// `kept_ids`, without gaps (`kept_stride` is not used). A row that fails has none. At most `kept` are written per
    /// row: if that is less than bregman_result.support, the most likely ones.
    pub kept_offsets: *mut usize,
}

/// An array of candidates, with the layout of llama.cpp's `llama_token_data_array`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_candidates {
    /// The candidates. They are changed in place; the pointer stays.
    pub data: *mut Candidate,
    /// Number of candidates, from 1 to INT32_MAX.
    pub size: usize,
    /// Position in `data` of the selected token; -1 for none. Written only.
    pub selected: i64,
    /// Not 0 if the candidates are in descending order of logit. Written only.
    pub sorted: u8,
}

impl Default for bregman_batch {
    /// No rows, and every optional field 0.
    fn default() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            dtype: BREGMAN_F32,
            logits: null(),
            rows: 0,
            vocab: 0,
            row_stride: 0,
            mask: null(),
            mask_stride: 0,
            flags: 0,
            threads: 0,
            ids: null(),
            lengths: null(),
            log_rest: null(),
            bound: null(),
            rest_temperature: 0.0,
            row_index: null(),
        }
    }
}

impl Default for bregman_answers {
    /// No answers.
    fn default() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            source: BREGMAN_OF_MODEL,
            logprobs: null_mut(),
            ranks: null_mut(),
            top: 0,
            top_stride: 0,
            top_ids: null_mut(),
            top_logprobs: null_mut(),
            kept: 0,
            kept_stride: 0,
            kept_ids: null_mut(),
            kept_mask: null_mut(),
            kept_mask_stride: 0,
            given: 0,
            given_stride: 0,
            given_ids: null(),
            given_logprobs: null_mut(),
            given_ranks: null_mut(),
            other_logprobs: null_mut(),
            other_top_logprobs: null_mut(),
            kept_offsets: null_mut(),
        }
    }
}

// SAFETY: numbers and pointers.
unsafe impl Grows for bregman_batch {
    const FIRST_SIZE: usize = offset_of!(Self, ids);
}

// SAFETY: numbers and pointers.
unsafe impl Grows for bregman_answers {
    const FIRST_SIZE: usize = offset_of!(Self, given);
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
            ln_kept_mass: f32::NAN,
        }
    }
}

impl From<Token> for bregman_result {
    fn from(t: Token) -> Self {
        Self {
            token: t.token as i32,
            status: BREGMAN_OK,
            support: t.support as u32,
            p: share(t.p),
            kept_mass: share(t.kept_mass),
            model_logprob: logarithm(t.model_logprob),
            entropy: t.entropy as f32,
            ln_kept_mass: logarithm(t.ln_kept_mass),
        }
    }
}

/// A probability that is not 0: at least the smallest positive f32.
fn share(p: f64) -> f32 {
    let smallest = f32::from_bits(1);
    if p < f64::from(smallest) { smallest } else { p as f32 }
}

/// The logarithm of a probability that is not 0: finite, if it is a number.
fn logarithm(ln_p: f64) -> f32 {
    if ln_p < f64::from(f32::MIN) { f32::MIN } else { ln_p as f32 }
}

/// The status of an error.
pub(super) fn status_of(e: &Error) -> u32 {
    match e {
        Error::InvalidArgument(_) => BREGMAN_INVALID_ARGUMENT,
        Error::InvalidChain(_) => BREGMAN_INVALID_CHAIN,
        Error::InvalidLogits { .. } => BREGMAN_INVALID_LOGITS,
        Error::EmptySupport | Error::NothingLeft(_) => BREGMAN_EMPTY_SUPPORT,
        Error::NoConvergence(_) => BREGMAN_NO_CONVERGENCE,
        Error::BufferTooSmall { .. } => BREGMAN_BUFFER_TOO_SMALL,
        Error::Unsupported(_) => BREGMAN_UNSUPPORTED,
        Error::Incomplete(_) => BREGMAN_INCOMPLETE,
        Error::OutOfMemory => BREGMAN_OUT_OF_MEMORY,
    }
}
