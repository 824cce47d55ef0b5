//! Chains by the plain definitions of `definitions/`: the reference for the library's passes, bounds and partial
//! sorts.

use super::definitions::{Coins, Distribution, Given, Moment, State, Step, find};
use super::rows::Random;
use super::shape::{GENERATOR, SHAPE};
use bregman::Sampler;
use std::cell::RefCell;
use std::sync::Arc;

/// The tokens so far.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    pub prompt: Vec<i32>,
    pub output: Vec<i32>,
}

/// The chain's text.
pub fn chain(steps: &[Step]) -> String {
    let texts: Vec<_> = steps.iter().map(Step::to_string).collect();
    // A chain has one stage at least.
    if texts.is_empty() { "temperature(1)".into() } else { texts.join(" | ") }
}

/// The stages of a chain's text.
pub fn steps(text: &str) -> Vec<Step> {
    let canonical = sampler(text, 0).chain_with_keys();
    let step = |text| {
        let given = Given::parse(text);
        let definition = find(given.stage()).unwrap_or_else(|| panic!("`{}` has no plain definition", given.stage()));
        Step { definition, given }
    };
    canonical.split(" | ").map(step).collect()
}

/// A sampler that knows the generator of random chains.
pub fn sampler(text: &str, seed: u64) -> Sampler {
    let generator: Arc<dyn bregman::bregman::Generator> = Arc::new(SHAPE);
    Sampler::with_generators(text, seed, &[(GENERATOR, generator)]).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// A sampler that has seen the tokens.
pub fn sampler_after(text: &str, seed: u64, tokens: &Tokens) -> Sampler {
    let mut sampler = sampler(text, seed);
    sampler.accept(&tokens.prompt).unwrap();
    tokens.output.iter().for_each(|&token| sampler.accept(&[token]).unwrap());
    sampler.set_prompt_length(tokens.prompt.len()).unwrap();
    sampler
}

/// The row with the token of each logit.
pub fn with_ids(row: &[f32]) -> Vec<(i32, f32)> {
    (0..).zip(row.iter().copied()).collect()
}

/// The result of a chain on a row: one distribution for each way in which its coins may fall.
pub struct Plain<'a> {
    pub steps: &'a [Step],
    pub tokens: &'a Tokens,
    /// The state of the drawing stage; none for the initial one.
    pub state: Option<State>,
}

impl<'a> Plain<'a> {
    pub fn new(steps: &'a [Step], tokens: &'a Tokens) -> Self {
        Self { steps, tokens, state: None }
    }

    /// The distributions that the chain may leave; empty ones where everything is banned.
    pub fn distributions(&self, row: &[(i32, f32)]) -> Vec<Distribution> {
        self.moved(row, 1.0)
    }

    /// The same; none where the definitions do not say which tokens or which probabilities are right: thresholds moved
    /// by 1e-4 would keep other tokens, so that f32 may, or sums in f32 weigh too much.
    pub fn certain(&self, row: &[(i32, f32)]) -> Option<Vec<Distribution>> {
        let exact = self.distributions(row);
        let same = |moved: f64| {
            let other = self.moved(row, moved);
            other.len() == exact.len() && exact.iter().zip(&other).all(|(a, b)| a.ids() == b.ids())
        };
        let is_sharp = |d: &Distribution| d.tolerance().is_some_and(|tolerance| tolerance <= 2e-5);
        (exact.iter().all(is_sharp) && same(1.0 + 1e-4) && same(1.0 - 1e-4)).then_some(exact)
    }

    fn moved(&self, row: &[(i32, f32)], moved: f64) -> Vec<Distribution> {
        let (coins, mut all) = (RefCell::new(Coins::default()), vec![]);
        loop {
            let Tokens { prompt, output } = self.tokens;
            let mut moment = Moment { moved, prompt, output, state: None, coins: &coins };
            let mut distribution = Distribution::new(row);
            for (at, step) in self.steps.iter().enumerate() {
                if !step.is_off() && !distribution.is_empty() {
                    moment.state = self.state.filter(|_| at + 1 == self.steps.len());
                    (step.definition.apply)(&step.given, &mut distribution, &moment);
                }
            }
            all.push(distribution);
            // The next way: the last coin that fell on false falls on true.
            let Coins { fall, thrown } = &mut *coins.borrow_mut();
            fall.truncate(*thrown);
            *thrown = 0;
            while fall.pop_if(|last| *last).is_some() {}
            match fall.last_mut() {
                Some(last) => *last = true,
                None => return all,
            }
        }
    }
}

/// Candidates of an engine in some order.
pub fn candidates(row: &[f32], random: Option<&mut Random>) -> Vec<bregman::Candidate> {
    let all = with_ids(row).into_iter().map(|(id, logit)| bregman::Candidate { id, logit, p: 7.0 });
    let mut all: Vec<_> = all.collect();
    if let Some(random) = random {
        random.shuffle(&mut all);
    }
    all
}
