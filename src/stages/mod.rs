//! The stages, one file each: what it does to the distribution, and its entry in the catalogue.

mod adaptive_p;
mod all;
mod bad_words;
mod bregman;
mod draw;
mod dry;
mod dynamic_temperature;
mod epsilon;
mod eta;
mod greedy;
mod gumbel;
mod info;
mod logit_bias;
mod min_p;
mod min_tokens;
mod mirostat;
mod no_repeat_ngram;
mod p_less;
mod penalties;
mod smoothing;
mod state;
mod tail_free;
mod temperature;
mod top_a;
mod top_h;
mod top_k;
mod top_n_sigma;
mod top_p;
mod typical;
mod xtc;

pub use info::{StageInfo, stages};

pub(crate) use info::find;
pub(crate) use state::Learnt;

use crate::bregman::Problem;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::history::{Edit, History, Scope};
use crate::parameters::{Arguments, Kind, ParameterInfo};

/// What a stage will ask of a distribution that is still the whole vocabulary: it decides what the first pass over the
/// row does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Need {
    /// The largest tokens: the maxima suffice.
    Largest,
    /// The total of the weights.
    Total,
    /// The total, and how many tokens there are.
    Whole,
    /// The total and the entropy.
    Entropy,
    /// Nothing: the next stage decides, at a scale changed by this factor.
    Scale(f64),
}

/// One step of a chain: immutable, so that a sampler and its clones share it.
pub(crate) trait Stage: Send + Sync {
    /// Changes the distribution; takes no token and consumes no randomness.
    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()>;

    /// What it asks first.
    fn need(&self) -> Need {
        Need::Largest
    }

    /// Whether it needs nothing but each logit on its own, so that the row need not have been read.
    fn is_pointwise(&self) -> bool {
        false
    }

    /// Whether its transformation takes a distribution that is no list yet (`Distribution::list`).
    fn takes_bulk(&self) -> bool {
        false
    }

    /// How often the stage changes single tokens' logits at the most (`Distribution::change`).
    fn edits(&self) -> usize {
        0
    }

    /// Whether it may give every token of the row another logit (`Distribution::bend`, `Distribution::ring`).
    fn rewrites(&self) -> bool {
        false
    }

    /// The tokens of the history that have to be counted for it.
    fn counts(&self) -> Option<Scope> {
        None
    }

    /// What a drawing stage remembers before the first token.
    fn initial(&self) -> Learnt {
        Learnt::default()
    }

    /// Takes a token from the distribution, if this is a drawing stage; returns what it remembers from now on.
    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Learnt {
        let _ = dist;
        context.state
    }

    /// What a drawing stage remembers once the sequence goes on with `token`.
    fn accepted(&self, state: Learnt, token: i32) -> Learnt {
        let _ = token;
        state
    }
}

/// What a stage may use besides the distribution.
pub(crate) struct Context<'a> {
    /// Random numbers are a function of these two.
    pub(crate) seed: u64,
    pub(crate) position: u64,
    /// The place of the stage that runs, from 0: stages of one chain draw independent numbers.
    pub(crate) stage: u32,
    /// What the chain's drawing stage remembers.
    pub(crate) state: Learnt,
    /// The tokens so far.
    pub(crate) history: &'a History,
    /// Memory for the decoders.
    pub(crate) problem: &'a mut Problem,
    /// Memory for the stages about single tokens.
    pub(crate) work: &'a mut EditScratch,
}

/// The memory of the stages about single tokens, kept from row to row.
#[derive(Default)]
pub(crate) struct EditScratch {
    pub(crate) edits: Vec<Edit>,
    pub(crate) lengths: Vec<u32>,
}

/// A stage that changes the logits of single tokens: penalties, bans, biases. Its cost is that of the tokens concerned,
/// whatever the vocabulary, as long as no stage before it needed more of the row than each logit on its own.
trait Editor: Send + Sync {
    /// Fills `work.edits`, in ascending order of token, none named twice.
    fn edit(&self, history: &History, work: &mut EditScratch);

    /// The tokens of the history that have to be counted for it.
    fn counts(&self) -> Option<Scope> {
        None
    }
}

struct EditStage<E>(E);

impl<E: Editor> Stage for EditStage<E> {
    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        context.work.edits.clear();
        self.0.edit(context.history, context.work);
        dist.change(&context.work.edits)
    }

    fn need(&self) -> Need {
        Need::Scale(1.0)
    }

    fn is_pointwise(&self) -> bool {
        true
    }

    fn edits(&self) -> usize {
        1
    }

    fn counts(&self) -> Option<Scope> {
        self.0.counts()
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
fn put_in_order(edits: &mut Vec<Edit>) {
    edits.sort_unstable_by_key(|c| c.token);
    edits.dedup_by_key(|c| c.token);
}
