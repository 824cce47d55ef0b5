//! Other weights for all tokens, or for the first ones, while the support may be the whole vocabulary.
//!
//! A list gets them at once. Of a whole vocabulary the new logits are written to a row of their own in one pass, which
//! is the distribution's row from then on; a few tokens are edited in the row as it is.

use super::{Distribution, LOWEST_LOG_WEIGHT, Support};
use crate::error::{Error, Result};
use crate::history::merge;
use crate::logits::Row;
use crate::math::{exp, ln};
use crate::memory::{self, make_room};
use crate::vocab::{AdaptivePCurve, SmoothingCurve, USUAL_HEAD};

/// The probabilities as they were when a stage remembered them.
#[derive(Clone, Copy)]
pub(super) enum Remembered<'r> {
    /// In the spare list, as (index, p).
    Entries,
    Row {
        row: Row<'r>,
        max: f32,
        scale: f64,
        total: f64,
    },
}

impl<'r> Distribution<'r> {
    /// Gives every token the logit m + `curve.of(x)` for its log-weight x, which is 0 for the first token; m is the largest
    /// logit.
    pub(crate) fn smooth(&mut self, curve: SmoothingCurve) -> Result<()> {
        if let Some(mut list) = self.list() {
            let largest = list.first_logit();
            list.set_logits(largest, |_, x| curve.of(x));
            return Ok(());
        }
        self.lack_tokens();
        let (row, scale, lowest) = (self.next_row()?, self.scale(), self.head.lowest());
        self.offset += f64::from(self.head.vocab().max()) * scale;
        self.head.vocab_mut().smooth(scale, lowest, curve, row)?;
        self.go_on_with(Row::from_f32(row)?, 1.0);
        Ok(())
    }

    /// Gives every token the logit `curve.of(p)` for its probability p; `total` is [`Distribution::total`].
    pub(crate) fn adaptive_p(&mut self, curve: AdaptivePCurve, total: f64) -> Result<()> {
        /// Below it a probability is 0 for every distance that it could change.
        const NOTHING: f64 = -60.0;
        if let Some(mut list) = self.list() {
            let p = |x: f64| if x < NOTHING { 0.0 } else { exp(x) / total };
            list.set_logits(0.0, |_, x| curve.of(p(x)));
            return Ok(());
        }
        self.lack_tokens();
        let (row, scale, lowest) = (self.next_row()?, self.scale(), self.head.lowest());
        self.offset = 0.0;
        self.head.vocab_mut().adaptive_p(scale, lowest, total, curve, row)?;
        self.go_on_with(Row::from_f32(row)?, 1.0);
        Ok(())
    }

    /// Gives the tokens other weights: `change` gets their ids and their probabilities. A token with a weight of 0 is
    /// dropped; one at least must have more.
    pub(crate) fn reweigh(
        &mut self,
        (ids, p): (&mut Vec<u32>, &mut Vec<f64>),
        change: impl FnOnce(&[u32], &mut [f64]) -> Result<()>,
    ) -> Result<()> {
        ids.clear();
        p.clear();
        let candidates = self.head.ids();
        let id = |index: u32| candidates.map_or(index, |ids| ids[index as usize] as u32);
        if self.is_truncated() {
            let total = self.head_weight();
            let (entries, weights) = self.weighted();
            make_room(ids, entries.len())?;
            make_room(p, entries.len())?;
            ids.extend(entries.iter().map(|e| id(e.index)));
            p.extend(weights.iter().map(|weight| weight / total));
            change(ids, p)?;
            if let Some(mut list) = self.list() {
                list.set_logits(0.0, |at, _| ln(p[at]));
            }
            return Ok(());
        }
        self.lack_tokens();
        let (out, scale, max) = (self.next_row()?, self.scale(), f64::from(self.head.vocab().max()));
        let row = self.head.vocab().row();
        memory::resize(out, row.vocab(), 0.0)?;
        make_room(ids, row.vocab())?;
        make_room(p, row.vocab())?;
        row.write(0, out);
        ids.extend((0..row.vocab() as u32).map(id));
        let weight = |logit: f32| match (f64::from(logit) - max) * scale {
            x if x < LOWEST_LOG_WEIGHT => 0.0,
            x => exp(x),
        };
        p.extend(out.iter().map(|&logit| weight(logit)));
        let total: f64 = p.iter().sum();
        p.iter_mut().for_each(|p| *p /= total);
        change(ids, p)?;
        out.iter_mut().zip(&*p).for_each(|(logit, &p)| *logit = ln(p) as f32);
        self.offset = 0.0;
        self.go_on_with(Row::from_f32(out)?, 1.0);
        Ok(())
    }

