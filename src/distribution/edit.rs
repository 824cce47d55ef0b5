//! Changes of single tokens' logits: biases, penalties, bans.

use super::Distribution;
use crate::distribution::head::{Entry, LOWEST_LOG_WEIGHT};
use crate::error::{Error, Result};
use crate::history::{Edit, find_edit, merge};
use crate::vocab::FirstPass;

impl<'r> Distribution<'r> {
    /// Changes the logits of some tokens, as this distribution has them (scaled by 1/T); `edits` is sorted by token.
    /// While the distribution is the whole vocabulary, its row is edited; [`Distribution::read`] then has to read it
    /// again.
    pub(crate) fn change(&mut self, edits: &[Edit]) -> Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        if self.is_closed() {
            return self.change_entries(edits);
        }
        let list = self.next_row_edits()?;
        let (row, scale) = (self.vocab.row(), self.scale);
        let edited = |index: u32, change: &Edit| {
            let before = row.unmasked(index);
            let after = (change.apply(f64::from(before) * scale) / scale) as f32;
            // Only a ban bans, and what was no logit before does not become one.
            let stays = before.is_finite() && change.subtract != f64::INFINITY;
            (index, if stays { after.clamp(f32::MIN, f32::MAX) } else { after })
        };
        match self.head.ids() {
            None => {
                let known = edits.partition_point(|c| (c.token as usize) < row.vocab());
                merge(row.edits(), edits[..known].iter().map(|c| edited(c.token, c)), list);
            }
            Some(ids) => {
                let new = ids.iter().enumerate().filter_map(|(i, &id)| Some(edited(i as u32, find_edit(edits, id)?)));
                merge(row.edits(), new, list);
            }
        }
        self.vocab.replace(row.with_edits(list));
        self.unread.get_or_insert(FirstPass::Maxima);
        Ok(())
    }

    /// Memory for the row's edits that lives as long as the distribution.
    pub(super) fn next_row_edits(&mut self) -> Result<&'r mut Vec<(u32, f32)>> {
        let Some((list, rest)) = std::mem::take(&mut self.row_edits).split_first_mut() else {
            return Err(Error::Unsupported("the distribution is changed more often than it was made for".into()));
        };
        self.row_edits = rest;
        Ok(list)
    }

    fn change_entries(&mut self, edits: &[Edit]) -> Result<()> {
        let change = |dist: &Self, e: &Entry| find_edit(edits, dist.head.id(e.index)).copied();
        if self.entries().iter().all(|e| change(self, e).is_none()) {
            return Ok(());
        }
        for at in 0..self.entries().len() {
            let e = self.entries()[at];
            let logit = self.logit(&e);
            self.head.entries_mut()[at].x = change(self, &e).map_or(logit, |c| c.apply(logit));
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
