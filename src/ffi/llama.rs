//! A stage for llama.cpp without its header: the table of callbacks, and the sampler behind it.
//!
//! `struct llama_sampler_i` has begun with the same six callbacks since 2024-09 and has grown at its end only; a host
//! reads the slots of its own version. The table is padded with NULL to more slots than any version has.

use super::apply::{apply, fall_back};
use super::check;
use super::guard;
use super::handle::{self, boxed, bregman_sampler, with_sampler};
use super::types::*;
use crate::error::{Error, Result};
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots of the table: more than any llama.cpp reads.
const SLOTS: usize = 32;

/// `struct llama_sampler`, the same in every version.
#[repr(C)]
struct LlamaSampler {
    iface: *const c_void,
    ctx: *mut c_void,
}

/// `llama_sampler_init(iface, ctx)`, the host's own: what it allocates, its `llama_sampler_free` can free.
type Init = unsafe extern "C" fn(iface: *const c_void, ctx: *mut c_void) -> *mut LlamaSampler;

/// What a stage of llama.cpp does when an apply fails: it leaves the candidates unchanged, so that llama_sampler_sample
/// aborts the process if the stage was to select a token. The default.
pub const BREGMAN_LLAMA_ABORT: u32 = 0;
/// What a stage of llama.cpp does when an apply fails: it keeps the most likely candidate only, so that the process goes
/// on (bregman_llama_set_on_failure).
pub const BREGMAN_LLAMA_FALLBACK: u32 = 1;

/// A callback for failures of a stage of llama.cpp: `message` says why an apply failed, NUL-terminated UTF-8, valid
/// during the call. It runs on the thread that applies, must not call a function on the stage or its sampler, and must
/// return normally (no longjmp, no C++ exception).
pub type bregman_llama_failure_fn = Option<unsafe extern "C" fn(user: *mut c_void, message: *const c_char)>;

/// What follows a failed apply.
#[derive(Clone, Copy)]
struct OnFailure {
    falls_back: bool,
    report: bregman_llama_failure_fn,
    user: *mut c_void,
}

/// What `ctx` points to. It has no pointer to its `llama_sampler`, because `llama_sampler_copy` moves it to another.
struct Context {
    sampler: *mut bregman_sampler,
    init: Init,
    on_failure: Cell<OnFailure>,
    /// Of the stage and all its clones.
    failures: Arc<AtomicU64>,
}

impl Context {
    /// # Safety
    /// The stage's own handle, and the host's candidates.
    unsafe fn apply(&self, candidates: *mut bregman_candidates) {
        // SAFETY: as this function's.
        if unsafe { with_sampler(self.sampler, |sampler| apply(sampler, candidates)) } == BREGMAN_OK {
            return;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        let OnFailure { falls_back, report, user } = self.on_failure.get();
        if falls_back {
            // SAFETY: as this function's.
            unsafe { with_sampler(self.sampler, |sampler| fall_back(sampler, candidates)) };
        }
        if let Some(report) = report {
            // SAFETY: the stage's own handle.
            let message = unsafe { handle::message(self.sampler) };
            // SAFETY: the host's callback and its own pointer.
            unsafe { report(user, message) };
        }
    }
}

#[repr(transparent)]
struct Table([*const c_void; SLOTS]);

// SAFETY: addresses of functions, and never written.
unsafe impl Sync for Table {}

/// One table for all stages: the host compares its address to see whether two samplers are of the same kind.
static TABLE: Table = {
    let mut slots = [std::ptr::null(); SLOTS];
    slots[0] = llama_name as *const c_void;
    slots[1] = llama_accept as *const c_void;
    slots[2] = llama_apply as *const c_void;
    slots[3] = llama_reset as *const c_void;
    slots[4] = llama_clone as *const c_void;
    slots[5] = llama_free as *const c_void;
    Table(slots)
};

/// The callbacks of a bregman stage as a `struct llama_sampler_i`: name, accept, apply, reset, clone and free. All
/// further slots, 32 in total, are NULL, so that llama.cpp of any version may read the table. For hosts that call
/// llama_sampler_init themselves; only bregman_llama_attach makes a `ctx` for it. Static; thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn bregman_llama_iface() -> *const c_void {
    guard(std::ptr::null(), || (&raw const TABLE).cast())
}

