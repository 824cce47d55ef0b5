//! Samplers as handles: one call at a time enters, and errors stay on the handle.

use super::types::{BREGMAN_INTERNAL, BREGMAN_INVALID_ARGUMENT, BREGMAN_OK, status_of};
use crate::error::Result;
use crate::sampler::Sampler;
use std::cell::UnsafeCell;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A chain and the state of one sequence: random seed and position, history, logit bias. Opaque.
///
/// One thread at a time may use a handle; different handles are independent, also those cloned from one another. A
/// call that finds its handle in use by another call fails with BREGMAN_INVALID_ARGUMENT and changes nothing.
pub struct bregman_sampler {
    /// 0, or the ticket of the call that is inside.
    user: AtomicUsize,
    state: UnsafeCell<HandleState>,
}

pub(super) struct HandleState {
    pub(super) sampler: Sampler,
    pub(super) error: CString,
}

impl HandleState {
    /// Keeps the message of a failed call, and says its status.
    pub(super) fn fail(&mut self, e: &crate::Error) -> u32 {
        // The message is our own and may quote a user's text, but not a NUL: that would have ended it.
        self.error = CString::new(e.to_string()).unwrap_or_default();
        status_of(e)
    }
}

/// Why a handle cannot be entered.
pub(super) enum Refused {
    Null,
    /// This very call is inside already: the handle stands twice in a batch.
    Twice,
    /// Another call is inside.
    Busy,
}

impl bregman_sampler {
    pub(super) fn new(sampler: Sampler) -> Box<Self> {
        let state = HandleState { sampler, error: CString::default() };
        Box::new(Self { user: AtomicUsize::new(0), state: UnsafeCell::new(state) })
    }

    /// Enters the handle on behalf of the call that holds `ticket`, a number that is not 0 and no other call's.
    ///
    /// # Safety
    /// `handle` is NULL or a live handle.
    pub(super) unsafe fn enter(handle: *const Self, ticket: usize) -> std::result::Result<(), Refused> {
        if handle.is_null() || !handle.is_aligned() {
            return Err(Refused::Null);
        }
        // SAFETY: a live handle.
        let user = unsafe { &(*handle).user };
        match user.compare_exchange(0, ticket, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            Err(inside) if inside == ticket => Err(Refused::Twice),
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
        // SAFETY: whoever entered is alone.
        unsafe { &mut *cell.get() }
    }

    /// Leaves a handle that was entered.
    ///
    /// # Safety
    /// The caller entered the live `handle` and holds no reference to its state any more.
    pub(super) unsafe fn leave(handle: *const Self) {
        // SAFETY: a live handle.
        let user = unsafe { &(*handle).user };
        user.store(0, Ordering::Release);
    }

    /// Leaves a handle if the call that holds `ticket` is inside.
    ///
    /// # Safety
    /// `handle` is NULL or a live handle, to whose state the caller holds no reference any more.
    pub(super) unsafe fn leave_if(handle: *const Self, ticket: usize) {
        if handle.is_null() || !handle.is_aligned() {
            return;
        }
        // SAFETY: a live handle.
        let user = unsafe { &(*handle).user };
        let _ = user.compare_exchange(ticket, 0, Ordering::Release, Ordering::Relaxed);
    }
}

/// Runs `body` inside the handle; its error becomes the status and the handle's message, a panic BREGMAN_INTERNAL.
///
/// # Safety
/// `handle` is NULL or a live handle.
pub(super) unsafe fn inside(handle: *const bregman_sampler, body: impl FnOnce(&mut Sampler) -> Result<()>) -> u32 {
    // The address of a local is no other running call's.
    let ticket = 0u8;
    // SAFETY: as this function's.
    if unsafe { bregman_sampler::enter(handle, &raw const ticket as usize) }.is_err() {
        return BREGMAN_INVALID_ARGUMENT;
    }
    // SAFETY: just entered.
    let state = unsafe { bregman_sampler::state(handle) };
    let status = run(state, body);
    // SAFETY: entered above; `state` is not used any more.
    unsafe { bregman_sampler::leave(handle) };
    status
}

/// Runs `body` on an entered handle's sampler, with a panic kept inside.
pub(super) fn run(state: &mut HandleState, body: impl FnOnce(&mut Sampler) -> Result<()>) -> u32 {
    match catch_unwind(AssertUnwindSafe(|| body(&mut state.sampler))) {
        Ok(Ok(())) => BREGMAN_OK,
        Ok(Err(e)) => state.fail(&e),
        Err(payload) => {
            std::mem::forget(payload);
            state.error = c"a defect in bregman; please report it".into();
            BREGMAN_INTERNAL
        }
    }
}
