//! A borrowed row of logits as the model left it: its number format, its mask, its edits.
//!
//! The passes over the vocabulary read a row in place, in its own format and through its mask. Only a block with an
//! edited token is copied first.

use crate::error::{Error, Result};

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

    pub(crate) fn slice(self, start: usize, end: usize) -> Self {
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

    /// The numbers, as they are before edits and mask.
    pub(crate) fn values(&self) -> Values<'a> {
        self.values
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
