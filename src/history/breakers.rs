//! The sequences that break a repetition off.

use crate::error::Result;
use crate::memory;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Token sequences that a repetition may not extend across, as an Aho-Corasick automaton. The time per token does not
/// depend on the number of sequences.
#[derive(Default)]
pub(crate) struct Breakers {
    /// (state, token) -> next state.
    next: HashMap<(u32, u32), u32>,
    states: Vec<State>,
    /// Sequences of a single token.
    single: HashSet<u32>,
    /// The length of the longest sequence.
    longest: usize,
}

/// A state: the longest prefix of a sequence with which the tokens read so far end.
#[derive(Clone, Copy, Default)]
struct State {
    /// The failure link: the state of the next shorter such prefix.
    shorter: u32,
    /// The length of the shortest sequence that ends here; 0 for none.
    shortest: u32,
}

impl Breakers {
    pub(crate) fn new(sequences: &[Vec<u32>]) -> Self {
        let mut automaton = Self { states: vec![State::default()], ..Self::default() };
        for sequence in sequences {
            let mut state = 0;
            for &token in sequence {
                let new = automaton.states.len() as u32;
                state = *automaton.next.entry((state, token)).or_insert(new);
                if state == new {
                    automaton.states.push(State::default());
                }
            }
            automaton.states[state as usize].shortest = sequence.len() as u32;
            automaton.single.extend((sequence.len() == 1).then_some(sequence[0]));
            automaton.longest = automaton.longest.max(sequence.len());
        }
        automaton.link();
        automaton
    }

    /// Computes the failure links, breadth first: those of a state need those of all states nearer to the root.
    fn link(&mut self) {
        let mut edges: Vec<_> = self.next.iter().map(|(&(from, token), &to)| (from, token, to)).collect();
        let mut depth = vec![0u32; self.states.len()];
        edges.sort_unstable();
        // A state's number is larger than its parent's.
        edges.iter().for_each(|&(from, _, to)| depth[to as usize] = depth[from as usize] + 1);
        edges.sort_unstable_by_key(|&(_, _, to)| depth[to as usize]);
        for (from, token, to) in edges {
            let shorter = if from == 0 { 0 } else { self.step(self.states[from as usize].shorter, token) };
            let state = &self.states[to as usize];
            // What ends at a shorter state is shorter.
            let inherited = self.states[shorter as usize].shortest;
            let shortest = if inherited > 0 { inherited } else { state.shortest };
            self.states[to as usize] = State { shorter, shortest };
        }
    }

    fn step(&self, mut state: u32, token: u32) -> u32 {
        loop {
            match self.next.get(&(state, token)) {
                Some(&next) => return next,
                None if state == 0 => return 0,
                None => state = self.states[state as usize].shorter,
            }
        }
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.states.len() <= 1
    }

    /// Whether this single token is a breaker.
    pub(crate) fn has(&self, token: u32) -> bool {
        self.single.contains(&token)
    }
}

/// The last breaker of a growing history: the last position at which one begins decides; of several that begin there,
/// the longest (llama.cpp's rule).
pub(super) struct LastBreaker {
    breakers: Arc<Breakers>,
    /// The automaton's state after the first `read` tokens.
    state: u32,
    read: usize,
    /// (begin, end) of every breaker that was the last one when its last token came, in order.
    found: Vec<(usize, usize)>,
}

impl LastBreaker {
    pub(super) fn new(breakers: Arc<Breakers>) -> Self {
        Self { breakers, state: 0, read: 0, found: Vec::new() }
    }

    pub(super) fn try_clone(&self) -> Result<Self> {
        let Self { breakers, state, read, found } = self;
        Ok(Self { breakers: breakers.clone(), state: *state, read: *read, found: memory::copied(found)? })
    }

    pub(super) fn is_of(&self, breakers: &Arc<Breakers>) -> bool {
        Arc::ptr_eq(&self.breakers, breakers)
    }

    pub(super) fn clear(&mut self) {
        (self.state, self.read) = (0, 0);
        self.found.clear();
    }

    /// Reads the tokens that are new.
    pub(super) fn settle(&mut self, tokens: &[i32]) -> Result<()> {
        if self.breakers.is_empty() {
            return Ok(());
        }
        super::count_read(tokens.len() - self.read);
        for (at, &token) in tokens.iter().enumerate().skip(self.read) {
            let state = self.breakers.step(self.state, token as u32);
            let shortest = self.breakers.states[state as usize].shortest as usize;
            // The shortest of those that end here begins last.
            let begin = at + 1 - shortest;
            if shortest > 0 && self.found.last().is_none_or(|last| begin >= last.0) {
                memory::push(&mut self.found, (begin, at + 1))?;
            }
            (self.state, self.read) = (state, at + 1);
        }
        Ok(())
    }

    /// Goes back to these tokens, the first of those that it knew.
    pub(super) fn truncate(&mut self, tokens: &[i32]) {
        if tokens.len() >= self.read {
            return;
        }
        self.read = tokens.len();
        self.found.truncate(self.found.partition_point(|found| found.1 <= tokens.len()));
        // The state depends on no more tokens than a sequence has.
        let last = &tokens[tokens.len().saturating_sub(self.breakers.longest)..];
        self.state = last.iter().fold(0, |state, &token| self.breakers.step(state, token as u32));
    }

    /// The longest repetition that the end of a history of `n` tokens may have, of which those from `start` on count:
    /// the tokens after the last breaker.
    pub(super) fn limit(&self, n: usize, start: usize) -> usize {
        self.found.last().filter(|(begin, _)| *begin >= start).map_or(n - start, |(_, end)| n - end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    #[test]
    fn limit_equals_the_definition_as_tokens_come_and_go() {
        let mut random = Lcg::new(5);
        for round in 0..1500 {
            let breakers: Vec<Vec<u32>> = (0..random.below(5))
                .map(|_| (0..1 + random.below(5)).map(|_| random.below(3) as u32).collect())
                .collect();
            let mut last = LastBreaker::new(Arc::new(Breakers::new(&breakers)));
            let mut tokens: Vec<i32> = Vec::new();
            for _ in 0..6 {
                tokens.extend((0..random.below(12)).map(|_| random.below(3) as i32));
                last.settle(&tokens).unwrap();
                let start = random.below(tokens.len() + 1);
                let window = &tokens[start..];
                let limit = (0..window.len()).rev().find_map(|begin| {
                    let rest: Vec<u32> = window[begin..].iter().map(|&t| t as u32).collect();
                    let longest = breakers.iter().filter(|b| rest.starts_with(b)).map(Vec::len).max()?;
                    Some(rest.len() - longest)
                });
                let limit = limit.unwrap_or(window.len());
                assert_eq!(last.limit(tokens.len(), start), limit, "round {round}: {tokens:?}, {start}, {breakers:?}");
                tokens.truncate(tokens.len() - random.below(tokens.len().min(9) + 1));
                last.truncate(&tokens);
            }
        }
    }
}
