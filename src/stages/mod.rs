//! The stages, one file each: its entry in the catalogue and what it does to the distribution.

mod adaptive_p;
mod all;
mod allowed_tokens;
mod bad_words;
mod ban_invalid;
mod bregman;
mod draw;
mod dry;
mod dynamic_temperature;
mod entmax;
mod epsilon;
mod eta;
mod forced_tokens;
mod greedy;
mod green_list;
mod gumbel;
mod info;
mod learnt;
mod length_decay;
mod logit_bias;
mod min_p;
mod min_tokens;
mod mirostat;
mod no_repeat_ngram;
mod p_less;
mod penalties;
mod reasoning_budget;
mod sequence_bias;
mod smoothing;
mod synthid;
mod tail_free;
mod temperature;
mod threshold;
mod top_a;
mod top_h;
mod top_k;
mod top_n_sigma;
mod top_p;
mod typical;
mod watermark;
mod xtc;

pub use info::{StageInfo, stages};

pub(crate) use info::find;
pub(crate) use learnt::Learnt;
pub(crate) use temperature::LOWEST as LOWEST_TEMPERATURE;

use crate::bregman::Problem;
use crate::distribution::{Distribution, Drawn};
use crate::error::{Error, Result};
use crate::history::{Breakers, Edit, History, Scope};
use crate::memory;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;
use crate::watermark::Score;
use std::sync::Arc;

/// One step of a chain: immutable, so that a sampler and its clones share it.
///
/// A stage may edit single logits once (`Distribution::edit`, `drop_first`, `demote_first`) and rewrite the row once
/// (`Distribution::smooth`, `adaptive_p`); there is memory for no more.
pub(crate) trait Stage: Send + Sync {
    /// What the stage needs of a row that was not read yet, or was changed since: it decides what the next pass over
    /// the row computes. None if it needs nothing but each logit on its own: then the row is not read for it.
    ///
    /// Too little is found by another pass when it is needed: the same answer for twice the time. Too much makes the
    /// pass slower. `tests/definitions/row_reads.rs` counts the passes of every stage.
    fn first_pass(&self) -> Option<FirstPass>;

    /// The same, once it is known what the drawing stage has learnt.
    fn first_pass_after(&self, learnt: Learnt) -> Option<FirstPass> {
        let _ = learnt;
        self.first_pass()
    }

    /// Changes the distribution; takes no token and consumes no randomness that a drawing stage uses.
    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()>;

    /// Whether no working stage may stand before it.
    fn stands_first(&self) -> bool {
        false
    }

    /// The tokens of the history that are to be counted for it (`History::counts`).
    fn counts(&self) -> Option<Scope> {
        None
    }

    /// The tokens among which it looks for earlier occurrences of their end (`History::repetitions`).
    fn repeats(&self) -> Option<Scope> {
        None
    }

    /// The sequences that break its repetitions off.
    fn breakers(&self) -> Option<Arc<Breakers>> {
        None
    }

    /// What a drawing stage has learnt before the first token.
    fn initial(&self) -> Learnt {
        Learnt::default()
    }

    /// Draws a token, if this is a drawing stage, and says what it has learnt by that.
    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        let _ = (dist, context);
        None
    }

    /// Looks for the stage's mark in a text, if it is a watermark: `tokens` are its output from the beginning.
    fn score(&self, tokens: &[i32]) -> Option<Result<Score>> {
        let _ = tokens;
        None
    }

    /// What a drawing stage has learnt once the sequence goes on with `token`.
    fn accepted(&self, learnt: Learnt, token: i32) -> Learnt {
        let _ = token;
        learnt
    }
}

/// A stage as its arguments make it; none if they switch it off: the identity, which the chain leaves out.
pub(crate) type Built = Result<Option<Box<dyn Stage>>>;

/// A stage that is switched off.
const OFF: Built = Ok(None);

/// A stage that works.
fn on(stage: impl Stage + 'static) -> Built {
    Ok(Some(Box::new(stage)))
}

