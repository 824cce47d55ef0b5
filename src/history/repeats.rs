//! Earlier occurrences of the end of the history, and the tokens that followed them.

use super::suffixes::SuffixAutomaton;
use super::{Scope, count_read};
use crate::error::Result;
use crate::memory;

/// The earlier occurrences of a scope's end. Short histories are read whole for every row; of a long one that is only
/// appended to, an automaton is built, a part of it at each row.
pub(super) struct Repeats {
    scope: Scope,
    /// Where in the history the tokens of the automaton begin.
    start: usize,
    automaton: Option<Box<SuffixAutomaton>>,
    /// Rows since tokens were last taken back, or the start moved.
    rows: u32,
}

/// Up to so many tokens are read for every row: about the time of a usual decode.
const SHORT: usize = 4096;

/// An automaton is begun after so many rows, in which nothing was taken back (as speculative decoding does all the time).
const PATIENCE: u32 = 16;

/// The share of the tokens that a row adds to the automaton: about the time in which the row reads all of them.
const SHARE: usize = 32;

impl Repeats {
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope, start: 0, automaton: None, rows: 0 }
    }

    /// A copy without the automaton, which is larger than the history; it builds its own if it lives long.
    pub(super) fn without_automaton(&self) -> Self {
        Self { start: self.start, ..Self::new(self.scope) }
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.scope);
    }

    /// Tokens of the history were taken back: `n` are left.
    pub(super) fn truncate(&mut self, n: usize) {
        self.rows = 0;
        if self.automaton.as_ref().is_some_and(|automaton| self.start + automaton.len() > n) {
            self.automaton = None;
        }
    }

    /// Goes on with the automaton of these tokens, which are the scope's and begin at `start` of the history.
    pub(super) fn settle(&mut self, tokens: &[i32], start: usize) {
        if start != self.start {
            self.clear();
            self.start = start;
        }
        self.rows = self.rows.saturating_add(1);
        // A window that is full moves with every token.
        let moves = self.scope.most <= tokens.len();
        if moves || tokens.len() <= SHORT || self.rows < PATIENCE {
            return;
        }
        let automaton = self.automaton.get_or_insert_with(|| Box::new(SuffixAutomaton::new()));
        let known = automaton.len();
        let some = (tokens.len() / SHARE).max(64).min(tokens.len() - known);
        if automaton.extend(&tokens[known..known + some]).is_err() {
            // Without memory for it, the tokens are read as before.
            self.clear();
            self.start = start;
        }
    }

    /// The automaton, if it has all of these tokens.
    fn automaton(&self, tokens: &[i32]) -> Option<&SuffixAutomaton> {
        self.automaton.as_deref().filter(|automaton| automaton.len() == tokens.len())
    }

    /// Calls `visit` with tokens that followed an earlier occurrence of the last `n` of `tokens`: those that would
    /// complete an (n + 1)-gram that is there already. `borders` is scratch space.
    pub(super) fn continuations(
        &self,
        tokens: &[i32],
        n: usize,
        borders: &mut Vec<u32>,
        visit: impl FnMut(u32),
    ) -> Result<()> {
        match self.automaton(tokens) {
            Some(automaton) => automaton.continuations(n, visit),
            None => continuations(tokens, n, borders, visit)?,
        }
        Ok(())
    }

    /// Calls `visit(token, length)` for the tokens that would continue a repetition of at least `least` tokens of the
    /// end, some more than once: the longest repetition of each token is among them. `z` is scratch space.
    pub(super) fn repetitions(
        &self,
        tokens: &[i32],
        least: usize,
        z: &mut Vec<u32>,
        mut visit: impl FnMut(u32, usize),
    ) -> Result<()> {
        match self.automaton(tokens) {
            Some(automaton) if automaton.repetitions(least, &mut visit) => Ok(()),
            _ => repetitions(tokens, least, z, visit),
        }
    }
}

