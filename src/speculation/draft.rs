//! What a draft model proposes.

use crate::error::{Error, Result};
use crate::memory;

/// The rule that says how many of a draft's tokens are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// The chain draws each token as it does without a draft, and a drafted token that differs ends the round: the text is
    /// that of decoding without a draft, token for token.
    #[default]
    Match,
    /// A token x is accepted with probability min(1, p(x) / q(x)), else replaced by one from max(p - q, 0): the text has the
    /// distribution of decoding without a draft (arXiv 2211.17192, 2302.01318).
    Token,
    /// The same for the draft as a whole, which accepts at least as many tokens on average (arXiv 2403.10444).
    Block,
}

/// The distributions that a draft's tokens were drawn from, one after the other: token i's has the entries `offsets[i]` to
/// `offsets[i + 1]` of `ids` and `probs`.
#[derive(Debug, Clone, Copy)]
pub struct DraftLaws<'a> {
    /// One more than there are tokens, from 0, not descending.
    pub offsets: &'a [usize],
    /// Tokens, in any order, none twice in a distribution.
    pub ids: &'a [i32],
    /// Their probabilities, which sum to 1 up to rounding.
    pub probs: &'a [f32],
}

/// Tokens that a draft model, or a table of n-grams, proposes to go on with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Draft<'a> {
    /// The rule to verify it by.
    pub rule: Rule,
    /// The tokens.
    pub tokens: &'a [i32],
    /// None for a line. For a tree (under [`Rule::Match`] only) the token that each token follows, -1 for the root, which
    /// is the accepted text; a token stands before those that follow it.
    pub parents: Option<&'a [i32]>,
    /// The distributions that the tokens were drawn from. None if they were not drawn: each then had probability 1. Not
    /// read under [`Rule::Match`].
    pub laws: Option<DraftLaws<'a>>,
}

/// No vocabulary has more tokens.
const MOST_TOKENS: i32 = 1 << 24;

/// Rounding may take a sum of f32 probabilities this far from 1.
const TOLERANCE: f64 = 1e-3;

impl<'a> Draft<'a> {
    /// Checks all of it, so that no fault is found by chance, when a token is refused. `seen` is memory for a bit for each
    /// token.
    pub(crate) fn check(&self, seen: &mut Vec<u64>) -> Result<()> {
        let n = self.tokens.len();
        if let Some((at, token)) = self.tokens.iter().enumerate().find(|&(_, &t)| t < 0) {
            return refuse(format!("draft tokens[{at}] is {token}: a token id is not negative"));
        }
        if let Some(parents) = self.parents {
            if self.rule != Rule::Match {
                return refuse("draft parents: only the match rule verifies a tree".into());
            }
            if parents.len() != n {
                return refuse(format!("draft parents has {} elements for {n} tokens", parents.len()));
            }
            if let Some((at, parent)) = (0i64..).zip(parents).find(|&(at, &p)| !(-1..at).contains(&i64::from(p))) {
                return refuse(format!("draft parents[{at}] is {parent}: -1, or a token before this one"));
            }
        }
        match self.laws {
            Some(laws) if self.rule != Rule::Match => laws.check(self.tokens, seen),
            _ => Ok(()),
        }
    }

    /// Whether a token is drafted to follow another (or the root, for none), and which one it is.
    pub(crate) fn child(&self, of: Option<usize>, token: i32) -> Option<usize> {
        match self.parents {
            None => {
                let next = of.map_or(0, |at| at + 1);
                self.tokens.get(next).filter(|&&drafted| drafted == token).map(|_| next)
            }
            Some(parents) => {
                let parent = of.map_or(-1, |at| at as i32);
                (0..parents.len()).find(|&at| parents[at] == parent && self.tokens[at] == token)
            }
        }
    }

