//! Ranges of arguments; an error names the argument and says why it is refused.

use crate::error::{Error, Result};

pub(super) fn refuse<T>(what: String) -> Result<T> {
    Err(Error::InvalidArgument(what))
}

/// Every element satisfies `holds`; `must` completes "must be".
pub(super) fn all(x: &[f64], name: &str, must: &str, holds: impl Fn(f64) -> bool) -> Result<()> {
    match x.iter().position(|&x| !holds(x)) {
        Some(at) => refuse(format!("{name}[{at}] is {}: must be {must}", x[at])),
        None => Ok(()),
    }
}

/// One number satisfies `holds`.
pub(super) fn one(x: f64, name: &str, must: &str, holds: impl Fn(f64) -> bool) -> Result<()> {
    if holds(x) { Ok(()) } else { refuse(format!("{name} is {x}: must be {must}")) }
}

/// A number of things is at least 1.
pub(super) fn positive(n: u64, name: &str) -> Result<()> {
    if n == 0 { refuse(format!("{name} is 0: must be at least 1")) } else { Ok(()) }
}

/// Two arrays have the same length.
pub(super) fn same_length<A, B>(a: &[A], name: &str, b: &[B], other: &str) -> Result<()> {
    if a.len() == b.len() {
        return Ok(());
    }
    refuse(format!("{name} has {} elements, {other} has {}", a.len(), b.len()))
}

/// An array of rows of `columns` elements.
pub(super) fn rows(x: &[f64], name: &str, columns: usize, columns_name: &str) -> Result<()> {
    positive(columns as u64, columns_name)?;
    if x.len().is_multiple_of(columns) {
        return Ok(());
    }
    refuse(format!("{name} has {} elements, no multiple of {columns_name}, which is {columns}", x.len()))
}

/// A probability, as a range.
pub(super) fn is_probability(x: f64) -> bool {
    (0.0..=1.0).contains(&x)
}