/// What a stage may use besides the distribution.
pub(crate) struct Context<'a> {
    /// Random numbers are a function of these two.
    pub(crate) seed: u64,
    pub(crate) position: u64,
    /// The place of the stage that runs, from 0, stages that are switched off included: stages of one chain draw
    /// independent numbers.
    pub(crate) stage: u32,
    /// What the chain's drawing stage has learnt.
    pub(crate) learnt: Learnt,
    /// The tokens so far.
    pub(crate) history: &'a History,
    /// Memory for the decoders.
    pub(crate) problem: &'a mut Problem,
    /// Memory for stages that edit single logits.
    pub(crate) edits: &'a mut EditScratch,
}

/// The memory of stages that edit single logits, kept from row to row.
#[derive(Default)]
pub(crate) struct EditScratch {
    pub(crate) edits: Vec<Edit>,
    pub(crate) lengths: Vec<u32>,
    /// Tokens with their probabilities and one word each, for watermarks.
    pub(crate) ids: Vec<u32>,
    pub(crate) p: Vec<f64>,
    pub(crate) words: Vec<u64>,
    /// Where there are more edits, all but the largest of each token are dropped.
    most: usize,
    /// Why edits are missing, if some are.
    failure: Option<Error>,
}

impl EditScratch {
    /// So many edits are gathered, of any tokens, before those of the same tokens are dropped.
    const MANY: usize = 4096;

    fn clear(&mut self) {
        self.edits.clear();
        (self.most, self.failure) = (Self::MANY, None);
    }

    /// Adds an edit. Without memory for it the stage fails.
    pub(crate) fn push(&mut self, edit: Edit) {
        let done = memory::push(&mut self.edits, edit);
        self.note(done);
    }

    /// Adds `n` edits. Without memory for them the stage fails.
    pub(crate) fn extend(&mut self, n: usize, edits: impl Iterator<Item = Edit>) {
        match memory::reserve(&mut self.edits, n) {
            Ok(()) => self.edits.extend(edits),
            refused => self.note(refused),
        }
    }

    /// Adds an edit, of which the one that subtracts most is kept for each token, until [`EditScratch::keep_largest`].
    pub(crate) fn gather(&mut self, edit: Edit) {
        match self.edits.last_mut() {
            // A history that repeats itself has the same token again and again.
            Some(last) if last.token == edit.token => last.subtract = last.subtract.max(edit.subtract),
            _ => self.push(edit),
        }
        if self.edits.len() >= self.most {
            self.keep_largest();
            self.most = Self::MANY.max(2 * self.edits.len());
        }
    }

    /// Sorts the edits by token and keeps the one that subtracts most of each token.
    pub(crate) fn keep_largest(&mut self) {
        self.edits.sort_unstable_by(|a, b| a.token.cmp(&b.token).then(b.subtract.total_cmp(&a.subtract)));
        self.edits.dedup_by_key(|edit| edit.token);
    }

    /// Takes note of an error.
    pub(crate) fn note(&mut self, done: Result<()>) {
        if let Err(e) = done {
            self.failure = Some(e);
        }
    }
}

/// A stage that edits the logits of single tokens: penalties, bans, biases. It costs the time of those tokens, whatever
/// the vocabulary, as long as no stage before it needed the row to be read.
trait Editor: Send + Sync {
    /// Fills `scratch.edits`, in ascending order of token, no token twice.
    fn edit(&self, history: &History, scratch: &mut EditScratch);

    /// Whether its bans give way where they would leave no token.
    fn yields(&self) -> bool {
        false
    }

    /// The tokens that it leaves alone, in ascending order.
    fn exempt(&self) -> &[u32] {
        &[]
    }

    /// The tokens of the history that are to be counted for it.
    fn counts(&self) -> Option<Scope> {
        None
    }

    /// The tokens among which it looks for earlier occurrences of their end.
    fn repeats(&self) -> Option<Scope> {
        None
    }

    /// The sequences that break its repetitions off.
    fn breakers(&self) -> Option<Arc<Breakers>> {
        None
    }
}

struct EditStage<E>(E);

/// The stage of an editor.
fn edits(editor: impl Editor + 'static) -> Built {
    on(EditStage(editor))
}

impl<E: Editor> Stage for EditStage<E> {
    fn first_pass(&self) -> Option<FirstPass> {
        None
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        context.edits.clear();
        self.0.edit(context.history, context.edits);
        if let Some(e) = context.edits.failure.take() {
            return Err(e);
        }
        let (edits, exempt) = (&mut context.edits.edits, self.0.exempt());
        if !exempt.is_empty() {
            edits.retain(|edit| exempt.binary_search(&edit.token).is_err());
        }
        if self.0.yields() && dist.bans_all(edits) {
            edits.retain(|edit| !edit.is_ban());
        }
        dist.edit(edits)
    }

