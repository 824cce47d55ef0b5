//! Earlier occurrences of the end of the history, and the tokens that followed them.

use std::collections::{HashMap, HashSet};

/// Calls `visit` with the token after each place, before the end, where the last `n` tokens stand: the tokens that
/// would complete an (n + 1)-gram which the history has already. `borders` is memory; time is linear.
pub(crate) fn continuations(tokens: &[i32], n: usize, borders: &mut Vec<u32>, mut visit: impl FnMut(u32)) {
    /// Up to this length comparing at every place is faster, whatever the tokens.
    const SHORT: usize = 16;
    let Some(start) = tokens.len().checked_sub(n) else { return };
    let suffix = &tokens[start..];
    let Some(&last) = suffix.last() else {
        tokens.iter().for_each(|&token| visit(token as u32));
        return;
    };
    if n <= SHORT {
        // Position `end` is the one after a place; the last token is compared first, and differs nearly always.
        for end in n..tokens.len() {
            if tokens[end - 1] == last && tokens[end - n..end] == *suffix {
                visit(tokens[end] as u32);
            }
        }
        return;
    }
    // Knuth, Morris and Pratt: borders[i] is the length of the longest proper prefix that ends suffix[..=i].
    borders.clear();
    borders.push(0);
    let step = |mut length: usize, token: i32, borders: &[u32]| {
        while length > 0 && (length == n || suffix[length] != token) {
            length = borders[length - 1] as usize;
        }
        length + usize::from(suffix[length] == token)
    };
    let mut length = 0;
    for &token in &suffix[1..] {
        length = step(length, token, borders);
        borders.push(length as u32);
    }
    length = 0;
    for pair in tokens.windows(2) {
        length = step(length, pair[0], borders);
        if length == n {
            visit(pair[1] as u32);
        }
    }
}

/// The sequences at which a repetition is broken off: an automaton that reads the history from its end (Aho and Corasick,
/// on the reversed sequences), so that any number of them costs one step a token.
#[derive(Default)]
pub(crate) struct Breakers {
    /// Where each state goes with a token.
    next: HashMap<(u32, u32), u32>,
    states: Vec<State>,
    /// Sequences of a single token.
    single: HashSet<u32>,
}

/// What was read ends with some beginning of a reversed sequence.
#[derive(Clone, Copy, Default)]
struct State {
    /// The state of the next shorter beginning.
    shorter: u32,
    /// The length of the longest sequence that ends here; 0 for none.
    longest: u32,
}

impl Breakers {
    pub(crate) fn new(sequences: &[Vec<u32>]) -> Self {
        let mut made = Self { states: vec![State::default()], ..Self::default() };
        for sequence in sequences {
            let mut state = 0;
            for &token in sequence.iter().rev() {
                let new = made.states.len() as u32;
                state = *made.next.entry((state, token)).or_insert(new);
                if state == new {
                    made.states.push(State::default());
                }
            }
            made.states[state as usize].longest = sequence.len() as u32;
            made.single.extend((sequence.len() == 1).then_some(sequence[0]));
        }
        made.link();
        made
    }

