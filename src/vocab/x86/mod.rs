//! x86-64: one file an instruction set, and one for the whole numbers of both.

pub(super) mod avx2;
pub(super) mod avx512;
mod words;

/// Bytes in a line of the cache.
const LINE: usize = 64;