    fn counts(&self) -> Option<Scope> {
        self.0.counts()
    }

    fn repeats(&self) -> Option<Scope> {
        self.0.repeats()
    }

    fn breakers(&self) -> Option<Arc<Breakers>> {
        self.0.breakers()
    }
}

/// A stage that bans every token but some, as the history says.
trait Selector: Send + Sync {
    /// The only tokens that are allowed, in ascending order; none if all are.
    fn allowed<'a>(&'a self, history: &History) -> Option<&'a [u32]>;

    /// Whether it gives way where none of them is left.
    fn yields(&self) -> bool;
}

struct SelectStage<S>(S);

/// The stage of a selector.
fn selects(selector: impl Selector + 'static) -> Built {
    on(SelectStage(selector))
}

impl<S: Selector> Stage for SelectStage<S> {
    fn first_pass(&self) -> Option<FirstPass> {
        None
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        dist.make_room_for_mask()?;
        match self.0.allowed(context.history) {
            Some(tokens) if !(self.0.yields() && dist.has_none_of(tokens)) => dist.keep_only(tokens),
            _ => Ok(()),
        }
    }
}

/// The parameter that every truncation by probability has.
const MIN_KEEP: ParameterInfo = ParameterInfo {
    name: "min_keep",
    aliases: &[],
    summary: "keep at least this many tokens, if there are as many",
    kind: Kind::Count { min: 1 },
    default: "1",
    required: false,
};

/// The parameter of bans that depend on the history.
const SCOPE: ParameterInfo = ParameterInfo {
    name: "scope",
    aliases: &[],
    summary: "the tokens that count: all, or only the output (what was accepted after the first row)",
    kind: Kind::Choice(&["all", "output"]),
    default: "all",
    required: false,
};

/// The parameter of stages whose scope may be a window.
const LAST_N: ParameterInfo = ParameterInfo {
    name: "last_n",
    aliases: &[],
    summary: "how many of the last tokens count; 0 switches the stage off; with scope=output all count unless it is given; not \
              with scope=all (scope=all has no window)",
    kind: Kind::Count { min: 0 },
    default: "64",
    required: false,
};

/// The parameter of bans.
const YIELD: ParameterInfo = ParameterInfo {
    name: "yield",
    aliases: &[],
    summary: "what happens where the ban leaves no token: false fails the row, true lifts the ban for this row",
    kind: Kind::Choice(&["false", "true"]),
    default: "false",
    required: false,
};

/// The parameter of stages that act on repetition.
const EXEMPT: ParameterInfo = ParameterInfo {
    name: "exempt",
    aliases: &[],
    summary: "tokens that the stage leaves alone, separated by spaces",
    kind: Kind::Tokens,
    default: "",
    required: false,
};

/// A list of tokens in ascending order, without repetitions.
fn sorted_tokens(arguments: &Arguments, name: &str) -> Vec<u32> {
    let mut tokens = arguments.tokens(name);
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

/// Whether [`YIELD`] is true.
fn yields(arguments: &Arguments) -> bool {
    arguments.is("yield", "true")
}

/// The scope that the arguments name by [`SCOPE`].
fn whole_scope(arguments: &Arguments) -> Scope {
    if arguments.is("scope", "output") { Scope::OUTPUT } else { Scope::ALL }
}

/// The scope that the arguments name by a parameter with `window` among its words, and by [`LAST_N`].
fn scope(arguments: &Arguments) -> Result<Scope> {
    let scope = whole_scope(arguments);
    match (arguments.word("scope"), arguments.is_given(LAST_N.name)) {
        ("window", _) | ("output", true) => Ok(scope.last(arguments.count(LAST_N.name))),
        (word, true) => {
            Err(Error::InvalidChain(format!("`last_n` goes with scope=window or output, not with scope={word}")))
        }
        (_, false) => Ok(scope),
    }
}

/// Sorts edits by token and keeps one for each token, for edits that are all the same.
fn sort_by_token(edits: &mut Vec<Edit>) {
    edits.sort_unstable_by_key(|edit| edit.token);
    edits.dedup_by_key(|edit| edit.token);
}
