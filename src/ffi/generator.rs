//! A generator φ given by the caller, as callbacks on vectors.

use super::check;
use crate::bregman::Generator;
use crate::error::{Error, Result};
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// A callback on vectors: writes a function of x[0..n) to out[0..n). `user` is that of the generator.
///
/// It must be a pure function of x and must return normally (no longjmp, no C++ exception). It may be called from any
/// thread, and from several at the same time.
pub type bregman_vector_fn = Option<unsafe extern "C" fn(user: *mut c_void, x: *const f64, out: *mut f64, n: usize)>;

/// The generator φ of a Bregman divergence: a strictly convex function on [0, 1] with φ(0) finite. Constants and linear
/// terms of φ have no effect. φ, f and f_inverse are required.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_generator {
    /// sizeof(bregman_generator), set by the caller; the same for all elements of an array.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The name that the chain uses: NUL-terminated UTF-8, copied.
    pub name: *const c_char,
    /// Passed to each callback; may be NULL.
    pub user: *mut c_void,
    /// φ(x).
    pub phi: bregman_vector_fn,
    /// f(x) = φ'(x), strictly increasing. f(0) may be -infinity for the primal and must be finite for the dual.
    pub f: bregman_vector_fn,
    /// The inverse of f, on [f(0), f(1)].
    pub f_inverse: bregman_vector_fn,
    /// f'(x), with x f'(x) nondecreasing. Required for the dual, otherwise NULL.
    pub f_prime: bregman_vector_fn,
}

// SAFETY: numbers, pointers, and callbacks that may be none.
unsafe impl check::Grows for bregman_generator {
    const FIRST_SIZE: usize = size_of::<Self>();
}

type VectorFn = unsafe extern "C" fn(*mut c_void, *const f64, *mut f64, usize);

struct FromC {
    user: *mut c_void,
    phi: VectorFn,
    f: VectorFn,
    f_inverse: VectorFn,
    f_prime: Option<VectorFn>,
}

// SAFETY: the header requires callbacks that may be called from any thread, and `user` is only passed to them.
unsafe impl Send for FromC {}
// SAFETY: as above, several at a time.
unsafe impl Sync for FromC {}

impl FromC {
    fn call(&self, f: VectorFn, x: &[f64], out: &mut [f64]) {
        debug_assert_eq!(x.len(), out.len(), "one result for each argument");
        // SAFETY: both vectors have this length, and the header states what the callback may do.
        unsafe { f(self.user, x.as_ptr(), out.as_mut_ptr(), x.len().min(out.len())) }
    }
}

impl Generator for FromC {
    fn phi(&self, x: &[f64], out: &mut [f64]) {
        self.call(self.phi, x, out);
    }

    fn f(&self, x: &[f64], out: &mut [f64]) {
        self.call(self.f, x, out);
    }

    fn f_inverse(&self, y: &[f64], out: &mut [f64]) {
        self.call(self.f_inverse, y, out);
    }

    fn f_prime(&self, x: &[f64], out: &mut [f64]) -> bool {
        self.f_prime.map(|f| self.call(f, x, out)).is_some()
    }
}

/// # Safety
/// If not NULL, `list` points to `n` generators, each of the `struct_size` that it states.
pub(super) unsafe fn generators(list: *const bregman_generator, n: usize) -> Result<Vec<(String, Arc<dyn Generator>)>> {
    let refuse = |i: usize, what: &str| Err(Error::InvalidArgument(format!("generators[{i}].{what}")));
    let mut all: Vec<(String, Arc<dyn Generator>)> = Vec::new();
    let mut at = list;
    for i in 0..n {
        // SAFETY: element `i` of the caller's array.
        let g = unsafe { check::sized(at, "generators") }?;
        if g.reserved != 0 {
            return Err(Error::Unsupported(format!("generators[{i}].reserved is not 0: a field of a later version")));
        }
        // SAFETY: the caller's string.
        let name = unsafe { check::text(g.name, "generators->name", Error::InvalidArgument) }?;
        if name.is_empty() || name.contains(['|', '(', ')', ',', '=']) || name.trim() != name {
            return refuse(
                i,
                "name must be a word that a chain can contain: no `|`, `(`, `)`, `,`, `=`, no space at its ends",
            );
        }
        if all.iter().any(|(known, _)| known == name) {
            return refuse(i, &format!("name `{name}` is used twice"));
        }
        let (Some(phi), Some(f), Some(f_inverse)) = (g.phi, g.f, g.f_inverse) else {
            return refuse(i, "phi, f and f_inverse must not be NULL");
        };
        all.push((name.into(), Arc::new(FromC { user: g.user, phi, f, f_inverse, f_prime: g.f_prime })));
        // SAFETY: the next element of the caller's array, or its end.
        at = unsafe { at.cast::<u8>().add(g.struct_size as usize) }.cast();
    }
    Ok(all)
}
