//! Creation, state and description of samplers.

use super::check;
use super::generator::{bregman_generator, generators};
use super::guard;
use super::handle::{self, bregman_sampler, with_sampler};
use super::types::*;
use crate::error::Error;
use crate::memory;
use crate::sampler::Sampler;
use std::ffi::c_char;

/// Creates a sampler from the text of a chain, such as "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", at
/// position 0 of the random numbers of `seed`. Every seed is reproducible; none means "random".
///
/// `chain`: NUL-terminated UTF-8 of at most 65 536 bytes and 64 stages, of which at most 16 may read the whole row; not
/// used after the call. `out`: receives the handle, which the caller frees with bregman_sampler_free; unchanged on
/// failure. `error`: NULL, or a buffer of `error_size` bytes for the message of a failure, which is cut to fit and
/// NUL-terminated. Thread-safe.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (NULL), BREGMAN_INVALID_CHAIN (the message names the stage, the parameter and
/// its range), BREGMAN_UNSUPPORTED (an alpha outside the range in which the solver is proven; BREGMAN_SIMD names no
/// level of this machine).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_new(
    chain: *const c_char,
    seed: u64,
    out: *mut *mut bregman_sampler,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the pointers are the caller's, checked in `create`.
        unsafe { create(chain, seed, std::ptr::null(), 0, out, error, error_size) }
    })
}

/// bregman_sampler_new for a chain that names generators of divergences: "bregman(generator=mine, lambda=0.01) | draw".
///
/// `generators`: an array of `n`, not used after the call; the callbacks and `user` pointers must stay valid until the
/// last sampler made from this one, clones included, is freed. Each generator that the chain uses is checked here on a
/// grid in [0, 1]; the message of BREGMAN_INVALID_CHAIN says what is wrong with it. Thread-safe if the callbacks are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_new_with_generators(
    chain: *const c_char,
    seed: u64,
    generators: *const bregman_generator,
    n: usize,
    out: *mut *mut bregman_sampler,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        // SAFETY: the pointers are the caller's, checked in `create`.
        unsafe { create(chain, seed, generators, n, out, error, error_size) }
    })
}

/// # Safety
/// As for the module.
unsafe fn create(
    chain: *const c_char,
    seed: u64,
    list: *const bregman_generator,
    n: usize,
    out: *mut *mut bregman_sampler,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    let made = || {
        check::pointer(out, "out")?;
        // SAFETY: the caller's string.
        let chain = unsafe { check::text(chain, "chain", Error::InvalidChain) }?;
        // SAFETY: the caller's array.
        let generators = unsafe { generators(list, n) }?;
        let named: Vec<_> = generators.iter().map(|(name, g)| (name.as_str(), g.clone())).collect();
        bregman_sampler::new(Sampler::with_generators(chain, seed, &named)?)
    };
    match made() {
        Ok(handle) => {
            // SAFETY: checked above.
            unsafe { *out = handle };
            BREGMAN_OK
        }
        Err(e) => {
            // SAFETY: the caller's buffer.
            unsafe { check::write_error(&e, error, error_size) };
            status_of(&e)
        }
    }
}

/// Creates an independent sampler in the same state: chain, seed, random position, history, logit bias, mask, and what
/// stages that learn have learnt. `out` receives the handle, which the caller frees with bregman_sampler_free;
/// unchanged on failure.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, handle in use).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_clone(sampler: *const bregman_sampler, out: *mut *mut bregman_sampler) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe {
        with_sampler(sampler, |sampler| {
            check::pointer(out, "out")?;
            *out = bregman_sampler::new(sampler.try_clone()?)?;
            Ok(())
        })
    }
}

/// Frees a sampler; NULL does nothing. No call on the handle may begin after this one, and the text that
/// bregman_sampler_error returned is no longer valid. If another call is using the handle (on another thread, or
/// further up on this one, from a generator's callback), that call ends as usual and frees the handle then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_free(sampler: *mut bregman_sampler) {
    // SAFETY: NULL or a live handle that no later call uses.
    guard((), || unsafe { bregman_sampler::free(sampler) });
}

