//! A row that takes another one's place: for stages that change the logits of a law that is still the whole vocabulary.

use super::{LANES, Vocabulary};
use crate::error::{Error, Result};
use crate::logits::{BLOCK, Row};

impl<'r> Vocabulary<'r> {
    /// Calls `visit(index, logit)` for every token in order of index.
    pub(crate) fn for_each_logit(&mut self, mut visit: impl FnMut(usize, f32)) {
        for block in 0..self.row.blocks() {
            let logits = self.row.copied_block(block, &mut self.scratch.copied);
            logits.iter().zip(block * BLOCK..).for_each(|(&logit, i)| visit(i, logit));
        }
    }

    /// Goes on with another row, of which nothing is known yet. After an error there is nothing more to be asked.
    pub(crate) fn reopen(&mut self, row: Row<'r>) -> Result<()> {
        (self.row, self.summed_at) = (row, None);
        self.scratch.maxima.resize(row.blocks(), [0.0; LANES]);
        self.find_maxima()?;
        if self.max == f32::NEG_INFINITY { Err(Error::EmptySupport) } else { Ok(()) }
    }
}
