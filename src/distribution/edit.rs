//! Edits of single tokens' logits: biases, penalties, bans.

use super::{Distribution, Support};
use crate::error::{Error, Result};
use crate::history::{Edit, find_edit, merge};
use crate::logits::Row;
use crate::memory;

impl<'r> Distribution<'r> {
    /// Edits the logits of some tokens, as this distribution has them (scaled by 1/T); `edits` is sorted by token.
    /// While the support is the whole vocabulary, the row is edited and has to be read again.
    pub(crate) fn edit(&mut self, edits: &[Edit]) -> Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        if self.bans_all(edits) {
            return Err(Error::EmptySupport);
        }
        if let Some(mut list) = self.list() {
            list.edit(edits);
            return Ok(());
        }
        let list = self.next_row_edits()?;
        list.clear();
        let (row, scale, offset) = (self.head.vocab().row(), self.scale(), self.offset);
        let edited = |index: u32, edit: &Edit| {
            let before = row.unmasked(index);
            let after = ((edit.apply(f64::from(before) * scale + offset) - offset) / scale) as f32;
            // Only a ban bans, and a logit that was not finite stays as it was.
            let stays = before.is_finite() && edit.subtract != f64::INFINITY;
            (index, if stays { after.clamp(f32::MIN, f32::MAX) } else { after })
        };
        let ids = self.head.ids();
        match ids {
            None => {
                let known = edits.partition_point(|edit| (edit.token as usize) < row.vocab());
                memory::make_room(list, row.edits().len() + known)?;
                merge(row.edits(), edits[..known].iter().map(|edit| edited(edit.token, edit)), list);
            }
            Some(ids) => {
                memory::make_room(list, row.edits().len() + ids.len())?;
                let new = ids.iter().enumerate().filter_map(|(i, &id)| Some(edited(i as u32, find_edit(edits, id)?)));
                merge(row.edits(), new, list);
            }
        }
        self.replace_row(row.with_edits(list));
        if let Some(ids) = ids {
            self.edit_outside(edits, ids);
        }
        Ok(())
    }

    /// Whether these edits, sorted by token, ban every token that is left. (False if none is left before them.)
    pub(crate) fn bans_all(&mut self, edits: &[Edit]) -> bool {
        if !edits.iter().any(Edit::is_ban) {
            return false;
        }
        self.sort_bulk();
        let ids = self.head.ids();
        let is_banned = |index: u32| {
            let id = ids.map_or(index as i32, |ids| ids[index as usize]);
            find_edit(edits, id).is_some_and(Edit::is_ban)
        };
        let mut left = self.left().peekable();
        let bans_all = left.peek().is_some() && left.all(is_banned);
        drop(left);
        self.unless_others_are_left(bans_all)
    }

    /// Whether it holds of all tokens that are left, as of those that are listed: if it does and others may be left, that
    /// is not known.
    pub(super) fn unless_others_are_left(&mut self, holds: bool) -> bool {
        if holds && self.is_partial() {
            self.lack_tokens();
            return false;
        }
        holds
    }

    /// The positions of the tokens that are left, whether the row was read or not; a bulk must have been sorted.
    pub(super) fn left(&self) -> impl Iterator<Item = u32> {
        let is_list = self.is_truncated();
        let row = self.head.vocab().row();
        let entries = self.head.entries().iter().filter(move |_| is_list).map(|e| e.index);
        let banned = move |&index: &u32| row.unmasked(index) == f32::NEG_INFINITY;
        let tokens = (!is_list).then(|| row.tokens().filter(move |index| !banned(index)));
        entries.chain(tokens.into_iter().flatten())
    }

    /// Memory for the row's edits that lives as long as the distribution.
    pub(super) fn next_row_edits(&mut self) -> Result<&'r mut Vec<(u32, f32)>> {
        let Some((list, rest)) = std::mem::take(&mut self.row_edits).split_first_mut() else {
            return Err(Error::Unsupported("a stage edits logits more than once".into()));
        };
        self.row_edits = rest;
        Ok(list)
    }

    /// The row that stages see from now on; it has to be read.
    pub(super) fn replace_row(&mut self, row: Row<'r>) {
        self.head.vocab_mut().replace(row);
        self.support = Support::Whole { is_read: false };
    }
}
