//! The race of all tokens: each token's log-probability with Gumbel noise of its own, and who comes in first.
//!
//! The first is a draw from the law (Gumbel-max); the first n are n draws without replacement (Kool et al., arXiv
//! 1903.06059). The noise is a function of (seed, position, token id) and nothing else, so that neither the order of
//! the tokens nor the stages that truncated the law move it, and it is never capped: any token can win.
//!
//! Cost: a word of noise for every token of the law (a quarter of a block of Philox), logarithms only for those that can
//! still win. Nothing of the vocabulary's size is stored.

use crate::head::LOWEST_LOG_WEIGHT;
use crate::law::{Drawn, Law};
use crate::logits::BLOCK;
use crate::math::{exp, ln};
use crate::random::{MOST_NOISE, Noise};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A token drawn without replacement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The token's id.
    pub token: u32,
    /// ln p of the token under the decoded distribution.
    pub logprob: f64,
    /// `logprob` with the token's Gumbel noise added: what the draw ordered the tokens by.
    pub score: f64,
}

/// A token in the race.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contender {
    index: u32,
    id: u32,
    /// Position among the entries of a closed law.
    rank: usize,
    /// Log-weight.
    x: f64,
    /// Log-weight with noise.
    score: f64,
}

impl Eq for Contender {}

/// The greatest of a heap is the one that is to leave first: the lowest score, of equal ones the higher id.
impl Ord for Contender {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Contender {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The memory of a race with several winners.
#[derive(Default)]
pub(crate) struct Podium {
    heap: BinaryHeap<Contender>,
    samples: Vec<Sample>,
}

impl Podium {
    /// Who came in, in that order.
    pub(crate) fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// Draws one token.
pub(crate) fn draw(law: &mut Law<'_>, noise: Noise) {
    let mut first: Option<Contender> = None;
    race(law, noise, |c| {
        if first.is_none_or(|best| c < best) {
            first = Some(c);
        }
        first.map_or(f64::NEG_INFINITY, |best| best.score)
    });
    if let Some(Contender { index, rank, x, .. }) = first {
        let p = exp(x) / law.rough_total();
        law.take(Drawn { index, rank, p });
    }
}

/// Draws `n` tokens without replacement, or all there are; in the order in which they came in.
pub(crate) fn draw_many(law: &mut Law<'_>, noise: Noise, n: usize, podium: &mut Podium) {
    let Podium { heap, samples } = podium;
    heap.clear();
    race(law, noise, |c| {
        heap.push(c);
        if heap.len() > n {
            heap.pop();
        }
        if heap.len() < n { f64::NEG_INFINITY } else { heap.peek().map_or(f64::INFINITY, |last| last.score) }
    });
    let log_total = ln(law.rough_total());
    let sample = |c: Contender| Sample { token: c.id, logprob: c.x - log_total, score: c.score - log_total };
    samples.clear();
    samples.extend(heap.drain().map(sample));
    samples.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.token.cmp(&b.token)));
}

/// Whether a token of weight `w` can reach the bar with noise that begins with this word: it must have
/// 1 - u < 1 - exp(-w / e^bar) <= w / e^bar. `limit` is 2^32 / e^bar with slack for the rounding of w.
fn can_pass(high: u32, w: f64, limit: f64) -> bool {
    f64::from(high) <= w * limit
}

fn limit(bar: f64) -> f64 {
    exp(-bar) * (4_294_967_296.0 * 1.001)
}

/// Calls `enter` with every token that can reach the bar; `enter` says where the bar is from then on.
fn race(law: &mut Law<'_>, noise: Noise, mut enter: impl FnMut(Contender) -> f64) {
    if !law.is_closed() {
        return race_open(law, noise, enter);
    }
    let mut bar = f64::NEG_INFINITY;
    for (rank, e) in law.entries().iter().enumerate() {
        if e.x + MOST_NOISE < bar {
            break;
        }
        let id = law.id(e.index) as u32;
        let high = noise.high(id);
        if can_pass(high, exp(e.x - bar), limit(0.0)) {
            bar = enter(Contender { index: e.index, id, rank, x: e.x, score: e.x + noise.gumbel(id, high) });
        }
    }
}

fn race_open(law: &mut Law<'_>, noise: Noise, mut enter: impl FnMut(Contender) -> f64) {
    let (ids, scale) = (law.ids(), law.scale());
    let (vocab, _) = law.vocabulary();
    let (row, max) = (vocab.row(), f64::from(vocab.max()));
    let (mut words, mut bar, mut most) = ([0u32; BLOCK], f64::NEG_INFINITY, f64::INFINITY);
    vocab.for_each_weighed_block(scale, |block, weights, unit| {
        let first = (block * BLOCK) as u32;
        if ids.is_none() {
            noise.high_words(first, &mut words);
        }
        for ((index, &w), word) in (first..).zip(weights).zip(words) {
            // A weight that vanishes in f32 is that of a token 160 below the first: with noise it stays below -41.
            if w == 0.0 && bar > -41.0 {
                continue;
            }
            let (id, high) = match ids {
                None => (index, word),
                Some(ids) => (ids[index as usize] as u32, noise.high(ids[index as usize] as u32)),
            };
            if w == 0.0 || can_pass(high, f64::from(w) * unit, most) {
                let x = (f64::from(row.logit(index)) - max) * scale;
                if x >= LOWEST_LOG_WEIGHT {
                    bar = enter(Contender { index, id, rank: 0, x, score: x + noise.gumbel(id, high) });
                    most = limit(bar);
                }
            }
        }
    });
}
