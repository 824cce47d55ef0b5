//! A row that takes another one's place: for stages that change the logits of a law that is still the whole vocabulary.

use super::Vocabulary;
use crate::logits::BLOCK;

impl Vocabulary<'_> {
    /// Calls `visit(index, logit)` for every token in order of index.
    pub(crate) fn for_each_logit(&mut self, mut visit: impl FnMut(usize, f32)) {
        for block in 0..self.row.blocks() {
            let logits = self.row.copied_block(block, &mut self.scratch.copied);
            logits.iter().zip(block * BLOCK..).for_each(|(&logit, i)| visit(i, logit));
        }
    }
}
