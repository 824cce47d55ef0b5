//! Reads a row in blocks: in place where it can be, as a copy where a token was edited.

use super::kernels::BLOCK;
use super::kernels::lanes::{LANES, Vector};
use super::kernels::run::Run;
use crate::logits::{Candidate, Row, Values};
use std::ops::Range;

/// The memory that holds a block that has to be copied.
pub(crate) struct BlockBuffer(Box<[f32; BLOCK]>);

impl BlockBuffer {
    pub(crate) fn new() -> Self {
        Self(Box::new([0.0; BLOCK]))
    }
}

impl<'a> Row<'a> {
    /// The blocks of candidates that have an edit: the place of the first, and all of them. None in a row of another
    /// kind.
    pub(crate) fn edited_candidates(&self) -> impl Iterator<Item = (usize, &'a [Candidate])> + use<'a> {
        let candidates = if let Values::Candidates(candidates) = self.values() { candidates } else { &[] };
        let block = |&(token, _): &(u32, f32)| token as usize / BLOCK;
        self.edits().chunk_by(move |a, b| block(a) == block(b)).filter_map(move |edits| {
            let first = block(&edits[0]) * BLOCK;
            Some((first, candidates.get(first..)?.chunks(BLOCK).next()?))
        })
    }

    /// Number of blocks, the last one perhaps shorter.
    pub(crate) fn blocks(&self) -> usize {
        self.vocab().div_ceil(BLOCK)
    }

    /// A run from `block` on, of at most `most` blocks: as long as it can be read in place, else one block, copied.
    pub(crate) fn run<'t>(&'t self, block: usize, most: usize, memory: &'t mut BlockBuffer) -> Run<'t> {
        let start = block * BLOCK;
        let mut end = (start + most * BLOCK).min(self.vocab());
        let next = self.edits().partition_point(|&(id, _)| (id as usize) < start);
        if let Some(&(id, _)) = self.edits().get(next) {
            end = end.min(id as usize / BLOCK * BLOCK);
        }
        if end <= start {
            return Run::plain(self.copied_block(block, memory));
        }
        let mask = self.mask().map(|words| words.get(start / 32..).unwrap_or(&[]));
        Run { values: self.values().slice(start, end), mask }
    }

    /// Calls `visit(first block, run)` for runs that cover some blocks, in order.
    pub(crate) fn for_each_run(
        &self,
        blocks: Range<usize>,
        memory: &mut BlockBuffer,
        mut visit: impl FnMut(usize, Run<'_>),
    ) {
        let mut block = blocks.start;
        while block < blocks.end {
            let run = self.run(block, blocks.end - block, memory);
            visit(block, run);
            block += run.blocks();
        }
    }

    /// Calls `visit(first block, run, those of the blocks that are in it)` for runs that hold some blocks, which
    /// ascend.
    pub(crate) fn for_each_run_with(
        &self,
        mut blocks: &[u32],
        memory: &mut BlockBuffer,
        mut visit: impl FnMut(usize, Run<'_>, &[u32]),
    ) {
        while let Some(&first) = blocks.first() {
            let first = first as usize;
            let run = self.run(first, self.blocks() - first, memory);
            let here = blocks.partition_point(|&block| (block as usize) < first + run.blocks());
            visit(first, run, &blocks[..here]);
            blocks = &blocks[here..];
        }
    }

    /// One block as a copy, after edits and mask.
    pub(crate) fn copied_block<'t>(&self, block: usize, memory: &'t mut BlockBuffer) -> &'t mut [f32] {
        let start = block * BLOCK;
        let out = &mut memory.0[..BLOCK.min(self.vocab() - start)];
        self.write(start, out);
        out
    }

    /// The same less `shift`.
    pub(crate) fn shifted_block<'t>(&self, block: usize, shift: f32, memory: &'t mut BlockBuffer) -> Run<'t> {
        let out = self.copied_block(block, memory);
        out.iter_mut().for_each(|l| *l -= shift);
        Run::plain(out)
    }

    /// The logits of one lane of a block, after edits and mask, -infinity beyond the row's end.
    pub(crate) fn column(&self, block: usize, lane: usize) -> Vector {
        let (start, place) = (block * BLOCK, |v: usize| v * LANES + lane % LANES);
        let is_plain = !self.is_touched() && start + BLOCK <= self.vocab();
        match self.values() {
            Values::F32(v) if is_plain => {
                let block = &v[start..start + BLOCK];
                std::array::from_fn(|v| block[place(v)])
            }
            Values::Candidates(v) if is_plain => {
                let block = &v[start..start + BLOCK];
                std::array::from_fn(|v| block[place(v)].logit)
            }
            _ => std::array::from_fn(|v| {
                let token = start + place(v);
                if token < self.vocab() { self.logit(token as u32) } else { f32::NEG_INFINITY }
            }),
        }
    }
}
