//! The plain definition of every stage, from the published one: f64, everything sorted, no code of the library's. (One
//! exception: large supports of a Bregman decoder, see `decoders.rs`.)
//!
//! A new stage needs one [`Definition`], in the list of its kind:
//!
//! | file | which stages |
//! |---|---|
//! | `edits.rs` | change the logits of single tokens: biases, bans, penalties |
//! | `shapes.rs` | change the weights of all tokens: temperatures, smoothing, xtc |
//! | `truncations.rs` | drop tokens |
//! | `decoders.rs` | `bregman` and `top_k` |
//! | `draws.rs` | draw a token |
//! | `watermarks.rs` | mark the text |
//!
//! `distribution.rs` is what a definition works on, `parameters.rs` random parameters. The random chains of
//! `random_chains.rs` take their stages from these lists; tests/definitions/catalogue.rs fails for a stage of the
//! catalogue that has no definition, and for a parameter that is never generated.

pub mod decoders;
mod distribution;
mod draws;
mod edits;
pub mod parameters;
mod shapes;
mod truncations;
pub mod watermarks;

pub use distribution::Distribution;
pub use parameters::Given;

use proptest::strategy::BoxedStrategy;
use std::cell::RefCell;
use std::fmt;

/// A stage by its plain definition.
pub struct Definition {
    /// Its name in the catalogue.
    pub stage: &'static str,
    /// Random parameters: all that the catalogue has, with the values that switch the stage off among them.
    pub parameters: fn() -> BoxedStrategy<Given>,
    /// Whether these parameters switch the stage off: then `apply` is not called.
    pub is_off: fn(&Given) -> bool,
    /// What the stage makes of a distribution. (Of a drawing stage: the distribution that it draws from.)
    pub apply: fn(&Given, &mut Distribution, &Moment<'_>),
    /// What a drawing stage learns; none for a stage that draws nothing.
    pub draws: Option<Learning>,
}

/// What a drawing stage remembers: two numbers.
pub type State = [f64; 2];

/// What a drawing stage remembers at first, and after a token that was drawn and accepted.
pub struct Learning {
    pub initial: fn(&Given) -> State,
    pub next: fn(&Given, State, Drawn) -> State,
}

/// The probabilities of a drawn token.
#[derive(Debug, Clone, Copy)]
pub struct Drawn {
    /// In the distribution that it was drawn from.
    pub p: f64,
    /// In the one that the drawing stage got from the stages before it.
    pub p_before: f64,
}

/// What a stage may look at besides the distribution.
pub struct Moment<'a> {
    /// Thresholds are multiplied by this: 1, or a little less or more to see whether rounding decides.
    pub moved: f64,
    /// The tokens so far.
    pub prompt: &'a [i32],
    pub output: &'a [i32],
    /// What the drawing stage remembers; none for the initial state.
    pub state: Option<State>,
    /// How the coins fell; those beyond the last fall on false.
    pub coins: &'a RefCell<Coins>,
}

/// Coins that fall as they are told to, and how many were thrown.
#[derive(Default)]
pub struct Coins {
    pub fall: Vec<bool>,
    pub thrown: usize,
}

impl Moment<'_> {
    pub fn coin(&self) -> bool {
        let mut coins = self.coins.borrow_mut();
        let at = coins.thrown;
        coins.thrown += 1;
        if at == coins.fall.len() {
            coins.fall.push(false);
        }
        coins.fall[at]
    }
}

/// A stage with its parameters.
#[derive(Clone)]
pub struct Step {
    pub definition: &'static Definition,
    pub given: Given,
}

impl Step {
    pub fn is_off(&self) -> bool {
        (self.definition.is_off)(&self.given)
    }
}

/// As the chain spells it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.given.fmt(f)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.given.fmt(f)
    }
}

/// All definitions.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    [edits::EDITS, shapes::SHAPES, truncations::TRUNCATIONS, decoders::DECODERS, draws::DRAWS, watermarks::WATERMARKS]
        .into_iter()
        .flatten()
}

/// The definition of a stage, by its name in the catalogue.
pub fn find(stage: &str) -> Option<&'static Definition> {
    all().find(|definition| definition.stage == stage)
}

fn never(_: &Given) -> bool {
    false
}
