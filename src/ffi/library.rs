//! About the library itself.

use super::guard;
use super::types::*;
use std::ffi::{CStr, c_char};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version has no NUL"),
};

/// The version of the binary interface that this library has: BREGMAN_ABI_VERSION of the header it was built with.
/// Compare before anything else. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_abi_version() -> u32 {
    guard(0, || BREGMAN_ABI_VERSION)
}

/// The version of the library, such as "0.1.0": a static string. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_version() -> *const c_char {
    guard(c"".as_ptr(), || VERSION.as_ptr())
}

/// The instruction set in use, "avx512", "avx2", "neon" or "scalar": a static string. The environment variable
/// BREGMAN_SIMD, read once, lowers it; if it names no level of this build and machine, this is "" and every sampler's
/// creation fails with BREGMAN_UNSUPPORTED. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_simd_level() -> *const c_char {
    guard(c"".as_ptr(), || crate::vocab::kernels().map_or(c"", |kernels| kernels.level).as_ptr())
}

/// A status in words, such as "invalid argument": a static string, "unknown status" for any other number. What exactly
/// was wrong is on the handle: bregman_sampler_error. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_status_text(status: u32) -> *const c_char {
    guard(c"".as_ptr(), || {
        match status {
            BREGMAN_OK => c"ok",
            BREGMAN_INVALID_ARGUMENT => c"invalid argument",
            BREGMAN_INVALID_CHAIN => c"invalid chain",
            BREGMAN_INVALID_LOGITS => c"invalid logits",
            BREGMAN_EMPTY_SUPPORT => c"empty support",
            BREGMAN_NO_CONVERGENCE => c"no convergence",
            BREGMAN_BUFFER_TOO_SMALL => c"buffer too small",
            BREGMAN_UNSUPPORTED => c"unsupported",
            BREGMAN_INTERNAL => c"internal error",
            _ => c"unknown status",
        }
        .as_ptr()
    })
}
