//! More answers about a row: its most likely tokens, the rank and log-probability of the drawn token and of tokens that
//! the caller names, the kept tokens.

use crate::diagnostics;
use crate::distribution::{Distribution, Drawn, LOWEST_LOG_WEIGHT};
use crate::error::{Error, Result};
use crate::logits::Row;
use crate::math::ln;

/// Whose log-probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The model's: the untouched logits (no mask, no bias, no stage), at temperature 1.
    #[default]
    Model,
    /// The decoded distribution's.
    Decoded,
}

/// Which answers to give besides the token, and where to write them; an empty slice gives none.
#[derive(Debug, Default)]
pub struct Answers<'a> {
    /// Whose log-probabilities and ranks these are, but for `other_logprob` and `other_top_logprobs`.
    pub source: Source,
    /// The most likely tokens in descending order (ties: ascending id); -1 where there are no more.
    pub top_ids: &'a mut [i32],
    /// Their log-probabilities; -infinity where there are no more.
    pub top_logprobs: &'a mut [f32],
    /// The log-probabilities of the same tokens under the other source: -infinity where it has none or there are no more.
    pub other_top_logprobs: &'a mut [f32],
    /// The log-probability of the drawn token under the other source; NaN if the untouched logits have none.
    pub other_logprob: Option<&'a mut f32>,
    /// Tokens whose log-probabilities are asked for; -1 for none. Any other token must be in the row.
    pub given_ids: &'a [i32],
    /// The log-probabilities of as many of `given_ids`: -infinity for a token without probability, NaN for -1.
    pub given_logprobs: &'a mut [f32],
    /// How many tokens are at least as likely as each of as many of `given_ids`, itself among them; 0 for a token without
    /// probability and for -1.
    pub given_ranks: &'a mut [u32],
    /// The tokens with positive probability under the decoded distribution, most likely first; -1 where there are no
    /// more.
    pub kept_ids: &'a mut [i32],
    /// The same as a packed mask: token `t` is bit `t % 32` of word `t / 32`.
    pub kept_mask: &'a mut [u32],
}

/// Rank and log-probability of a token.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TokenRank {
    /// Its log-probability; NaN if the untouched logits have none (a NaN or an infinity under the mask).
    pub logprob: f64,
    /// How many tokens are at least as likely, itself among them: 1 for the most likely. 0 if `logprob` is NaN.
    pub rank: usize,
}

impl TokenRank {
    pub(crate) const NOTHING: Self = Self { logprob: f64::NAN, rank: 0 };
}

impl Answers<'_> {
    /// An error if a given token cannot be in the row.
    pub(crate) fn check_given(&self, row: Row<'_>) -> Result<()> {
        // A sparse row does not say how many there are.
        let end = if row.ids().is_some() { usize::MAX } else { row.vocab() };
        let is_wrong = |&(_, &id): &(usize, &i32)| id != -1 && usize::try_from(id).map_or(true, |id| id >= end);
        match self.given_ids.iter().enumerate().find(is_wrong) {
            None => Ok(()),
            Some((at, id)) => Err(Error::InvalidArgument(format!(
                "given_ids[{at}] is {id}: must be -1 or a token of the row, which has {}",
                row.vocab()
            ))),
        }
    }

    /// Writes the most likely tokens of `law` and the answers about the given ones. What a sparse row does not tell is -1, 0
    /// and NaN.
    pub(crate) fn write(&mut self, law: &mut Distribution<'_>) {
        top(law, self.top_ids, self.top_logprobs);
        self.write_given(law);
    }

    fn write_given(&mut self, law: &mut Distribution<'_>) {
        if self.given_logprobs.is_empty() && self.given_ranks.is_empty() {
            return;
        }
        let (log_total, row) = (log_total(law), law.opened_with());
        for (at, &id) in self.given_ids.iter().enumerate() {
            let index = u32::try_from(id).ok().and_then(|token| row.position_of(token));
            let x = match index {
                Some(index) => log_weight(law, self.source, index),
                // No other token is left, or nothing is known of it.
                None if id >= 0 && law.has_no_others() => f64::NEG_INFINITY,
                None => f64::NAN,
            };
            if let Some(logprob) = self.given_logprobs.get_mut(at) {
                *logprob = (x - log_total) as f32;
            }
            if let Some(rank) = self.given_ranks.get_mut(at) {
                *rank = index.filter(|_| x > f64::NEG_INFINITY).map_or(0, |index| rank_of(law, index, x) as u32);
            }
        }
    }

    /// Writes the log-probabilities of the most likely tokens of `law` under another one.
    pub(crate) fn write_other(&mut self, law: &mut Distribution<'_>, other: &mut Distribution<'_>) {
        let n = self.other_top_logprobs.len();
        if n == 0 {
            return;
        }
        self.other_top_logprobs.fill(f32::NEG_INFINITY);
        law.deepen_if_listed(n);
        let log_total = log_total(other);
        let source = if self.source == Source::Model { Source::Decoded } else { Source::Model };
        for (logprob, e) in self.other_top_logprobs.iter_mut().zip(law.entries()) {
            *logprob = (log_weight(other, source, e.index) - log_total) as f32;
        }
    }

    /// The same for a model that has no distribution: nothing is known of it.
    pub(crate) fn write_none(&mut self) {
        self.top_ids.fill(-1);
        self.top_logprobs.fill(f32::NAN);
        self.given_logprobs.fill(f32::NAN);
        self.given_ranks.fill(0);
    }

    /// The same where the model is the other source.
    pub(crate) fn write_no_other(&mut self) {
        self.write_no_other_top();
        if let Some(logprob) = &mut self.other_logprob {
            **logprob = f32::NAN;
        }
    }

    /// The same for the most likely tokens of a model that has none.
    pub(crate) fn write_no_other_top(&mut self) {
        self.other_top_logprobs.fill(f32::NAN);
    }

    /// Whether anything is asked of the other source.
    pub(crate) fn asks_other(&self) -> bool {
        self.other_logprob.is_some() || !self.other_top_logprobs.is_empty()
    }
}

