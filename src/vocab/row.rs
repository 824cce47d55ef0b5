//! A row read in blocks: in place, but for blocks with an edited token, which are copied.

use super::kernels::BLOCK;
use super::kernels::lanes::{LANES, Vector};
use super::kernels::run::Run;
use super::reads::{Pass, count_read};
use crate::logits::{Candidate, Row, Values};
use std::ops::Range;

/// Room for the copy of a block.
pub(crate) struct BlockBuffer([f32; BLOCK]);

impl BlockBuffer {
    pub(crate) fn new() -> Self {
        Self([0.0; BLOCK])
    }
}

impl<'a> Row<'a> {
    /// The blocks of candidates that have an edited token, each with its first position; none if the row is not one of
    /// candidates.
    pub(crate) fn edited_candidates(&self) -> impl Iterator<Item = (usize, &'a [Candidate])> + use<'a> {
        let candidates = if let Values::Candidates(candidates) = self.values() { candidates } else { &[] };
        let block = |&(token, _): &(u32, f32)| token as usize / BLOCK;
        self.edits().chunk_by(move |a, b| block(a) == block(b)).filter_map(move |edits| {
            let first = block(&edits[0]) * BLOCK;
            Some((first, candidates.get(first..)?.chunks(BLOCK).next()?))
        })
    }

    /// The number of blocks; the last one may be short.
    pub(crate) fn blocks(&self) -> usize {
        self.vocab().div_ceil(BLOCK)
    }

    /// The run from `block` on, of at most `most` blocks: up to the next block with an edit, which is a run of its own,
    /// copied.
    pub(crate) fn run<'t>(&'t self, block: usize, most: usize, buffer: &'t mut BlockBuffer) -> Run<'t> {
        let start = block * BLOCK;
        let mut end = (start + most * BLOCK).min(self.vocab());
        let next = self.edits().partition_point(|&(id, _)| (id as usize) < start);
        if let Some(&(id, _)) = self.edits().get(next) {
            end = end.min(id as usize / BLOCK * BLOCK);
        }
        if end <= start {
            return Run::plain(self.copied_block(block, buffer));
        }
        let mask = self.mask().map(|words| words.get(start / 32..).unwrap_or(&[]));
        Run { values: self.values().slice(start, end), mask }
    }

    /// Calls `visit(first block, run)` for the runs of some blocks, in order.
    pub(super) fn for_each_run(
        &self,
        pass: Pass,
        blocks: Range<usize>,
        buffer: &mut BlockBuffer,
        mut visit: impl FnMut(usize, Run<'_>),
    ) {
        let mut block = blocks.start;
        while block < blocks.end {
            let run = self.run(block, blocks.end - block, buffer);
            count_read(pass, run.len());
            visit(block, run);
            block += run.blocks();
        }
    }

    /// Calls `visit(first block, run, blocks in it)` for the runs that contain the given blocks, which ascend.
    pub(crate) fn for_each_run_with(
        &self,
        mut blocks: &[u32],
        buffer: &mut BlockBuffer,
        mut visit: impl FnMut(usize, Run<'_>, &[u32]),
    ) {
        while let Some(&first) = blocks.first() {
            let first = first as usize;
            let run = self.run(first, self.blocks() - first, buffer);
            let here = blocks.partition_point(|&block| (block as usize) < first + run.blocks());
            count_read(Pass::Blocks, here * BLOCK);
            visit(first, run, &blocks[..here]);
            blocks = &blocks[here..];
        }
    }

    /// A copy of a block, after edits and mask.
    pub(crate) fn copied_block<'t>(&self, block: usize, buffer: &'t mut BlockBuffer) -> &'t mut [f32] {
        let start = block * BLOCK;
        let out = &mut buffer.0[..BLOCK.min(self.vocab() - start)];
        self.write(start, out);
        out
    }

    /// The same with `shift` subtracted.
    pub(crate) fn shifted_block<'t>(&self, block: usize, shift: f32, buffer: &'t mut BlockBuffer) -> Run<'t> {
        let out = self.copied_block(block, buffer);
        out.iter_mut().for_each(|l| *l -= shift);
        Run::plain(out)
    }

    /// The logits of one lane of a block, after edits and mask; -infinity beyond the row's end.
    pub(crate) fn column(&self, block: usize, lane: usize) -> Vector {
        let (start, at) = (block * BLOCK, |v: usize| v * LANES + lane % LANES);
        let is_plain = !self.is_touched() && start + BLOCK <= self.vocab();
        match self.values() {
            Values::F32(v) if is_plain => {
                let block = &v[start..start + BLOCK];
                std::array::from_fn(|v| block[at(v)])
            }
            Values::Candidates(v) if is_plain => {
                let block = &v[start..start + BLOCK];
                std::array::from_fn(|v| block[at(v)].logit)
            }
            _ => std::array::from_fn(|v| {
                let token = start + at(v);
                if token < self.vocab() { self.logit(token as u32) } else { f32::NEG_INFINITY }
            }),
        }
    }
}