    /// Finds every state's shorter one, breadth first: a state comes after those that are nearer to the root.
    fn link(&mut self) {
        let mut edges: Vec<_> = self.next.iter().map(|(&(from, token), &to)| (from, token, to)).collect();
        let mut depth = vec![0u32; self.states.len()];
        edges.sort_unstable();
        // A state's number is larger than that of the one before it.
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

    /// Tokens at the end of the history that a repetition may have: those after the last breaker in it. Going back, the
    /// first token that begins breakers decides, and of its breakers the longest (llama.cpp's rule).
    fn limit(&self, tokens: &[i32]) -> usize {
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
    fn has(&self, token: u32) -> bool {
        self.single.contains(&token)
    }
}

/// Calls `visit(token, length)` for every token that would continue a repetition of at least `least` tokens of the
/// history's end, once for each such repetition.
///
/// `z` is scratch space. Linear time in the history's length: the Z-algorithm on the reversed history.
pub(crate) fn repetitions(
    tokens: &[i32],
    breakers: &Breakers,
    least: usize,
    z: &mut Vec<u32>,
    mut visit: impl FnMut(u32, usize),
) {
    let n = tokens.len();
    let limit = breakers.limit(tokens);
    if n <= least || limit < least {
        return;
    }
    // z[k]: how many tokens up to position n - 1 - k equal those at the end.
    z.clear();
    z.resize(n, 0);
    let back = |k: usize| tokens[n - 1 - k];
    let (mut left, mut right) = (0, 0);
    for k in 1..n {
        let mut length = if k < right { (right - k).min(z[k - left] as usize) } else { 0 };
        while k + length < n && back(length) == back(k + length) {
            length += 1;
        }
        if k + length > right {
            (left, right) = (k, k + length);
        }
        z[k] = length as u32;
        let (length, next) = (length.min(limit), back(k - 1) as u32);
        if length >= least && !breakers.has(next) {
            visit(next, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    #[test]
    fn continuations_are_the_tokens_after_earlier_occurrences() {
        let follows = |tokens: &[i32], n| {
            let mut all = vec![];
            continuations(tokens, n, &mut Vec::new(), |t| all.push(t));
            all
        };
        assert_eq!(follows(&[1, 2, 3, 1, 2, 4, 1, 2], 2), [3, 4]);
        assert_eq!(follows(&[1, 2, 3, 1, 2, 4, 1, 2], 1), [3, 4]);
        assert_eq!(follows(&[5, 5, 5], 1), [5, 5], "an occurrence may overlap the end");
        assert_eq!(follows(&[1, 2], 0), [1, 2]);
        assert_eq!(follows(&[1, 2], 3), [], "the history is too short");
        assert_eq!(follows(&[], 0), []);
    }

    #[test]
    fn continuations_of_long_suffixes_equal_the_definition() {
        let mut random = Lcg::new(3);
        for round in 0..3000 {
            let values = 1 + random.below(2);
            let tokens: Vec<i32> = (0..random.below(90)).map(|_| random.below(values) as i32).collect();
            let n = 15 + random.below(12);
            let mut found = vec![];
            continuations(&tokens, n, &mut Vec::new(), |t| found.push(t));
            let suffix = &tokens[tokens.len().saturating_sub(n)..];
            let ends = (n..tokens.len()).filter(|&end| tokens[end - n..end] == *suffix);
            assert_eq!(found, ends.map(|end| tokens[end] as u32).collect::<Vec<_>>(), "round {round}: {tokens:?}, {n}");
        }
    }

    /// llama.cpp's rule as it is defined: for every place from the end, every breaker.
    #[test]
    fn breakers_limit_as_the_definition_says() {
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

    /// The lengths by their definition, on random sequences over few tokens.
    #[test]
    fn repetitions_match_the_definition_on_random_sequences() {
        let mut random = Lcg::new(7);
        for round in 0..2000 {
            let tokens: Vec<i32> = (0..random.below(40)).map(|_| random.below(3) as i32).collect();
            let least = 1 + random.below(3);
            let (mut found, mut expected) = (vec![], vec![]);
            repetitions(&tokens, &Breakers::default(), least, &mut Vec::new(), |t, l| found.push((t, l)));
            for end in (1..tokens.len()).rev() {
                let length = (0..end).take_while(|&i| tokens[end - 1 - i] == tokens[tokens.len() - 1 - i]).count();
                if length >= least {
                    expected.push((tokens[end] as u32, length));
                }
            }
            assert_eq!(found, expected, "round {round}: {tokens:?}");
        }
    }

    #[test]
    fn repetitions_end_at_a_breaker() {
        let longest = |tokens: &[i32], breakers: &[Vec<u32>]| {
            let mut longest = None;
            repetitions(tokens, &Breakers::new(breakers), 1, &mut Vec::new(), |t, l| {
                longest = longest.max(Some((l, t)))
            });
            longest
        };
        let tokens = [1, 2, 9, 3, 4, 7, 1, 2, 9, 3, 4];
        assert_eq!(longest(&tokens, &[]), Some((5, 7)));
        assert_eq!(longest(&tokens, &[vec![9]]), Some((2, 7)));
        assert_eq!(longest(&tokens, &[vec![9, 3]]), Some((1, 7)));
        assert_eq!(longest(&tokens, &[vec![9, 3], vec![9, 3, 4]]), None, "the longest breaker counts");
        assert_eq!(longest(&tokens, &[vec![9, 5]]), Some((5, 7)));
        assert_eq!(longest(&tokens, &[vec![7]]), None, "a breaker itself is not penalised");
    }
}
