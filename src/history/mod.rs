//! The tokens of a sequence so far and their counts: the input of the stages that act on repetition.
//!
//! | file | what it is |
//! |---|---|
//! | `counts.rs` | how often each token occurs, kept up to date as tokens are accepted |
//! | `edit.rs` | changes of single tokens' logits, the output of those stages |
//! | `breakers.rs` | the sequences that break a repetition off |
//! | `repeats.rs` | earlier occurrences of the end of the history |

mod breakers;
mod counts;
mod edit;
mod repeats;

pub(crate) use breakers::Breakers;
pub(crate) use counts::TokenCount;
pub(crate) use edit::{Edit, find_edit, merge};
pub(crate) use repeats::{continuations, repetitions};

use crate::error::{Error, Result};
use counts::Counts;

/// Which tokens of the history count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The last n tokens, prompt and output alike.
    Window(usize),
    /// Prompt and output.
    All,
    /// The tokens after the prompt.
    Output,
}

/// The tokens accepted so far.
///
/// The prompt is what was accepted before the first row was decoded, unless [`History::set_prompt`] sets its length.
#[derive(Clone)]
pub(crate) struct History {
    tokens: Vec<i32>,
    /// The length of the prompt; none while all tokens belong to it.
    prompt: Option<usize>,
    counts: Vec<Counts>,
}

impl History {
    /// An empty history that keeps counts for these scopes.
    pub(crate) fn new(scopes: impl Iterator<Item = Scope>) -> Self {
        let mut counts: Vec<Counts> = Vec::new();
        for scope in scopes {
            if counts.iter().all(|c| c.scope() != scope) {
                counts.push(Counts::new(scope));
            }
        }
        Self { tokens: Vec::new(), prompt: None, counts }
    }

    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.prompt = None;
        self.counts.iter_mut().for_each(Counts::clear);
    }

    /// Appends tokens, none of them negative.
    pub(crate) fn extend(&mut self, tokens: &[i32]) {
        self.tokens.extend_from_slice(tokens);
        let prompt = self.prompt();
        self.counts.iter_mut().for_each(|counts| counts.update(&self.tokens, tokens.len(), prompt));
    }

    /// Ends the prompt when the first row is decoded: later tokens are output.
    pub(crate) fn begin(&mut self) {
        self.prompt.get_or_insert(self.tokens.len());
    }

    /// Sets the length of the prompt.
    pub(crate) fn set_prompt(&mut self, n: usize) -> Result<()> {
        if n > self.tokens.len() {
            return Err(Error::InvalidArgument(format!(
                "n is {n}: the history has only {} tokens that could be the prompt",
                self.tokens.len()
            )));
        }
        self.prompt = Some(n);
        for counts in self.counts.iter_mut().filter(|c| c.scope() == Scope::Output) {
            counts.clear();
            counts.update(&self.tokens, self.tokens.len() - n, n);
        }
        Ok(())
    }

    fn prompt(&self) -> usize {
        self.prompt.unwrap_or(self.tokens.len())
    }

    pub(crate) fn tokens(&self) -> &[i32] {
        &self.tokens
    }

    /// The tokens of a scope, in order.
    pub(crate) fn tokens_in(&self, scope: Scope) -> &[i32] {
        let start = match scope {
            Scope::All => 0,
            Scope::Output => self.prompt(),
            Scope::Window(n) => self.tokens.len().saturating_sub(n),
        };
        &self.tokens[start..]
    }

    /// Brings the counts up to date, for [`History::counts`].
    pub(crate) fn settle(&mut self) {
        self.counts.iter_mut().for_each(Counts::settle);
    }

    /// The distinct tokens of a scope in ascending order, with how often each was seen. A scope that was not named at
    /// creation has none.
    pub(crate) fn counts(&self, scope: Scope) -> &[TokenCount] {
        self.counts.iter().find(|c| c.scope() == scope).map_or(&[], Counts::tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    /// The counts from scratch.
    fn counted(tokens: &[i32]) -> Vec<TokenCount> {
        let mut counts = std::collections::BTreeMap::<u32, u32>::new();
        tokens.iter().for_each(|&t| *counts.entry(t as u32).or_default() += 1);
        counts.into_iter().map(|(token, count)| TokenCount { token, count }).collect()
    }

    #[test]
    fn counts_stay_equal_to_a_recount_as_the_history_grows() {
        let scopes = [Scope::All, Scope::Output, Scope::Window(5), Scope::Window(64), Scope::Window(1)];
        let (mut history, mut random) = (History::new(scopes.into_iter()), Lcg::new(1));
        for step in 0..400 {
            // Mostly one token at a time, sometimes a few or very many.
            let n = if step % 7 == 0 { random.below(200) } else { step % 3 };
            let tokens: Vec<i32> = (0..n).map(|_| random.below(40) as i32).collect();
            history.extend(&tokens);
            if step == 20 {
                history.begin();
            }
            if step % 50 == 49 {
                let n = random.below(history.tokens().len() + 1);
                history.set_prompt(n).unwrap();
            }
            if step % 3 == 0 {
                continue;
            }
            history.settle();
            for scope in scopes {
                assert_eq!(history.counts(scope), counted(history.tokens_in(scope)), "step {step}, {scope:?}");
            }
        }
        assert!(history.set_prompt(history.tokens().len() + 1).is_err());
        history.clear();
        assert!(
            scopes.into_iter().all(|scope| history.counts(scope).is_empty() && history.tokens_in(scope).is_empty())
        );
    }
}
