//! bregman_sampler_free during a call on the same handle: the call ends as if nothing had happened, and frees it then.

use crate::common::handle::{Handle, blank, row};
use bregman::ffi::*;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

/// What the callbacks of φ(x) = x²/2 free when they are called next.
type ToFree = Cell<*mut bregman_sampler>;

/// # Safety
/// `user` is the cell of the test.
unsafe fn free_next(user: *mut c_void) {
    // SAFETY: the cell, whose handle is freed once.
    unsafe { bregman_sampler_free((*user.cast::<ToFree>()).replace(null_mut())) };
}

unsafe extern "C" fn phi(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    // SAFETY: the cell of the test.
    unsafe { free_next(user) };
    for i in 0..n {
        // SAFETY: both vectors have n elements.
        unsafe { *out.add(i) = *x.add(i) * *x.add(i) / 2.0 };
    }
}

unsafe extern "C" fn same(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    // SAFETY: the cell of the test.
    unsafe { free_next(user) };
    // SAFETY: both vectors have n elements.
    unsafe { std::ptr::copy_nonoverlapping(x, out, n) };
}

/// A handle whose next decode frees what is in the cell.
fn sampler(to_free: &ToFree) -> *mut bregman_sampler {
    let generator = bregman_generator {
        struct_size: size_of::<bregman_generator>() as u32,
        reserved: 0,
        name: c"square".as_ptr(),
        user: (&raw const *to_free).cast_mut().cast(),
        phi: Some(phi),
        f: Some(same),
        f_inverse: Some(same),
        f_prime: None,
    };
    let chain = c"bregman(generator=square, lambda=0.001) | draw".as_ptr();
    let mut raw = null_mut();
    // SAFETY: all pointers live through the call, and the cell until the handle is freed.
    let status = unsafe { bregman_sampler_new_with_generators(chain, 1, &generator, 1, &mut raw, null_mut(), 0) };
    assert_eq!(status, BREGMAN_OK);
    raw
}

#[test]
fn a_decode_whose_handle_is_freed_meanwhile_succeeds() {
    let (to_free, logits) = (Cell::new(null_mut()), row(50, 2));
    let decode = |raw| {
        let mut result = blank();
        // SAFETY: a live handle and a row of that length.
        assert_eq!(unsafe { bregman_decode(raw, logits.as_ptr(), logits.len(), &mut result) }, BREGMAN_OK);
        result.token
    };
    let kept = sampler(&to_free);
    let token = decode(kept);
    // SAFETY: freed once.
    unsafe { bregman_sampler_free(kept) };
    let freed = sampler(&to_free);
    to_free.set(freed);
    assert_eq!(decode(freed), token);
    assert!(to_free.get().is_null(), "the callback freed it");
}

#[test]
fn a_batch_whose_handle_is_freed_meanwhile_decodes_all_rows() {
    let (to_free, logits) = (Cell::new(null_mut()), [row(50, 2), row(50, 3), row(50, 4)].concat());
    let (freed, other) = (sampler(&to_free), Handle::new("draw", 3));
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: logits.as_ptr().cast(),
        rows: 3,
        vocab: 50,
        row_stride: 50,
        mask: std::ptr::null(),
        mask_stride: 0,
        flags: 0,
        threads: 0,
        ..bregman_batch::default()
    };
    let mut results = [blank(); 3];
    to_free.set(freed);
    // SAFETY: live handles, and arrays of three rows.
    let status = unsafe { bregman_decode_batch([freed, other.raw, freed].as_ptr(), &batch, results.as_mut_ptr()) };
    assert_eq!(status, BREGMAN_INVALID_ARGUMENT);
    assert_eq!(results.map(|r| r.status), [BREGMAN_OK, BREGMAN_OK, BREGMAN_INVALID_ARGUMENT]);
    assert!(to_free.get().is_null(), "the callback freed it");
}