    /// Remembers the probabilities as they are, for [`Distribution::remembered_p`] after the next reshaping; `total` is
    /// [`Distribution::total`].
    pub(crate) fn remember(&mut self, total: f64) -> Result<()> {
        self.remembered = Some(if self.is_truncated() {
            self.sort_bulk();
            let Self { head, spare: super::Spare { remembered, .. }, .. } = self;
            let (entries, weights) = head.weighted();
            remembered.clear();
            make_room(remembered, entries.len())?;
            remembered.extend(entries.iter().zip(weights).map(|(e, weight)| (e.index, weight / total)));
            Remembered::Entries
        } else {
            let vocab = self.head.vocab();
            Remembered::Row { row: vocab.row(), max: vocab.max(), scale: self.scale(), total }
        });
        Ok(())
    }

    /// A token's probability when the distribution was last remembered.
    pub(crate) fn remembered_p(&self, index: u32) -> Option<f64> {
        match self.remembered? {
            Remembered::Entries => self.spare.remembered.iter().find(|e| e.0 == index).map(|e| e.1),
            Remembered::Row { row, max, scale, total } => {
                Some(exp((f64::from(row.logit(index)) - f64::from(max)) * scale) / total)
            }
        }
    }

    /// Reserves what [`Distribution::drop_first`] and [`Distribution::demote_first`] need, for a stage that rarely does
    /// either.
    pub(crate) fn make_room_to_demote(&mut self) -> Result<()> {
        if self.is_truncated() {
            return Ok(());
        }
        make_room(&mut self.spare.marked, USUAL_HEAD)?;
        // A later stage that edits tokens copies these edits into its own list.
        let n = USUAL_HEAD + self.head.vocab().row().edits().len();
        self.row_edits.iter_mut().try_for_each(|row_edits| make_room(row_edits, n))
    }

    /// Drops the first `n` of the entries but those whose token is exempt; at least one token must be left.
    pub(crate) fn drop_first(&mut self, n: usize, is_exempt: impl Fn(i32) -> bool) -> Result<()> {
        if let Some(mut list) = self.list() {
            list.drop_first(n, is_exempt);
            return Ok(());
        }
        self.dropped_from.get_or_insert((self.head.vocab().row(), self.head.scale()));
        self.demote_in_row(n, f64::NEG_INFINITY, is_exempt)
    }

    /// Adds `less` (negative) to the log-weights of the first `n` of the entries but those whose token is exempt.
    pub(crate) fn demote_first(&mut self, n: usize, less: f64, is_exempt: impl Fn(i32) -> bool) -> Result<()> {
        if let Some(mut list) = self.list() {
            list.demote_first(n, less, is_exempt);
            return Ok(());
        }
        self.demote_in_row(n, less, is_exempt)
    }

    fn demote_in_row(&mut self, n: usize, less: f64, is_exempt: impl Fn(i32) -> bool) -> Result<()> {
        let row_edits = self.next_row_edits()?;
        let (row, scale, marked) = (self.head.vocab().row(), self.scale(), &mut self.spare.marked);
        marked.clear();
        make_room(marked, n)?;
        row_edits.clear();
        make_room(row_edits, row.edits().len() + n)?;
        let indices = self.head.entries()[..n].iter().map(|e| e.index);
        marked.extend(indices.filter(|&index| !is_exempt(self.head.id(index))));
        marked.sort_unstable();
        let demoted = |&index: &u32| (index, (f64::from(row.logit(index)) + less / scale) as f32);
        merge(row.edits(), marked.iter().map(demoted), row_edits);
        self.head.vocab_mut().replace_edited(row.with_edits(row_edits), marked);
        self.support = Support::Whole { is_read: false };
        self.is_reshaped = true;
        Ok(())
    }

    /// Memory for a row that lives as long as the distribution.
    fn next_row(&mut self) -> Result<&'r mut Vec<f32>> {
        let Some((row, rest)) = std::mem::take(&mut self.rows).split_first_mut() else {
            return Err(Error::Unsupported("a stage rewrites the row more than once".into()));
        };
        self.rows = rest;
        Ok(row)
    }

    /// The row and scale that stages see from now on; the row has to be read.
    fn go_on_with(&mut self, row: Row<'r>, scale: f64) {
        self.replace_row(row);
        self.head.set_scale(scale);
        self.is_reshaped = true;
    }
}
