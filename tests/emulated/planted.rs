//! Faults that a sanitizer must report. Each test fails only under its sanitizer, which ends the program.

use crate::common::handle::{Handle, blank, row};
use bregman::ffi::*;
use std::cell::UnsafeCell;
use std::ffi::{CString, c_void};

/// Two of the pool's threads count in the same place of a host, without an atomic.
#[test]
#[ignore = "fails under ThreadSanitizer"]
fn race_in_a_generator() {
    unsafe extern "C" fn phi(_: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
        for i in 0..n {
            // SAFETY: both vectors have n elements.
            unsafe { *out.add(i) = *x.add(i) * *x.add(i) / 2.0 };
        }
    }
    unsafe extern "C" fn f(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
        // SAFETY: there is none: other threads count here at the same time, which is what a sanitizer must report.
        unsafe { *user.cast::<u64>() += 1 };
        // SAFETY: both vectors have n elements.
        unsafe { std::ptr::copy_nonoverlapping(x, out, n) };
    }
    const ROWS: usize = 16;
    const VOCAB: usize = 300;
    let (name, calls) = (CString::new("racing").expect("no NUL"), UnsafeCell::new(0u64));
    let generator = bregman_generator {
        struct_size: size_of::<bregman_generator>() as u32,
        reserved: 0,
        name: name.as_ptr(),
        user: calls.get().cast(),
        phi: Some(phi),
        f: Some(f),
        f_inverse: Some(f),
        f_prime: None,
    };
    let new = |r| Handle::try_new("bregman(generator=racing, k=20) | draw", r, &[generator]).expect("a valid chain");
    let samplers: Vec<_> = (0..ROWS as u64).map(new).collect();
    let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
    let (logits, mut results) = (row(ROWS * VOCAB, 1), [blank(); ROWS]);
    let batch = bregman_batch {
        logits: logits.as_ptr().cast(),
        rows: ROWS,
        vocab: VOCAB,
        row_stride: VOCAB,
        threads: 4,
        ..bregman_batch::default()
    };
    for _ in 0..50 {
        // SAFETY: live handles, and arrays of so many rows.
        let status = unsafe { bregman_decode_batch(handles.as_ptr(), &batch, results.as_mut_ptr()) };
        assert_eq!(status, BREGMAN_OK);
    }
    println!("{} calls", calls.into_inner());
}

/// A host's row is shorter than it says.
#[test]
#[ignore = "fails under AddressSanitizer"]
fn read_beyond_a_row() {
    let (sampler, logits, mut result) = (Handle::new("draw", 1), row(999, 1).into_boxed_slice(), blank());
    // SAFETY: there is none: the row ends one element before the 1000th, which is what a sanitizer must report.
    unsafe { bregman_decode(sampler.raw, logits.as_ptr(), 1000, &mut result) };
    println!("{}", result.token);
}

/// A handle that is never freed.
#[test]
#[ignore = "fails where leaks are looked for"]
fn leak_of_a_handle() {
    let sampler = Handle::new("top_k(5) | draw", 1);
    println!("{}", sampler.token(&row(100, 1)));
    std::mem::forget(sampler);
}