    /// The probability of token `i` under the distribution that it was drawn from. The draft was checked.
    pub(crate) fn q(&self, i: usize) -> f64 {
        let Some(laws) = self.laws else { return 1.0 };
        let (ids, probs) = laws.of(i);
        ids.iter().position(|&id| id == self.tokens[i]).map_or(0.0, |at| f64::from(probs[at]) / total(probs))
    }

    /// Writes the distribution that token `i` was drawn from, in ascending order of token and with a sum of 1. The draft
    /// was checked.
    pub(crate) fn law(&self, i: usize, law: &mut Vec<(u32, f64)>) -> Result<()> {
        law.clear();
        let Some(laws) = self.laws else { return memory::push(law, (self.tokens[i] as u32, 1.0)) };
        let (ids, probs) = laws.of(i);
        let total = total(probs);
        memory::reserve(law, ids.len())?;
        law.extend(ids.iter().zip(probs).map(|(&id, &q)| (id as u32, f64::from(q) / total)));
        law.sort_unstable_by_key(|entry| entry.0);
        Ok(())
    }
}

impl<'a> DraftLaws<'a> {
    /// The entries of one distribution.
    fn of(&self, i: usize) -> (&'a [i32], &'a [f32]) {
        let entries = self.offsets[i]..self.offsets[i + 1];
        (&self.ids[entries.clone()], &self.probs[entries])
    }

    fn check(&self, tokens: &[i32], seen: &mut Vec<u64>) -> Result<()> {
        let (Self { offsets, ids, probs }, n) = (self, tokens.len());
        if offsets.len() != n + 1 {
            return refuse(format!("draft q_offsets has {} elements for {n} tokens, not {}", offsets.len(), n + 1));
        }
        if let Some(at) = offsets.windows(2).position(|w| w[0] > w[1]) {
            return refuse(format!("draft q_offsets[{}] is less than the one before it", at + 1));
        }
        let (end, length) = (offsets[n], ids.len().min(probs.len()));
        if end > length {
            return refuse(format!("draft q_offsets ends at {end}, but there are {length} entries"));
        }
        tokens.iter().enumerate().try_for_each(|(i, &token)| self.check_one(i, token, seen))
    }

    /// Checks the distribution of a token. `seen` is memory for a bit for each token.
    fn check_one(&self, i: usize, token: i32, seen: &mut Vec<u64>) -> Result<()> {
        let (first, (ids, probs)) = (self.offsets[i], self.of(i));
        seen.clear();
        let (mut total, mut own) = (0.0, 0.0);
        for (at, (&id, &q)) in (first..).zip(ids.iter().zip(probs)) {
            if !(0..MOST_TOKENS).contains(&id) {
                return refuse(format!("draft q_ids[{at}] is {id}: a token id is from 0 to {}", MOST_TOKENS - 1));
            }
            if !(0.0..=1.0 + TOLERANCE as f32).contains(&q) {
                return refuse(format!("draft q_probs[{at}] is {q}: a probability is between 0 and 1"));
            }
            let (word, bit) = (id as usize / 64, 1 << (id % 64));
            if seen.len() <= word {
                memory::resize(seen, word + 1, 0)?;
            }
            if seen[word] & bit != 0 {
                return refuse(format!(
                    "draft q_ids[{at}] is {id}, for the second time in the distribution of token {i}"
                ));
            }
            seen[word] |= bit;
            total += f64::from(q);
            if id == token {
                own = q;
            }
        }
        if (total - 1.0).abs() > TOLERANCE {
            return refuse(format!("draft q_probs of token {i} sum to {total}: a distribution sums to 1"));
        }
        if own == 0.0 {
            return refuse(format!(
                "draft q_probs gives token {i} ({token}) probability 0: it cannot have been drawn from that distribution"
            ));
        }
        Ok(())
    }
}

fn total(probs: &[f32]) -> f64 {
    probs.iter().map(|&q| f64::from(q)).sum()
}

fn refuse<T>(what: String) -> Result<T> {
    Err(Error::InvalidArgument(what))
}
