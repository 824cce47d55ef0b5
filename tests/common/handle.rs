//! The C ABI as a test calls it: a handle that frees itself, answers as values, failures as (status, message).

use super::rows::Random;
use bregman::ffi::*;
use bregman::{Applied, Candidate};
use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};

/// A status other than BREGMAN_OK, with its message.
pub type Failure = (u32, String);

/// A sampler.
pub struct Handle {
    pub raw: *mut bregman_sampler,
    chain: String,
    seed: u64,
}

// SAFETY: a handle may move between threads; the library itself refuses two calls at a time.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// Rows of a batch in one of the number formats.
pub enum Rows<'a> {
    F32(&'a [f32]),
    F16(&'a [u16]),
    Bf16(&'a [u16]),
}

impl Handle {
    pub fn new(chain: &str, seed: u64) -> Self {
        Self::try_new(chain, seed, &[]).unwrap_or_else(|(status, why)| panic!("{chain}: {status}, {why}"))
    }

    pub fn try_new(chain: &str, seed: u64, generators: &[bregman_generator]) -> Result<Self, Failure> {
        let (mut raw, mut error) = (null_mut(), [0 as c_char; 512]);
        let text = CString::new(chain).expect("no NUL");
        let (list, n) = (if generators.is_empty() { null() } else { generators.as_ptr() }, generators.len());
        // SAFETY: all pointers live through the call.
        let status = unsafe {
            let (error, size) = (error.as_mut_ptr(), error.len());
            bregman_sampler_new_with_generators(text.as_ptr(), seed, list, n, &mut raw, error, size)
        };
        // SAFETY: the buffer was zero, so it ends with a terminator in any case.
        let why = unsafe { CStr::from_ptr(error.as_ptr()) }.to_str().expect("messages are UTF-8").to_owned();
        assert_eq!(status == BREGMAN_OK, why.is_empty(), "a failure has a message: {why}");
        if status == BREGMAN_OK { Ok(Self { raw, chain: chain.into(), seed }) } else { Err((status, why)) }
    }

    /// The message of the last failing call.
    pub fn error(&self) -> String {
        // SAFETY: a live handle; the text lives until the next call on it.
        unsafe { CStr::from_ptr(bregman_sampler_error(self.raw)) }.to_str().expect("messages are UTF-8").to_owned()
    }

    fn checked(&self, status: u32) -> Result<(), Failure> {
        if status == BREGMAN_OK { Ok(()) } else { Err((status, self.error())) }
    }

    /// The chain in its canonical form; empty if the handle is in use.
    pub fn describe(&self) -> String {
        // SAFETY: a live handle; no buffer, so only the length.
        let length = unsafe { bregman_sampler_describe(self.raw, null_mut(), 0) };
        let mut text = vec![0 as c_char; length + 1];
        // SAFETY: a live handle and a buffer of that length.
        unsafe { bregman_sampler_describe(self.raw, text.as_mut_ptr(), text.len()) };
        // SAFETY: the buffer was zero, so it has a terminator in any case.
        unsafe { CStr::from_ptr(text.as_ptr()) }.to_str().expect("chains are UTF-8").to_owned()
    }

    pub fn distribution(&self, logits: &[f32]) -> Result<Vec<(u32, f32)>, Failure> {
        let (mut ids, mut probs, mut len) = (vec![0; logits.len()], vec![0.0; logits.len()], 0);
        // SAFETY: a live handle, a row and buffers of that length.
        let status = unsafe {
            let (ids, probs) = (ids.as_mut_ptr(), probs.as_mut_ptr());
            bregman_distribution(self.raw, logits.as_ptr(), logits.len(), ids, probs, logits.len(), &mut len)
        };
        self.checked(status)?;
        Ok(ids.into_iter().map(|id| id as u32).zip(probs).take(len).collect())
    }

    pub fn decode(&self, logits: &[f32]) -> bregman_result {
        let mut result = blank();
        // SAFETY: a live handle and a row of that length.
        let status = unsafe { bregman_decode(self.raw, logits.as_ptr(), logits.len(), &mut result) };
        assert_eq!(status, result.status, "a decode says its status twice");
        result
    }

    /// Whether the next answers are those of a fresh sampler: no position, bias or history was changed.
    pub fn is_as_created(&self) -> bool {
        let fresh = Self::new(&self.chain, self.seed);
        (0..4).all(|i| {
            let row = row(300, i);
            let (ours, theirs) = (self.decode(&row), fresh.decode(&row));
            ours.status == theirs.status && ours.token == theirs.token && ours.p.to_bits() == theirs.p.to_bits()
        })
    }

    pub fn token(&self, logits: &[f32]) -> i32 {
        let result = self.decode(logits);
        assert_eq!(result.status, BREGMAN_OK, "{}", self.error());
        result.token
    }

    pub fn process(&self, logits: &mut [f32]) -> Result<(), Failure> {
        // SAFETY: a live handle and a row of that length.
        self.checked(unsafe { bregman_process(self.raw, logits.as_mut_ptr(), logits.len()) })
    }

    pub fn apply(&self, candidates: &mut Vec<Candidate>) -> Result<Applied, Failure> {
        let mut list =
            bregman_candidates { data: candidates.as_mut_ptr(), size: candidates.len(), selected: -1, sorted: 7 };
        // SAFETY: a live handle and an array of that length.
        self.checked(unsafe { bregman_apply(self.raw, &mut list) })?;
        candidates.truncate(list.size);
        let order = match list.sorted {
            0 => bregman::Order::Unsorted,
            1 => bregman::Order::Sorted,
            _ => bregman::Order::AsBefore,
        };
        Ok(Applied { size: list.size, selected: usize::try_from(list.selected).ok(), order })
    }

    pub fn reset(&self) {
        // SAFETY: a live handle.
        assert_eq!(unsafe { bregman_sampler_reset(self.raw) }, BREGMAN_OK);
    }

    pub fn reseed(&self, seed: u64, position: u64) {
        // SAFETY: a live handle.
        assert_eq!(unsafe { bregman_sampler_reseed(self.raw, seed, position) }, BREGMAN_OK);
    }

    pub fn accept(&self, tokens: &[i32]) -> Result<(), Failure> {
        // SAFETY: a live handle and an array of that length.
        self.checked(unsafe { bregman_sampler_accept(self.raw, tokens.as_ptr(), tokens.len()) })
    }

    pub fn set_prompt(&self, n: usize) -> Result<(), Failure> {
        // SAFETY: a live handle.
        self.checked(unsafe { bregman_sampler_set_prompt_length(self.raw, n) })
    }

    pub fn set_mask(&self, words: Option<&[u32]>) -> Result<(), Failure> {
        let (words, n) = words.map_or((null(), 0), |words| (words.as_ptr(), words.len()));
        // SAFETY: a live handle and an array of that length.
        self.checked(unsafe { bregman_sampler_set_mask(self.raw, words, n) })
    }

    pub fn rewind(&self, n: usize) -> Result<(), Failure> {
        // SAFETY: a live handle.
        self.checked(unsafe { bregman_sampler_rewind(self.raw, n) })
    }

    /// Seed, position, length of the history, length of the prompt.
    pub fn place(&self) -> (u64, u64, usize, usize) {
        let (mut seed, mut position, mut history, mut prompt) = (0, 0, 0, 0);
        // SAFETY: a live handle and four variables.
        let status = unsafe { bregman_sampler_where(self.raw, &mut seed, &mut position, &mut history, &mut prompt) };
        assert_eq!(status, BREGMAN_OK);
        (seed, position, history, prompt)
    }

    pub fn history(&self) -> Vec<i32> {
        let mut tokens = vec![0; self.place().2];
        let mut len = 0;
        // SAFETY: a live handle and a buffer of that length.
        let status = unsafe { bregman_sampler_history(self.raw, tokens.as_mut_ptr(), tokens.len(), &mut len) };
        assert_eq!((status, len), (BREGMAN_OK, tokens.len()));
        tokens
    }

    pub fn save(&self) -> Vec<u8> {
        let mut len = 0;
        // SAFETY: a live handle and no buffer, which asks for the size.
        unsafe { bregman_sampler_save(self.raw, null_mut(), 0, &mut len) };
        let mut bytes = vec![0u8; len];
        // SAFETY: a live handle and a buffer of that length.
        let status = unsafe { bregman_sampler_save(self.raw, bytes.as_mut_ptr().cast(), bytes.len(), &mut len) };
        assert_eq!((status, len), (BREGMAN_OK, bytes.len()));
        bytes
    }

    /// A sampler from a saved state, for which [`Handle::is_as_created`] has no meaning.
    pub fn load(bytes: &[u8]) -> Result<Self, Failure> {
        let (mut raw, mut error) = (null_mut(), [0 as c_char; 512]);
        // SAFETY: all pointers live through the call.
        let status = unsafe {
            let (error, size) = (error.as_mut_ptr(), error.len());
            bregman_sampler_load(bytes.as_ptr().cast(), bytes.len(), null(), 0, &mut raw, error, size)
        };
        // SAFETY: the buffer was zero, so it has a terminator in any case.
        let why = unsafe { CStr::from_ptr(error.as_ptr()) }.to_str().expect("messages are UTF-8").to_owned();
        if status == BREGMAN_OK { Ok(Self { raw, chain: String::new(), seed: 0 }) } else { Err((status, why)) }
    }

    pub fn bias(&self, ids: &[i32], bias: &[f32]) -> Result<(), Failure> {
        assert_eq!(ids.len(), bias.len());
        // SAFETY: a live handle and two arrays of that length.
        self.checked(unsafe { bregman_sampler_set_logit_bias(self.raw, ids.as_ptr(), bias.as_ptr(), ids.len()) })
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        let mut raw = null_mut();
        // SAFETY: a live handle.
        assert_eq!(unsafe { bregman_sampler_clone(self.raw, &mut raw) }, BREGMAN_OK);
        Self { raw, chain: self.chain.clone(), seed: self.seed }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: freed once.
        unsafe { bregman_sampler_free(self.raw) };
    }
}

/// Decodes rows that lie `stride` elements apart; `masks` has as many words for each row.
pub fn batch(
    samplers: &[Handle],
    rows: &Rows<'_>,
    (vocab, stride): (usize, usize),
    masks: Option<(&[u32], usize)>,
    (flags, threads): (u32, u32),
) -> (u32, Vec<bregman_result>) {
    let (dtype, logits, elements) = match rows {
        Rows::F32(v) => (BREGMAN_F32, v.as_ptr().cast(), v.len()),
        Rows::F16(v) => (BREGMAN_F16, v.as_ptr().cast(), v.len()),
        Rows::Bf16(v) => (BREGMAN_BF16, v.as_ptr().cast(), v.len()),
    };
    assert!(elements >= (samplers.len() - 1) * stride + vocab, "the rows are all there");
    let (mask, mask_stride) = masks.map_or((null(), 0), |(words, stride)| (words.as_ptr(), stride));
    assert!(masks.is_none_or(|(words, stride)| words.len() == stride * samplers.len()), "a mask for each row");
    let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype,
        logits,
        rows: handles.len(),
        vocab,
        row_stride: stride,
        mask,
        mask_stride,
        flags,
        threads,
        ..bregman_batch::default()
    };
    let mut results = vec![blank(); handles.len()];
    // SAFETY: live handles, and arrays as long as the batch says.
    let status = unsafe { bregman_decode_batch(handles.as_ptr(), &batch, results.as_mut_ptr()) };
    (status, results)
}

/// Decodes rows of f32 that lie `stride` elements apart, with more answers.
pub fn batch_answers(
    samplers: &[Handle],
    rows: &[f32],
    (vocab, stride): (usize, usize),
    answers: &bregman_answers,
    threads: u32,
) -> (u32, Vec<bregman_result>) {
    assert!(rows.len() >= (samplers.len() - 1) * stride + vocab, "the rows are all there");
    let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: rows.as_ptr().cast(),
        rows: handles.len(),
        vocab,
        row_stride: stride,
        mask: null(),
        mask_stride: 0,
        flags: 0,
        threads,
        ..bregman_batch::default()
    };
    let mut results = vec![blank(); handles.len()];
    // SAFETY: live handles, and arrays as long as batch and answers say.
    let status = unsafe { bregman_decode_batch_answers(handles.as_ptr(), &batch, results.as_mut_ptr(), answers) };
    (status, results)
}

/// Every field of a result, comparable: NaN equals NaN, and floats must agree to the bit.
pub fn bits(r: &bregman_result) -> [u32; 8] {
    let float = |f: f32| if f.is_nan() { u32::MAX } else { f.to_bits() };
    let floats = [r.p, r.kept_mass, r.model_logprob, r.entropy].map(float);
    [r.token as u32, r.status, r.support, floats[0], floats[1], floats[2], floats[3], float(r.ln_kept_mass)]
}

/// A result that no call writes.
pub fn blank() -> bregman_result {
    bregman_result {
        token: -7,
        status: 777,
        support: 777,
        p: 7.0,
        kept_mass: 7.0,
        model_logprob: 7.0,
        entropy: 7.0,
        ln_kept_mass: 7.0,
    }
}

/// Logits that differ from each other, the same for the same number.
pub fn row(vocab: usize, number: u64) -> Vec<f32> {
    let mut random = Random(number);
    (0..vocab).map(|_| (2.0 * random.normal()) as f32).collect()
}