/// Starts another sequence: the seed of creation, position 0, and no history or learnt state. The logit bias and the
/// mask stay, so that a reset never allows what the host banned. Fails with BREGMAN_INVALID_ARGUMENT (NULL, handle in
/// use).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_reset(sampler: *mut bregman_sampler) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe {
        with_sampler(sampler, |sampler| {
            sampler.reset();
            Ok(())
        })
    }
}

/// Continues with the random numbers of `seed` at `position`. The position starts at 0, and every successful
/// bregman_decode, bregman_apply, bregman_draw_many and row of a batch advances it by one.
///
/// To resume a sequence elsewhere, use bregman_sampler_save and bregman_sampler_load. Without a saved state, create the
/// sampler from the same chain, accept the same history, set the prompt length, and reseed with the number of rows decoded
/// so far; this does not resume a chain with a stage that learns (bregman_stage.learns), whose draws also depend on the
/// tokens drawn so far. Fails with BREGMAN_INVALID_ARGUMENT (NULL, handle in use).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_reseed(sampler: *mut bregman_sampler, seed: u64, position: u64) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe {
        with_sampler(sampler, |sampler| {
            sampler.reseed(seed, position);
            Ok(())
        })
    }
}

/// Appends `n` tokens to the history that stages such as penalties and dry look at: those of the prompt, and each token
/// with which the sequence continued. BREGMAN_ACCEPT does this for drawn tokens. Tokens accepted before the first row
/// are the prompt (bregman_sampler_set_prompt_length). `tokens` may be NULL if `n` is 0.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, a negative token, handle in use).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_accept(sampler: *mut bregman_sampler, tokens: *const i32, n: usize) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's array.
    unsafe { with_sampler(sampler, |sampler| sampler.accept(check::slice(tokens, n, "tokens")?)) }
}

/// Replaces the logit bias: `bias[i]` is added to the logit of token `ids[i]` before any stage, and -infinity bans the
/// token. `ids` and `bias` have `n` elements and are copied; `n` = 0 removes the bias. Ids that are not in the
/// vocabulary of a row have no effect on it.
///
/// Fails with BREGMAN_INVALID_ARGUMENT (an id that is negative or repeated, a bias that is NaN or +infinity, NULL,
/// misaligned, handle in use); the old bias stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_set_logit_bias(
    sampler: *mut bregman_sampler,
    ids: *const i32,
    bias: *const f32,
    n: usize,
) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's arrays.
    unsafe {
        with_sampler(sampler, |sampler| {
            let (ids, bias) = (check::slice(ids, n, "ids")?, check::slice(bias, n, "bias")?);
            let mut pairs = Vec::new();
            memory::reserve(&mut pairs, n)?;
            pairs.extend(ids.iter().copied().zip(bias.iter().copied()));
            sampler.set_logit_bias(&pairs)
        })
    }
}

/// Writes the chain in its canonical form, which has stages in the place of macros: NUL-terminated, cut to `size`
/// bytes. bregman_sampler_new accepts it, unless a stage has a secret (BREGMAN_KIND_KEYS), for which "hidden" stands in
/// it. Returns the length of the whole text without the terminator, as snprintf does. `text` may be NULL if `size` is 0. Returns 0 if the handle is NULL or in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_describe(
    sampler: *const bregman_sampler,
    text: *mut c_char,
    size: usize,
) -> usize {
    let mut length = 0;
    // SAFETY: a live handle or NULL, and the caller's buffer.
    unsafe {
        with_sampler(sampler, |sampler| {
            let chain = sampler.chain_text();
            length = chain.len();
            check::write_text(chain, text, size);
            Ok(())
        });
    }
    length
}

/// The message of the last call on this handle that failed, "" if none has: NUL-terminated UTF-8 in English, valid
/// until the next call on the handle. If the handle is NULL or in use, a static text that says so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_error(sampler: *const bregman_sampler) -> *const c_char {
    // SAFETY: a live handle or NULL.
    guard(c"".as_ptr(), || unsafe { handle::message(sampler) })
}
