//! The tokens of a sequence so far and their counts: the input of the stages that act on repetition.
//!
//! | file | what it is |
//! |---|---|
//! | `counts.rs` | how often each token occurs, kept up to date as tokens are accepted |
//! | `edit.rs` | changes of single tokens' logits, the output of those stages |
//! | `breakers.rs` | the sequences that break a repetition off |
//! | `repeats.rs` | earlier occurrences of the end of the history |
//! | `suffixes.rs` | the automaton that finds them in a long history |
//! | `reads.rs` | how much was read, for tests |

mod breakers;
mod counts;
mod edit;
mod reads;
mod repeats;
mod suffixes;

pub(crate) use breakers::Breakers;
pub(crate) use counts::TokenCount;
pub(crate) use edit::{Edit, find_edit, merge};
#[cfg(debug_assertions)]
pub(crate) use reads::take_places_read;

use crate::error::{Error, Result};
use crate::memory;
use breakers::LastBreaker;
use counts::Counts;
use reads::count_read;
use repeats::Repeats;
use std::sync::Arc;

/// Which tokens of the history count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Whether the prompt does not count.
    is_output: bool,
    /// Of those, so many of the last count.
    most: usize,
}

impl Scope {
    /// Prompt and output.
    pub(crate) const ALL: Self = Self { is_output: false, most: usize::MAX };

    /// The tokens after the prompt.
    pub(crate) const OUTPUT: Self = Self { is_output: true, most: usize::MAX };

    /// The last `n` tokens of this scope.
    pub(crate) const fn last(self, n: usize) -> Self {
        Self { most: n, ..self }
    }

    /// Whether no token ever counts.
    pub(crate) fn is_empty(self) -> bool {
        self.most == 0
    }

    /// Whether old tokens leave it as new ones come.
    fn moves(self) -> bool {
        self.most < usize::MAX
    }

    /// Where its tokens begin in a history of `n` tokens.
    fn start(self, n: usize, prompt: usize) -> usize {
        let start = n.saturating_sub(self.most);
        if self.is_output { start.max(prompt).min(n) } else { start }
    }
}

/// What a stage wants to know of the history.
pub(crate) enum Question {
    /// How often each token of a scope occurs.
    Counts(Scope),
    /// Earlier occurrences of a scope's end.
    Repeats(Scope),
    /// The last of these sequences.
    Breakers(Arc<Breakers>),
}

/// Where the prompt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Not yet: all tokens belong to it.
    Open,
    /// Where the first row was decoded, after this many tokens.
    Begun(usize),
    /// Where [`History::set_prompt`] said, after this many tokens.
    Set(usize),
}

/// The tokens accepted so far.
///
/// The prompt is what was accepted before the first row was decoded, unless [`History::set_prompt`] sets its length.
pub(crate) struct History {
    tokens: Vec<i32>,
    prompt: Prompt,
    counts: Vec<Counts>,
    repeats: Vec<Repeats>,
    breakers: Vec<LastBreaker>,
}

impl History {
    /// An empty history that answers these questions.
    pub(crate) fn new(questions: impl Iterator<Item = Question>) -> Self {
        let (mut counts, mut repeats, mut breakers) = (Vec::<Counts>::new(), Vec::<Repeats>::new(), Vec::new());
        for question in questions {
            match question {
                Question::Counts(scope) if counts.iter().all(|c| c.scope() != scope) => counts.push(Counts::new(scope)),
                Question::Repeats(scope) if repeats.iter().all(|r| r.scope() != scope) => {
                    repeats.push(Repeats::new(scope));
                }
                Question::Counts(_) | Question::Repeats(_) => {}
                Question::Breakers(sequences) => breakers.push(LastBreaker::new(sequences)),
            }
        }
        Self { tokens: Vec::new(), prompt: Prompt::Open, counts, repeats, breakers }
    }

