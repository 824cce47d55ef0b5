//! A target distribution p beside a draft's distribution q: p of single tokens, and draws from max(s p - q, 0).

use crate::distribution::{Distribution, LOWEST_LOG_WEIGHT};
use crate::error::Result;
use crate::math::exp;
use crate::memory;

/// Memory for the verification of drafts, kept from call to call.
#[derive(Default)]
pub(crate) struct SpeculationScratch {
    /// The draft's distribution, in ascending order of token.
    pub(crate) law: Vec<(u32, f64)>,
    /// The target's, if it is truncated, in the same order.
    support: Vec<(u32, f64)>,
    /// A bit for each token of a draft's distribution.
    pub(crate) seen: Vec<u64>,
}

/// How often a token outside the draft's support is drawn by rejection before all are listed.
const ATTEMPTS: u32 = 16;

/// How a distribution that is not changed any more knows its probabilities.
enum Support<'t> {
    /// The tokens with their probabilities, in ascending order of token.
    List(&'t [(u32, f64)]),
    /// The whole vocabulary: the sum of its weights, the largest being 1.
    Whole { total: f64 },
}

/// A target's distribution beside a draft's.
pub(crate) struct Target<'t, 'r> {
    dist: &'t mut Distribution<'r>,
    support: Support<'t>,
    law: &'t [(u32, f64)],
}

impl<'t, 'r> Target<'t, 'r> {
    /// The target's distribution beside the draft's, which is `scratch.law`.
    pub(crate) fn new(dist: &'t mut Distribution<'r>, scratch: &'t mut SpeculationScratch) -> Result<Self> {
        let SpeculationScratch { law, support, .. } = scratch;
        if !dist.is_truncated() {
            let total = dist.total();
            return Ok(Self { dist, support: Support::Whole { total }, law });
        }
        support.clear();
        let (entries, weights) = dist.weighted();
        let total: f64 = weights.iter().sum();
        memory::reserve(support, entries.len())?;
        support.extend(entries.iter().zip(weights).map(|(e, weight)| (e.index, weight / total)));
        support.sort_unstable_by_key(|entry| entry.0);
        Ok(Self { dist, support: Support::List(support), law })
    }

    /// The probability of a token, which may be beyond the vocabulary.
    pub(crate) fn p(&mut self, token: u32) -> f64 {
        match self.support {
            Support::List(support) => p_in(support, token),
            Support::Whole { total } => weight(self.dist, token) / total,
        }
    }

    /// Σ max(s p(x) - q(x), 0).
    pub(crate) fn excess(&mut self, s: f64) -> f64 {
        match self.support {
            Support::List(support) => excesses(support, self.law, s).map(|e| e.1).sum(),
            Support::Whole { .. } => {
                let (inside, outside) = self.parts(s);
                inside + outside
            }
        }
    }

    /// Draws from max(s p - q, 0), in ascending order of token; from p itself if that is 0 everywhere. `uniform` gives
    /// independent numbers.
    pub(crate) fn draw_excess(&mut self, s: f64, uniform: impl Fn(u32) -> f64) -> (u32, f64) {
        let token = match self.support {
            Support::List(support) => {
                let total: f64 = excesses(support, self.law, s).map(|e| e.1).sum();
                if total > 0.0 {
                    pick(excesses(support, self.law, s), uniform(0) * total)
                } else {
                    pick(support.iter().copied(), uniform(0))
                }
            }
            Support::Whole { .. } => self.draw_excess_of_vocabulary(s, uniform),
        };
        (token, self.p(token))
    }

    fn draw_excess_of_vocabulary(&mut self, s: f64, uniform: impl Fn(u32) -> f64) -> u32 {
        let (inside, outside) = self.parts(s);
        if inside + outside <= 0.0 {
            return self.dist.draw(uniform(0)).index;
        }
        let target = uniform(0) * (inside + outside);
        if target >= inside
            && let Some(token) = self.draw_outside(uniform)
        {
            return token;
        }
        let law = self.law;
        pick(law.iter().map(|&(token, q)| (token, (s * self.p(token) - q).max(0.0))), target)
    }