/// Makes a sampler a stage of llama.cpp: calls the host's `llama_sampler_init` and writes its `struct llama_sampler *`
/// to `*out`, ready for llama_sampler_chain_add. Needs no llama.h; works with llama.cpp from 2025-02 on.
///
/// `llama_sampler_init`: the address of that function in the host's libllama. `sampler`: on success the stage owns it,
/// and llama_sampler_free (of the stage or of its chain) frees it; on failure the caller still owns it. `out`:
/// unchanged on failure.
///
/// The stage applies the chain as bregman_apply does, appends accepted tokens to the history, and clones with its whole
/// state. A chain that ends with a drawing stage selects a token, and belongs at the end of llama.cpp's chain.
/// llama_sampler_reset resets it as bregman_sampler_reset does. llama_sampler_apply cannot report an error: an apply
/// that fails leaves the candidates unchanged, with its message on the handle (bregman_llama_sampler,
/// bregman_sampler_error), unless bregman_llama_set_on_failure says otherwise.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned), BREGMAN_INTERNAL (llama_sampler_init returned NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_llama_attach(
    llama_sampler_init: *const c_void,
    sampler: *mut bregman_sampler,
    out: *mut *mut c_void,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        if llama_sampler_init.is_null() || check::pointer(sampler, "sampler").and(check::pointer(out, "out")).is_err() {
            return BREGMAN_INVALID_ARGUMENT;
        }
        // SAFETY: the caller guarantees that this is the address of llama_sampler_init.
        let init = unsafe { std::mem::transmute::<*const c_void, Init>(llama_sampler_init) };
        let on_failure = OnFailure { falls_back: false, report: None, user: std::ptr::null_mut() };
        let context = Context { sampler, init, on_failure: Cell::new(on_failure), failures: Arc::default() };
        // SAFETY: as above, and a live handle.
        match unsafe { make(context) } {
            Err(e) => status_of(&e),
            Ok(made) if made.is_null() => BREGMAN_INTERNAL,
            Ok(made) => {
                // SAFETY: checked above.
                unsafe { *out = made.cast() };
                BREGMAN_OK
            }
        }
    })
}

/// The sampler of a stage that bregman_llama_attach made, or of a clone of one, for bregman_sampler_error,
/// bregman_sampler_reseed or bregman_sampler_set_logit_bias. The stage still owns it. NULL for NULL and for any other
/// llama_sampler. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_llama_sampler(llama_sampler: *const c_void) -> *mut bregman_sampler {
    guard(std::ptr::null_mut(), || {
        // SAFETY: the caller guarantees NULL or a llama_sampler.
        unsafe { context(llama_sampler.cast()) }.map_or(std::ptr::null_mut(), |c| c.sampler)
    })
}

/// Sets what a stage of llama.cpp does when an apply fails; clones inherit it.
///
/// `on_failure`: BREGMAN_LLAMA_ABORT or BREGMAN_LLAMA_FALLBACK. With the second a failed apply keeps one
/// candidate, with `p` 1, and selects it if the chain draws: the one with the largest logit, bias included, among those
/// that the sampler's mask and bias allow; if they allow none, the one with the largest logit of all; if no logit is a
/// number, the first. (The stages of the chain are not used.) Such a row counts as decoded: the random position advances
/// by one (unless memory was refused). An array without candidates stays empty.
///
/// `report`: NULL, or called after each failed apply, with `user`, which may be NULL; both must stay valid until the
/// stage and its clones are freed.
///
/// One thread at a time may use a stage. Fails with BREGMAN_INVALID_ARGUMENT (not a stage of bregman; another number,
/// with the message on the stage's sampler); nothing changes then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_llama_set_on_failure(
    llama_sampler: *mut c_void,
    on_failure: u32,
    report: bregman_llama_failure_fn,
    user: *mut c_void,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller guarantees NULL or a llama_sampler.
        let Some(c) = (unsafe { context(llama_sampler.cast()) }) else {
            return BREGMAN_INVALID_ARGUMENT;
        };
        // SAFETY: the stage's own handle.
        unsafe {
            with_sampler(c.sampler, |_| {
                let falls_back = match on_failure {
                    BREGMAN_LLAMA_ABORT => false,
                    BREGMAN_LLAMA_FALLBACK => true,
                    other => {
                        let known = "BREGMAN_LLAMA_ABORT (0) or BREGMAN_LLAMA_FALLBACK (1)";
                        return Err(Error::InvalidArgument(format!("on_failure is {other}, not {known}")));
                    }
                };
                c.on_failure.set(OnFailure { falls_back, report, user });
                Ok(())
            })
        }
    })
}

