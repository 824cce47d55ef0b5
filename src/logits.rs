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
    pub(crate) fn get(&self, i: usize) -> f32 {
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

/// What is known of the tokens that a sparse row does not list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rest {
    /// ln of the sum of exp(l / `temperature`) over them: -infinity if none can be sampled, infinity if it is not known.
    pub log_sum: f64,
    /// The temperature of `log_sum`.
    pub temperature: f32,
    /// No logit of theirs is larger.
    pub bound: f32,
}

/// One row of logits, borrowed: index `i` belongs to token `i`, or to the `i`-th of the tokens of a sparse row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    values: Values<'a>,
    mask: Option<&'a [u32]>,
    edits: &'a [(u32, f32)],
    /// The tokens of a candidate array or of a sparse row, if they are not the positions.
    ids: Option<&'a [i32]>,
    rest: Option<Rest>,
    /// Whether NaN and +infinity count as -infinity.
    bans_invalid: bool,
}

impl<'a> Row<'a> {
    /// A row of at least one and at most `i32::MAX` logits.
    pub fn new(values: Values<'a>) -> Result<Self> {
        match values.len() {
            0 => Err(Error::InvalidArgument("vocab is 0: a row has at least one logit".into())),
            n if n > i32::MAX as usize => {
                Err(Error::InvalidArgument(format!("vocab is {n}: token ids are 32-bit, so at most {}", i32::MAX)))
            }
            _ => Ok(Self { values, mask: None, edits: &[], ids: None, rest: None, bans_invalid: false }),
        }
    }

    /// A row of `f32` logits.
    pub fn from_f32(logits: &'a [f32]) -> Result<Self> {
        Self::new(Values::F32(logits))
    }

    /// A sparse row: `values[i]` is the logit of token `ids[i]`, in any order, each token once; -1 for no token. Without
    /// [`Row::with_rest`] there are no other tokens.
    ///
    /// Decoding it gives what the whole row would give, or [`Error::Incomplete`] if that takes more than the row has.
    pub fn sparse(values: Values<'a>, ids: &'a [i32]) -> Result<Self> {
        if ids.len() != values.len() {
            let what = format!("{} ids for {} logits: a sparse row has one for each", ids.len(), values.len());
            return Err(Error::InvalidArgument(what));
        }
        Ok(Self { ids: Some(ids), ..Self::new(values)? })
    }

    /// Says what is known of the tokens that a sparse row does not list. With a `log_sum` of -infinity they are there, and
    /// count where a stage counts tokens, but none can be sampled. Of a dense row it changes nothing.
    pub fn with_rest(self, rest: Rest) -> Result<Self> {
        let refuse = |what: String| Err(Error::InvalidArgument(what));
        if rest.log_sum.is_nan() || rest.bound.is_nan() {
            return refuse("log_rest or bound is NaN".into());
        }
        if !(rest.temperature > 0.0 && rest.temperature.is_finite()) {
            return refuse(format!("rest_temperature is {}: it must be a positive number", rest.temperature));
        }
        let bound = if rest.log_sum == f64::NEG_INFINITY { f32::NEG_INFINITY } else { rest.bound };
        Ok(Self { rest: self.ids.is_some().then_some(Rest { bound, ..rest }), ..self })
    }

    /// The same row with the ids of its tokens.
    pub(crate) fn with_ids(self, ids: &'a [i32]) -> Self {
        Self { ids: Some(ids), ..self }
    }

