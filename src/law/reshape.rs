//! Changes of the weights that are no temperature: another function of the log-weight, or a few tokens demoted.
//!
//! A closed law changes its entries. While the law is the whole vocabulary, the new logits are written to a row of
//! their own, one pass, and the law goes on with that.

use super::{Former, Law};
use crate::error::Result;
use crate::head::LOWEST_LOG_WEIGHT;
use crate::logits::Row;
use crate::math::{exp, ln};
use crate::vocab::{First, USUAL_HEAD, make_room};

impl<'r> Law<'r> {
    /// Gives every token the log-weight `shape(x)` for its log-weight x, of which the first token's is 0.
    pub(crate) fn reshape(&mut self, shape: impl Fn(f64) -> f64) -> Result<()> {
        if self.is_closed() {
            self.head.entries_mut().iter_mut().for_each(|e| e.x = shape(e.x));
            self.reorder();
            return Ok(());
        }
        let (max, scale) = (f64::from(self.vocab.max()), self.scale);
        let row = self.rewritten(|_, logit| {
            let x = (f64::from(logit) - max) * scale;
            if x >= LOWEST_LOG_WEIGHT { shape(x) as f32 } else { f32::NEG_INFINITY }
        });
        self.go_on_with(row, 1.0)
    }

    /// Remembers the probabilities as they are, for [`Law::former_p`] after the next reshaping.
    pub(crate) fn remember(&mut self) {
        let former = if self.is_closed() {
            let total = self.head_weight();
            self.spare.former.clear();
            self.spare.former.extend(self.head.entries().iter().map(|e| (e.index, exp(e.x) / total)));
            Former::Entries
        } else {
            let total = self.total();
            Former::Row { row: self.vocab.row(), max: self.vocab.max(), scale: self.scale, total }
        };
        self.former = Some(former);
    }

    /// A token's probability when the law was last remembered.
    pub(crate) fn former_p(&self, index: u32) -> Option<f64> {
        match self.former? {
            Former::Entries => self.spare.former.iter().find(|e| e.0 == index).map(|e| e.1),
            Former::Row { row, max, scale, total } => {
                Some(exp((f64::from(row.logit(index)) - f64::from(max)) * scale) / total)
            }
        }
    }

    /// Makes the room that [`Law::drop_first`] and [`Law::demote_first`] need, for a stage that seldom does either.
    pub(crate) fn make_room_to_demote(&mut self) {
        if self.is_closed() {
            return;
        }
        make_room(&mut self.spare.marked, USUAL_HEAD);
        if let Some(row) = self.rows.first_mut() {
            make_room(row, self.vocab.row().vocab());
        }
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
        let marked = &mut self.spare.marked;
        marked.clear();
        marked.extend(self.head.entries()[..n].iter().map(|e| e.index));
        let marked = std::mem::take(marked);
        let row = self.rewritten(|_, logit| logit);
        for &index in &marked {
            let logit = &mut row[index as usize];
            *logit = (f64::from(*logit) + less / self.scale) as f32;
        }
        self.spare.marked = marked;
        self.go_on_with(row, self.scale)
    }

    /// The row as `write(index, logit)` makes it, in a buffer that lives as long as the law.
    fn rewritten(&mut self, write: impl Fn(usize, f32) -> f32) -> &'r mut [f32] {
        let rows = std::mem::take(&mut self.rows);
        let (buffer, rest) = rows.split_first_mut().expect("one for each stage that a chain can have");
        self.rows = rest;
        buffer.clear();
        self.vocab.for_each_logit(|i, logit| buffer.push(write(i, logit)));
        buffer
    }

    fn go_on_with(&mut self, row: &'r [f32], scale: f64) -> Result<()> {
        self.vocab.replace(Row::from_f32(row)?);
        self.scale = scale;
        self.is_reshaped = true;
        // Whatever follows, its law is another one than the chain was planned for.
        self.unread = Some(First::Maxima);
        self.read()
    }

    /// Sorts the entries of a closed law by their new weights; the logits that an engine sees are these from now on.
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
