//! The elementary functions of the head: pure Rust, because system libraries differ in the last bit and a token must
//! not depend on the machine. (`f64::sqrt` is correctly rounded everywhere and comes from std.)

pub(crate) use libm::{exp, expm1, log as ln, log1p, pow};