/// The same for each occurrence, by reading all tokens.
fn continuations(tokens: &[i32], n: usize, borders: &mut Vec<u32>, mut visit: impl FnMut(u32)) -> Result<()> {
    /// Up to this length comparing at every position is faster for any tokens.
    const FEW: usize = 16;
    let Some(start) = tokens.len().checked_sub(n) else { return Ok(()) };
    count_read(tokens.len());
    let suffix = &tokens[start..];
    let Some(&last) = suffix.last() else {
        tokens.iter().for_each(|&token| visit(token as u32));
        return Ok(());
    };
    if n <= FEW {
        // `end` is the position after an occurrence. The last token is compared first: it nearly always differs.
        for end in n..tokens.len() {
            if tokens[end - 1] == last && tokens[end - n..end] == *suffix {
                visit(tokens[end] as u32);
            }
        }
        return Ok(());
    }
    // Knuth, Morris and Pratt: borders[i] is the length of the longest proper prefix that ends suffix[..=i].
    borders.clear();
    memory::reserve(borders, n)?;
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
    Ok(())
}

/// The same for each earlier occurrence, by reading all tokens: the Z-algorithm from the end.
fn repetitions(tokens: &[i32], least: usize, z: &mut Vec<u32>, mut visit: impl FnMut(u32, usize)) -> Result<()> {
    let n = tokens.len();
    if n <= least {
        return Ok(());
    }
    count_read(n);
    // z[k]: how many tokens up to position n - 1 - k equal those at the end.
    z.clear();
    memory::resize(z, n, 0)?;
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
        if length >= least {
            visit(back(k - 1) as u32, length);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;
    use std::collections::BTreeMap;

    #[test]
    fn continuations_are_the_tokens_after_earlier_occurrences() {
        let follows = |tokens: &[i32], n| {
            let mut all = vec![];
            continuations(tokens, n, &mut Vec::new(), |t| all.push(t)).unwrap();
            all
        };
        assert_eq!(follows(&[1, 2, 3, 1, 2, 4, 1, 2], 2), [3, 4]);
        assert_eq!(follows(&[1, 2, 3, 1, 2, 4, 1, 2], 1), [3, 4]);
        assert_eq!(follows(&[5, 5, 5], 1), [5, 5], "an occurrence may overlap the end");
        assert_eq!(follows(&[1, 2], 0), [1, 2]);
        assert_eq!(follows(&[1, 2], 3), [], "the history is too short");
        assert_eq!(follows(&[], 0), []);
    }

    /// The tokens after earlier occurrences of the last `n`, by comparing at every position.
    fn following(tokens: &[i32], n: usize) -> Vec<u32> {
        let Some(start) = tokens.len().checked_sub(n) else { return vec![] };
        let ends = (n..tokens.len()).filter(|&end| tokens[end - n..end] == tokens[start..]);
        ends.map(|end| tokens[end] as u32).collect()
    }

    #[test]
    fn continuations_of_long_suffixes_equal_the_definition() {
        let mut random = Lcg::new(3);
        for round in 0..3000 {
            let values = 1 + random.below(2);
            let tokens: Vec<i32> = (0..random.below(90)).map(|_| random.below(values) as i32).collect();
            let n = 15 + random.below(12);
            let mut found = vec![];
            continuations(&tokens, n, &mut Vec::new(), |t| found.push(t)).unwrap();
            assert_eq!(found, following(&tokens, n), "round {round}: {tokens:?}, {n}");
        }
    }

    /// (token, length of the repetition that it continues) for each earlier position, the last first.
    fn repeated(tokens: &[i32], least: usize) -> Vec<(u32, usize)> {
        let length = |end: usize| (0..end).take_while(|i| tokens[end - 1 - i] == tokens[tokens.len() - 1 - i]).count();
        let all = (1..tokens.len()).rev().map(|end| (tokens[end] as u32, length(end)));
        all.filter(|(_, length)| *length >= least).collect()
    }

    #[test]
    fn repetitions_match_the_definition_on_random_sequences() {
        let mut random = Lcg::new(7);
        for round in 0..2000 {
            let tokens: Vec<i32> = (0..random.below(40)).map(|_| random.below(3) as i32).collect();
            let (least, mut found) = (random.below(4), vec![]);
            repetitions(&tokens, least, &mut Vec::new(), |t, l| found.push((t, l))).unwrap();
            assert_eq!(found, repeated(&tokens, least), "round {round}: {tokens:?}");
        }
    }

    /// A history of one of the shapes that make repetitions long or many.
    fn shape(random: &mut Lcg, n: usize) -> Vec<i32> {
        let (values, period) = (1 + random.below(4), 1 + random.below(7));
        let mut tokens: Vec<i32> = (0..n).map(|_| random.below(values) as i32).collect();
        for at in period..n {
            // Mostly periodic: the period is broken in one place of 16.
            if random.below(16) > 0 {
                tokens[at] = tokens[at - period];
            }
        }
        tokens
    }

    #[test]
    fn automaton_equals_the_definition_as_tokens_come() {
        let mut random = Lcg::new(11);
        let mut searched = 0;
        for round in 0..400 {
            let n = 1 + random.below(160);
            let tokens = shape(&mut random, n);
            let mut automaton = SuffixAutomaton::new();
            for end in 1..=n {
                automaton.extend(&tokens[end - 1..end]).unwrap();
                let tokens = &tokens[..end];
                let n = random.below(12);
                let (mut found, mut expected) = (vec![], following(tokens, n));
                automaton.continuations(n, |token| found.push(token));
                found.sort_unstable();
                expected.sort_unstable();
                expected.dedup();
                assert_eq!(found, expected, "round {round}: {tokens:?}, {n}");

                let least = random.below(4);
                let (mut found, mut longest) = (BTreeMap::<u32, usize>::new(), BTreeMap::<u32, usize>::new());
                let note = |map: &mut BTreeMap<u32, usize>, (token, length): (u32, usize)| {
                    let known = map.entry(token).or_default();
                    *known = length.max(*known);
                };
                if automaton.repetitions(least, |token, length| note(&mut found, (token, length))) {
                    repeated(tokens, least).into_iter().for_each(|each| note(&mut longest, each));
                    assert_eq!(found, longest, "round {round}: {tokens:?}, {least}");
                    searched += 1;
                }
            }
        }
        assert!(searched > 10_000, "{searched}");
    }

    #[test]
    fn settling_and_taking_back_change_no_answer() {
        let mut random = Lcg::new(13);
        for scope in [Scope::ALL, Scope::OUTPUT, Scope::ALL.last(6000), Scope::OUTPUT.last(6000)] {
            let mut repeats = Repeats::new(scope);
            let (mut tokens, mut start) = (shape(&mut random, SHORT + 200), 0);
            let mut with_automaton = 0;
            for row in 0..400 {
                match random.below(60) {
                    0 => {
                        let n = tokens.len() - random.below(30);
                        tokens.truncate(n);
                        repeats.truncate(n);
                    }
                    1 if scope.is_output => start = random.below(40),
                    2 => {
                        let n = random.below(300);
                        tokens.extend(shape(&mut random, n));
                    }
                    _ => tokens.push(random.below(3) as i32),
                }
                let start = scope.start(tokens.len(), start);
                let tokens = &tokens[start..];
                repeats.settle(tokens, start);
                with_automaton += usize::from(repeats.automaton(tokens).is_some());
                let mut answers = [vec![], vec![]];
                for (plain, answers) in [Repeats::new(scope), repeats.without_automaton()].iter().zip(&mut answers) {
                    assert!(plain.automaton.is_none());
                    plain.repetitions(tokens, 2, &mut Vec::new(), |t, l| answers.push((t, l))).unwrap();
                }
                assert_eq!(answers[0], answers[1], "row {row}");
                let longest = |mut all: Vec<(u32, usize)>| {
                    all.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
                    all.dedup_by_key(|each| each.0);
                    all
                };
                let mut found = vec![];
                repeats.repetitions(tokens, 2, &mut Vec::new(), |t, l| found.push((t, l))).unwrap();
                assert_eq!(longest(found), longest(std::mem::take(&mut answers[0])), "row {row}, {scope:?}");
            }
            assert!(with_automaton > 20, "{scope:?}: {with_automaton}");
        }
    }
}
