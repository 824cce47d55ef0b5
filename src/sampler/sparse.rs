//! Sparse rows: put in order of token, and decoded so that what is certain is told from what is not.

use super::scratch::RunScratch;
use super::sequence::Sequence;
use crate::chain::Chain;
use crate::distribution::{Distribution, Doubt};
use crate::error::{Error, Result};
use crate::logits::{Row, is_allowed};
use crate::memory::make_room;
use crate::vocab::Kernels;

/// The memory of a sparse row, kept from row to row.
#[derive(Default)]
pub(super) struct SparseScratch {
    /// Tokens with their places, as numbers that sort by token.
    keys: Vec<u64>,
    logits: Vec<f32>,
    ids: Vec<i32>,
    mask: Vec<u32>,
}

impl SparseScratch {
    /// A copy of a sparse row in ascending order of token, in f32, under its own mask and another one, which are by token.
    /// Places with the id -1 are left out. A row that lists the first tokens without a gap and nothing else is an ordinary one.
    pub(super) fn sorted<'s>(&'s mut self, row: Row<'_>, ids: &[i32], other_mask: Option<&[u32]>) -> Result<Row<'s>> {
        let n = ids.len();
        let Self { keys, logits, ids: sorted, mask } = self;
        keys.clear();
        logits.clear();
        sorted.clear();
        mask.clear();
        make_room(keys, n)?;
        make_room(logits, n)?;
        make_room(sorted, n)?;
        make_room(mask, n.div_ceil(32))?;
        let refuse = |what: String| Err(Error::InvalidArgument(what));
        for (at, &id) in ids.iter().enumerate() {
            match u32::try_from(id) {
                Ok(token) => keys.push(u64::from(token) << 32 | at as u64),
                Err(_) if id == -1 => {}
                Err(_) => return refuse(format!("ids[{at}] is {id}: must be a token, or -1 for none")),
            }
        }
        if keys.is_empty() {
            return Err(match row.rest() {
                Some(_) => Error::Incomplete("tokens: the row lists none".into()),
                None => Error::EmptySupport,
            });
        }
        if !keys.is_sorted() {
            keys.sort_unstable();
        }
        let token = |key: u64| (key >> 32) as i32;
        if let Some(twice) = keys.windows(2).find(|w| token(w[0]) == token(w[1])) {
            return refuse(format!("ids name token {} twice", token(twice[0])));
        }
        sorted.extend(keys.iter().map(|&key| token(key)));
        // The lower half of a key is the place.
        logits.extend(keys.iter().map(|&key| row.values().get(key as u32 as usize)));
        let is_whole = row.rest().is_none() && sorted[sorted.len() - 1] as usize == sorted.len() - 1;
        let masks = [row.mask(), other_mask];
        let mut prepared = Row::from_f32(logits)?;
        if !is_whole {
            prepared = prepared.with_ids(sorted).with_rest_of(row);
        }
        if masks.iter().any(Option::is_some) {
            let allows = |id: i32| masks.iter().flatten().all(|words| is_allowed(words, id as usize));
            mask.extend(
                sorted
                    .chunks(32)
                    .map(|ids| ids.iter().enumerate().fold(0, |word, (bit, &id)| word | u32::from(allows(id)) << bit)),
            );
            prepared = prepared.with_mask(mask);
        }
        Ok(prepared)
    }
}

/// What a chain makes of a row.
#[derive(Default)]
pub(super) struct Answer {
    kept: Vec<u32>,
    drawn: Option<u32>,
}

/// An error about a place of a row that was put in order, as one about its token.
pub(super) fn with_token(e: Error, row: Row<'_>) -> Error {
    match (e, row.ids()) {
        (Error::InvalidLogits { index, value }, Some(ids)) => {
            Error::InvalidLogits { index: ids.get(index).map_or(index, |&id| id as usize), value }
        }
        (e, _) => e,
    }
}

impl Sequence {
    /// An error if a chain's answer to a row is not the same with the lowest and the highest value of the sums that it uses
    /// and that are not known exactly.
    pub(super) fn check_certain(
        &self,
        chain: &Chain,
        kernels: &'static Kernels,
        row: Row<'_>,
        run: &mut RunScratch,
        answer: &mut Answer,
    ) -> Result<()> {
        for doubt in [Doubt::Low, Doubt::High] {
            run.dist.doubt = doubt;
            let seen = self.run(chain, kernels, (row, None), run).map(|(mut dist, context)| {
                let drawn = chain.draw(&mut dist, &context).map(|(drawn, _)| drawn.index);
                answer.replace(drawn, &mut dist).map(|is_same| (is_same, dist.is_doubtful()))
            });
            run.dist.doubt = Doubt::Middle;
            match (doubt, seen.flatten()?) {
                (Doubt::Low, (_, false)) => return Ok(()),
                (Doubt::High, (false, _)) => {
                    let what = "the weights of all tokens more exactly: the answer is at the edge of what they allow";
                    return Err(Error::Incomplete(what.into()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Answer {
    /// Replaces the answer by another one; returns whether they are the same.
    fn replace(&mut self, drawn: Option<u32>, dist: &mut Distribution<'_>) -> Result<bool> {
        // The entries of a whole vocabulary are those that were looked at.
        let n = if dist.is_truncated() { dist.entries().len() } else { 0 };
        make_room(&mut self.kept, n)?;
        let kept = dist.entries()[..n].iter().map(|e| e.index);
        let is_same = self.drawn == drawn && kept.clone().eq(self.kept.iter().copied());
        self.kept.clear();
        self.kept.extend(kept);
        self.drawn = drawn;
        Ok(is_same)
    }
}
