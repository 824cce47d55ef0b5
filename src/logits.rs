//! A borrowed row of logits as the model left it: its number format, its mask, its edits.
//!
//! The passes over the vocabulary read a row in place, in its own format and through its mask. Only a block with an edited
//! token is copied first.

use crate::error::{Error, Result};
use crate::vocab::{LANES, Run, Vector};
use std::ops::Range;

/// Logits that the passes take at a time: every sum and maximum is formed per block, in this order, everywhere.
pub(crate) const BLOCK: usize = 256;

/// The memory that holds a block that has to be copied.
pub(crate) struct Copied(Box<[f32; BLOCK]>);

impl Copied {
    pub(crate) fn new() -> Self {
        Self(Box::new([0.0; BLOCK]))
    }
}

/// The numbers of a row, in the format that the model produced.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// IEEE single precision.
    F32(&'a [f32]),
    /// IEEE half precision, as bits.
    F16(&'a [u16]),
    /// bfloat16, as bits.
    Bf16(&'a [u16]),
    /// The logits of an engine's candidates. The i-th is token i's, whatever its id; probabilities are not read.
    Candidates(&'a [Candidate]),
}

impl<'a> Values<'a> {
    /// Number of logits.
    pub(crate) fn len(&self) -> usize {
        match self {
            Values::F32(v) => v.len(),
            Values::F16(v) | Values::Bf16(v) => v.len(),
            Values::Candidates(v) => v.len(),
        }
    }

    fn slice(self, start: usize, end: usize) -> Self {
        match self {
            Values::F32(v) => Values::F32(&v[start..end]),
            Values::F16(v) => Values::F16(&v[start..end]),
            Values::Bf16(v) => Values::Bf16(&v[start..end]),
            Values::Candidates(v) => Values::Candidates(&v[start..end]),
        }
    }

    fn get(&self, i: usize) -> f32 {
        match self {
            Values::F32(v) => v[i],
            Values::F16(v) => half::f16::from_bits(v[i]).to_f32(),
            Values::Bf16(v) => half::bf16::from_bits(v[i]).to_f32(),
            Values::Candidates(v) => v[i].logit,
        }
    }

    fn widen(&self, start: usize, out: &mut [f32]) {
        match self {
            Values::F32(v) => out.copy_from_slice(&v[start..start + out.len()]),
            Values::F16(v) => {
                for (o, &h) in out.iter_mut().zip(&v[start..]) {
                    *o = half::f16::from_bits(h).to_f32();
                }
            }
            Values::Bf16(v) => {
                for (o, &h) in out.iter_mut().zip(&v[start..]) {
                    *o = half::bf16::from_bits(h).to_f32();
                }
            }
            Values::Candidates(v) => out.iter_mut().zip(&v[start..]).for_each(|(o, c)| *o = c.logit),
        }
    }
}

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

/// One row of logits, borrowed: index `i` belongs to token `i`.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    values: Values<'a>,
    mask: Option<&'a [u32]>,
    edits: &'a [(u32, f32)],
}

impl<'a> Row<'a> {
    /// A row of at least one and at most `i32::MAX` logits.
    pub fn new(values: Values<'a>) -> Result<Self> {
        match values.len() {
            0 => Err(Error::InvalidArgument("vocab is 0: a row has at least one logit".into())),
            n if n > i32::MAX as usize => {
                Err(Error::InvalidArgument(format!("vocab is {n}: token ids are 32-bit, so at most {}", i32::MAX)))
            }
            _ => Ok(Self { values, mask: None, edits: &[] }),
        }
    }

    /// A row of `f32` logits.
    pub fn from_f32(logits: &'a [f32]) -> Result<Self> {
        Self::new(Values::F32(logits))
    }

    /// Allows only the tokens whose bit is set: token `t` is bit `t % 32` of word `t / 32`, as in llguidance and
    /// xgrammar. Tokens beyond the last word are banned.
    pub fn with_mask(mut self, words: &'a [u32]) -> Self {
        self.mask = Some(words);
        self
    }

    /// The mask, if there is one.
    pub(crate) fn mask(&self) -> Option<&'a [u32]> {
        self.mask
    }

    /// Replaces the logits of some tokens, instead of those replaced before; `edits` is sorted by token and names none
    /// twice. Tokens beyond the row are ignored.
    pub(crate) fn with_edits(mut self, edits: &'a [(u32, f32)]) -> Self {
        self.edits = edits;
        self
    }

    /// The logits that are replaced, sorted by token.
    pub(crate) fn edits(&self) -> &'a [(u32, f32)] {
        self.edits
    }

    /// The blocks of candidates that have an edit: the place of the first, and all of them. None in a row of another kind.
    pub(crate) fn edited_candidates(&self) -> impl Iterator<Item = (usize, &'a [Candidate])> + use<'a> {
        let candidates = if let Values::Candidates(candidates) = self.values { candidates } else { &[] };
        let block = |&(token, _): &(u32, f32)| token as usize / BLOCK;
        self.edits.chunk_by(move |a, b| block(a) == block(b)).filter_map(move |edits| {
            let first = block(&edits[0]) * BLOCK;
            Some((first, candidates.get(first..)?.chunks(BLOCK).next()?))
        })
    }

    /// The row as the model left it, without mask and edits.
    pub(crate) fn untouched(self) -> Self {
        Self { mask: None, edits: &[], ..self }
    }

    /// Whether mask or edits may make the row differ from the model's.
    pub(crate) fn is_touched(&self) -> bool {
        self.mask.is_some() || !self.edits.is_empty()
    }

    /// Number of logits.
    pub fn vocab(&self) -> usize {
        self.values.len()
    }

    /// Number of blocks, the last one perhaps shorter.
    pub(crate) fn blocks(&self) -> usize {
        self.vocab().div_ceil(BLOCK)
    }

    /// One token's logit after edits and mask.
    pub(crate) fn logit(&self, token: u32) -> f32 {
        let i = token as usize;
        if self.mask.is_some_and(|words| !is_allowed(words, i)) {
            return f32::NEG_INFINITY;
        }
        self.unmasked(token)
    }

    /// One token's logit after edits.
    pub(crate) fn unmasked(&self, token: u32) -> f32 {
        let edit = self.edits.binary_search_by_key(&token, |&(id, _)| id);
        edit.map_or_else(|_| self.values.get(token as usize), |at| self.edits[at].1)
    }

    /// A run from `block` on, of at most `most` blocks: as long as it can be read in place, else one block, copied.
    pub(crate) fn run<'t>(&'t self, block: usize, most: usize, memory: &'t mut Copied) -> Run<'t> {
        let start = block * BLOCK;
        let mut end = (start + most * BLOCK).min(self.vocab());
        let next = self.edits.partition_point(|&(id, _)| (id as usize) < start);
        if let Some(&(id, _)) = self.edits.get(next) {
            end = end.min(id as usize / BLOCK * BLOCK);
        }
        if end <= start {
            return Run::plain(self.copied_block(block, memory));
        }
        let mask = self.mask.map(|words| words.get(start / 32..).unwrap_or(&[]));
        Run { values: self.values.slice(start, end), mask }
    }

    /// Calls `visit(first block, run)` for runs that cover some blocks, in order.
    pub(crate) fn for_each_run(
        &self,
        blocks: Range<usize>,
        memory: &mut Copied,
        mut visit: impl FnMut(usize, Run<'_>),
    ) {
        let mut block = blocks.start;
        while block < blocks.end {
            let run = self.run(block, blocks.end - block, memory);
            visit(block, run);
            block += run.blocks();
        }
    }

    /// Calls `visit(first block, run, those of the blocks that are in it)` for runs that hold some blocks, which ascend.
    pub(crate) fn for_each_run_with(
        &self,
        mut blocks: &[u32],
        memory: &mut Copied,
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
    pub(crate) fn copied_block<'t>(&self, block: usize, memory: &'t mut Copied) -> &'t mut [f32] {
        let start = block * BLOCK;
        let out = &mut memory.0[..BLOCK.min(self.vocab() - start)];
        self.write(start, out);
        out
    }

    /// The same less `shift`.
    pub(crate) fn shifted_block<'t>(&self, block: usize, shift: f32, memory: &'t mut Copied) -> Run<'t> {
        let out = self.copied_block(block, memory);
        out.iter_mut().for_each(|l| *l -= shift);
        Run::plain(out)
    }

    /// The logits of one lane of a block, after edits and mask, -infinity beyond the row's end.
    pub(crate) fn column(&self, block: usize, lane: usize) -> Vector {
        let (start, place) = (block * BLOCK, |v: usize| v * LANES + lane % LANES);
        let is_plain = !self.is_touched() && start + BLOCK <= self.vocab();
        match self.values {
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

    /// Writes the logits from `start` on, after edits and mask.
    pub(crate) fn write(&self, start: usize, out: &mut [f32]) {
        self.values.widen(start, out);
        let first = self.edits.partition_point(|&(id, _)| (id as usize) < start);
        let end = start + out.len();
        for &(id, logit) in self.edits[first..].iter().take_while(|&&(id, _)| (id as usize) < end) {
            out[id as usize - start] = logit;
        }
        if let Some(words) = self.mask {
            for (i, o) in out.iter_mut().enumerate() {
                if !is_allowed(words, start + i) {
                    *o = f32::NEG_INFINITY;
                }
            }
        }
    }
}

/// Whether a packed mask allows the token.
pub(crate) fn is_allowed(words: &[u32], token: usize) -> bool {
    words.get(token / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
}
