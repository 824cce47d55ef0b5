//! Samplers through the C ABI, freed when they go out of scope, and the answers they give.

use bregman::ffi::*;
use std::ffi::{CStr, CString};
use std::ptr::null_mut;

/// A handle of the C ABI.
pub struct Handle {
    pub raw: *mut bregman_sampler,
    chain: String,
    seed: u64,
}

// SAFETY: a handle may move between threads; the library itself refuses two calls at a time.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub fn new(chain: &str, seed: u64) -> Self {
        let (mut raw, mut error) = (null_mut(), [0; 512]);
        let text = CString::new(chain).expect("no NUL");
        // SAFETY: all pointers live through the call.
        let status = unsafe { bregman_sampler_new(text.as_ptr(), seed, &mut raw, error.as_mut_ptr(), error.len()) };
        // SAFETY: the buffer was zero, so it has a terminator in any case.
        let why = unsafe { CStr::from_ptr(error.as_ptr()) };
        assert_eq!(status, BREGMAN_OK, "{chain}: {why:?}");
        Self { raw, chain: chain.into(), seed }
    }

    /// The message of the last failing call.
    #[allow(dead_code, reason = "not every test that shares this file asks")]
    pub fn error(&self) -> String {
        // SAFETY: a live handle; the text lives until the next call on it.
        unsafe { CStr::from_ptr(bregman_sampler_error(self.raw)) }.to_str().expect("messages are UTF-8").to_owned()
    }

    /// The chain in its canonical form; empty if the handle is in use.
    #[allow(dead_code, reason = "not every test that shares this file asks")]
    pub fn describe(&self) -> String {
        let mut text = [0; 256];
        // SAFETY: a live handle and a buffer of that length.
        unsafe { bregman_sampler_describe(self.raw, text.as_mut_ptr(), text.len()) };
        // SAFETY: the buffer was zero, so it has a terminator in any case.
        unsafe { CStr::from_ptr(text.as_ptr()) }.to_str().expect("chains are UTF-8").to_owned()
    }

    pub fn decode(&self, logits: &[f32]) -> bregman_result {
        let mut result = blank();
        // SAFETY: a live handle and a row of that length.
        let status = unsafe { bregman_decode(self.raw, logits.as_ptr(), logits.len(), &mut result) };
        assert_eq!(status, result.status, "a decode says its status twice");
        result
    }

    /// Whether the next answers are those of a fresh sampler: no position, bias or history was changed.
    #[allow(dead_code, reason = "not every test that shares this file asks")]
    pub fn is_as_created(&self) -> bool {
        let fresh = Self::new(&self.chain, self.seed);
        (0..4).all(|i| {
            let row = row(300, i);
            let (ours, theirs) = (self.decode(&row), fresh.decode(&row));
            ours.status == theirs.status && ours.token == theirs.token && ours.p.to_bits() == theirs.p.to_bits()
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: freed once.
        unsafe { bregman_sampler_free(self.raw) };
    }
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
        reserved: 7,
    }
}

/// Logits that differ from each other, the same for the same number.
pub fn row(vocab: usize, number: u64) -> Vec<f32> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xB5AD_4ECE_DA1C_E2A9;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((state >> 40) as u32) / f64::from(1u32 << 24)
    };
    // A sum of uniform numbers is near enough to a normal one.
    (0..vocab).map(|_| ((0..4).map(|_| next()).sum::<f64>() * 4.0 - 8.0) as f32).collect()
}
