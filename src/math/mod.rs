//! The elementary functions of the head: pure Rust, because system libraries differ in the last bit and a token must
//! not depend on the machine. (`f64::sqrt` is correctly rounded everywhere and comes from std.)

pub(crate) mod listed;

pub(crate) use libm::{exp, expm1, log as ln, log1p, pow};
pub(crate) use listed::exp_all;

/// x^y in half the time of [`pow`], right to |y ln x| ulp: for the steps of an iteration.
pub(crate) fn fast_pow(x: f64, y: f64) -> f64 {
    exp(y * ln(x))
}