/// Writes to `*out` how many applies of a stage of llama.cpp have failed, those of its clones included. May be called
/// while another thread uses the stage.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (not a stage of bregman; `out` is NULL or misaligned); `out` is unchanged then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_llama_failures(llama_sampler: *const c_void, out: *mut u64) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the caller guarantees NULL or a llama_sampler.
        match unsafe { context(llama_sampler.cast()) } {
            Some(c) if check::pointer(out, "out").is_ok() => {
                // SAFETY: just checked.
                unsafe { *out = c.failures.load(Ordering::Relaxed) };
                BREGMAN_OK
            }
            _ => BREGMAN_INVALID_ARGUMENT,
        }
    })
}

/// # Safety
/// The context has the host's llama_sampler_init and a live handle.
unsafe fn make(context: Context) -> Result<*mut LlamaSampler> {
    let init = context.init;
    let context = boxed(context)?;
    // SAFETY: the host's function, with a table and a context that outlive the sampler.
    let made = unsafe { init((&raw const TABLE).cast(), context.cast()) };
    if made.is_null() {
        // SAFETY: the host did not take it. The caller still owns the handle.
        drop(unsafe { Box::from_raw(context) });
    }
    Ok(made)
}

/// The context of one of our stages.
///
/// # Safety
/// `llama_sampler` is NULL or a live one, and nothing else changes it during the call.
unsafe fn context<'a>(llama_sampler: *const LlamaSampler) -> Option<&'a Context> {
    if !llama_sampler.is_aligned() {
        return None;
    }
    // SAFETY: NULL or live.
    let llama_sampler = unsafe { llama_sampler.as_ref() }?;
    if !std::ptr::eq(llama_sampler.iface, (&raw const TABLE).cast()) {
        return None;
    }
    // SAFETY: with our table, `ctx` is our context, or NULL once that was freed.
    unsafe { llama_sampler.ctx.cast::<Context>().as_ref() }
}

unsafe extern "C" fn llama_name(_: *const LlamaSampler) -> *const c_char {
    guard(c"bregman".as_ptr(), || c"bregman".as_ptr())
}

unsafe extern "C" fn llama_accept(llama_sampler: *mut LlamaSampler, token: i32) {
    // SAFETY: the host's call on our stage.
    if let Some(c) = unsafe { context(llama_sampler) } {
        // SAFETY: the stage's own handle.
        unsafe { with_sampler(c.sampler, |sampler| sampler.accept(&[token])) };
    }
}

unsafe extern "C" fn llama_apply(llama_sampler: *mut LlamaSampler, candidates: *mut bregman_candidates) {
    guard((), || {
        // SAFETY: the host's call on our stage.
        if let Some(c) = unsafe { context(llama_sampler) } {
            // SAFETY: the stage's own handle, and the host's candidates.
            unsafe { c.apply(candidates) };
        }
    });
}

unsafe extern "C" fn llama_reset(llama_sampler: *mut LlamaSampler) {
    // SAFETY: the host's call on our stage.
    if let Some(c) = unsafe { context(llama_sampler) } {
        // SAFETY: the stage's own handle.
        unsafe {
            with_sampler(c.sampler, |sampler| {
                sampler.reset();
                Ok(())
            })
        };
    }
}

unsafe extern "C" fn llama_clone(llama_sampler: *const LlamaSampler) -> *mut LlamaSampler {
    // SAFETY: the host's call on our stage.
    let Some(c) = (unsafe { context(llama_sampler) }) else {
        return std::ptr::null_mut();
    };
    let mut made = std::ptr::null_mut();
    // SAFETY: the stage's own handle.
    unsafe {
        with_sampler(c.sampler, |sampler| {
            let copy = bregman_sampler::new(sampler.try_clone()?)?;
            let (on_failure, failures) = (c.on_failure.clone(), c.failures.clone());
            let attached = make(Context { sampler: copy, init: c.init, on_failure, failures });
            made = *attached.as_ref().unwrap_or(&std::ptr::null_mut());
            if made.is_null() {
                bregman_sampler::free(copy);
            }
            attached.map(|_| ())
        })
    };
    made
}

/// Frees the context only: the host frees the `llama_sampler` around it.
unsafe extern "C" fn llama_free(llama_sampler: *mut LlamaSampler) {
    guard((), || {
        // SAFETY: the host's call on our stage.
        if let Some(c) = unsafe { context(llama_sampler) } {
            let context = std::ptr::from_ref(c).cast_mut();
            // SAFETY: `ctx` came from `Box::into_raw`, and the host frees it once.
            let context = unsafe { Box::from_raw(context) };
            // SAFETY: the stage's own handle, which no later call uses.
            unsafe { bregman_sampler::free(context.sampler) };
            // llama_sampler_copy calls this and then sets another context: until then there is none.
            // SAFETY: not NULL, or there would be no context.
            unsafe { (*llama_sampler).ctx = std::ptr::null_mut() };
        }
    });
}
