//! The floating-point environment of the host: rounding, subnormal numbers flushed to zero, traps. No answer may depend on it,
//! and Rust's own code presumes the usual one.

use std::arch::asm;

/// The usual environment, until it is dropped; then the host's.
pub(super) struct Usual(Option<Control>);

#[cfg(target_arch = "x86_64")]
type Control = u32;

#[cfg(target_arch = "x86_64")]
mod control {
    use super::{Control, asm};

    /// MXCSR's rounding mode, flushes and masks of traps; below them are the flags of what has occurred.
    const BITS: Control = 0xffc0;
    /// To the nearest, subnormals as they are, no traps.
    pub(super) const USUAL: Control = 0x1f80;

    pub(super) fn is_usual(control: Control) -> bool {
        control & BITS == USUAL
    }

    pub(super) fn read() -> Control {
        let mut control = 0;
        // SAFETY: stores a register into the variable.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags)) };
        control
    }

    pub(super) fn write(control: Control) {
        // SAFETY: USUAL, or what was read: no reserved bit is set.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
type Control = u64;

#[cfg(target_arch = "aarch64")]
mod control {
    use super::{Control, asm};

    /// To the nearest, subnormals as they are, no traps: FPCR has no other bits.
    pub(super) const USUAL: Control = 0;

    pub(super) fn is_usual(control: Control) -> bool {
        control == USUAL
    }

    pub(super) fn read() -> Control {
        let control;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) control, options(nostack, preserves_flags)) };
        control
    }

    pub(super) fn write(control: Control) {
        // SAFETY: USUAL, or what was read.
        unsafe { asm!("msr fpcr, {}", in(reg) control, options(nostack, preserves_flags)) };
    }
}

impl Usual {
    /// Two instructions and a comparison where the host has changed nothing.
    #[inline]
    pub(super) fn enter() -> Self {
        let host = control::read();
        if control::is_usual(host) {
            return Self(None);
        }
        control::write(control::USUAL);
        Self(Some(host))
    }
}

impl Drop for Usual {
    #[inline]
    fn drop(&mut self) {
        if let Some(host) = self.0 {
            control::write(host);
        }
    }
}
