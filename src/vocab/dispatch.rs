//! Which instruction set runs, decided once: the table of kernels that a sampler holds.

use super::lanes::Lanes;
use super::passes::{self, Hit, Weighting};
use super::scalar::Scalar;
use crate::error::{Error, Result};
use once_cell::sync::OnceCell;

/// The passes of `passes.rs`, instantiated for one instruction set.
pub(crate) struct Kernels {
    /// The level's name, as `BREGMAN_SIMD` spells it; NUL-terminated for C.
    pub(crate) level: &'static std::ffi::CStr,
    pub(crate) block_maxima: fn(&[f32], &mut [f32]) -> bool,
    pub(crate) block_sums: fn(&[f32], Weighting, &mut [f64]),
    pub(crate) moment: fn(&[f32], Weighting) -> f64,
    pub(crate) weights: fn(&[f32], Weighting, &mut [f32]),
    pub(crate) collect: fn(&[f32], u32, f32, f32, &mut Vec<Hit>),
    pub(crate) count: fn(&[f32], f32) -> u64,
}

impl Kernels {
    const fn of<L: Lanes>(level: &'static std::ffi::CStr) -> Self {
        Self {
            level,
            block_maxima: passes::block_maxima::<L>,
            block_sums: passes::block_sums::<L>,
            moment: passes::moment::<L>,
            weights: passes::weights::<L>,
            collect: passes::collect::<L>,
            count: passes::count::<L>,
        }
    }
}

static SCALAR: Kernels = Kernels::of::<Scalar>(c"scalar");

/// The levels of this build, the lowest first.
static LEVELS: [&Kernels; 1] = [&SCALAR];

/// The highest level that this machine has and `BREGMAN_SIMD` allows. A value that names none is refused, and asked
/// again the next time: only a good answer is remembered.
pub(crate) fn kernels() -> Result<&'static Kernels> {
    static CHOSEN: OnceCell<&'static Kernels> = OnceCell::new();
    CHOSEN
        .get_or_try_init(|| match std::env::var_os("BREGMAN_SIMD") {
            Some(name) if !name.is_empty() => {
                by_name(&name.to_string_lossy()).ok_or_else(|| unavailable(&name.to_string_lossy()))
            }
            _ => Ok(LEVELS[LEVELS.len() - 1]),
        })
        .copied()
}

fn by_name(name: &str) -> Option<&'static Kernels> {
    LEVELS.iter().copied().find(|k| k.level.to_bytes() == name.as_bytes())
}

fn unavailable(name: &str) -> Error {
    let known: Vec<_> = LEVELS.iter().map(|k| k.level.to_string_lossy()).collect();
    Error::Unsupported(format!("BREGMAN_SIMD is `{name}`: this build and machine have {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_level_is_named_in_the_error() {
        assert!(by_name("scalar").is_some());
        assert!(by_name("altivec").is_none());
        assert!(unavailable("altivec").to_string().contains("`altivec`"));
    }
}
