//! Memory that may be refused: an error instead of an abort.

use crate::error::{Error, Result};
use std::collections::TryReserveError;

/// What a collection's `try_reserve` says, as an error of this crate.
pub(crate) fn granted(reserved: std::result::Result<(), TryReserveError>) -> Result<()> {
    reserved.map_err(|_| Error::OutOfMemory)
}

/// Ends the process, as a refused allocation of the standard library does: for what cannot return an error.
pub(crate) fn refused<T>() -> T {
    std::alloc::handle_alloc_error(std::alloc::Layout::new::<T>())
}

/// Room for `more` elements behind those of a list, which may grow for more than these.
pub(crate) fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<()> {
    granted(list.try_reserve(more))
}

/// Room for `n` elements in all.
pub(crate) fn make_room<T>(list: &mut Vec<T>, n: usize) -> Result<()> {
    reserve(list, n.saturating_sub(list.len()))
}

/// Resizes a list; new elements are `value`.
pub(crate) fn resize<T: Copy>(list: &mut Vec<T>, n: usize, value: T) -> Result<()> {
    make_room(list, n)?;
    list.resize(n, value);
    Ok(())
}

/// Replaces a list's elements.
pub(crate) fn assign<T: Copy>(list: &mut Vec<T>, elements: &[T]) -> Result<()> {
    list.clear();
    reserve(list, elements.len())?;
    list.extend_from_slice(elements);
    Ok(())
}

/// Appends an element.
pub(crate) fn push<T>(list: &mut Vec<T>, element: T) -> Result<()> {
    reserve(list, 1)?;
    list.push(element);
    Ok(())
}

/// A new list of `n` equal elements.
pub(crate) fn filled<T: Copy>(n: usize, value: T) -> Result<Vec<T>> {
    let mut list = Vec::new();
    resize(&mut list, n, value)?;
    Ok(list)
}

/// A copy of a list.
pub(crate) fn copied<T: Copy>(list: &[T]) -> Result<Vec<T>> {
    let mut copy = Vec::new();
    granted(copy.try_reserve_exact(list.len()))?;
    copy.extend_from_slice(list);
    Ok(copy)
}

/// A new list of at most `n` elements.
pub(crate) fn collected<T>(n: usize, elements: impl Iterator<Item = T>) -> Result<Vec<T>> {
    let mut list = Vec::new();
    make_room(&mut list, n)?;
    list.extend(elements.take(n));
    Ok(list)
}
