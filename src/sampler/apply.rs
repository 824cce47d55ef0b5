//! A sampler as a stage in an engine's own chain: candidates in, candidates out, in place.

use super::{Memory, Sampler};
use crate::error::{Error, Result};
use crate::law::Law;
use crate::logits::{BLOCK, Candidate, Copied, Row, is_allowed};
use crate::stages::Context;
use crate::vocab::{Kernels, USUAL_HEAD, make_room};

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
    /// The array's own, but a bias, a mask or a stage may have changed what is larger.
    Unsorted,
}

impl Sampler {
    /// Applies the chain to an engine's candidates, in place, as one stage of the engine's own chain.
    ///
    /// If the chain drops tokens, the kept ones are moved to the front in descending order and get their probability;
    /// else the array keeps its order (and where `xtc` took the first of a whole vocabulary, those get -infinity).
    /// Logits are the engine's own, divided by the temperature, or ln p̂ up to a constant after a stage that gives other
    /// weights (bregman with α other than 1, smoothing, adaptive_p). On an error nothing is changed. Advances the
    /// position by one.
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
        let Self { chain, kernels, seed, position, history, bias, mask, state, memory, .. } = self;
        let Memory { law, problem, work, row, ids, kept_ids, copied, .. } = &mut **memory;
        row.resize(candidates.len(), 0.0);
        let in_order = (kernels.unpack)(candidates, row);
        if let Some(words) = mask {
            let banned = |id: i32| !usize::try_from(id).is_ok_and(|token| is_allowed(words, token));
            row.iter_mut().zip(&*candidates).filter(|(_, c)| banned(c.id)).for_each(|(l, _)| *l = f32::NEG_INFINITY);
        }
        ids.clear();
        if !(in_order && candidates[0].id == 0) {
            ids.extend(candidates.iter().map(|c| c.id));
        }
        let ids = (!ids.is_empty()).then_some(&ids[..]);
        let mut law = Law::new(Row::from_f32(row)?, ids, chain.first_pass(), kernels, law);
        law.change(bias)?;
        let mut context = Context { seed: *seed, position: *position, stage: 0, state: *state, history, problem, work };
        chain.transform(&mut law, &mut context)?;
        let mut next = chain.draw(&mut law, &context);
        law.list();
        if let (Some(pending), Some(drawn)) = (&mut next.pending, law.drawn()) {
            // A stage knows places, the host accepts ids.
            pending.0 = candidates[drawn.index as usize].id;
        }
        let applied = if law.is_closed() {
            write_closed(&mut law, candidates, kept_ids)
        } else {
            let edited = mask.is_some() || law.vocabulary().0.row().is_touched();
            write_open(&mut law, kernels, copied, candidates, edited)
        };
        self.position = self.position.wrapping_add(1);
        self.state = next;
        self.history.begin();
        Ok(applied)
    }
}

/// Moves the kept candidates to the front.
fn write_closed(law: &mut Law<'_>, candidates: &mut [Candidate], kept_ids: &mut Vec<i32>) -> Applied {
    // All ids are read before the first slot is written.
    kept_ids.clear();
    make_room(kept_ids, USUAL_HEAD.min(candidates.len()));
    kept_ids.extend(law.entries().iter().map(|e| candidates[e.index as usize].id));
    let (total, logit) = (law.head_weight(), law.to_logit());
    let (entries, weights) = law.weighed();
    for (((slot, e), weight), &id) in candidates.iter_mut().zip(entries).zip(weights).zip(&*kept_ids) {
        *slot = Candidate { id, logit: logit(e) as f32, p: (weight / total) as f32 };
    }
    Applied { size: kept_ids.len(), selected: law.drawn().map(|d| d.rank), order: Order::Sorted }
}

/// Leaves all candidates where they are; probabilities are filled in only if a token was taken.
fn write_open(
    law: &mut Law<'_>,
    kernels: &Kernels,
    copied: &mut Copied,
    candidates: &mut [Candidate],
    edited: bool,
) -> Applied {
    let scale = law.scale();
    let unsorted = edited || law.is_reshaped();
    let changed = unsorted || scale != 1.0;
    let (vocab, _) = law.vocabulary();
    let row = vocab.row();
    let mut write_logits = |block: usize, candidates: &mut [Candidate]| {
        let logits = row.copied_block(block, copied);
        (kernels.pack_logits)(logits, scale, candidates);
    };
    if law.drawn().is_none() {
        if changed {
            candidates.chunks_mut(BLOCK).enumerate().for_each(|(block, c)| write_logits(block, c));
        }
    } else {
        // Block by block, so that an array larger than a cache is gone through once.
        let (vocab, _) = law.vocabulary();
        let share = 1.0 / vocab.total(scale);
        vocab.for_each_weighed_block(scale, |block, weights, unit| {
            let candidates = &mut candidates[block * BLOCK..][..weights.len()];
            if changed {
                write_logits(block, candidates);
            }
            (kernels.pack_probabilities)(weights, unit * share, candidates);
        });
    }
    let selected = law.drawn().map(|d| d.index as usize);
    Applied { size: candidates.len(), selected, order: if unsorted { Order::Unsorted } else { Order::AsBefore } }
}
