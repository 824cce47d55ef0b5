//! A row that takes another one's place: for stages that change the logits of a law that is still the whole vocabulary.

use super::Vocabulary;
use crate::error::Result;
use crate::logits::{BLOCK, Row};

impl<'r> Vocabulary<'r> {
    /// Calls `visit(index, logit)` for every token in order of index.
    pub(crate) fn for_each_logit(&mut self, mut visit: impl FnMut(usize, f32)) {
        self.row.for_each_run(&mut self.scratch.tile, |first, run| {
            run.iter().enumerate().for_each(|(i, &logit)| visit(first * BLOCK + i, logit));
        });
    }

    /// Goes on with another row, of which nothing is known yet. After an error there is nothing more to be asked.
    pub(crate) fn reopen(&mut self, row: Row<'r>) -> Result<()> {
        self.summed_at = None;
        let max = Vocabulary::open(row, self.kernels, self.scratch)?.max;
        (self.row, self.max) = (row, max);
        Ok(())
    }
}
