//! A chain of stages, described by text: `temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw`.
//!
//! | file | what it is |
//! |---|---|
//! | `limits.rs` | how long and how costly a chain may be |
//! | `macros/` | whole engines: names that stand for several stages |
//! | `parse.rs` | the text's grammar, with errors that name the nearest known word |

pub(crate) mod limits;
pub(crate) mod macros;
mod parse;

use crate::bregman::Generators;
use crate::distribution::{Distribution, Drawn};
use crate::error::{Error, Result};
use crate::history::{History, Question};
use crate::parameters::Arguments;
use crate::stages::{Context, Learnt, Stage, StageInfo};
use crate::vocab::FirstPass;
use crate::watermark::Score;
use limits::MOST_READING_STAGES;
use parse::Place;
use std::fmt;

/// A stage of a chain's text, with its arguments.
struct ParsedStage {
    info: &'static StageInfo,
    arguments: Arguments,
    place: Place,
}

/// A parsed chain: immutable, shared by a sampler and its clones.
pub(crate) struct Chain {
    /// The stages that are not switched off, with their places in the text.
    stages: Vec<(u32, Box<dyn Stage>)>,
    parsed: Vec<ParsedStage>,
    draws: bool,
    /// The canonical form.
    text: String,
    /// The same with the keys of watermarks, if it has any.
    with_keys: Option<String>,
}

impl Chain {
    pub(crate) fn new(text: &str, generators: Generators<'_>) -> Result<Self> {
        let parsed = parse::parse(text)?;
        let mut stages = Vec::with_capacity(parsed.len());
        for (at, ParsedStage { info, arguments, place }) in parsed.iter().enumerate() {
            if info.draws && at + 1 < parsed.len() {
                let more = parsed.len() - at - 1;
                let what = format!("a drawing stage ends the chain, but {more} more follow");
                return Err(place.error(info.name, &what));
            }
            let built = (info.build)(arguments, generators).map_err(|e| match e {
                Error::Unsupported(what) => Error::Unsupported(place.error(info.name, &what).to_string()),
                other => place.error(info.name, &other.to_string()),
            })?;
            if let Some(stage) = built {
                if stage.stands_first() && !stages.is_empty() {
                    return Err(place.error(info.name, "stands first in a chain: stages before it refuse such rows"));
                }
                stages.push((at as u32, stage));
            }
        }
        let reading = stages.iter().filter(|(_, stage)| stage.first_pass().is_some()).count();
        if reading > MOST_READING_STAGES {
            return Err(Error::InvalidChain(format!(
                "the chain has {reading} stages that read the row, at most {MOST_READING_STAGES} are taken (temperatures and \
                 stages that edit single logits are not counted)"
            )));
        }
        let draws = parsed.last().is_some_and(|last| last.info.draws);
        let joined = |text: fn(&Arguments) -> String| {
            parsed.iter().map(|parsed| text(&parsed.arguments)).collect::<Vec<_>>().join(" | ")
        };
        let (text, with_keys) = (joined(Arguments::to_string), joined(Arguments::with_keys));
        let with_keys = (with_keys != text).then_some(with_keys);
        Ok(Self { stages, parsed, draws, text, with_keys })
    }

    /// Whether the chain ends with a drawing stage.
    pub(crate) fn draws(&self) -> bool {
        self.draws
    }

    /// The number of stages that are not switched off.
    pub(crate) fn len(&self) -> usize {
        self.stages.len()
    }

    /// An empty history that answers what the stages want to know of it.
    pub(crate) fn history(&self) -> History {
        let stages = self.stages.iter().map(|(_, stage)| stage);
        History::new(stages.flat_map(|stage| {
            let breakers = stage.breakers().map(Question::Breakers);
            let scopes = [stage.counts().map(Question::Counts), stage.repeats().map(Question::Repeats)];
            scopes.into_iter().chain([breakers]).flatten()
        }))
    }

    /// Every stage's change of the distribution, in order; nothing is drawn. The row is read when a stage first needs
    /// it, and again after a change of its logits.
    pub(crate) fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        for (at, stage) in &self.stages {
            if let Some(pass) = stage.first_pass_after(context.learnt) {
                dist.read(pass)?;
            }
            context.stage = *at;
            stage.transform(dist, context).and_then(|()| dist.check_complete()).map_err(|e| match e {
                Error::EmptySupport => Error::NothingLeft(self.took_the_last(*at)),
                Error::Incomplete(what) => Error::Incomplete(format!("{what} ({})", self.named(*at))),
                other => other,
            })?;
        }
        // A drawing stage that changed the logits draws from all of them next; without one the totals may not be needed.
        dist.read(if self.draws { FirstPass::TotalAndMin } else { FirstPass::Maxima })?;
        dist.check_truncated()
    }

    /// The draw of the last stage, if it is one that draws, and what it has learnt by that.
    pub(crate) fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        self.last().and_then(|stage| stage.draw(dist, context))
    }

    /// Whether the chain ends with a stage that learns.
    pub(crate) fn learns(&self) -> bool {
        self.learner().is_some()
    }

    /// The stage that learns, if the chain ends with one.
    pub(crate) fn learner(&self) -> Option<&'static str> {
        self.parsed.last().filter(|last| last.info.learns).map(|last| last.info.name)
    }

    /// What the drawing stage has learnt before the first token.
    pub(crate) fn initial(&self) -> Learnt {
        self.last().map_or_else(Learnt::default, |stage| stage.initial())
    }

    /// What the drawing stage has learnt once the sequence goes on with `token`.
    pub(crate) fn accepted(&self, learnt: Learnt, token: i32) -> Learnt {
        self.last().map_or(learnt, |stage| stage.accepted(learnt, token))
    }

    /// A stage in words.
    fn named(&self, at: u32) -> String {
        let ParsedStage { info, place, .. } = &self.parsed[at as usize];
        place.named(info.name)
    }

    /// The words for a stage that bans every token that is left.
    fn took_the_last(&self, at: u32) -> String {
        let ParsedStage { info, .. } = &self.parsed[at as usize];
        let yields = info.parameters.iter().any(|p| p.name == "yield");
        let hint = if yields { "; yield=true lets its bans give way" } else { "" };
        format!("{}, bans every token that is left{hint}", self.named(at))
    }

    /// Looks for a watermark in a text; the chain is the stage that marked it.
    pub(crate) fn score(&self, tokens: &[i32]) -> Result<Score> {
        let [(_, stage)] = &self.stages[..] else {
            return Err(Error::InvalidChain(
                "the text of one watermark stage is needed, that is all of the chain".into(),
            ));
        };
        if let Some((at, token)) = tokens.iter().enumerate().find(|&(_, &token)| token < 0) {
            return Err(Error::InvalidArgument(format!("tokens[{at}] is {token}: a token id is not negative")));
        }
        stage.score(tokens).unwrap_or_else(|| {
            Err(Error::InvalidChain(format!("`{self}` is no watermark: watermark, synthid and green_list are")))
        })
    }

    /// The canonical form with the keys of watermarks, which are a secret.
    pub(crate) fn with_keys(&self) -> &str {
        self.with_keys.as_ref().unwrap_or(&self.text)
    }

    /// The canonical form: parsing it gives the same chain. `hidden` stands in the place of keys, which no chain may have.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn last(&self) -> Option<&dyn Stage> {
        self.stages.last().map(|(_, stage)| &**stage)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
