//! Who decodes a step, and how.

use crate::common::floor;
use crate::common::llama::{Llama, Sampler, Stage, blank, fill};
use crate::common::rows::Rows;
use crate::contest::Clock;
use crate::slots::Slot;
use bregman::Candidate;
use bregman::ffi::*;
use std::ffi::CString;
use std::hint::black_box;
use std::ptr::null_mut;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Reads one word of each cache line of the rows, and draws nothing.
    Touch,
    /// llama.cpp's own samplers.
    Llama,
    /// bregman as the stage of llama.cpp's chains.
    Stage,
    /// `bregman_decode_batch`.
    Batch,
}

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Who::Touch => "touch",
            Who::Llama => "llama.cpp",
            Who::Stage => "stage",
            Who::Batch => "batch",
        }
    }

    /// Whether it draws bregman's tokens.
    pub fn is_ours(self) -> bool {
        matches!(self, Who::Stage | Who::Batch)
    }
}

/// Decodes a row for each slot; the number is that of the call, for the masks.
type Step<'a> = Box<dyn FnMut(&Rows<f32>, usize, &mut Clock) + 'a>;

pub struct Contestant<'a> {
    pub who: Who,
    pub threads: usize,
    pub step: Step<'a>,
}

/// Reads the rows, and draws nothing.
pub fn touch<'a>() -> Contestant<'a> {
    let step = |rows: &Rows<f32>, _, clock: &mut Clock| {
        black_box(floor::touch(black_box(rows.all())));
        clock.end();
    };
    Contestant { who: Who::Touch, threads: 1, step: Box::new(step) }
}

/// As llama.cpp's server does it, slot by slot: fills the slot's array, applies its chain, accepts the token. Its server
/// checks a grammar after the draw, and that is left out.
pub fn llama<'a>(llama: &'a Llama, stages: &[Stage], slots: &[Slot], vocab: usize) -> Contestant<'a> {
    let mut places = places(slots, vocab, |slot| llama.sampler(stages, slot.seed as u32));
    let step = move |rows: &Rows<f32>, _, clock: &mut Clock| {
        for (s, place) in places.iter_mut().enumerate() {
            clock.token(place.decode(rows.row(s)));
        }
        clock.end();
    };
    Contestant { who: Who::Llama, threads: 1, step: Box::new(step) }
}

/// The same with bregman's stage in the chains, and with the grammars' masks.
pub fn stage<'a>(llama: &'a Llama, chain: &str, slots: &'a [Slot], vocab: usize) -> Contestant<'a> {
    let mut places = places(slots, vocab, |slot| llama.with_bregman(chain, slot.seed));
    let step = move |rows: &Rows<f32>, n, clock: &mut Clock| {
        for (s, (place, slot)) in places.iter_mut().zip(slots).enumerate() {
            set_mask(place.chain.stage, slot.mask(n));
            clock.token(place.decode(rows.row(s)));
        }
        clock.end();
    };
    Contestant { who: Who::Stage, threads: 1, step: Box::new(step) }
}

/// A slot of llama.cpp's server: its chain, and a candidate array of its own.
struct Place<'a> {
    chain: Sampler<'a>,
    candidates: Vec<Candidate>,
}

fn places<'a>(slots: &[Slot], vocab: usize, chain: impl Fn(&Slot) -> Sampler<'a>) -> Vec<Place<'a>> {
    let place = |slot| {
        let mut chain = chain(slot);
        chain.accept(&slot.history);
        Place { chain, candidates: blank(vocab) }
    };
    slots.iter().map(place).collect()
}

impl Place<'_> {
    fn decode(&mut self, row: &[f32]) -> i32 {
        fill(&mut self.candidates, black_box(row));
        let (_, selected) = self.chain.apply(&mut self.candidates);
        let token = self.candidates[selected.expect("the row is valid")].id;
        self.chain.accept(&[token]);
        token
    }
}

/// All slots in one call of the C interface.
pub fn batch<'a>(chain: &str, slots: &'a [Slot], threads: u32) -> Contestant<'a> {
    let samplers = Handles(slots.iter().map(|slot| handle(chain, slot)).collect());
    let mut results = vec![no_result(); slots.len()];
    let step = move |rows: &Rows<f32>, n, clock: &mut Clock| {
        for (sampler, slot) in samplers.0.iter().zip(slots) {
            set_mask(*sampler, slot.mask(n));
        }
        let batch = bregman_batch {
            logits: black_box(rows.all()).as_ptr().cast(),
            rows: rows.count,
            vocab: rows.vocab,
            row_stride: rows.vocab,
            flags: BREGMAN_ACCEPT,
            threads,
            ..bregman_batch::default()
        };
        // SAFETY: live handles and results, as many as there are rows.
        let status = unsafe { bregman_decode_batch(samplers.0.as_ptr(), &batch, results.as_mut_ptr()) };
        clock.end();
        assert_eq!(status, BREGMAN_OK, "a row of the batch failed");
        results.iter().for_each(|result| clock.token_at_end(result.token));
    };
    Contestant { who: Who::Batch, threads: threads as usize, step: Box::new(step) }
}

struct Handles(Vec<*mut bregman_sampler>);

impl Drop for Handles {
    fn drop(&mut self) {
        for sampler in &self.0 {
            // SAFETY: freed once.
            unsafe { bregman_sampler_free(*sampler) };
        }
    }
}

fn handle(chain: &str, slot: &Slot) -> *mut bregman_sampler {
    let (text, mut sampler) = (CString::new(chain).expect("no NUL"), null_mut());
    // SAFETY: a text with a terminator, a place for the handle, and tokens of that number.
    unsafe {
        assert_eq!(bregman_sampler_new(text.as_ptr(), slot.seed, &mut sampler, null_mut(), 0), BREGMAN_OK, "{chain}");
        let status = bregman_sampler_accept(sampler, slot.history.as_ptr(), slot.history.len());
        assert_eq!(status, BREGMAN_OK, "the history was refused");
    }
    sampler
}

/// The mask of a slot with a grammar; the others never have one.
pub fn set_mask(sampler: *mut bregman_sampler, mask: Option<&[u32]>) {
    if let Some(words) = mask {
        // SAFETY: a live handle, and words of that number.
        let status = unsafe { bregman_sampler_set_mask(sampler, words.as_ptr(), words.len()) };
        assert_eq!(status, BREGMAN_OK, "the mask was refused");
    }
}

fn no_result() -> bregman_result {
    let nan = f32::NAN;
    bregman_result {
        token: -1,
        status: BREGMAN_INTERNAL,
        support: 0,
        p: nan,
        kept_mass: nan,
        model_logprob: nan,
        entropy: nan,
        ln_kept_mass: nan,
    }
}
