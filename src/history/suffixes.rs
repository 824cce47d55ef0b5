//! The suffix automaton of the tokens so far: which suffixes occurred before, and which tokens followed them.
//!
//! A state stands for the suffixes of some prefix that end at the same positions; its transitions are the tokens that
//! followed them. The states of all suffixes of the whole are the chain of links from the last state to the root, the
//! longest suffixes first, and every transition of a state is one of those after it on the chain.
//!
//! Blumer et al., "The smallest automaton recognizing the subwords of a text" (1985): a new token takes constant time
//! on average. Jump pointers (Myers, "An applicative random-access stack", 1983) make a search along the chain take
//! about the logarithm of its length.

use crate::error::{Error, Result};
use crate::memory;
use std::collections::HashMap;

pub(super) struct SuffixAutomaton {
    states: Vec<State>,
    /// (state, token) -> next state.
    next: HashMap<(u32, u32), u32>,
    /// The tokens of each state's transitions, as linked lists: a token and the place of the next.
    tokens: Vec<(u32, u32)>,
    last: u32,
    /// The first token, and whether it has come again.
    first: Option<(u32, bool)>,
}

#[derive(Clone, Copy)]
struct State {
    /// The length of its longest suffix.
    len: u32,
    /// The state of the longest suffix that occurs at more positions.
    link: u32,
    /// A state further along the chain.
    jump: u32,
    /// The number of links to the root when the state was linked.
    depth: u32,
    /// The list of its transitions' tokens, and their number.
    tokens: u32,
    degree: u32,
}

const ROOT: u32 = 0;

/// The end of a list.
const END: u32 = u32::MAX;

/// States are numbered in 32 bits, and there are at most two for each token.
const MOST_TOKENS: usize = 1 << 30;

impl SuffixAutomaton {
    pub(super) fn new() -> Self {
        let root = State { len: 0, link: ROOT, jump: ROOT, depth: 0, tokens: END, degree: 0 };
        Self { states: vec![root], next: HashMap::new(), tokens: Vec::new(), last: ROOT, first: None }
    }

    /// The number of tokens read.
    pub(super) fn len(&self) -> usize {
        self.state(self.last).len as usize
    }

    /// Reads more tokens. After an error it is of no use.
    pub(super) fn extend(&mut self, tokens: &[i32]) -> Result<()> {
        if self.len() + tokens.len() > MOST_TOKENS {
            return Err(Error::OutOfMemory);
        }
        tokens.iter().try_for_each(|&token| self.push(token as u32))
    }

    fn push(&mut self, token: u32) -> Result<()> {
        self.first = Some(self.first.map_or((token, false), |(first, again)| (first, again || first == token)));
        let new =
            self.add_state(State { len: self.state(self.last).len + 1, tokens: END, degree: 0, ..*self.root() })?;
        let mut from = self.last;
        let known = loop {
            super::count_read(1);
            match self.step(from, token) {
                Some(known) => break Some(known),
                None => self.add_transition(from, token, new)?,
            }
            if from == ROOT {
                break None;
            }
            from = self.state(from).link;
        };
        let link = match known {
            None => ROOT,
            Some(known) if self.state(known).len == self.state(from).len + 1 => known,
            Some(known) => self.split(from, token, known)?,
        };
        self.set_link(new, link);
        self.last = new;
        Ok(())
    }

    /// Gives the suffixes of `known` that are not longer than `from` with `token` a state of their own.
    fn split(&mut self, mut from: u32, token: u32, known: u32) -> Result<u32> {
        let shorter = State { len: self.state(from).len + 1, tokens: END, degree: 0, ..*self.root() };
        let shorter = self.add_state(shorter)?;
        self.set_link(shorter, self.state(known).link);
        let mut list = self.state(known).tokens;
        while let Some(&(token, rest)) = self.tokens.get(list as usize) {
            super::count_read(1);
            if let Some(to) = self.step(known, token) {
                self.add_transition(shorter, token, to)?;
            }
            list = rest;
        }
        self.set_link(known, shorter);
        while let Some(to) = self.next.get_mut(&(from, token)).filter(|to| **to == known) {
            super::count_read(1);
            *to = shorter;
            if from == ROOT {
                break;
            }
            from = self.state(from).link;
        }
        Ok(shorter)
    }

