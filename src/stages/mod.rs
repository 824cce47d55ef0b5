//! The stages, one file each: what it does to the law, and its entry in the catalogue.

mod bad_words;
mod bregman;
mod draw;
mod dry;
mod greedy;
mod gumbel;
mod logit_bias;
mod min_p;
mod min_tokens;
mod no_repeat_ngram;
mod penalties;
mod temperature;
mod top_k;
mod top_p;

use crate::bregman::Problem;
use crate::chain::arguments::Arguments;
use crate::chain::catalogue::{Kind, ParameterInfo, StageInfo};
use crate::error::{Error, Result};
use crate::history::{Change, History, Scope};
use crate::law::Law;

/// One step of a chain: immutable, so that a sampler and its clones share it.
pub(crate) trait Stage: Send + Sync {
    /// Changes the law; takes no token and consumes no randomness.
    fn transform(&self, law: &mut Law<'_>, context: &mut Context<'_>) -> Result<()>;

    /// Whether it needs nothing but each logit on its own, so that the row need not have been read.
    fn is_pointwise(&self) -> bool {
        false
    }

    /// How often the stage changes single tokens' logits at the most (`Law::change`).
    fn changes(&self) -> usize {
        0
    }

    /// The tokens of the history that have to be counted for it.
    fn counts(&self) -> Option<Scope> {
        None
    }

    /// Takes a token from the law, if this is a drawing stage.
    fn draw(&self, law: &mut Law<'_>, context: &Context<'_>) {
        let _ = (law, context);
    }
}

/// What a stage may use besides the law.
pub(crate) struct Context<'a> {
    /// Random numbers are a function of these two.
    pub(crate) seed: u64,
    pub(crate) position: u64,
    /// The tokens so far.
    pub(crate) history: &'a History,
    /// Memory for the decoders.
    pub(crate) problem: &'a mut Problem,
    /// Memory for the stages about single tokens.
    pub(crate) work: &'a mut Work,
}

/// The memory of the stages about single tokens, kept from row to row.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) changes: Vec<Change>,
    pub(crate) lengths: Vec<u32>,
}

/// A stage that changes the logits of single tokens: penalties, bans, biases. Its cost is that of the tokens concerned,
/// whatever the vocabulary, as long as no stage before it needed more of the row than each logit on its own.
trait Edit: Send + Sync {
    /// Fills `work.changes`, in ascending order of token, none named twice.
    fn edit(&self, history: &History, work: &mut Work);

    /// The tokens of the history that have to be counted for it.
    fn counts(&self) -> Option<Scope> {
        None
    }
}

struct Edits<E>(E);

impl<E: Edit> Stage for Edits<E> {
    fn transform(&self, law: &mut Law<'_>, context: &mut Context<'_>) -> Result<()> {
        context.work.changes.clear();
        self.0.edit(context.history, context.work);
        law.change(&context.work.changes)
    }

    fn is_pointwise(&self) -> bool {
        true
    }

    fn changes(&self) -> usize {
        1
    }

    fn counts(&self) -> Option<Scope> {
        self.0.counts()
    }
}

/// Every stage there is.
pub(crate) static ALL: [StageInfo; 14] = [
    logit_bias::INFO,
    bad_words::INFO,
    min_tokens::INFO,
    no_repeat_ngram::INFO,
    penalties::INFO,
    dry::INFO,
    temperature::INFO,
    bregman::INFO,
    top_k::INFO,
    top_p::INFO,
    min_p::INFO,
    draw::INFO,
    gumbel::INFO,
    greedy::INFO,
];

/// The parameter that every truncation by probability has.
const MIN_KEEP: ParameterInfo = ParameterInfo {
    name: "min_keep",
    aliases: &[],
    summary: "keep at least this many tokens, if there are as many",
    kind: Kind::Count { min: 1 },
    default: "1",
    required: false,
};

/// The parameter of the bans that look at the history.
const SCOPE: ParameterInfo = ParameterInfo {
    name: "scope",
    aliases: &[],
    summary: "the tokens that count: all, or only the output (what was accepted after the first row)",
    kind: Kind::Choice(&["all", "output"]),
    default: "all",
    required: false,
};

/// The scope said with [`SCOPE`], or with window among its words and `last_n`.
fn scope(arguments: &Arguments, last_n: Option<&str>) -> Result<Scope> {
    let word = arguments.word("scope");
    let window = last_n.and_then(|name| arguments.count(name));
    match (word.as_deref(), window) {
        (Some("window"), Some(n)) => Ok(Scope::Window(n)),
        (Some(word), _) if last_n.is_some_and(|name| arguments.is_given(name)) => {
            Err(Error::InvalidChain(format!("`last_n` goes with scope=window, not with scope={word}")))
        }
        (Some("output"), _) => Ok(Scope::Output),
        _ => Ok(Scope::All),
    }
}

/// Sorts changes by token and keeps one of each token's, for changes that are all the same.
fn put_in_order(changes: &mut Vec<Change>) {
    changes.sort_unstable_by_key(|c| c.token);
    changes.dedup_by_key(|c| c.token);
}
