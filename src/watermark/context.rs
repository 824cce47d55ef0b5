//! The tokens before a token, on which its mark depends, and whether they were there before.

use crate::error::Result;
use crate::memory::make_room;

/// What stands for the tokens before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// -1, which is no token: vLLM.
    None,
    /// Token 0: transformers.
    Zero,
}

/// The contexts of a text: the `width` tokens before each of its tokens, and before the one that comes next.
#[derive(Clone, Copy)]
pub(crate) struct Contexts<'a> {
    pub(crate) tokens: &'a [i32],
    pub(crate) width: usize,
    pub(crate) padding: Padding,
}

impl<'a> Contexts<'a> {
    fn token(self, at: usize, back: usize) -> i32 {
        match (at.checked_sub(back), self.padding) {
            (Some(at), _) => self.tokens[at],
            (None, Padding::None) => -1,
            (None, Padding::Zero) => 0,
        }
    }

    /// The context of the token at `at`, the oldest token first.
    pub(crate) fn of(self, at: usize) -> impl Iterator<Item = i32> + use<'a> {
        (1..=self.width).rev().map(move |back| self.token(at, back))
    }

    /// Whether the next token's context is that of one of the last `history` tokens as well.
    pub(crate) fn next_is_repeated(self, history: usize) -> bool {
        let next = self.tokens.len();
        let same = |at: usize| (1..=self.width).all(|back| self.token(at, back) == self.token(next, back));
        let start = next.saturating_sub(history);
        let Some(&last) = self.tokens.last().filter(|_| start < next) else { return false };
        // Most contexts end with another token. (The first token's has none.)
        let from = start.max(1);
        let ends = self.tokens[from - 1..next - 1].iter().zip(from..).filter(|(token, _)| **token == last);
        start == 0 && same(0) || ends.map(|(_, at)| at).any(same)
    }

    /// The places of the tokens whose context did not occur before in the text, in order.
    pub(crate) fn fresh(self) -> Result<Vec<usize>> {
        let mut places = Vec::new();
        make_room(&mut places, self.tokens.len())?;
        places.extend(0..self.tokens.len());
        // The first of each context.
        places.sort_unstable_by(|&a, &b| self.of(a).cmp(self.of(b)).then(a.cmp(&b)));
        places.dedup_by(|later, first| self.of(*later).eq(self.of(*first)));
        places.sort_unstable();
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    #[test]
    fn next_is_repeated_equals_a_search_among_all_earlier_contexts() {
        let mut random = Lcg::new(3);
        let mut repeated = 0;
        for round in 0..400 {
            let tokens: Vec<i32> = (0..random.below(40)).map(|_| random.below(3) as i32).collect();
            for padding in [Padding::None, Padding::Zero] {
                let contexts = Contexts { tokens: &tokens, width: 1 + round % 4, padding };
                let list = |at| contexts.of(at).collect::<Vec<_>>();
                for history in [0, 1, 7, 1000] {
                    let n = tokens.len();
                    let before = (0..n).filter(|at| at + history >= n).any(|at| list(at) == list(n));
                    assert_eq!(contexts.next_is_repeated(history), before);
                    repeated += usize::from(before);
                }
                let fresh: Vec<_> = (0..tokens.len()).filter(|&at| (0..at).all(|i| list(i) != list(at))).collect();
                assert_eq!(contexts.fresh(), Ok(fresh));
            }
        }
        assert!(repeated > 300, "{repeated}");
    }

    #[test]
    fn contexts_of_first_tokens_are_padded() {
        let contexts = |padding| Contexts { tokens: &[7, 0, 9], width: 2, padding };
        let all = |padding| (0..4).map(|at| contexts(padding).of(at).collect()).collect::<Vec<Vec<_>>>();
        assert_eq!(all(Padding::None), [[-1, -1], [-1, 7], [7, 0], [0, 9]]);
        assert_eq!(all(Padding::Zero), [[0, 0], [0, 7], [7, 0], [0, 9]]);
    }
}
