//! Samplers as handles: one call at a time uses a handle, and its error messages stay on it.

use super::guard;
use super::types::{BREGMAN_INTERNAL, BREGMAN_INVALID_ARGUMENT, BREGMAN_OK, status_of};
use crate::error::{Error, Result};
use crate::sampler::Sampler;
use std::alloc::{Layout, alloc};
use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A chain and the state of one sequence: seed and position of its random numbers, history, logit bias, mask, and what
/// stages that learn have learnt. Opaque.
///
/// One thread at a time may use a handle; different handles are independent, clones too. A call on a handle that
/// another call is using fails with BREGMAN_INVALID_ARGUMENT and changes nothing (bregman_sampler_free: see there).
pub struct bregman_sampler {
    /// 0, or the ticket of the call that uses the handle, with [`FREED`] set once the handle was freed during it.
    user: AtomicUsize,
    state: UnsafeCell<HandleState>,
}

/// The bit of `user` that makes the call which uses a handle free it at its end. No ticket has it.
const FREED: usize = 1;

/// A number that no other running call has: the address of a local variable, which is even.
pub(super) struct Ticket(u16);

impl Ticket {
    pub(super) fn new() -> Self {
        Self(0)
    }

    fn number(&self) -> usize {
        (&raw const self.0).addr()
    }
}

pub(super) struct HandleState {
    sampler: Sampler,
    error: Cow<'static, CStr>,
}

impl HandleState {
    /// Keeps the message of a failed call and returns its status.
    pub(super) fn fail(&mut self, e: &Error) -> u32 {
        // A message may quote a user's text, but no NUL: that would have ended the text.
        self.error = match e {
            Error::OutOfMemory => c"out of memory".into(),
            _ => CString::new(e.to_string()).unwrap_or_default().into(),
        };
        status_of(e)
    }

    /// Runs `body` on the sampler; an error becomes the status and the message, a panic BREGMAN_INTERNAL.
    pub(super) fn run(&mut self, body: impl FnOnce(&mut Sampler) -> Result<()>) -> u32 {
        let status = guard(None, || match body(&mut self.sampler) {
            Ok(()) => Some(BREGMAN_OK),
            Err(e) => Some(self.fail(&e)),
        });
        status.unwrap_or_else(|| {
            self.error = c"a defect in bregman; please report it".into();
            BREGMAN_INTERNAL
        })
    }
}

/// An error for an element of `samplers` that an earlier one is, too.
pub(super) fn repeated(samplers: &[*mut bregman_sampler], at: usize) -> Error {
    let first = samplers.iter().position(|&handle| handle == samplers[at]).unwrap_or(at);
    Error::InvalidArgument(format!("samplers[{at}] is samplers[{first}] again: a sampler has one place in a call"))
}

/// Why a call cannot use a handle.
pub(super) enum Refused {
    /// It is NULL or misaligned.
    Invalid,
    /// This call uses it already: the handle is in a batch twice.
    Twice,
    /// Another call uses it.
    Busy,
}

/// A value in a box of its own, for `Box::from_raw`.
pub(super) fn boxed<T>(value: T) -> Result<*mut T> {
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: the layout is not empty.
    let place = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if place.is_null() {
        return Err(Error::OutOfMemory);
    }
    // SAFETY: memory for one, as `Box` allocates it.
    unsafe { place.write(value) };
    Ok(place)
}

impl bregman_sampler {
    /// A handle that C owns.
    pub(super) fn new(sampler: Sampler) -> Result<*mut Self> {
        let state = HandleState { sampler, error: c"".into() };
        boxed(Self { user: AtomicUsize::new(0), state: UnsafeCell::new(state) })
    }

    /// Takes the handle for the call that holds the ticket, until [`bregman_sampler::leave`].
    ///
    /// # Safety
    /// `handle` is NULL or a live handle.
    pub(super) unsafe fn enter(handle: *const Self, ticket: &Ticket) -> std::result::Result<(), Refused> {
        if handle.is_null() || !handle.is_aligned() {
            return Err(Refused::Invalid);
        }
        // SAFETY: a live handle.
        let user = unsafe { &(*handle).user };
        match user.compare_exchange(0, ticket.number(), Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            Err(other) if other & !FREED == ticket.number() => Err(Refused::Twice),
            Err(_) => Err(Refused::Busy),
        }
    }

    /// The state of a handle that was entered.
    ///
    /// # Safety
    /// The caller entered the live `handle`, has not left it, and holds no other reference to its state.
    pub(super) unsafe fn state<'a>(handle: *const Self) -> &'a mut HandleState {
        // SAFETY: a live handle.
        let cell = unsafe { &(*handle).state };
        // SAFETY: the call that entered is the only one that uses the state.
        unsafe { &mut *cell.get() }
    }

    /// Leaves a handle that was entered, and frees it if bregman_sampler_free was called meanwhile.
    ///
    /// # Safety
    /// The caller entered the live `handle` and holds no reference to its state any more.
    pub(super) unsafe fn leave(handle: *const Self) {
        // SAFETY: a live handle.
        let user = unsafe { &(*handle).user }.swap(0, Ordering::AcqRel);
        if user & FREED != 0 {
            // SAFETY: the handle came from `new`, as a box's memory, and `free` left it to this call.
            drop(unsafe { Box::from_raw(handle.cast_mut()) });
        }
    }

