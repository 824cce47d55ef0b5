//! A sampler as a stage in an engine's own chain: candidates in, candidates out, in place.

use super::{Memory, Sampler};
use crate::error::{Error, Result};
use crate::law::Law;
use crate::logits::{Row, is_allowed};
use crate::math::exp;
use crate::stages::Context;

/// One candidate of an engine's own array, laid out as llama.cpp's `llama_token_data`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Token id.
    pub id: i32,
    /// Logit.
    pub logit: f32,
    /// Probability; only written, never read.
    pub p: f32,
}

/// What [`Sampler::apply`] did to a candidate array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The first `size` candidates are kept.
    pub size: usize,
    /// Position of the token that the chain took, if it ends with a drawing stage.
    pub selected: Option<usize>,
    /// What is now known of the order.
    pub order: Order,
}

/// The order of a candidate array after [`Sampler::apply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Descending by logit.
    Sorted,
    /// The array's own, and as sorted as it was.
    AsBefore,
    /// The array's own, but a bias, a mask or a penalty may have changed what is larger.
    Unsorted,
}

impl Sampler {
    /// Applies the chain to an engine's candidates, in place, as one stage of the engine's own chain.
    ///
    /// If the chain drops tokens, the kept ones are moved to the front in descending order and get their probability;
    /// else the array keeps its order. Logits are the engine's own, divided by the temperature, or ln p̂ after a
    /// bregman stage with α other than 1. On an error nothing is changed. Advances the position by one.
    pub fn apply(&mut self, candidates: &mut [Candidate]) -> Result<Applied> {
        if candidates.is_empty() {
            return Err(Error::EmptySupport);
        }
        if candidates.len() > i32::MAX as usize {
            return Err(Error::InvalidArgument(format!(
                "{} candidates: at most {} are taken",
                candidates.len(),
                i32::MAX
            )));
        }
        let Self { chain, kernels, seed, position, history, bias, mask, memory, .. } = self;
        let Memory { law, problem, work, row, ids, kept_ids, .. } = &mut **memory;
        row.clear();
        row.extend(candidates.iter().map(|c| c.logit));
        if let Some(words) = mask {
            let banned = |id: i32| !usize::try_from(id).is_ok_and(|token| is_allowed(words, token));
            row.iter_mut().zip(&*candidates).filter(|(_, c)| banned(c.id)).for_each(|(l, _)| *l = f32::NEG_INFINITY);
        }
        ids.clear();
        if !candidates.iter().enumerate().all(|(i, c)| c.id == i as i32) {
            ids.extend(candidates.iter().map(|c| c.id));
        }
        let ids = (!ids.is_empty()).then_some(&ids[..]);
        let mut law = Law::new(Row::from_f32(row)?, ids, kernels, law);
        law.change(bias)?;
        let mut context = Context { seed: *seed, position: *position, history, problem, work };
        chain.transform(&mut law, &mut context)?;
        chain.draw(&mut law, &context);
        let applied = if law.is_closed() {
            write_closed(&law, candidates, kept_ids)
        } else {
            let edited = mask.is_some() || law.vocabulary().0.row().is_touched();
            write_open(&mut law, candidates, edited)
        };
        self.position = self.position.wrapping_add(1);
        self.history.begin();
        Ok(applied)
    }
}

/// Moves the kept candidates to the front.
fn write_closed(law: &Law<'_>, candidates: &mut [Candidate], kept_ids: &mut Vec<i32>) -> Applied {
    // All ids are read before the first slot is written.
    kept_ids.clear();
    kept_ids.extend(law.entries().iter().map(|e| candidates[e.index as usize].id));
    let total = law.head_weight();
    for ((slot, e), &id) in candidates.iter_mut().zip(law.entries()).zip(&*kept_ids) {
        *slot = Candidate { id, logit: law.logit(e) as f32, p: (exp(e.x) / total) as f32 };
    }
    Applied { size: kept_ids.len(), selected: law.drawn().map(|d| d.rank), order: Order::Sorted }
}

/// Leaves all candidates where they are; probabilities are filled in only if a token was taken.
fn write_open(law: &mut Law<'_>, candidates: &mut [Candidate], edited: bool) -> Applied {
    let scale = law.scale();
    let row = law.vocabulary().0.row();
    if edited || scale != 1.0 {
        for (i, c) in candidates.iter_mut().enumerate() {
            c.logit = (f64::from(row.logit(i as u32)) * scale) as f32;
        }
    }
    if law.drawn().is_some() {
        let vocab = law.vocabulary().0;
        let total = vocab.total(scale);
        vocab.for_each_weight(scale, |i, weight| candidates[i].p = (f64::from(weight) / total) as f32);
    }
    let selected = law.drawn().map(|d| d.index as usize);
    Applied { size: candidates.len(), selected, order: if edited { Order::Unsorted } else { Order::AsBefore } }
}
