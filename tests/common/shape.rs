//! A user's own φ as four functions, through the Rust trait and as C callbacks.

use super::oracle::{Phi, bisect};
use bregman::bregman::{Generator, Mode};
use bregman::ffi::bregman_generator;
use std::ffi::{CStr, c_void};

type Function = fn(f64) -> f64;

/// φ, f, the inverse of f, and f'.
#[derive(Clone, Copy)]
pub struct Shape {
    pub phi: Function,
    pub f: Function,
    pub inverse: Function,
    pub prime: Option<Function>,
}

/// The name of [`SHAPE`] in random chains.
pub const GENERATOR: &str = "mine";
const C_NAME: &CStr = c"mine";

/// A shifted entropy: finite derivatives at 0, so that it serves both modes.
pub static SHAPE: Shape = Shape {
    phi: |x| (x + 0.05) * (x + 0.05).ln(),
    f: |x| (x + 0.05).ln() + 1.0,
    inverse: |y| (y - 1.0).exp() - 0.05,
    prime: Some(|x| 1.0 / (x + 0.05)),
};

fn each(f: Function, x: &[f64], out: &mut [f64]) {
    x.iter().zip(out).for_each(|(&x, out)| *out = f(x));
}

impl Generator for Shape {
    fn phi(&self, x: &[f64], out: &mut [f64]) {
        each(self.phi, x, out);
    }

    fn f(&self, x: &[f64], out: &mut [f64]) {
        each(self.f, x, out);
    }

    fn f_inverse(&self, y: &[f64], out: &mut [f64]) {
        each(self.inverse, y, out);
    }

    fn f_prime(&self, x: &[f64], out: &mut [f64]) -> bool {
        self.prime.map(|f| each(f, x, out)).is_some()
    }
}

impl Phi for Shape {
    fn phi(&self, x: f64) -> f64 {
        (self.phi)(x)
    }

    fn f(&self, x: f64) -> f64 {
        (self.f)(x)
    }

    fn at_level(&self, mode: Mode, p: f64, top: f64, w: f64) -> f64 {
        let (f, prime) = (self.f, self.prime.expect("every shape that is optimised by bisection has one"));
        match mode {
            Mode::Primal => bisect(p, 1.0, |x| f(x) - f(p) >= w * (f(1.0) - f(top))),
            Mode::Dual => bisect(p, 1.0, |x| prime(x) * (x - p) >= w * prime(1.0) * (1.0 - top)),
        }
    }
}

macro_rules! callback {
    ($name:ident, $shape:ident => $function:expr) => {
        unsafe extern "C" fn $name(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
            // SAFETY: `user` is the shape behind `Shape::for_c`, which outlives the samplers that use it.
            let $shape = unsafe { &*user.cast::<Shape>() };
            // SAFETY: the library hands over two vectors of n elements.
            let (x, out) = unsafe { (std::slice::from_raw_parts(x, n), std::slice::from_raw_parts_mut(out, n)) };
            each($function, x, out);
        }
    };
}

callback!(phi, shape => shape.phi);
callback!(f, shape => shape.f);
callback!(f_inverse, shape => shape.inverse);
callback!(f_prime, shape => shape.prime.expect("the callback is NULL without it"));

impl Shape {
    /// For the C ABI, under the name [`GENERATOR`].
    pub fn for_c(&self) -> bregman_generator {
        bregman_generator {
            struct_size: size_of::<bregman_generator>() as u32,
            reserved: 0,
            name: C_NAME.as_ptr(),
            user: (&raw const *self).cast_mut().cast(),
            phi: Some(phi),
            f: Some(f),
            f_inverse: Some(f_inverse),
            f_prime: self.prime.map(|_| f_prime as _),
        }
    }
}
