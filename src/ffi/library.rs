//! Versions, SIMD level and names of statuses.

use super::guard;
use super::types::*;
use std::ffi::{CStr, c_char};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version has no NUL"),
};

/// The version of the binary interface of this library, that is the BREGMAN_ABI_VERSION it was built with. Compare it
/// with the header's before any other call. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_abi_version() -> u32 {
    guard(0, || BREGMAN_ABI_VERSION)
}

/// The version of the library, such as "0.1.0". Static; thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_version() -> *const c_char {
    guard(c"".as_ptr(), || VERSION.as_ptr())
}

/// The instruction set in use: "scalar", "avx2", "avx512" or "neon". Results do not depend on it. The environment
/// variable BREGMAN_SIMD, read once, selects a lower level; if it names no level of this build and machine, this
/// returns "" and creating a sampler fails with BREGMAN_UNSUPPORTED. Static; thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_simd_level() -> *const c_char {
    guard(c"".as_ptr(), || crate::vocab::kernels().map_or(c"", |kernels| kernels.level).as_ptr())
}

/// A status in words, such as "invalid argument"; "unknown status" for any other number. The details of a failure are
/// in the message on the handle: bregman_sampler_error. Static; thread-safe.
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
            BREGMAN_INCOMPLETE => c"incomplete row",
            BREGMAN_OUT_OF_MEMORY => c"out of memory",
            _ => c"unknown status",
        }
        .as_ptr()
    })
}
