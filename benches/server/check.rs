//! Nothing is timed that does not answer rightly: the distribution of each slot by bregman, by its stage in llama.cpp's
//! chain and by llama.cpp's own samplers. That stage and batches draw the same tokens is checked while they are timed.

use crate::common::llama::{self, Llama, blank, differ, fill};
use crate::contestants::set_mask;
use crate::model::Model;
use crate::plan::Work;
use crate::slots::Slot;
use bregman::{Row, Sampler, Want};

/// Slots that are checked; with and without a grammar.
const SLOTS: usize = 8;

pub fn slots(work: &Work, vocab: usize, slots: &[Slot], model: &Model, llama: Option<&Llama>) {
    for (s, slot) in slots.iter().enumerate().take(SLOTS) {
        let row = model.row(0, s);
        one(work, vocab, slot, row, llama).unwrap_or_else(|why| panic!("{}, slot {s}: {why}", work.chain));
    }
}

fn one(work: &Work, vocab: usize, slot: &Slot, logits: &[f32], llama: Option<&Llama>) -> Result<(), String> {
    let row = Row::from_f32(logits).expect("a row is not empty");
    let mut sampler = Sampler::new(work.chain, slot.seed).expect("a chain");
    sampler.accept(&slot.history).expect("tokens are not negative");
    sampler.set_mask(slot.mask(0)).expect("a mask");
    let law = sampler.distribution(row).expect("the row is valid");
    let token = sampler.decode(row, Want::default()).expect("the row is valid").token;
    let Some(llama) = llama else { return Ok(()) };

    let mut candidates = blank(vocab);
    let mut chain = llama.with_bregman(work.chain, slot.seed);
    chain.accept(&slot.history);
    set_mask(chain.stage, slot.mask(0));
    fill(&mut candidates, logits);
    let (size, selected) = chain.apply(&mut candidates);
    differ(&candidates[..size], &law, 1e-5).map_err(|why| format!("as a stage: {why}"))?;
    if selected.map(|at| candidates[at].id as u32) != Some(token) {
        return Err("as a stage: another token".into());
    }

    let stages = (work.llama)(vocab);
    if stages.is_empty() || slot.mask(0).is_some() {
        return Ok(());
    }
    let mut chain = llama.sampler(&stages, slot.seed as u32);
    chain.accept(&slot.history);
    fill(&mut candidates, logits);
    let (size, _) = chain.apply(&mut candidates);
    differ(&candidates[..size], &law, llama::TOLERANCE).map_err(|why| format!("llama.cpp: {why}"))
}
