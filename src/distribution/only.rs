//! Truncation to some tokens by their ids, and bans of those whose logit is invalid: other masks of the row.

use super::Distribution;
use crate::error::{Error, Result};
use crate::memory;

impl<'r> Distribution<'r> {
    /// Bans every token but these, which ascend. While the support is the whole vocabulary the row gets another mask, and
    /// has to be read again.
    pub(crate) fn keep_only(&mut self, tokens: &[u32]) -> Result<()> {
        if self.has_none_of(tokens) {
            return Err(Error::EmptySupport);
        }
        let is_wanted = |id: i32| u32::try_from(id).is_ok_and(|id| tokens.binary_search(&id).is_ok());
        if let Some(mut list) = self.list() {
            list.keep_ids(is_wanted);
            return Ok(());
        }
        let (words, row) = (self.next_mask()?, self.head.vocab().row());
        words.clear();
        memory::resize(words, row.vocab().div_ceil(32), 0)?;
        let mut allow = |index: usize| words[index / 32] |= 1 << (index % 32);
        match self.head.ids() {
            None => tokens.iter().map(|&id| id as usize).take_while(|&id| id < row.vocab()).for_each(allow),
            Some(ids) => ids.iter().enumerate().filter(|(_, id)| is_wanted(**id)).for_each(|(i, _)| allow(i)),
        }
        if let Some(mask) = row.mask() {
            words.iter_mut().zip(mask.iter().chain(std::iter::repeat(&0))).for_each(|(word, mask)| *word &= mask);
        }
        self.replace_row(row.with_mask(words));
        self.mask_outside();
        Ok(())
    }

    /// Whether none of these tokens, which ascend, is left. (False if no token at all is left.)
    pub(crate) fn has_none_of(&mut self, tokens: &[u32]) -> bool {
        self.sort_bulk();
        let is_wanted = |id: i32| u32::try_from(id).is_ok_and(|id| tokens.binary_search(&id).is_ok());
        let has_none =
            if self.left().any(|index| is_wanted(self.id(index))) { false } else { self.left().next().is_some() };
        self.unless_others_are_left(has_none)
    }

    /// From now on NaN and +infinity count as -infinity. That costs nothing where there are none: the pass that finds one
    /// fails, and they are masked then.
    pub(crate) fn ban_invalid(&mut self) -> Result<()> {
        self.make_room_for_mask()?;
        self.invalid = Some(self.next_mask()?);
        let row = self.head.vocab().row().banning_invalid();
        self.head.vocab_mut().replace(row);
        Ok(())
    }

    /// Masks the tokens whose logit is invalid, if they are banned; returns whether they were not masked before.
    pub(super) fn mask_invalid(&mut self) -> Result<bool> {
        let Some(words) = self.invalid.take() else { return Ok(false) };
        let row = self.head.vocab().row();
        words.clear();
        memory::resize(words, row.vocab().div_ceil(32), 0)?;
        row.valid(words);
        self.replace_row(row.with_mask(words));
        Ok(true)
    }

    /// Memory for a mask that lives as long as the distribution.
    fn next_mask(&mut self) -> Result<&'r mut Vec<u32>> {
        let Some((words, rest)) = std::mem::take(&mut self.masks).split_first_mut() else {
            return Err(Error::Unsupported("a stage bans tokens by a mask more than once".into()));
        };
        self.masks = rest;
        Ok(words)
    }

    /// Reserves what another mask needs, for a stage that rarely makes one.
    pub(crate) fn make_room_for_mask(&mut self) -> Result<()> {
        let n = self.head.vocab().row().vocab().div_ceil(32);
        self.masks.first_mut().map_or(Ok(()), |words| memory::make_room(words, n))
    }
}
