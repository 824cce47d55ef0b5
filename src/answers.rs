//! More answers about a decoded row: its most likely tokens, the drawn token's rank, the kept tokens.

use crate::diagnostics;
use crate::distribution::{Distribution, Drawn};
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
    /// Whose log-probabilities `top_ids`, `top_logprobs` and [`TokenRank`] are.
    pub source: Source,
    /// The most likely tokens in descending order (ties: ascending id); -1 where there are no more.
    pub top_ids: &'a mut [i32],
    /// Their log-probabilities; -infinity where there are no more.
    pub top_logprobs: &'a mut [f32],
    /// The tokens with positive probability under the decoded distribution, most likely first; -1 where there are no
    /// more.
    pub kept_ids: &'a mut [i32],
    /// The same as a packed mask: token `t` is bit `t % 32` of word `t / 32`.
    pub kept_mask: &'a mut [u32],
}

/// Rank and log-probability of the drawn token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenRank {
    /// Its log-probability; NaN if the untouched logits have none (a NaN or an infinity under the mask).
    pub logprob: f64,
    /// How many tokens are at least as likely, itself among them: 1 for the most likely. 0 if `logprob` is NaN.
    pub rank: usize,
}

impl TokenRank {
    pub(crate) const NOTHING: Self = Self { logprob: f64::NAN, rank: 0 };
}

/// The `ids.len()` or `logprobs.len()` most likely tokens of a distribution, and how many of these there are.
pub(crate) fn top(dist: &mut Distribution<'_>, ids: &mut [i32], logprobs: &mut [f32]) -> usize {
    let n = ids.len().max(logprobs.len());
    let n = dist.deepen(n).min(n);
    let log_total = ln(dist.rough_total());
    write_ids(dist, ids);
    for (at, logprob) in logprobs.iter_mut().enumerate() {
        *logprob = if at < n { (dist.entries()[at].x - log_total) as f32 } else { f32::NEG_INFINITY };
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

/// The same of a model that has no distribution.
pub(crate) fn no_top(ids: &mut [i32], logprobs: &mut [f32]) {
    ids.fill(-1);
    logprobs.fill(f32::NAN);
}

/// Rank and log-probability of the token that was drawn from a distribution, under this distribution.
pub(crate) fn rank_in_distribution(dist: &mut Distribution<'_>, drawn: Drawn) -> TokenRank {
    let rank = if dist.is_truncated() {
        let x = dist.entries()[drawn.rank].x;
        dist.entries().partition_point(|e| e.x >= x)
    } else {
        let (vocab, _) = dist.vocabulary();
        let logit = vocab.row().logit(drawn.index);
        vocab.count(logit) as usize
    };
    TokenRank { logprob: ln(drawn.p), rank }
}

/// Rank and log-probability of a token under a model's distribution.
pub(crate) fn rank_in_model(model: &mut Distribution<'_>, token: u32) -> TokenRank {
    let (vocab, _) = model.vocabulary();
    let logit = vocab.row().logit(token);
    TokenRank { logprob: diagnostics::logprob(vocab, token), rank: vocab.count(logit) as usize }
}

/// Writes which tokens have positive probability.
pub(crate) fn kept(dist: &mut Distribution<'_>, ids: &mut [i32], mask: &mut [u32]) {
    if !ids.is_empty() {
        dist.deepen(ids.len());
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
    if dist.is_truncated() {
        dist.entries().iter().for_each(|e| set(e.index as usize));
        return;
    }
    let (lowest, row) = (dist.lowest(), dist.vocabulary().0.row());
    (0..row.vocab()).filter(|&i| row.logit(i as u32) >= lowest).for_each(set);
}
