//! The sequences that break a repetition off.

use std::collections::{HashMap, HashSet};

/// Token sequences that a repetition may not extend across: the Aho-Corasick automaton of the reversed sequences, which
/// reads the history from its end. The time per token does not depend on the number of sequences.
#[derive(Default)]
pub(crate) struct Breakers {
    /// (state, token) -> next state.
    next: HashMap<(u32, u32), u32>,
    states: Vec<State>,
    /// Sequences of a single token.
    single: HashSet<u32>,
}

/// A state: the longest prefix of a reversed sequence with which the tokens read so far end.
#[derive(Clone, Copy, Default)]
struct State {
    /// The failure link: the state of the next shorter such prefix.
    shorter: u32,
    /// The length of the longest sequence that ends here; 0 for none.
    longest: u32,
}

impl Breakers {
    pub(crate) fn new(sequences: &[Vec<u32>]) -> Self {
        let mut automaton = Self { states: vec![State::default()], ..Self::default() };
        for sequence in sequences {
            let mut state = 0;
            for &token in sequence.iter().rev() {
                let new = automaton.states.len() as u32;
                state = *automaton.next.entry((state, token)).or_insert(new);
                if state == new {
                    automaton.states.push(State::default());
                }
            }
            automaton.states[state as usize].longest = sequence.len() as u32;
            automaton.single.extend((sequence.len() == 1).then_some(sequence[0]));
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
            let inherited = self.states[shorter as usize].longest;
            let state = &mut self.states[to as usize];
            *state = State { shorter, longest: state.longest.max(inherited) };
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

    /// The longest repetition that the history's end may have: the tokens after its last breaker. The last position at
    /// which a breaker begins decides; of several that begin there, the longest (llama.cpp's rule).
    pub(super) fn limit(&self, tokens: &[i32]) -> usize {
        if self.states.len() <= 1 {
            return tokens.len();
        }
        let mut state = 0;
        for (back, &token) in tokens.iter().rev().enumerate() {
            state = self.step(state, token as u32);
            let longest = self.states[state as usize].longest as usize;
            if longest > 0 {
                return back + 1 - longest;
            }
        }
        tokens.len()
    }

    /// Whether this single token is a breaker.
    pub(super) fn has(&self, token: u32) -> bool {
        self.single.contains(&token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    #[test]
    fn limit_equals_the_definition_on_random_sequences() {
        let mut random = Lcg::new(5);
        for round in 0..4000 {
            let tokens: Vec<i32> = (0..random.below(30)).map(|_| random.below(3) as i32).collect();
            let breakers: Vec<Vec<u32>> = (0..random.below(5))
                .map(|_| (0..1 + random.below(5)).map(|_| random.below(3) as u32).collect())
                .collect();
            let limit = (0..tokens.len()).rev().find_map(|start| {
                let rest: Vec<u32> = tokens[start..].iter().map(|&t| t as u32).collect();
                let longest = breakers.iter().filter(|b| rest.starts_with(b)).map(Vec::len).max()?;
                Some(rest.len() - longest)
            });
            let limit = limit.unwrap_or(tokens.len());
            assert_eq!(Breakers::new(&breakers).limit(&tokens), limit, "round {round}: {tokens:?}, {breakers:?}");
        }
    }
}
