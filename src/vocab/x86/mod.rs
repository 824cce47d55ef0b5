//! x86-64: one file an instruction set.

pub(super) mod avx2;
pub(super) mod avx512;
