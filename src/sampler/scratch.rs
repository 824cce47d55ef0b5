//! The buffers that a row needs. They belong to the thread and not to the sampler: a server has many idle sequences and
//! few threads.

use super::sparse::{Answer, SparseScratch};
use crate::bregman::Problem;
use crate::distribution::DistributionScratch;
use crate::error::Result;
use crate::logits::Candidate;
use crate::memory;
use crate::speculation::SpeculationScratch;
use crate::stages::EditScratch;
use crate::vocab::BlockBuffer;
use std::cell::Cell;

/// Buffers that grow once and are used for every row.
pub(super) struct Scratch {
    pub(super) run: RunScratch,
    /// For questions about the untouched row, while `run` is in use.
    pub(super) model: DistributionScratch,
    /// For the verification of drafts.
    pub(super) speculation: SpeculationScratch,
    /// The tokens that the row's mask and the sampler's both allow.
    pub(super) mask: Vec<u32>,
    pub(super) row: Vec<f32>,
    pub(super) copied: BlockBuffer,
    pub(super) ids: Vec<i32>,
    pub(super) kept: Vec<Candidate>,
    pub(super) sparse: SparseScratch,
    pub(super) answer: Answer,
}

/// What a chain runs in.
pub(super) struct RunScratch {
    pub(super) dist: DistributionScratch,
    pub(super) problem: Problem,
    pub(super) edits: EditScratch,
}

impl Scratch {
    fn new() -> Self {
        Self {
            run: RunScratch {
                dist: DistributionScratch::new(),
                problem: Problem::default(),
                edits: EditScratch::default(),
            },
            model: DistributionScratch::new(),
            speculation: SpeculationScratch::default(),
            mask: Vec::new(),
            row: Vec::new(),
            copied: BlockBuffer::new(),
            ids: Vec::new(),
            kept: Vec::new(),
            sparse: SparseScratch::default(),
            answer: Answer::default(),
        }
    }
}

/// Runs `f` with the thread's buffers, for a chain of this many stages. A call inside another one (from a generator's
/// callback) has buffers of its own.
pub(super) fn with<T>(stages: usize, f: impl FnOnce(&mut Scratch) -> Result<T>) -> Result<T> {
    thread_local! {
        /// The buffers, or nothing: a list, because a box cannot be refused.
        static SCRATCH: Cell<Vec<Scratch>> = const { Cell::new(Vec::new()) };
    }
    // A thread that ends may have dropped its buffers before it decodes for the last time.
    let mut kept = SCRATCH.try_with(Cell::take).unwrap_or_default();
    if kept.is_empty() {
        memory::granted(kept.try_reserve_exact(1))?;
        kept.push(Scratch::new());
    }
    let scratch = &mut kept[0];
    let done = scratch.run.dist.reserve_stages(stages).and_then(|()| f(scratch));
    let _ = SCRATCH.try_with(|slot| slot.set(kept));
    done
}
