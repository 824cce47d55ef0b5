//! The state of one sequence, and how rows and tokens move it.

use super::scratch::RunScratch;
use super::steps::{PendingRows, Steps};
use crate::chain::Chain;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::history::{Edit, History, Prompt};
use crate::logits::Row;
use crate::memory;
use crate::stages::{Context, Learnt};
use crate::vocab::Kernels;

/// The state of one sequence.
pub(super) struct Sequence {
    pub(super) seed: u64,
    pub(super) position: u64,
    pub(super) history: History,
    pub(super) bias: Vec<Edit>,
    pub(super) mask: Option<Vec<u32>>,
    /// What the chain's drawing stage has learnt.
    pub(super) learnt: Learnt,
    pub(super) steps: Steps,
}

/// A state of a sequence to return to, as long as its tokens are still there.
pub(super) struct Mark {
    position: u64,
    learnt: Learnt,
    length: usize,
    prompt: Prompt,
    rows: PendingRows,
}

impl Sequence {
    pub(super) fn new(chain: &Chain, seed: u64) -> Self {
        Self {
            seed,
            position: 0,
            history: chain.history(),
            bias: Vec::new(),
            mask: None,
            learnt: chain.initial(),
            steps: Steps::default(),
        }
    }

    pub(super) fn try_clone(&self) -> Result<Self> {
        let Self { seed, position, history, bias, mask, learnt, steps } = self;
        Ok(Self {
            seed: *seed,
            position: *position,
            history: history.try_clone()?,
            bias: memory::copied(bias)?,
            mask: mask.as_deref().map(memory::copied).transpose()?,
            learnt: *learnt,
            steps: steps.try_clone()?,
        })
    }

    /// Runs a chain on a row, whose mask holds already: the distribution that it leaves, and the context for its draw.
    /// `ids` are the tokens of a candidate array in which they are not the positions.
    pub(super) fn run<'a>(
        &'a self,
        chain: &Chain,
        kernels: &'static Kernels,
        (row, ids): (Row<'a>, Option<&'a [i32]>),
        RunScratch { dist, problem, edits }: &'a mut RunScratch,
    ) -> Result<(Distribution<'a>, Context<'a>)> {
        let row = ids.map_or(row, |ids| row.with_ids(ids));
        let mut dist = Distribution::new(row, kernels, dist);
        dist.edit(&self.bias).map_err(|e| match e {
            Error::EmptySupport => Error::NothingLeft("the logit bias bans every token that is left".into()),
            other => other,
        })?;
        let Self { seed, position, learnt, ref history, .. } = *self;
        let mut context = Context { seed, position, stage: 0, learnt, history, problem, edits };
        chain.transform(&mut dist, &mut context)?;
        Ok((dist, context))
    }

    /// Brings the history's answers up to date for a row, and makes room for it and its token, so that neither can fail
    /// once the token is drawn.
    pub(super) fn make_room(&mut self, chain: &Chain) -> Result<()> {
        self.history.settle()?;
        self.history.reserve(1)?;
        self.steps.make_room(1, chain.learns())
    }

    /// After a row that was decoded or applied.
    pub(super) fn advance(&mut self, chain: &Chain, learnt: Learnt) {
        self.steps.row(chain.learns().then_some(self.learnt));
        self.position = self.position.wrapping_add(1);
        self.learnt = learnt;
    }

    /// After a row that was decoded without moving the position.
    pub(super) fn stay(&mut self) {
        self.steps.stayed = true;
    }

    pub(super) fn reset(&mut self, chain: &Chain, seed: u64) {
        (self.seed, self.position) = (seed, 0);
        self.learnt = chain.initial();
        self.history.clear();
        self.steps.clear();
    }

    pub(super) fn reseed(&mut self, seed: u64, position: u64) {
        if self.steps.stayed && (seed, position) == (self.seed, self.position.wrapping_add(1)) {
            self.steps.row(None);
        }
        self.steps.stayed = false;
        (self.seed, self.position) = (seed, position);
    }

    /// Appends tokens, none of them negative. On an error nothing is changed.
    pub(super) fn accept(&mut self, chain: &Chain, tokens: &[i32]) -> Result<()> {
        let at = self.history.tokens().len();
        self.steps.make_room(tokens.len(), chain.learns())?;
        self.history.extend(tokens)?;
        if let Some(logs) = chain.learns().then_some(self.steps.has_rows()) {
            for (j, &token) in tokens.iter().enumerate() {
                if logs {
                    self.steps.learn(at + j, j, self.learnt);
                }
                self.learnt = chain.accepted(self.learnt, token);
            }
        }
        self.steps.accept(at, tokens.len());
        Ok(())
    }

    pub(super) fn set_prompt(&mut self, n: usize) -> Result<()> {
        let is_open = self.history.prompt() == Prompt::Open;
        self.steps.make_room(0, false)?;
        self.history.set_prompt(n)?;
        if is_open {
            self.steps.resume(n, self.history.tokens().len());
        }
        Ok(())
    }

    /// What [`Sequence::return_to`] needs.
    pub(super) fn mark(&self) -> Result<Mark> {
        Ok(Mark {
            position: self.position,
            learnt: self.learnt,
            length: self.history.tokens().len(),
            prompt: self.history.prompt(),
            rows: self.steps.pending()?,
        })
    }

    /// Appends the `n`-th token since a mark, with the memory that [`Sequence::return_to`] needs.
    pub(super) fn accept_after_mark(&mut self, chain: &Chain, n: usize, token: i32) -> Result<()> {
        self.history.reserve_return(n)?;
        self.accept(chain, &[token])
    }

    /// Undoes the rows and tokens since a mark. Tokens that were not appended by [`Sequence::accept_after_mark`] need
    /// memory; without it they stay, and it is an error.
    pub(super) fn return_to(&mut self, Mark { position, learnt, length, prompt, rows }: Mark) -> Result<()> {
        self.steps.truncate(length, self.history.tokens().len());
        self.steps.restore(rows);
        let counted = self.history.truncate(length);
        self.history.restore_prompt(prompt);
        (self.position, self.learnt) = (position, learnt);
        counted
    }

    /// Takes back all but the first `n` tokens, of which there are more, and the rows since then. On an error nothing is
    /// changed.
    pub(super) fn truncate(&mut self, chain: &Chain, n: usize) -> Result<()> {
        let length = self.history.tokens().len();
        self.history.truncate(n)?;
        let (rows, learnt) = self.steps.truncate(n, length);
        self.position = self.position.wrapping_sub(rows);
        self.learnt = learnt.unwrap_or_else(|| chain.initial());
        Ok(())
    }
}