    fn root(&self) -> &State {
        self.state(ROOT)
    }

    fn state(&self, state: u32) -> &State {
        &self.states[state as usize]
    }

    fn step(&self, state: u32, token: u32) -> Option<u32> {
        self.next.get(&(state, token)).copied()
    }

    fn add_state(&mut self, state: State) -> Result<u32> {
        memory::push(&mut self.states, state)?;
        Ok(self.states.len() as u32 - 1)
    }

    fn add_transition(&mut self, from: u32, token: u32, to: u32) -> Result<()> {
        memory::granted(self.next.try_reserve(1))?;
        let rest = self.state(from).tokens;
        memory::push(&mut self.tokens, (token, rest))?;
        self.next.insert((from, token), to);
        let state = &mut self.states[from as usize];
        state.tokens = self.tokens.len() as u32 - 1;
        state.degree += 1;
        Ok(())
    }

    /// Links a state, with a jump over as many links as Myers' rule says.
    fn set_link(&mut self, state: u32, link: u32) {
        let to = *self.state(link);
        let jump = *self.state(to.jump);
        let beyond = self.state(jump.jump);
        let is_equal = to.depth.wrapping_sub(jump.depth) == jump.depth.wrapping_sub(beyond.depth);
        let jump = if is_equal { jump.jump } else { link };
        let state = &mut self.states[state as usize];
        (state.link, state.jump, state.depth) = (link, jump, to.depth + 1);
    }

    /// The first state on the chain for which `holds`, which then holds for all after it; the root if for none.
    fn find(&self, holds: impl Fn(u32) -> bool) -> u32 {
        let mut at = self.last;
        while at != ROOT && !holds(at) {
            super::count_read(1);
            let State { link, jump, .. } = *self.state(at);
            at = if holds(jump) { link } else { jump };
        }
        at
    }

    /// The state of the suffix of this length.
    fn of_length(&self, length: usize) -> u32 {
        self.find(|state| (self.state(self.state(state).link).len as usize) < length)
    }

    /// The tokens of a state's transitions.
    fn tokens_after(&self, state: u32) -> impl Iterator<Item = u32> {
        let mut list = self.state(state).tokens;
        std::iter::from_fn(move || {
            let &(token, rest) = self.tokens.get(list as usize)?;
            super::count_read(1);
            list = rest;
            Some(token)
        })
    }

    /// Calls `visit` with each token that followed an earlier occurrence of the last `n` tokens.
    pub(super) fn continuations(&self, n: usize, visit: impl FnMut(u32)) {
        if n <= self.len() {
            let state = if n == 0 { ROOT } else { self.of_length(n) };
            self.tokens_after(state).for_each(visit);
        }
    }

    /// Calls `visit(token, length)` for each token that would continue a repetition of at least `least` tokens, with the
    /// length of the longest. False, and nothing visited, if those are so many that reading all tokens is faster.
    pub(super) fn repetitions(&self, least: usize, mut visit: impl FnMut(u32, usize)) -> bool {
        /// What a search takes, in tokens read.
        const SEARCH: usize = 16;
        if self.len() <= least {
            return true;
        }
        let shortest = self.of_length(least.max(1));
        if self.state(shortest).degree as usize * SEARCH > self.len() {
            return false;
        }
        // The state before `shortest` on the chain: most tokens followed nothing longer.
        let longer = self.find(|state| self.state(self.state(state).link).len <= self.state(shortest).len);
        for token in self.tokens_after(shortest) {
            let state = match self.step(longer, token) {
                Some(_) => self.find(|state| self.step(state, token).is_some()),
                None => shortest,
            };
            visit(token, self.state(state).len as usize);
        }
        if least == 0 {
            // The first token continues nothing where it is.
            let once = self.first.and_then(|(first, again)| (!again).then_some(first));
            self.tokens_after(ROOT).filter(|token| Some(*token) != once).for_each(|token| visit(token, 0));
        }
        true
    }
}
