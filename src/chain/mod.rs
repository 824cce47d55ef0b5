//! A chain of stages, described by text: `temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw`.
//!
//! | file | what it is |
//! |---|---|
//! | `macros/` | whole engines: names that stand for several stages |
//! | `parse.rs` | the text's grammar, with errors that name the nearest known word |

pub(crate) mod macros;
mod parse;

use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::history::Scope;
use crate::parameters::Arguments;
use crate::stages::{Context, Learnt, Need, Stage, StageInfo};
use crate::vocab::FirstPass;
use std::fmt;

/// A stage with what was said to it.
struct ParsedStage {
    info: &'static StageInfo,
    arguments: Arguments,
}

/// A parsed chain: immutable, shared by a sampler and its clones.
pub(crate) struct Chain {
    stages: Vec<Box<dyn Stage>>,
    parsed: Vec<ParsedStage>,
    draws: bool,
}

impl Chain {
    pub(crate) fn new(text: &str, generators: Generators<'_>) -> Result<Self> {
        let parsed = parse::parse(text)?;
        let mut stages = Vec::with_capacity(parsed.len());
        for (at, ParsedStage { info, arguments }) in parsed.iter().enumerate() {
            if info.draws && at + 1 < parsed.len() {
                return Err(Error::InvalidChain(format!(
                    "stage {}, `{}`: a drawing stage ends the chain, but {} more follow",
                    at + 1,
                    info.name,
                    parsed.len() - at - 1
                )));
            }
            stages.push((info.build)(arguments, generators).map_err(|e| in_stage(at, info.name, e))?);
        }
        let draws = parsed.last().is_some_and(|last| last.info.draws);
        Ok(Self { stages, parsed, draws })
    }

    /// Whether the chain ends with a drawing stage.
    pub(crate) fn draws(&self) -> bool {
        self.draws
    }

    /// What the first pass over a row is to find: what the first stage that looks at the row will ask.
    pub(crate) fn first_pass(&self) -> FirstPass {
        self.pass_for(0, 1.0)
    }

    /// What a pass over a row is to find if the stages from `next` on follow, the first of which sees the distribution
    /// at this scale.
    fn pass_for(&self, next: usize, mut scale: f64) -> FirstPass {
        for stage in &self.stages[next..] {
            match stage.need() {
                Need::Scale(factor) => scale = Distribution::scaled(scale, factor),
                Need::Largest => return FirstPass::Maxima,
                Need::Total => return FirstPass::Total(scale),
                Need::Whole => return FirstPass::Whole(scale),
                Need::Entropy => return FirstPass::Moment(scale),
            }
        }
        // No stage asks. Who lists the distribution or writes its logits needs no sum, and who needs one has it made.
        FirstPass::Maxima
    }

    /// How often the chain changes single tokens' logits at the most.
    pub(crate) fn edits(&self) -> usize {
        self.stages.iter().map(|stage| stage.edits()).sum()
    }

    /// How often the chain gives the whole row other logits at the most.
    pub(crate) fn rewrites(&self) -> usize {
        self.stages.iter().filter(|stage| stage.rewrites()).count()
    }

    /// The tokens of the history that have to be counted.
    pub(crate) fn counts(&self) -> impl Iterator<Item = Scope> {
        self.stages.iter().filter_map(|stage| stage.counts())
    }

    /// Every stage's change of the distribution, in order; nothing is drawn.
    pub(crate) fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        for (at, stage) in (0..).zip(&self.stages) {
            if !stage.is_pointwise() {
                dist.read()?;
            }
            if !stage.takes_bulk() {
                dist.list();
            }
            context.stage = at;
            stage.transform(dist, context)?;
            dist.plan(|scale| self.pass_for(at as usize + 1, scale));
        }
        dist.read()
    }

    /// The draw of the last stage, if it is one that draws; returns what that remembers from now on.
    pub(crate) fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Learnt {
        self.stages.last().map_or(context.state, |stage| stage.draw(dist, context))
    }

    /// What the drawing stage remembers before the first token.
    pub(crate) fn initial(&self) -> Learnt {
        self.stages.last().map_or_else(Learnt::default, |stage| stage.initial())
    }

    /// What the drawing stage remembers once the sequence goes on with `token`.
    pub(crate) fn accepted(&self, state: Learnt, token: i32) -> Learnt {
        self.stages.last().map_or(state, |stage| stage.accepted(state, token))
    }
}

/// The canonical form: parsing it gives the same chain.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, ParsedStage { arguments, .. }) in self.parsed.iter().enumerate() {
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
