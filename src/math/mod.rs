//! The elementary functions of everything computed in f64: pure Rust, because system libraries differ in the last bit
//! and a token must not depend on the machine. (`f64::sqrt` is correctly rounded everywhere and comes from std.)

pub(crate) mod list;
pub(crate) mod repeated;

pub(crate) use libm::{erfc, exp, expm1, lgamma as ln_gamma, log as ln, log1p, pow};
pub(crate) use list::ListMath;

/// x^y in half the time of [`pow`], to about |y ln x| ulp: enough for the steps of an iteration.
pub(crate) fn fast_pow(x: f64, y: f64) -> f64 {
    exp(y * ln(x))
}