    /// Draws from p a token that the draft's distribution does not list; none if those have no weight.
    fn draw_outside(&mut self, uniform: impl Fn(u32) -> f64) -> Option<u32> {
        let is_listed = |token: u32| self.law.binary_search_by_key(&token, |entry| entry.0).is_ok();
        for attempt in 1..=ATTEMPTS {
            let drawn = self.dist.draw(uniform(attempt)).index;
            if !is_listed(drawn) {
                return Some(drawn);
            }
        }
        let vocab = self.dist.vocabulary().0.row().vocab() as u32;
        let mut rest = |token| if is_listed(token) { 0.0 } else { weight(self.dist, token) };
        let total: f64 = (0..vocab).map(&mut rest).sum();
        (total > 0.0).then(|| pick((0..vocab).map(|token| (token, rest(token))), uniform(ATTEMPTS + 1) * total))
    }

    /// Σ max(s p(x) - q(x), 0) over the tokens that the draft's distribution lists, and over the others.
    fn parts(&mut self, s: f64) -> (f64, f64) {
        let (law, mut inside, mut mass) = (self.law, 0.0, 0.0);
        for &(token, q) in law {
            let p = self.p(token);
            inside += (s * p - q).max(0.0);
            mass += p;
        }
        (inside, s * (1.0 - mass).max(0.0))
    }

    /// What [`Target::draw_excess`] draws from: max(s p - q, 0) of each token, or p.
    #[cfg(test)]
    pub(crate) fn excess_of_each(&mut self, s: f64, vocab: u32) -> Vec<f64> {
        let q = |law: &[(u32, f64)], token| p_in(law, token);
        let each: Vec<f64> = (0..vocab).map(|token| (s * self.p(token) - q(self.law, token)).max(0.0)).collect();
        if each.iter().sum::<f64>() > 0.0 { each } else { (0..vocab).map(|token| self.p(token)).collect() }
    }
}

fn p_in(support: &[(u32, f64)], token: u32) -> f64 {
    support.binary_search_by_key(&token, |entry| entry.0).map_or(0.0, |at| support[at].1)
}

/// The weight of a token where the support is the whole vocabulary; the largest is 1.
fn weight(dist: &mut Distribution<'_>, token: u32) -> f64 {
    let scale = dist.scale();
    let (vocab, _) = dist.vocabulary();
    if token as usize >= vocab.row().vocab() {
        return 0.0;
    }
    let x = (f64::from(vocab.row().logit(token)) - f64::from(vocab.max())) * scale;
    if x < LOWEST_LOG_WEIGHT { 0.0 } else { exp(x) }
}

/// max(s p - q, 0) of every token of the support, both lists in ascending order.
fn excesses<'l>(support: &'l [(u32, f64)], law: &'l [(u32, f64)], s: f64) -> impl Iterator<Item = (u32, f64)> + 'l {
    let mut rest = law;
    support.iter().map(move |&(token, p)| {
        let before = rest.partition_point(|entry| entry.0 < token);
        rest = &rest[before..];
        let q = rest.first().filter(|entry| entry.0 == token).map_or(0.0, |entry| entry.1);
        (token, (s * p - q).max(0.0))
    })
}

/// The token at which the sum of the weights passes `target`; the last one with a weight if rounding keeps it below.
fn pick(weights: impl Iterator<Item = (u32, f64)>, target: f64) -> u32 {
    let (mut sum, mut picked) = (0.0, 0);
    for (token, weight) in weights.filter(|entry| entry.1 > 0.0) {
        picked = token;
        sum += weight;
        if sum > target {
            break;
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pick_follows_the_cumulative_sum() {
        let weights = [(3, 0.25), (5, 0.0), (8, 0.5), (9, 0.25), (11, 0.0)];
        let at = |target| pick(weights.into_iter(), target);
        assert_eq!([0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999, 1.0, 2.0].map(at), [3, 3, 8, 8, 9, 9, 9, 9]);
    }

    #[test]
    fn excesses_join_both_lists() {
        let support = [(1, 0.5), (4, 0.25), (9, 0.25)];
        let law = [(0, 0.125), (4, 0.125), (5, 0.25), (9, 0.5)];
        let all: Vec<_> = excesses(&support, &law, 0.75).collect();
        assert_eq!(all, [(1, 0.375), (4, 0.0625), (9, 0.0)]);
    }
}