    pub(crate) fn try_clone(&self) -> Result<Self> {
        let (mut counts, mut repeats, mut breakers) = (Vec::new(), Vec::new(), Vec::new());
        memory::reserve(&mut counts, self.counts.len())?;
        memory::reserve(&mut repeats, self.repeats.len())?;
        memory::reserve(&mut breakers, self.breakers.len())?;
        for one in &self.counts {
            counts.push(one.try_clone()?);
        }
        repeats.extend(self.repeats.iter().map(Repeats::without_automaton));
        for one in &self.breakers {
            breakers.push(one.try_clone()?);
        }
        Ok(Self { tokens: memory::copied(&self.tokens)?, prompt: self.prompt, counts, repeats, breakers })
    }

    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.prompt = Prompt::Open;
        self.counts.iter_mut().for_each(Counts::clear);
        self.repeats.iter_mut().for_each(Repeats::clear);
        self.breakers.iter_mut().for_each(LastBreaker::clear);
    }

    /// Makes room for `n` more tokens.
    pub(crate) fn reserve(&mut self, n: usize) -> Result<()> {
        memory::reserve(&mut self.tokens, n)?;
        self.counts.iter_mut().try_for_each(|counts| counts.reserve(n))
    }

    /// Makes room to take the last `n` tokens back again, once the next one of them has come.
    pub(crate) fn reserve_return(&mut self, n: usize) -> Result<()> {
        self.counts.iter_mut().try_for_each(|counts| counts.reserve_return(n))
    }

    /// Appends tokens, none of them negative. On an error nothing is changed.
    pub(crate) fn extend(&mut self, tokens: &[i32]) -> Result<()> {
        self.reserve(tokens.len())?;
        let known = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        let prompt = self.prompt_length();
        self.counts.iter_mut().for_each(|counts| counts.update(&self.tokens, known, prompt));
        Ok(())
    }

    /// Drops all but the first `n` tokens. A prompt that is cut, or that ended because of a row whose token is dropped,
    /// is open again. On an error nothing is changed.
    pub(crate) fn truncate(&mut self, n: usize) -> Result<()> {
        let taken = self.tokens.len().saturating_sub(n);
        let prompt = self.prompt_length();
        self.counts.iter_mut().try_for_each(|counts| counts.reserve(taken))?;
        if taken > 0 {
            self.counts.iter_mut().for_each(|counts| counts.take_back(&self.tokens, n, prompt));
            self.tokens.truncate(n);
            match self.prompt {
                Prompt::Begun(length) if n <= length => self.prompt = Prompt::Open,
                Prompt::Set(length) if n < length => self.prompt = Prompt::Open,
                _ => {}
            }
            self.repeats.iter_mut().for_each(|repeats| repeats.truncate(n));
            self.breakers.iter_mut().for_each(|breakers| breakers.truncate(&self.tokens));
        }
        Ok(())
    }

    /// Ends the prompt when the first row is decoded: later tokens are output.
    pub(crate) fn begin(&mut self) {
        if self.prompt == Prompt::Open {
            self.prompt = Prompt::Begun(self.tokens.len());
        }
    }

    /// Sets the length of the prompt. On an error nothing is changed.
    pub(crate) fn set_prompt(&mut self, n: usize) -> Result<()> {
        if n > self.tokens.len() {
            return Err(Error::InvalidArgument(format!(
                "n is {n}: the history has only {} tokens that could be the prompt",
                self.tokens.len()
            )));
        }
        for counts in self.counts.iter_mut().filter(|c| c.scope().is_output) {
            counts.reserve(self.tokens.len() - n)?;
            counts.clear();
            counts.update(&self.tokens, n, n);
        }
        self.prompt = Prompt::Set(n);
        Ok(())
    }

    pub(crate) fn prompt(&self) -> Prompt {
        self.prompt
    }

    /// Undoes [`History::begin`], or a truncation that opened the prompt: tokens and counts must be those of then.
    pub(crate) fn restore_prompt(&mut self, prompt: Prompt) {
        self.prompt = prompt;
    }

    /// The number of tokens that are the prompt.
    pub(crate) fn prompt_length(&self) -> usize {
        match self.prompt {
            Prompt::Open => self.tokens.len(),
            Prompt::Begun(length) | Prompt::Set(length) => length,
        }
    }

    pub(crate) fn tokens(&self) -> &[i32] {
        &self.tokens
    }

    /// The tokens of a scope, in order.
    pub(crate) fn tokens_in(&self, scope: Scope) -> &[i32] {
        &self.tokens[self.start_of(scope)..]
    }

    /// Where the tokens of a scope begin.
    fn start_of(&self, scope: Scope) -> usize {
        scope.start(self.tokens.len(), self.prompt_length())
    }

    /// Brings all answers up to date with the tokens.
    pub(crate) fn settle(&mut self) -> Result<()> {
        for at in 0..self.repeats.len() {
            let start = self.start_of(self.repeats[at].scope());
            self.repeats[at].settle(&self.tokens[start..], start);
        }
        self.counts.iter_mut().try_for_each(Counts::settle)?;
        self.breakers.iter_mut().try_for_each(|breakers| breakers.settle(&self.tokens))
    }

    /// The distinct tokens of a scope in ascending order, with how often each was seen. A scope that was not named at
    /// creation has none.
    pub(crate) fn counts(&self, scope: Scope) -> &[TokenCount] {
        self.counts.iter().find(|c| c.scope() == scope).map_or(&[], Counts::tokens)
    }

    /// Calls `visit` with tokens that would complete an (n + 1)-gram that the scope's tokens already have, each at least
    /// once. `scratch` is for long ones.
    pub(crate) fn continuations(
        &self,
        scope: Scope,
        n: usize,
        scratch: &mut Vec<u32>,
        visit: impl FnMut(u32),
    ) -> Result<()> {
        let repeats = self.repeats.iter().find(|repeats| repeats.scope() == scope);
        repeats.map_or(Ok(()), |repeats| repeats.continuations(self.tokens_in(scope), n, scratch, visit))
    }

    /// Calls `visit(token, length)` for tokens that would continue a repetition of at least `least` of the scope's last
    /// tokens, which breakers cut; the longest repetition of each token is among them. A breaker of one token
    /// continues none.
    pub(crate) fn repetitions(
        &self,
        scope: Scope,
        breakers: &Arc<Breakers>,
        least: usize,
        scratch: &mut Vec<u32>,
        mut visit: impl FnMut(u32, usize),
    ) -> Result<()> {
        let last = self.breakers.iter().find(|last| last.is_of(breakers));
        let repeats = self.repeats.iter().find(|repeats| repeats.scope() == scope);
        let (Some(last), Some(repeats)) = (last, repeats) else { return Ok(()) };
        let limit = last.limit(self.tokens.len(), self.start_of(scope));
        if limit < least {
            return Ok(());
        }
        repeats.repetitions(self.tokens_in(scope), least, scratch, |token, length| {
            if !breakers.has(token) {
                visit(token, length.min(limit));
            }
        })
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
        let windows = [1, 5, 64].into_iter().flat_map(|n| [Scope::ALL.last(n), Scope::OUTPUT.last(n)]);
        let scopes: Vec<_> = [Scope::ALL, Scope::OUTPUT].into_iter().chain(windows).collect();
        let (mut history, mut random) = (History::new(scopes.iter().copied().map(Question::Counts)), Lcg::new(1));
        for step in 0..400 {
            // Mostly one token at a time, sometimes a few or very many; some are taken back.
            let n = if step % 7 == 0 { random.below(200) } else { step % 3 };
            let tokens: Vec<i32> = (0..n).map(|_| random.below(40) as i32).collect();
            history.extend(&tokens).unwrap();
            if step % 5 == 0 {
                let most = if step % 25 == 0 { 300 } else { 4 };
                history.truncate(history.tokens().len().saturating_sub(random.below(most))).unwrap();
            }
            if step == 20 {
                history.begin();
            }
            if step % 50 == 49 {
                let n = random.below(history.tokens().len() + 1);
                history.set_prompt(n).unwrap();
            }
            if step % 5 == 4 {
                // Some, many, or none are dropped again, into the prompt now and then.
                let n = [0, 1, 3, 70, 500][random.below(5)].min(history.tokens().len());
                history.truncate(history.tokens().len() - n).unwrap();
            }
            if step % 3 == 0 {
                continue;
            }
            history.settle().unwrap();
            for &scope in &scopes {
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
