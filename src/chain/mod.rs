//! A chain of stages, described by text: `temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw`.
//!
//! | file | what it is |
//! |---|---|
//! | `macros/` | whole engines: names that stand for several stages |
//! | `parse.rs` | the text's grammar, with errors that name the nearest known word |

pub(crate) mod macros;
mod parse;

use crate::bregman::Generators;
use crate::distribution::Law;
use crate::error::{Error, Result};
use crate::history::Scope;
use crate::parameters::Arguments;
use crate::stages::{Context, Need, Stage, StageInfo, State};
use crate::vocab::First;
use std::fmt;

/// A stage with what was said to it.
struct Said {
    info: &'static StageInfo,
    arguments: Arguments,
}

/// A parsed chain: immutable, shared by a sampler and its clones.
pub(crate) struct Chain {
    stages: Vec<Box<dyn Stage>>,
    said: Vec<Said>,
    draws: bool,
}

impl Chain {
    pub(crate) fn new(text: &str, generators: Generators<'_>) -> Result<Self> {
        let said = parse::parse(text)?;
        let mut stages = Vec::with_capacity(said.len());
        for (at, Said { info, arguments }) in said.iter().enumerate() {
            if info.draws && at + 1 < said.len() {
                return Err(Error::InvalidChain(format!(
                    "stage {}, `{}`: a drawing stage ends the chain, but {} more follow",
                    at + 1,
                    info.name,
                    said.len() - at - 1
                )));
            }
            stages.push((info.build)(arguments, generators).map_err(|e| in_stage(at, info.name, e))?);
        }
        let draws = said.last().is_some_and(|last| last.info.draws);
        Ok(Self { stages, said, draws })
    }

    /// Whether the chain ends with a drawing stage.
    pub(crate) fn draws(&self) -> bool {
        self.draws
    }

    /// What the first pass over a row is to find: what the first stage that looks at the row will ask.
    pub(crate) fn first_pass(&self) -> First {
        self.pass_for(0, 1.0)
    }

    /// What a pass over a row is to find if the stages from `next` on follow, the first of which sees the law at this
    /// scale.
    fn pass_for(&self, next: usize, mut scale: f64) -> First {
        for stage in &self.stages[next..] {
            match stage.need() {
                Need::Scale(factor) => scale = Law::scaled(scale, factor),
                Need::Largest => return First::Maxima,
                Need::Total => return First::Total(scale),
                Need::Whole => return First::Whole(scale),
                Need::Entropy => return First::Moment(scale),
            }
        }
        // No stage asks. Who lists the law or writes its logits needs no sum, and who needs one has it made.
        First::Maxima
    }

    /// How often the chain changes single tokens' logits at the most.
    pub(crate) fn changes(&self) -> usize {
        self.stages.iter().map(|stage| stage.changes()).sum()
    }

    /// How often the chain gives the whole row other logits at the most.
    pub(crate) fn rewrites(&self) -> usize {
        self.stages.iter().filter(|stage| stage.rewrites()).count()
    }

    /// The tokens of the history that have to be counted.
    pub(crate) fn counts(&self) -> impl Iterator<Item = Scope> {
        self.stages.iter().filter_map(|stage| stage.counts())
    }

    /// Every stage's change of the law, in order; nothing is drawn.
    pub(crate) fn transform(&self, law: &mut Law<'_>, context: &mut Context<'_>) -> Result<()> {
        for (at, stage) in (0..).zip(&self.stages) {
            if !stage.is_pointwise() {
                law.read()?;
            }
            if !stage.takes_crowd() {
                law.list();
            }
            context.stage = at;
            stage.transform(law, context)?;
            law.plan(|scale| self.pass_for(at as usize + 1, scale));
        }
        law.read()
    }

    /// The draw of the last stage, if it is one that draws; returns what that remembers from now on.
    pub(crate) fn draw(&self, law: &mut Law<'_>, context: &Context<'_>) -> State {
        self.stages.last().map_or(context.state, |stage| stage.draw(law, context))
    }

    /// What the drawing stage remembers before the first token.
    pub(crate) fn initial(&self) -> State {
        self.stages.last().map_or_else(State::default, |stage| stage.initial())
    }

    /// What the drawing stage remembers once the sequence goes on with `token`.
    pub(crate) fn accepted(&self, state: State, token: i32) -> State {
        self.stages.last().map_or(state, |stage| stage.accepted(state, token))
    }
}

/// The canonical form: parsing it gives the same chain.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Said { arguments, .. }) in self.said.iter().enumerate() {
            if at > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{arguments}")?;
        }
        Ok(())
    }
}

fn in_stage(at: usize, name: &str, e: Error) -> Error {
    let place = |what: String| format!("stage {}, `{name}`: {what}", at + 1);
    match e {
        Error::Unsupported(what) => Error::Unsupported(place(what)),
        other => Error::InvalidChain(place(other.to_string())),
    }
}
