//! A sampler's state as a value: saved, loaded, taken back, looked at.

use super::check;
use super::generator::{bregman_generator, generators};
use super::guard;
use super::handle::{bregman_sampler, with_sampler};
use super::types::*;
use crate::error::{Error, Result};
use crate::sampler::Sampler;
use std::ffi::{c_char, c_void};

/// Writes the sampler as bytes: chain, seeds, random position, history, prompt length, logit bias, mask, and what the chain
/// has learnt. bregman_sampler_load makes a sampler of them that goes on as this one would, in another process, language
/// or machine. The same state gives the same bytes everywhere. docs/state.md describes them. Generators of the caller are
/// not in them, only their names. The bytes hold what the chain's text holds, keys of watermarks included: keep them as
/// you keep those.
///
/// `bytes` has `capacity` bytes and receives `*len`. If `capacity` is too small, `*len` receives the required number,
/// nothing else is written, and the status is BREGMAN_BUFFER_TOO_SMALL; with `capacity` 0 `bytes` may be NULL. Fails with
/// BREGMAN_INVALID_ARGUMENT (NULL, misaligned, handle in use).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_save(
    sampler: *const bregman_sampler,
    bytes: *mut c_void,
    capacity: usize,
    len: *mut usize,
) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's buffer.
    unsafe {
        with_sampler(sampler, |sampler| {
            check::pointer(len, "len")?;
            let bytes = check::slice_mut(bytes.cast::<u8>(), capacity, "bytes")?;
            copy_out(&sampler.try_to_bytes()?, bytes, &mut *len)
        })
    }
}

/// Creates a sampler from `len` bytes that bregman_sampler_save wrote, of this or an earlier version of the library.
///
/// `generators`: an array of `n` that holds at least those that the chain names, as for
/// bregman_sampler_new_with_generators; NULL and 0 if it names none. `out`: receives the handle, which the caller frees
/// with bregman_sampler_free; unchanged on failure. `error`: NULL, or a buffer of `error_size` bytes for the message of a
/// failure. Thread-safe.
///
/// The bytes may come from anywhere: those that are not a state fail with BREGMAN_INVALID_ARGUMENT, as do NULL, misaligned
/// arrays and missing generators. The checksum finds accidents; it does not prove who wrote the bytes. Fails with
/// BREGMAN_UNSUPPORTED if BREGMAN_SIMD names no level of this machine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_load(
    bytes: *const c_void,
    len: usize,
    generators: *const bregman_generator,
    n: usize,
    out: *mut *mut bregman_sampler,
    error: *mut c_char,
    error_size: usize,
) -> u32 {
    guard(BREGMAN_INTERNAL, || {
        let load = || {
            check::pointer(out, "out")?;
            // SAFETY: the caller's bytes.
            let bytes = unsafe { check::slice(bytes.cast::<u8>(), len, "bytes") }?;
            // SAFETY: the caller's array.
            let generators = unsafe { self::generators(generators, n) }?;
            let named: Vec<_> = generators.iter().map(|(name, g)| (name.as_str(), g.clone())).collect();
            bregman_sampler::new(Sampler::from_bytes_with_generators(bytes, &named)?)
        };
        match load() {
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
    })
}

/// Takes the last `n` tokens of the history back: the sampler is as it was when they had not been decoded yet. That is the
/// history, the random position, which goes back by the rows that those tokens took and by rows decoded since, and what
/// the chain has learnt. The same logits then give the same tokens. Seed, logit bias and mask stay. With `n` = 0 nothing
/// changes.
///
/// If the prompt is cut, or if it ended with the first row and all output is taken back, tokens accepted before the next
/// row are prompt again. Tokens that one call accepted count as decoded one row each, as far as there were rows: for exact
/// steps accept each token before the next row. Fails with BREGMAN_INVALID_ARGUMENT (NULL, `n` above the length of the
/// history, handle in use), and nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_rewind(sampler: *mut bregman_sampler, n: usize) -> u32 {
    // SAFETY: a live handle or NULL.
    unsafe { with_sampler(sampler, |sampler| sampler.rewind(n)) }
}

/// Where a sampler is: its seed, the position of its next random number, the tokens of its history, and how many of those
/// are the prompt (all of them before the first row). Each output may be NULL. Fails with BREGMAN_INVALID_ARGUMENT (NULL
/// sampler, misaligned, handle in use), and nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_where(
    sampler: *const bregman_sampler,
    seed: *mut u64,
    position: *mut u64,
    history: *mut usize,
    prompt: *mut usize,
) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's variables.
    unsafe {
        with_sampler(sampler, |sampler| {
            let (seed, position) = (check::optional(seed, "seed")?, check::optional(position, "position")?);
            let (history, prompt) = (check::optional(history, "history")?, check::optional(prompt, "prompt")?);
            seed.into_iter().for_each(|seed| *seed = sampler.seed());
            position.into_iter().for_each(|position| *position = sampler.position());
            history.into_iter().for_each(|history| *history = sampler.history().len());
            prompt.into_iter().for_each(|prompt| *prompt = sampler.prompt_length());
            Ok(())
        })
    }
}

/// Copies the history, prompt first. `tokens` has `capacity` elements and receives `*len`. If `capacity` is too small,
/// `*len` receives the required number, nothing else is written, and the status is BREGMAN_BUFFER_TOO_SMALL; with
/// `capacity` 0 `tokens` may be NULL. Fails with BREGMAN_INVALID_ARGUMENT (NULL, misaligned, handle in use).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_sampler_history(
    sampler: *const bregman_sampler,
    tokens: *mut i32,
    capacity: usize,
    len: *mut usize,
) -> u32 {
    // SAFETY: a live handle or NULL, and the caller's array.
    unsafe {
        with_sampler(sampler, |sampler| {
            check::pointer(len, "len")?;
            let tokens = check::slice_mut(tokens, capacity, "tokens")?;
            copy_out(sampler.history(), tokens, &mut *len)
        })
    }
}

/// Copies all of `from` and its length, or only the length if that is more than there is room for.
fn copy_out<T: Copy>(from: &[T], to: &mut [T], len: &mut usize) -> Result<()> {
    *len = from.len();
    let (needed, capacity) = (from.len(), to.len());
    let room = to.get_mut(..needed).ok_or(Error::BufferTooSmall { needed, capacity })?;
    room.copy_from_slice(from);
    Ok(())
}
