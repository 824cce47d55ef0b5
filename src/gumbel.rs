//! The race of all tokens: each token's log-probability with Gumbel noise of its own, and who comes in first.
//!
//! The first is a draw from the distribution (Gumbel-max); the first n are n draws without replacement (Kool et al.,
//! arXiv 1903.06059). The noise is a function of (seed, position, token id) and nothing else, so that neither the order
//! of the tokens nor the stages that truncated the distribution move it, and it is never capped: any token can win.
//!
//! Cost: a word of noise for every token of the distribution (a quarter of a block of Philox), logarithms only for
//! those that can still win. Nothing of the vocabulary's size is stored. Of a whole vocabulary the words are made and
//! compared many at a time (`vocab/noise.rs`), and no weight is asked for but a lane's sum.

use crate::distribution::{Distribution, Drawn, LOWEST_LOG_WEIGHT};
use crate::logits::Row;
use crate::math::{exp, ln};
use crate::random::{MAX_NOISE, Noise, Stream};
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

/// A token in the race.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contender {
    index: u32,
    id: u32,
    /// Position among the entries of a closed distribution.
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
pub(crate) fn draw(dist: &mut Distribution<'_>, noise: Noise) -> Option<Drawn> {
    let mut first: Option<Contender> = None;
    race(dist, noise, |c| {
        if first.is_none_or(|best| c < best) {
            first = Some(c);
        }
        first.map_or(f64::NEG_INFINITY, |best| best.score)
    });
    first.map(|Contender { index, rank, x, .. }| Drawn { index, rank, p: exp(x) / dist.rough_total() })
}

/// Draws `n` tokens without replacement, or all there are; in the order in which they came in.
pub(crate) fn draw_many(dist: &mut Distribution<'_>, noise: Noise, n: usize, podium: &mut Podium) {
    let Podium { heap, samples } = podium;
    heap.clear();
    race(dist, noise, |c| {
        heap.push(c);
        if heap.len() > n {
            heap.pop();
        }
        if heap.len() < n { f64::NEG_INFINITY } else { heap.peek().map_or(f64::INFINITY, |last| last.score) }
    });
    let log_total = ln(dist.rough_total());
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
fn race(dist: &mut Distribution<'_>, noise: Noise, mut enter: impl FnMut(Contender) -> f64) {
    if !dist.is_truncated() {
        return race_open(dist, noise, enter);
    }
    let (ids, mut bar) = (dist.ids(), f64::NEG_INFINITY);
    for (rank, e) in dist.entries().iter().enumerate() {
        if e.x + MAX_NOISE < bar {
            break;
        }
        let id = ids.map_or(e.index, |ids| ids[e.index as usize] as u32);
        let high = noise.high(id);
        if can_pass(high, exp(e.x - bar), limit(0.0)) {
            bar = enter(Contender { index: e.index, id, rank, x: e.x, score: e.x + noise.gumbel(id, high) });
        }
    }
}

/// A weight that vanishes in f32 is that of a token 160 below the first: with noise it stays below this.
const VANISHED: f64 = -41.0;

/// The race over the whole vocabulary. The block with the largest logit comes first, so that the bar is high at once:
/// most of the others are then passed by with one comparison.
fn race_open(dist: &mut Distribution<'_>, noise: Noise, enter: impl FnMut(Contender) -> f64) {
    let (ids, scale, stream) = (dist.ids(), dist.scale(), noise.high_words());
    let (vocab, _) = dist.vocabulary();
    let (row, max) = (vocab.row(), f64::from(vocab.max()));
    let mut race = Race { noise, row, max, scale, enter, bar: f64::NEG_INFINITY, most: f64::INFINITY };
    let first = vocab.block_of_max();
    for blocks in [first..first + 1, 0..first, first + 1..row.blocks()] {
        let mut block = blocks.start;
        while block < blocks.end {
            if race.bar > VANISHED && ids.is_none() {
                let most = race.most;
                block = vocab.search_noise(block..blocks.end, &stream, scale, most, |index, high| {
                    race.see(index, index, high, None);
                });
            } else {
                race.see_all(vocab, block, &stream, ids);
                block += 1;
            }
        }
    }
}

/// The race of a whole vocabulary, as it stands.
struct Race<'r, E> {
    noise: Noise,
    row: Row<'r>,
    max: f64,
    scale: f64,
    enter: E,
    bar: f64,
    /// [`limit`] of the bar.
    most: f64,
}

impl<E: FnMut(Contender) -> f64> Race<'_, E> {
    /// Every token of a block.
    fn see_all(&mut self, vocab: &mut Vocabulary<'_>, block: usize, stream: &Stream, ids: Option<&[i32]>) {
        let mut words = NoiseWords::default();
        if ids.is_none() {
            vocab.noise_words(block, stream, &mut words);
        }
        let (weights, unit) = vocab.block_weights(block, self.scale);
        for ((index, &weight), &word) in ((block * BLOCK) as u32..).zip(weights).zip(words.as_flattened()) {
            if weight == 0.0 && self.bar > VANISHED {
                continue;
            }
            let (id, high) = match ids {
                None => (index, word),
                Some(ids) => (ids[index as usize] as u32, self.noise.high(ids[index as usize] as u32)),
            };
            self.see(index, id, high, (weight > 0.0).then(|| f64::from(weight) * unit));
        }
    }

    /// A token, with its weight if that is known.
    fn see(&mut self, index: u32, id: u32, high: u32, weight: Option<f64>) {
        if weight.is_some_and(|w| !can_pass(high, w, self.most)) {
            return;
        }
        let x = (f64::from(self.row.logit(index)) - self.max) * self.scale;
        if x < LOWEST_LOG_WEIGHT || weight.is_none() && !can_pass(high, exp(x), self.most) {
            return;
        }
        self.bar = (self.enter)(Contender { index, id, rank: 0, x, score: x + self.noise.gumbel(id, high) });
        self.most = limit(self.bar);
    }
}
