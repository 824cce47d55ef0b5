//! A borrowed row of logits: its number format, its mask, its edits.
//!
//! Kernels read a row in place, in its own format and through its mask. Only a block with an edited token is copied
//! first.

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
    /// The logits of an engine's candidates. Index `i` is the i-th candidate, regardless of its id; probabilities are not
    /// read.
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

    /// One logit as `f32`.
    fn get(&self, i: usize) -> f32 {
        match self {
            Values::F32(v) => v[i],
            Values::F16(v) => f16_to_f32(v[i]),
            Values::Bf16(v) => bf16_to_f32(v[i]),
            Values::Candidates(v) => v[i].logit,
        }
    }

    /// The logits from `start` on as `f32`.
    fn copy_to(&self, start: usize, out: &mut [f32]) {
        match self {
            Values::F32(v) => out.copy_from_slice(&v[start..start + out.len()]),
            Values::F16(v) => out.iter_mut().zip(&v[start..]).for_each(|(out, &bits)| *out = f16_to_f32(bits)),
            Values::Bf16(v) => out.iter_mut().zip(&v[start..]).for_each(|(out, &bits)| *out = bf16_to_f32(bits)),
            Values::Candidates(v) => out.iter_mut().zip(&v[start..]).for_each(|(out, c)| *out = c.logit),
        }
    }
}

/// Half precision, as bits.
#[inline(always)]
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    half::f16::from_bits(bits).to_f32()
}

/// bfloat16, as bits: the upper half of an `f32`.
#[inline(always)]
pub(crate) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
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

    /// The logits before edits and mask.
    pub(crate) fn values(&self) -> Values<'a> {
        self.values
    }

    /// The mask, if there is one.
    pub(crate) fn mask(&self) -> Option<&'a [u32]> {
        self.mask
    }

    /// Replaces the logits of some tokens, and drops earlier edits. `edits` is sorted by token and has no token twice;
    /// tokens beyond the row are ignored.
    pub(crate) fn with_edits(mut self, edits: &'a [(u32, f32)]) -> Self {
        self.edits = edits;
        self
    }

    /// The replaced logits, sorted by token.
    pub(crate) fn edits(&self) -> &'a [(u32, f32)] {
        self.edits
    }

    /// The tokens that are neither masked nor -infinity, before edits, in ascending order.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = u32> + use<'a> {
        let Self { values, mask, .. } = *self;
        (0..values.len().div_ceil(32)).flat_map(move |word| {
            let (start, end) = (32 * word, (32 * word + 32).min(values.len()));
            let allowed = mask.map_or(u32::MAX, |words| words.get(word).copied().unwrap_or(0));
            let is_there = move |i: usize| values.get(i) != f32::NEG_INFINITY;
            // Without a branch for each logit: most rows that are searched for long have nothing there.
            let any = allowed != 0 && (start..end).fold(false, |any, i| any | is_there(i));
            let tokens = if any { start..end } else { 0..0 };
            tokens.filter(move |&i| allowed >> (i - start) & 1 == 1 && is_there(i)).map(|i| i as u32)
        })
    }

    /// The row without mask and edits.
    pub(crate) fn untouched(self) -> Self {
        Self { mask: None, edits: &[], ..self }
    }

    /// Whether there is a mask or an edit.
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

    /// Copies the logits from `start` on, after edits and mask.
    pub(crate) fn write(&self, start: usize, out: &mut [f32]) {
        self.values.copy_to(start, out);
        let first = self.edits.partition_point(|&(token, _)| (token as usize) < start);
        let end = start + out.len();
        for &(token, logit) in self.edits[first..].iter().take_while(|&&(token, _)| (token as usize) < end) {
            out[token as usize - start] = logit;
        }
        if let Some(words) = self.mask {
            for (i, out) in out.iter_mut().enumerate() {
                if !is_allowed(words, start + i) {
                    *out = f32::NEG_INFINITY;
                }
            }
        }
    }
}

/// Whether a packed mask allows the token.
pub(crate) fn is_allowed(words: &[u32], token: usize) -> bool {
    words.get(token / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
}
