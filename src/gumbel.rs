//! Gumbel-max sampling: the token whose log-probability plus Gumbel noise is largest.
//!
//! It is a draw from the distribution; the n largest are n draws without replacement (Kool et al., arXiv 1903.06059).
//! The noise is a function of (seed, position, token id) alone, so that neither the order of the tokens nor the stages
//! that truncated the distribution change it, and it is not capped: any token can be drawn.
//!
//! Cost: one 32-bit word of noise for every token of the support (a quarter of a Philox block), and logarithms only for
//! tokens that can still win. Nothing of the vocabulary's size is stored. Over a whole vocabulary the words are made
//! and compared many at a time (`vocab/noise.rs`), against the sum of the weights of a lane.

use crate::distribution::{Distribution, Drawn, LOWEST_LOG_WEIGHT};
use crate::error::Result;
use crate::logits::Row;
use crate::math::{exp, ln};
use crate::memory;
use crate::random::{MAX_NOISE, Noise, Stream, TokenNoise};
use crate::vocab::{BLOCK, NoiseWords, Vocabulary};
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

/// A token with its noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ScoredToken {
    index: u32,
    id: u32,
    /// Position among the entries of a closed distribution.
    rank: usize,
    /// Log-weight.
    x: f64,
    /// Log-weight with noise.
    score: f64,
}

impl Eq for ScoredToken {}

/// The greatest of a heap is the one that is to leave first: the lowest score, of equal ones the higher id.
impl Ord for ScoredToken {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for ScoredToken {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The memory of several draws.
#[derive(Default)]
pub(crate) struct GumbelTop {
    heap: BinaryHeap<ScoredToken>,
    samples: Vec<Sample>,
}

impl GumbelTop {
    /// The tokens drawn, in order.
    pub(crate) fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// Draws one token.
pub(crate) fn draw(dist: &mut Distribution<'_>, noise: &impl TokenNoise) -> Option<Drawn> {
    let mut first: Option<ScoredToken> = None;
    search(dist, noise, |c| {
        if first.is_none_or(|best| c < best) {
            first = Some(c);
        }
        first.map_or(f64::NEG_INFINITY, |best| best.score)
    });
    first.map(|ScoredToken { index, rank, x, .. }| Drawn { index, rank, p: exp(x) / dist.rough_total() })
}

/// Draws `n` tokens without replacement, or all there are, in order of their scores.
pub(crate) fn draw_many(dist: &mut Distribution<'_>, noise: Noise, n: usize, gumbel_top: &mut GumbelTop) -> Result<()> {
    let GumbelTop { heap, samples } = gumbel_top;
    heap.clear();
    samples.clear();
    // For the largest support that the row can have, and the token that is dropped.
    let most = n.min(dist.vocabulary().0.row().vocab());
    memory::granted(heap.try_reserve(most + 1))?;
    memory::reserve(samples, most)?;
    search(dist, &noise, |c| {
        heap.push(c);
        if heap.len() > n {
            heap.pop();
        }
        if heap.len() < n { f64::NEG_INFINITY } else { heap.peek().map_or(f64::INFINITY, |last| last.score) }
    });
    let log_total = ln(dist.rough_total());
    let sample = |c: ScoredToken| Sample { token: c.id, logprob: c.x - log_total, score: c.score - log_total };
    samples.extend(heap.drain().map(sample));
    samples.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.token.cmp(&b.token)));
    Ok(())
}

/// Whether a token of weight `w` can pass the bound with noise that begins with this word: it must have
/// 1 - u < 1 - exp(-w / e^bound) <= w / e^bound. `limit` is 2^32 / e^bound with slack for the rounding of w.
fn can_pass(high: u32, w: f64, limit: f64) -> bool {
    f64::from(high) <= w * limit
}

fn limit(bound: f64) -> f64 {
    exp(-bound) * (4_294_967_296.0 * 1.001)
}

/// Calls `visit` with every token that can pass the bound; `visit` returns the new bound.
fn search(dist: &mut Distribution<'_>, noise: &impl TokenNoise, mut visit: impl FnMut(ScoredToken) -> f64) {
    if !dist.is_truncated() {
        return search_vocabulary(dist, noise, visit);
    }
    let (ids, mut bound) = (dist.ids(), f64::NEG_INFINITY);
    for (rank, e) in dist.entries().iter().enumerate() {
        if e.x + MAX_NOISE < bound {
            break;
        }
        let id = ids.map_or(e.index, |ids| ids[e.index as usize] as u32);
        let high = noise.high(id);
        if can_pass(high, exp(e.x - bound), limit(0.0)) {
            bound = visit(ScoredToken { index: e.index, id, rank, x: e.x, score: e.x + noise.gumbel(id, high) });
        }
    }
}

/// A weight that vanishes in f32 is that of a token 160 below the first: with noise it stays below this.
const VANISHED: f64 = -41.0;

/// The search over the whole vocabulary. The block with the largest logit comes first, so that the bound is high at
/// once and most other blocks are skipped after one comparison.
fn search_vocabulary<N: TokenNoise>(dist: &mut Distribution<'_>, noise: &N, visit: impl FnMut(ScoredToken) -> f64) {
    let (ids, scale, stream) = (dist.ids(), dist.scale(), noise.words());
    let (vocab, _) = dist.vocabulary();
    let (row, max) = (vocab.row(), f64::from(vocab.max()));
    let mut search = Search { noise, row, max, scale, visit, bound: f64::NEG_INFINITY, limit_at_bound: f64::INFINITY };
    let first = vocab.block_of_max();
    for blocks in [first..first + 1, 0..first, first + 1..row.blocks()] {
        let mut block = blocks.start;
        while block < blocks.end {
            if N::IS_WORD && search.bound > VANISHED && ids.is_none() {
                let limit_at_bound = search.limit_at_bound;
                block = vocab.search_noise(block..blocks.end, &stream, scale, limit_at_bound, |index, high| {
                    search.visit_token(index, index, high, None);
                });
            } else {
                search.visit_block(vocab, block, &stream, ids);
                block += 1;
            }
        }
    }
}

/// The search of a whole vocabulary, as it stands.
struct Search<'r, N, E> {
    noise: &'r N,
    row: Row<'r>,
    max: f64,
    scale: f64,
    visit: E,
    bound: f64,
    /// [`limit`] of the bound.
    limit_at_bound: f64,
}

