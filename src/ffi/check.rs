//! Pointers from C to slices and strings; an error names the argument and says why.

use crate::error::{Error, Result};
use std::ffi::c_char;

/// A chain or a name longer than this is not read to its end.
const LONGEST_TEXT: usize = 1 << 16;

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

fn array<T>(p: *const T, n: usize, name: &str) -> Result<()> {
    pointer(p, name)?;
    if n > isize::MAX as usize / size_of::<T>() {
        return refuse(format!("{name} would have {n} elements, more than memory can hold"));
    }
    Ok(())
}

/// An array that is read; NULL is fine if it is empty.
///
/// # Safety
/// If not NULL, `p` points to `n` elements that nobody writes while the slice lives.
pub(super) unsafe fn slice<'a, T>(p: *const T, n: usize, name: &str) -> Result<&'a [T]> {
    if n == 0 {
        return Ok(&[]);
    }
    array(p, n, name)?;
    // SAFETY: not NULL, aligned, and of a possible length; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(p, n) })
}

/// An array that is written; NULL is fine if it is empty.
///
/// # Safety
/// If not NULL, `p` points to `n` elements that nobody else touches while the slice lives.
pub(super) unsafe fn slice_mut<'a, T>(p: *mut T, n: usize, name: &str) -> Result<&'a mut [T]> {
    if n == 0 {
        return Ok(&mut []);
    }
    array(p, n, name)?;
    // SAFETY: not NULL, aligned, and of a possible length; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts_mut(p, n) })
}

/// A NUL-terminated UTF-8 text.
///
/// # Safety
/// If not NULL, `p` points to a NUL-terminated string that nobody writes while it is read.
pub(super) unsafe fn text<'a>(p: *const c_char, name: &str) -> Result<&'a str> {
    pointer(p, name)?;
    // SAFETY: not NULL; nothing beyond the terminator is read, and no more than the bound.
    let length = unsafe { libc::strnlen(p, LONGEST_TEXT + 1) };
    if length > LONGEST_TEXT {
        return refuse(format!("{name} is longer than {LONGEST_TEXT} bytes"));
    }
    // SAFETY: `length` bytes before the terminator were just counted.
    let bytes = unsafe { std::slice::from_raw_parts(p.cast::<u8>(), length) };
    std::str::from_utf8(bytes).or_else(|e| refuse(format!("{name} is not UTF-8 from byte {} on", e.valid_up_to())))
}

/// Writes a text with its terminator, cut to the buffer at a character's boundary.
///
/// # Safety
/// If not NULL, `buffer` points to `size` bytes that nobody else touches.
pub(super) unsafe fn write_text(text: &str, buffer: *mut c_char, size: usize) {
    if buffer.is_null() || size == 0 {
        return;
    }
    let length = text.floor_char_boundary_at(size - 1);
    // SAFETY: `length` is below `size`, and a Rust string does not overlap the caller's buffer.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), length) };
    // SAFETY: `length` is below `size`.
    unsafe { *buffer.add(length) = 0 };
}

/// Reads `size`, the first field of a struct that may grow, and refuses one that is smaller than this version's, or
/// larger with something in the fields that this version does not know.
///
/// # Safety
/// If not NULL, `p` points to a struct that begins with its size in bytes and has so many.
pub(super) unsafe fn sized<'a, T>(p: *const T, name: &str) -> Result<&'a T> {
    pointer(p, name)?;
    // SAFETY: every such struct begins with its u32 size.
    let size = unsafe { *p.cast::<u32>() } as usize;
    if size < size_of::<T>() {
        return refuse(format!("{name}->struct_size is {size}, less than the {} of this version", size_of::<T>()));
    }
    if size > 1 << 12 {
        return refuse(format!("{name}->struct_size is {size}: no version is so large"));
    }
    // SAFETY: the struct has `size` bytes, and this starts inside it.
    let unknown = unsafe { std::slice::from_raw_parts(p.cast::<u8>().add(size_of::<T>()), size - size_of::<T>()) };
    if unknown.iter().any(|&byte| byte != 0) {
        return Err(Error::Unsupported(format!("{name} uses fields that this version does not know")));
    }
    // SAFETY: not NULL, aligned, and large enough.
    Ok(unsafe { &*p })
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, at: usize) -> usize;
}

impl FloorCharBoundary for str {
    fn floor_char_boundary_at(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|&i| self.is_char_boundary(i)).unwrap_or(0)
    }
}
