//! Random chains, rows and histories for proptest. The stages come from the list of plain definitions, so that each of
//! them occurs.

use super::definitions::parameters::token;
use super::definitions::{Definition, Step, all};
use super::plain::Tokens;
use super::rows::{ROWS, Random, logits};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

/// A stage that draws a token, or one that does not.
pub fn step(draws: bool) -> impl Strategy<Value = Step> {
    let definitions = all().filter(|definition| definition.draws.is_some() == draws);
    Union::new(definitions.map(step_of))
}

/// A stage with random parameters.
pub fn step_of(definition: &'static Definition) -> impl Strategy<Value = Step> {
    (definition.parameters)().prop_map(move |given| Step { definition, given })
}

/// A chain that draws nothing.
pub fn transforming() -> BoxedStrategy<Vec<Step>> {
    vec(step(false), 0..5).prop_map(with_bans_of_invalid_first).boxed()
}

/// `ban_invalid` stands first, and only once.
pub fn with_bans_of_invalid_first(steps: Vec<Step>) -> Vec<Step> {
    let (mut first, others): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| step.definition.stage == "ban_invalid");
    first.truncate(1);
    first.extend(others);
    first
}

/// A chain that ends with a draw.
pub fn drawing() -> BoxedStrategy<Vec<Step>> {
    let with_draw = |(mut steps, last): (Vec<Step>, Step)| {
        steps.push(last);
        steps
    };
    (transforming(), step(true)).prop_map(with_draw).boxed()
}

/// A prompt and an output of few different tokens, so that they repeat; some outputs are so short that it matters
/// which of the two counts.
pub fn tokens() -> impl Strategy<Value = Tokens> {
    let output = prop_oneof![2 => vec(token(), 0..40), 1 => vec(token(), 0..3)];
    (vec(token(), 0..20), output).prop_map(|(prompt, output)| Tokens { prompt, output })
}

/// A row of logits by its recipe, which is shorter to print.
#[derive(Debug, Clone)]
pub struct Recipe(pub &'static str, pub usize, pub u64);

impl Recipe {
    pub fn make(&self) -> Vec<f32> {
        logits(self.0, self.1, &mut Random(self.2))
    }
}

/// Rows of all kinds, most of them short, some around the sizes of lanes, blocks and tiles.
pub fn row() -> impl Strategy<Value = Recipe> {
    let edges = vec![1usize, 2, 15, 16, 17, 255, 256, 257, 511, 513, 4095, 4096, 4097];
    let vocab = prop_oneof![3 => 1usize..60, 2 => 60usize..1000, 1 => 1000usize..5000, 1 => select(edges)];
    (select(ROWS.to_vec()), vocab, any::<u64>()).prop_map(|(kind, vocab, seed)| Recipe(kind, vocab, seed))
}
