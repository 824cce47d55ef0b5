//! The instruction sets: an implementation of [`Lanes`](super::kernels::lanes::Lanes) each, and one file for the 32-bit
//! integers of both x86-64 levels.

pub(super) mod scalar;

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
#[cfg(target_arch = "x86_64")]
mod x86_words;

/// Bytes in a cache line.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// Evaluates an expression of instructions on registers.
///
/// Such an instruction is unsafe for one reason only: the processor must have it. It has: every method of a level is
/// inlined into the kernels of `dispatch.rs`, whose table `levels()` hands out only on a processor with all features of
/// the level. Instructions that access memory do not belong in here: each is in an `unsafe` block of its own, with the
/// reason why the access is valid.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! simd {
    ($instructions:expr) => {
        // SAFETY: the processor has the instructions, see above.
        unsafe { $instructions }
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use simd;