    /// The tokens of a candidate array or of a sparse row, if they are not the positions.
    pub(crate) fn ids(&self) -> Option<&'a [i32]> {
        self.ids
    }

    /// What is known of the tokens that are not listed; none if all are.
    pub(crate) fn rest(&self) -> Option<Rest> {
        self.rest
    }

    /// The same row with what is known of the tokens that another one does not list.
    pub(crate) fn with_rest_of(self, row: Row<'_>) -> Self {
        Self { rest: row.rest, ..self }
    }

    /// The smallest logit that is finite, before edits and mask; infinity if none is.
    pub fn smallest(&self) -> f32 {
        let finite = (0..self.vocab()).map(|i| self.values.get(i)).filter(|l| l.is_finite());
        finite.fold(f32::INFINITY, f32::min)
    }

    /// The position of a token; none if it is not in the row. The ids of a sparse row ascend.
    pub(crate) fn position_of(&self, token: u32) -> Option<u32> {
        match self.ids {
            None => ((token as usize) < self.vocab()).then_some(token),
            Some(ids) => ids.binary_search(&i32::try_from(token).ok()?).ok().map(|at| at as u32),
        }
    }

    /// Allows only the tokens whose bit is set: token `t` is bit `t % 32` of word `t / 32`, as in llguidance and
    /// xgrammar. Tokens beyond the last word are banned.
    pub fn with_mask(mut self, words: &'a [u32]) -> Self {
        self.mask = Some(words);
        self
    }

    /// The same row with NaN and +infinity as -infinity. Passes, which read the numbers in place, still fail for them until
    /// [`Row::valid`] is its mask.
    pub(crate) fn banning_invalid(self) -> Self {
        Self { bans_invalid: true, ..self }
    }

    /// Writes the mask of the tokens that the row's own mask allows and whose logit before edits is neither NaN nor
    /// +infinity.
    pub(crate) fn valid(&self, words: &mut [u32]) {
        let mask = self.mask.map(|mask| mask.iter().copied().chain(std::iter::repeat(0)));
        let mask = mask.into_iter().flatten().chain(std::iter::repeat(u32::MAX));
        for (at, (word, mask)) in words.iter_mut().zip(mask).enumerate() {
            let (start, end) = (32 * at, (32 * at + 32).min(self.vocab()));
            let is_valid = |i: usize| self.values.get(i) < f32::INFINITY;
            *word = mask & (start..end).fold(0, |word, i| word | u32::from(is_valid(i)) << (i - start));
        }
    }

    /// A logit as it counts.
    fn counted(&self, logit: f32) -> f32 {
        let is_invalid = logit.is_nan() || logit == f32::INFINITY;
        if self.bans_invalid && is_invalid { f32::NEG_INFINITY } else { logit }
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
        let row = *self;
        let Self { values, mask, .. } = row;
        (0..values.len().div_ceil(32)).flat_map(move |word| {
            let (start, end) = (32 * word, (32 * word + 32).min(values.len()));
            let allowed = mask.map_or(u32::MAX, |words| words.get(word).copied().unwrap_or(0));
            let is_there = move |i: usize| row.counted(values.get(i)) != f32::NEG_INFINITY;
            // Without a branch for each logit: most rows that are searched for long have nothing there.
            let any = allowed != 0 && (start..end).fold(false, |any, i| any | is_there(i));
            let tokens = if any { start..end } else { 0..0 };
            tokens.filter(move |&i| allowed >> (i - start) & 1 == 1 && is_there(i)).map(|i| i as u32)
        })
    }

    /// The row without mask and edits.
    pub(crate) fn untouched(self) -> Self {
        Self { mask: None, edits: &[], bans_invalid: false, ..self }
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
        self.counted(edit.map_or_else(|_| self.values.get(token as usize), |at| self.edits[at].1))
    }

    /// Copies the logits from `start` on, after edits and mask.
    pub(crate) fn write(&self, start: usize, out: &mut [f32]) {
        self.values.copy_to(start, out);
        let first = self.edits.partition_point(|&(token, _)| (token as usize) < start);
        let end = start + out.len();
        for &(token, logit) in self.edits[first..].iter().take_while(|&&(token, _)| (token as usize) < end) {
            out[token as usize - start] = logit;
        }
        if self.bans_invalid {
            out.iter_mut().for_each(|logit| *logit = self.counted(*logit));
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
