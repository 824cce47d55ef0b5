//! Changes of single tokens' logits: biases, penalties, bans.

use super::Law;
use crate::distribution::head::{Entry, LOWEST_LOG_WEIGHT};
use crate::error::{Error, Result};
use crate::history::{Change, change_of, merge};
use crate::vocab::First;

impl<'r> Law<'r> {
    /// Changes the logits of some tokens, as this law has them (scaled by 1/T); `changes` is sorted by token. While the
    /// law is the whole vocabulary, its row is edited; [`Law::read`] then has to read it again.
    pub(crate) fn change(&mut self, changes: &[Change]) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.is_closed() {
            return self.change_entries(changes);
        }
        let list = self.next_edits()?;
        let (row, scale) = (self.vocab.row(), self.scale);
        let edited = |index: u32, change: &Change| {
            let before = row.unmasked(index);
            let after = (change.of(f64::from(before) * scale) / scale) as f32;
            // Only a ban bans, and what was no logit before does not become one.
            let stays = before.is_finite() && change.less != f64::INFINITY;
            (index, if stays { after.clamp(f32::MIN, f32::MAX) } else { after })
        };
        match self.head.ids() {
            None => {
                let known = changes.partition_point(|c| (c.token as usize) < row.vocab());
                merge(row.edits(), changes[..known].iter().map(|c| edited(c.token, c)), list);
            }
            Some(ids) => {
                let new = ids.iter().enumerate().filter_map(|(i, &id)| Some(edited(i as u32, change_of(changes, id)?)));
                merge(row.edits(), new, list);
            }
        }
        self.vocab.replace(row.with_edits(list));
        self.unread.get_or_insert(First::Maxima);
        Ok(())
    }

    /// Memory for the row's edits that lives as long as the law.
    pub(super) fn next_edits(&mut self) -> Result<&'r mut Vec<(u32, f32)>> {
        let Some((list, rest)) = std::mem::take(&mut self.edits).split_first_mut() else {
            return Err(Error::Unsupported("the law is changed more often than it was made for".into()));
        };
        self.edits = rest;
        Ok(list)
    }

    fn change_entries(&mut self, changes: &[Change]) -> Result<()> {
        let change = |law: &Self, e: &Entry| change_of(changes, law.head.id(e.index)).copied();
        if self.entries().iter().all(|e| change(self, e).is_none()) {
            return Ok(());
        }
        for at in 0..self.entries().len() {
            let e = self.entries()[at];
            let logit = self.logit(&e);
            self.head.entries_mut()[at].x = change(self, &e).map_or(logit, |c| c.of(logit));
        }
        self.head.sort();
        let entries = self.head.entries_mut();
        let first = entries[0].x;
        if first == f64::NEG_INFINITY {
            return Err(Error::EmptySupport);
        }
        entries.iter_mut().for_each(|e| e.x -= first);
        let eligible = entries.partition_point(|e| e.x >= LOWEST_LOG_WEIGHT);
        entries.truncate(eligible);
        self.renormalised = Some(first);
        Ok(())
    }
}
