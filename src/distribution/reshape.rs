//! Changes of the weights that are no temperature: another function of the log-weight, or a few tokens demoted.
//!
//! A closed distribution changes its entries. While the distribution is the whole vocabulary, the new logits are
//! written to a row of their own, one pass, and the distribution goes on with that; a few tokens are demoted by edits
//! of the row as it is.

use super::{Distribution, Remembered};
use crate::distribution::head::LOWEST_LOG_WEIGHT;
use crate::error::Result;
use crate::history::merge;
use crate::logits::Row;
use crate::math::{exp, ln};
use crate::vocab::{AdaptivePCurve, FirstPass, SmoothingCurve, USUAL_HEAD, make_room};

impl<'r> Distribution<'r> {
    /// Gives every token the log-weight `powers.of(x)` for its log-weight x, of which the first token's is 0.
    pub(crate) fn bend(&mut self, powers: SmoothingCurve) -> Result<()> {
        if self.is_closed() {
            self.head.entries_mut().iter_mut().for_each(|e| e.x = powers.of(e.x));
            self.reorder();
            return Ok(());
        }
        let row = self.next_row();
        self.vocab.smooth(self.scale, self.head.lowest(), powers, row);
        self.go_on_with(Row::from_f32(row)?, 1.0);
        Ok(())
    }

    /// Gives every token the log-weight `bell.of(p)` for its probability p; `total` is [`Distribution::total`].
    pub(crate) fn ring(&mut self, bell: AdaptivePCurve, total: f64) -> Result<()> {
        /// Below it a probability is 0 for every distance that it could change.
        const NOTHING: f64 = -60.0;
        if self.is_closed() {
            let p = |x: f64| if x < NOTHING { 0.0 } else { exp(x) / total };
            self.head.entries_mut().iter_mut().for_each(|e| e.x = bell.of(p(e.x)));
            self.reorder();
            return Ok(());
        }
        let row = self.next_row();
        self.vocab.adaptive_p(self.scale, self.head.lowest(), total, bell, row);
        self.go_on_with(Row::from_f32(row)?, 1.0);
        Ok(())
    }

    /// Remembers the probabilities as they are, for [`Distribution::remembered_p`] after the next reshaping; `total` is
    /// [`Distribution::total`].
    pub(crate) fn remember(&mut self, total: f64) {
        let former = if self.is_closed() {
            self.spare.former.clear();
            let (entries, weights) = self.head.weighed();
            self.spare.former.extend(entries.iter().zip(weights).map(|(e, weight)| (e.index, weight / total)));
            Remembered::Entries
        } else {
            Remembered::Row { row: self.vocab.row(), max: self.vocab.max(), scale: self.scale, total }
        };
        self.former = Some(former);
    }

    /// A token's probability when the distribution was last remembered.
    pub(crate) fn remembered_p(&self, index: u32) -> Option<f64> {
        match self.former? {
            Remembered::Entries => self.spare.former.iter().find(|e| e.0 == index).map(|e| e.1),
            Remembered::Row { row, max, scale, total } => {
                Some(exp((f64::from(row.logit(index)) - f64::from(max)) * scale) / total)
            }
        }
    }

    /// Makes the room that [`Distribution::drop_first`] and [`Distribution::demote_first`] need, for a stage that
    /// seldom does either.
    pub(crate) fn make_room_to_demote(&mut self) {
        if self.is_closed() {
            return;
        }
        make_room(&mut self.spare.marked, USUAL_HEAD);
        // Whoever changes tokens after this has these edits in the list of its own, too.
        let n = USUAL_HEAD + self.vocab.row().edits().len();
        self.row_edits.iter_mut().for_each(|row_edits| make_room(row_edits, n));
    }

    /// Drops the first `n` entries, which somebody has reached; at least one token is left.
    pub(crate) fn drop_first(&mut self, n: usize) -> Result<()> {
        if self.is_closed() {
            self.head.entries_mut().drain(..n);
            self.rebase();
            return Ok(());
        }
        self.dropped_from.get_or_insert((self.vocab.row(), self.scale));
        self.demote_in_row(n, f64::NEG_INFINITY)
    }

    /// Adds `less` (negative) to the log-weights of the first `n` entries, which somebody has reached.
    pub(crate) fn demote_first(&mut self, n: usize, less: f64) -> Result<()> {
        if !self.is_closed() {
            return self.demote_in_row(n, less);
        }
        self.head.entries_mut()[..n].iter_mut().for_each(|e| e.x += less);
        self.reorder();
        Ok(())
    }

    fn demote_in_row(&mut self, n: usize, less: f64) -> Result<()> {
        let row_edits = self.next_row_edits()?;
        let (row, scale, marked) = (self.vocab.row(), self.scale, &mut self.spare.marked);
        marked.clear();
        marked.extend(self.head.entries()[..n].iter().map(|e| e.index));
        marked.sort_unstable();
        let demoted = |&index: &u32| (index, (f64::from(row.logit(index)) + less / scale) as f32);
        merge(row.edits(), marked.iter().map(demoted), row_edits);
        self.go_on_with(row.with_edits(row_edits), scale);
        Ok(())
    }

    /// Memory for a row that lives as long as the distribution.
    fn next_row(&mut self) -> &'r mut Vec<f32> {
        let (row, rest) =
            std::mem::take(&mut self.rows).split_first_mut().expect("one for each stage that a chain can have");
        self.rows = rest;
        row
    }

    /// What stages see from now on: it is read when one asks.
    fn go_on_with(&mut self, row: Row<'r>, scale: f64) {
        self.vocab.replace(row);
        self.scale = scale;
        self.is_reshaped = true;
        self.unread = Some(FirstPass::Maxima);
    }

    /// Sorts the entries of a closed distribution by their new weights; the logits that an engine sees are these from
    /// now on.
    fn reorder(&mut self) {
        self.head.sort();
        self.rebase();
        let entries = self.head.entries_mut();
        let n = entries.partition_point(|e| e.x >= LOWEST_LOG_WEIGHT);
        entries.truncate(n);
        self.renormalised = Some(-ln(self.head_weight()));
    }

    /// Makes the log-weights relative to the first entry again.
    pub(super) fn rebase(&mut self) {
        let entries = self.head.entries_mut();
        let first = entries[0].x;
        entries.iter_mut().for_each(|e| e.x -= first);
        self.renormalised = self.renormalised.map(|offset| offset + first);
    }
}
