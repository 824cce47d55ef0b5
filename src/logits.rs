//! A borrowed row of logits as the model left it: its number format, its mask, its edits.
//!
//! The passes over the vocabulary see only contiguous `f32`; this file makes them so. A plain `f32` row is handed
//! over as it is. A block that needs work (half precision, a mask, an edited token) is first written to a tile that
//! stays in the L1 cache.

use crate::error::{Error, Result};

/// Logits that the passes take at a time: every sum and maximum is formed per block, in this order, everywhere.
pub(crate) const BLOCK: usize = 256;

/// Logits in a tile: a few blocks, 16 KiB.
const TILE: usize = 16 * BLOCK;

/// The memory that holds blocks while they are read.
pub(crate) struct Tile(Box<[f32; TILE]>);

impl Tile {
    pub(crate) fn new() -> Self {
        Self(Box::new([0.0; TILE]))
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
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::F32(v) => v.len(),
            Values::F16(v) | Values::Bf16(v) => v.len(),
        }
    }

    fn get(&self, i: usize) -> f32 {
        match self {
            Values::F32(v) => v[i],
            Values::F16(v) => half::f16::from_bits(v[i]).to_f32(),
            Values::Bf16(v) => half::bf16::from_bits(v[i]).to_f32(),
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
        }
    }
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

    /// Calls `visit(first block, logits)` for runs of whole blocks that cover the row in order.
    pub(crate) fn for_each_run(&self, tile: &mut Tile, mut visit: impl FnMut(usize, &[f32])) {
        let vocab = self.vocab();
        let mut start = 0;
        while start < vocab {
            let direct = self.direct_until(start);
            if let (Values::F32(v), true) = (self.values, direct > start) {
                visit(start / BLOCK, &v[start..direct]);
                start = direct;
                continue;
            }
            // With plain f32 only the blocks that hold edits go through the tile.
            let span = if matches!(self.values, Values::F32(_)) && self.mask.is_none() { BLOCK } else { TILE };
            let end = (start + span).min(vocab);
            let out = &mut tile.0[..end - start];
            self.write(start, out);
            visit(start / BLOCK, out);
            start = end;
        }
    }

    /// One block, without a copy where none is needed.
    pub(crate) fn block<'t>(&'t self, block: usize, tile: &'t mut Tile) -> &'t [f32] {
        let start = block * BLOCK;
        let end = (start + BLOCK).min(self.vocab());
        if let (Values::F32(v), true) = (self.values, self.direct_until(start) > start) {
            return &v[start..end];
        }
        self.block_mut(block, tile)
    }

    /// One block as a copy that may be changed.
    pub(crate) fn block_mut<'t>(&self, block: usize, tile: &'t mut Tile) -> &'t mut [f32] {
        let start = block * BLOCK;
        let end = (start + BLOCK).min(self.vocab());
        let out = &mut tile.0[..end - start];
        self.write(start, out);
        out
    }

    /// The end of the run of blocks from `start` on that can be read in place.
    fn direct_until(&self, start: usize) -> usize {
        if !matches!(self.values, Values::F32(_)) || self.mask.is_some() {
            return start;
        }
        let next = self.edits.partition_point(|&(id, _)| (id as usize) < start);
        match self.edits.get(next) {
            Some(&(id, _)) if (id as usize) < self.vocab() => id as usize / BLOCK * BLOCK,
            _ => self.vocab(),
        }
    }

    /// Writes the logits from `start` on, after edits and mask.
    fn write(&self, start: usize, out: &mut [f32]) {
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
