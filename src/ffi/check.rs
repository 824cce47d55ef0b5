//! Pointers from C to slices and strings; an error names the argument and says why.

use crate::chain::limits::LONGEST_CHAIN;
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::ffi::c_char;
use std::mem::MaybeUninit;

/// No version of a struct is larger, in bytes.
const LARGEST_STRUCT: usize = 1 << 12;

fn refuse<T>(what: String) -> Result<T> {
    Err(Error::InvalidArgument(what))
}

/// A pointer to one value: neither NULL nor misaligned.
pub(super) fn pointer<T>(p: *const T, name: &str) -> Result<()> {
    if p.is_null() {
        return refuse(format!("{name} is NULL"));
    }
    if !p.is_aligned() {
        return refuse(format!("{name} is not aligned to {} bytes", align_of::<T>()));
    }
    Ok(())
}

/// A pointer to one value to write, or NULL.
///
/// # Safety
/// If not NULL, `p` points to a value that is used through this reference only while it lives.
pub(super) unsafe fn optional<'a, T>(p: *mut T, name: &str) -> Result<Option<&'a mut T>> {
    if p.is_null() {
        return Ok(None);
    }
    pointer(p, name)?;
    // SAFETY: not NULL and aligned; the caller guarantees the rest.
    Ok(Some(unsafe { &mut *p }))
}

fn array<T>(p: *const T, n: usize, name: &str) -> Result<()> {
    pointer(p, name)?;
    if n > isize::MAX as usize / size_of::<T>() {
        return refuse(format!("{name} would have {n} elements, more than memory can hold"));
    }
    Ok(())
}

/// An array to read; may be NULL if it is empty.
///
/// # Safety
/// If not NULL, `p` points to `n` elements that are not written while the slice lives.
pub(super) unsafe fn slice<'a, T>(p: *const T, n: usize, name: &str) -> Result<&'a [T]> {
    if n == 0 {
        return Ok(&[]);
    }
    array(p, n, name)?;
    // SAFETY: not NULL, aligned, and of a possible length; the caller guarantees the rest.
    Ok(unsafe { std::slice::from_raw_parts(p, n) })
}

/// An array to write; may be NULL if it is empty.
///
/// # Safety
/// If not NULL, `p` points to `n` elements that are used through this slice only while it lives.
pub(super) unsafe fn slice_mut<'a, T>(p: *mut T, n: usize, name: &str) -> Result<&'a mut [T]> {
    if n == 0 {
        return Ok(&mut []);
    }
    array(p, n, name)?;
    // SAFETY: not NULL, aligned, and of a possible length; the caller guarantees the rest.
    Ok(unsafe { std::slice::from_raw_parts_mut(p, n) })
}

/// A NUL-terminated UTF-8 text of at most 65 536 bytes; `invalid` makes the error for one that is longer or not UTF-8.
///
/// # Safety
/// If not NULL, `p` points to a NUL-terminated string that is not written while the text lives.
pub(super) unsafe fn text<'a>(p: *const c_char, name: &str, invalid: fn(String) -> Error) -> Result<&'a str> {
    pointer(p, name)?;
    // SAFETY: no byte beyond the terminator is read.
    let length = (0..=LONGEST_CHAIN).find(|&i| unsafe { *p.add(i) } == 0);
    let length = length.ok_or_else(|| invalid(format!("{name} is longer than {LONGEST_CHAIN} bytes")))?;
    // SAFETY: `length` bytes before the terminator were just read.
    let bytes = unsafe { std::slice::from_raw_parts(p.cast::<u8>(), length) };
    std::str::from_utf8(bytes).map_err(|e| invalid(format!("{name} is not UTF-8 from byte {} on", e.valid_up_to())))
}

/// Writes a text and its terminator, cut to the buffer at the boundary of a character.
///
/// # Safety
/// If not NULL, `buffer` points to `size` bytes that nothing else uses during the call.
pub(super) unsafe fn write_text(text: &str, buffer: *mut c_char, size: usize) {
    if buffer.is_null() || size == 0 {
        return;
    }
    let longest = text.len().min(size - 1);
    let length = (0..=longest).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    // SAFETY: `length` is below `size`, and a Rust string does not overlap the caller's buffer.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), length) };
    // SAFETY: `length` is below `size`.
    unsafe { *buffer.add(length) = 0 };
}

/// The same for the message of an error, without memory if there is none.
///
/// # Safety
/// As for [`write_text`].
pub(super) unsafe fn write_error(e: &Error, buffer: *mut c_char, size: usize) {
    let message = match e {
        Error::OutOfMemory => Cow::Borrowed("out of memory"),
        _ => Cow::Owned(e.to_string()),
    };
    // SAFETY: as this function's.
    unsafe { write_text(&message, buffer, size) };
}

/// A struct that begins with its size and may grow at its end.
///
/// # Safety
/// Zero bytes are a valid value of every field.
pub(in crate::ffi) unsafe trait Grows: Copy {
    /// Its size when the ABI's number was introduced; no host states less.
    const FIRST_SIZE: usize;
}

/// A struct that may grow, with 0 in the fields that a host of an earlier version does not have. An error if it is
/// smaller than any version's, or larger with a field set that this version does not know.
///
/// # Safety
/// If not NULL, `p` points to a struct that begins with its size in bytes, as a u32, and has that size.
pub(super) unsafe fn sized<T: Grows>(p: *const T, name: &str) -> Result<T> {
    pointer(p, name)?;
    // SAFETY: every such struct begins with its u32 size.
    let size = unsafe { *p.cast::<u32>() } as usize;
    if size < T::FIRST_SIZE {
        return refuse(format!("{name}->struct_size is {size}, less than the {} of the first version", T::FIRST_SIZE));
    }
    if size > LARGEST_STRUCT {
        return refuse(format!("{name}->struct_size is {size}, more than the {LARGEST_STRUCT} of any version"));
    }
    if !size.is_multiple_of(align_of::<T>()) {
        return refuse(format!(
            "{name}->struct_size is {size}, which no such struct has: not a multiple of {}",
            align_of::<T>()
        ));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: the struct has `size` bytes, and these are the ones after those known.
    let unknown = unsafe { std::slice::from_raw_parts(p.cast::<u8>().add(known), size - known) };
    if unknown.iter().any(|&byte| byte != 0) {
        return Err(Error::Unsupported(format!("{name} sets fields that this version does not have")));
    }
    let mut all = MaybeUninit::<T>::zeroed();
    // SAFETY: `known` bytes are in both.
    unsafe { std::ptr::copy_nonoverlapping(p.cast::<u8>(), all.as_mut_ptr().cast::<u8>(), known) };
    // SAFETY: zero bytes are valid, and the others are the caller's struct.
    Ok(unsafe { all.assume_init() })
}