impl<N: TokenNoise, E: FnMut(ScoredToken) -> f64> Search<'_, N, E> {
    /// Every token of a block.
    fn visit_block(&mut self, vocab: &mut Vocabulary<'_>, block: usize, stream: &Stream, ids: Option<&[i32]>) {
        let mut words = NoiseWords::default();
        if ids.is_none() {
            vocab.noise_words(block, stream, &mut words);
        }
        let (weights, unit) = vocab.block_weights(block, self.scale);
        for ((index, &weight), &word) in ((block * BLOCK) as u32..).zip(weights).zip(words.as_flattened()) {
            if weight == 0.0 && self.bound > VANISHED {
                continue;
            }
            let (id, high) = match ids {
                None => (index, self.noise.high_of(word)),
                Some(ids) => (ids[index as usize] as u32, self.noise.high(ids[index as usize] as u32)),
            };
            self.visit_token(index, id, high, (weight > 0.0).then(|| f64::from(weight) * unit));
        }
    }

    /// A token, with its weight if that is known.
    fn visit_token(&mut self, index: u32, id: u32, high: u32, weight: Option<f64>) {
        if weight.is_some_and(|w| !can_pass(high, w, self.limit_at_bound)) {
            return;
        }
        let x = (f64::from(self.row.logit(index)) - self.max) * self.scale;
        if x < LOWEST_LOG_WEIGHT || weight.is_none() && !can_pass(high, exp(x), self.limit_at_bound) {
            return;
        }
        self.bound = (self.visit)(ScoredToken { index, id, rank: 0, x, score: x + self.noise.gumbel(id, high) });
        self.limit_at_bound = limit(self.bound);
    }
}
