//! The C interface of `src/decisions`, with a header of its own: `include/bregman_decisions.h`.
//!
//! The functions have no handle: a failure is a status, and its message goes to a buffer of the caller. They are in a
//! table of their own as well.
//!
//! | file | what it is |
//! |---|---|
//! | `candidates.rs` | best-of-n, soft values |
//! | `gates.rs` | experts of a mixture |
//! | `arms.rs` | which arm to pull, and when to stop |
//! | `trust.rs` | abstention, calibration, distortion |
//! | `table.rs` | the table of these functions, for hosts that `dlopen` |

mod arms;
mod candidates;
mod gates;
mod table;
mod trust;

pub use arms::*;
pub use candidates::*;
pub use gates::*;
pub use table::*;
pub use trust::*;

use super::check;
use super::guard;
use super::types::*;
use crate::error::{Error, Result};
use std::ffi::c_char;

/// Runs the body of a function without a handle; the message of a failure goes to the caller's buffer.
///
/// # Safety
/// If not NULL, `error` points to `error_size` bytes that nothing else uses during the call.
unsafe fn answer(error: *mut c_char, error_size: usize, body: impl FnOnce() -> Result<()>) -> u32 {
    match guard(None, || Some(body())) {
        Some(Ok(())) => BREGMAN_OK,
        Some(Err(e)) => {
            // SAFETY: the caller's buffer.
            unsafe { check::write_error(&e, error, error_size) };
            status_of(&e)
        }
        None => {
            // SAFETY: the caller's buffer.
            unsafe { check::write_text("a defect in bregman; please report it", error, error_size) };
            BREGMAN_INTERNAL
        }
    }
}

/// The number of elements of `rows` rows.
fn area(rows: usize, columns: usize) -> Result<usize> {
    let too_many =
        || Error::InvalidArgument(format!("{rows} rows of {columns} elements are more than memory can hold"));
    rows.checked_mul(columns).ok_or_else(too_many)
}

/// Checks an output struct that begins with its size, set by the caller, and may grow.
///
/// # Safety
/// If not NULL, `out` points to a struct that begins with its size in bytes, as a u32.
unsafe fn check_sized<T>(out: *mut T, name: &str) -> Result<()> {
    check::pointer(out, name)?;
    // SAFETY: every such struct begins with its u32 size.
    let size = unsafe { *out.cast::<u32>() } as usize;
    if size < size_of::<T>() {
        let what = format!("{name}->struct_size is {size}, less than the {} of this version", size_of::<T>());
        return Err(Error::InvalidArgument(what));
    }
    Ok(())
}