    /// Frees a handle: at once, or at the end of the call that uses it.
    ///
    /// # Safety
    /// `handle` is NULL or a live handle, and no call on it begins from now on.
    pub(super) unsafe fn free(handle: *mut Self) {
        if handle.is_null() || !handle.is_aligned() {
            return;
        }
        // SAFETY: a live handle.
        let user = unsafe { &(*handle).user }.fetch_or(FREED, Ordering::AcqRel);
        if user == 0 {
            // SAFETY: the handle came from `new`, as a box's memory, and no call uses it.
            drop(unsafe { Box::from_raw(handle) });
        }
    }
}

/// Runs `body` on the handle's sampler; its error becomes the status and the handle's message, a panic
/// BREGMAN_INTERNAL.
///
/// # Safety
/// `handle` is NULL or a live handle.
pub(super) unsafe fn with_sampler(
    handle: *const bregman_sampler,
    body: impl FnOnce(&mut Sampler) -> Result<()>,
) -> u32 {
    let ticket = Ticket::new();
    // SAFETY: as this function's.
    if unsafe { bregman_sampler::enter(handle, &ticket) }.is_err() {
        return BREGMAN_INVALID_ARGUMENT;
    }
    // SAFETY: just entered.
    let status = unsafe { bregman_sampler::state(handle) }.run(body);
    // SAFETY: entered above, and its state is not used any more.
    unsafe { bregman_sampler::leave(handle) };
    status
}

/// The message of the last failed call; a fixed one if the handle is NULL or in use.
///
/// # Safety
/// `handle` is NULL or a live handle.
pub(super) unsafe fn message(handle: *const bregman_sampler) -> *const std::ffi::c_char {
    let ticket = Ticket::new();
    // SAFETY: as this function's.
    match unsafe { bregman_sampler::enter(handle, &ticket) } {
        Ok(()) => {
            // SAFETY: just entered.
            let message = unsafe { bregman_sampler::state(handle) }.error.as_ptr();
            // SAFETY: entered above.
            unsafe { bregman_sampler::leave(handle) };
            message
        }
        Err(Refused::Invalid) if handle.is_null() => c"the sampler is NULL".as_ptr(),
        Err(Refused::Invalid) => c"the sampler is misaligned".as_ptr(),
        Err(Refused::Twice | Refused::Busy) => c"the sampler is in use by another call".as_ptr(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bregman::Generator;
    use std::sync::{Arc, Weak};

    /// φ(x) = x² / 2.
    struct Square;

    impl Generator for Square {
        fn phi(&self, x: &[f64], out: &mut [f64]) {
            x.iter().zip(out).for_each(|(x, out)| *out = x * x / 2.0);
        }

        fn f(&self, x: &[f64], out: &mut [f64]) {
            out.copy_from_slice(x);
        }

        fn f_inverse(&self, y: &[f64], out: &mut [f64]) {
            out.copy_from_slice(y);
        }
    }

    /// A handle, and what is alive as long as its sampler is.
    fn handle() -> (*mut bregman_sampler, Weak<Square>) {
        let square = Arc::new(Square);
        let alive = Arc::downgrade(&square);
        let chain = "bregman(generator=square, lambda=0.01) | draw";
        (bregman_sampler::new(Sampler::with_generators(chain, 1, &[("square", square)]).unwrap()).unwrap(), alive)
    }

    #[test]
    fn free_drops_an_idle_sampler_at_once() {
        let (handle, alive) = handle();
        assert!(alive.strong_count() > 0);
        // SAFETY: freed once.
        unsafe { bregman_sampler::free(handle) };
        assert_eq!(alive.strong_count(), 0);
    }

    #[test]
    fn free_during_a_call_drops_the_sampler_when_the_call_ends() {
        let (handle, alive) = handle();
        let body = |sampler: &mut Sampler| {
            // SAFETY: freed once, by a call that has begun.
            unsafe { bregman_sampler::free(handle) };
            assert!(alive.strong_count() > 0);
            sampler.accept(&[1])
        };
        // SAFETY: a live handle.
        assert_eq!(unsafe { with_sampler(handle, body) }, BREGMAN_OK);
        assert_eq!(alive.strong_count(), 0);
    }

    #[test]
    fn a_panic_leaves_the_handle_usable_with_a_message() {
        let (handle, _alive) = handle();
        // SAFETY: a live handle.
        assert_eq!(unsafe { with_sampler(handle, |_| panic!("a defect for this test")) }, BREGMAN_INTERNAL);
        // SAFETY: a live handle; the text lives until the next call on it.
        let message = unsafe { CStr::from_ptr(message(handle)) };
        assert_eq!(message, c"a defect in bregman; please report it");
        // SAFETY: a live handle.
        assert_eq!(unsafe { with_sampler(handle, |sampler| sampler.accept(&[1])) }, BREGMAN_OK);
        // SAFETY: freed once.
        unsafe { bregman_sampler::free(handle) };
    }
}