/// The log-weight of a token, relative to the most likely one's; -infinity if it has no probability.
fn log_weight(law: &mut Distribution<'_>, source: Source, index: u32) -> f64 {
    if law.is_truncated() {
        return law.entries().iter().find(|e| e.index == index).map_or(f64::NEG_INFINITY, |e| e.x);
    }
    let scale = law.scale();
    let (vocab, _) = law.vocabulary();
    match (f64::from(vocab.row().logit(index)) - f64::from(vocab.max())) * scale {
        x if x < LOWEST_LOG_WEIGHT && source == Source::Decoded => f64::NEG_INFINITY,
        x => x,
    }
}

/// How many tokens are at least as likely as one of log-weight `x`.
fn rank_of(law: &mut Distribution<'_>, index: u32, x: f64) -> usize {
    if law.is_truncated() {
        return law.entries().partition_point(|e| e.x >= x);
    }
    let (vocab, _) = law.vocabulary();
    let logit = vocab.row().logit(index);
    let rank = vocab.count(logit) as usize;
    if law.is_certain(logit) { rank } else { 0 }
}

/// ln of the total of the weights; NaN if a sparse row does not tell it.
fn log_total(law: &mut Distribution<'_>) -> f64 {
    let total = if law.is_truncated() { law.rough_total() } else { law.total_to_f32() };
    ln(total)
}

/// Rank and log-probability of the token that was drawn from a distribution, under this distribution.
pub(crate) fn rank_in_distribution(dist: &mut Distribution<'_>, drawn: Drawn) -> TokenRank {
    let x = if dist.is_truncated() { dist.entries()[drawn.rank].x } else { 0.0 };
    TokenRank { logprob: ln(drawn.p), rank: rank_of(dist, drawn.index, x) }
}

/// Rank and log-probability of a token under a model's distribution.
pub(crate) fn rank_in_model(model: &mut Distribution<'_>, token: u32) -> TokenRank {
    match diagnostics::logprob(model, token) {
        logprob if logprob.is_nan() => TokenRank::NOTHING,
        logprob => TokenRank { logprob, rank: rank_of(model, token, logprob) },
    }
}

/// The `ids.len()` or `logprobs.len()` most likely tokens of a distribution, and how many of these there are.
pub(crate) fn top(dist: &mut Distribution<'_>, ids: &mut [i32], logprobs: &mut [f32]) -> usize {
    let n = ids.len().max(logprobs.len());
    if n == 0 {
        return 0;
    }
    let n = dist.deepen(n).min(n);
    let log_total = log_total(dist);
    write_ids(dist, ids);
    for (at, logprob) in logprobs.iter_mut().enumerate() {
        *logprob = match at {
            at if at < n => (dist.entries()[at].x - log_total) as f32,
            _ if dist.has_no_others() => f32::NEG_INFINITY,
            _ => f32::NAN,
        };
    }
    n
}

/// Writes the ids of the entries, and -1 where there are no more.
fn write_ids(dist: &mut Distribution<'_>, ids: &mut [i32]) {
    let names = dist.ids();
    let known = dist.entries().iter().map(|e| names.map_or(e.index as i32, |names| names[e.index as usize]));
    let known = known.chain(std::iter::repeat(-1));
    ids.iter_mut().zip(known).for_each(|(id, known)| *id = known);
}

/// Writes which tokens have positive probability.
pub(crate) fn kept(dist: &mut Distribution<'_>, ids: &mut [i32], mask: &mut [u32]) {
    if !ids.is_empty() {
        dist.deepen_if_listed(ids.len());
        write_ids(dist, ids);
    }
    if mask.is_empty() {
        return;
    }
    mask.fill(0);
    let mut set = |token: usize| {
        if let Some(word) = mask.get_mut(token / 32) {
            *word |= 1 << (token % 32);
        }
    };
    let names = dist.ids();
    let id = |index: usize| names.map_or(index, |names| names[index] as usize);
    if dist.is_truncated() {
        dist.entries().iter().for_each(|e| set(id(e.index as usize)));
        return;
    }
    let (lowest, row) = (dist.lowest(), dist.vocabulary().0.row());
    (0..row.vocab()).filter(|&i| row.logit(i as u32) >= lowest).map(id).for_each(set);
}
