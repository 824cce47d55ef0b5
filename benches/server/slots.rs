//! What each slot of a server has of its own: a seed, a history, and for every fourth a grammar.

use crate::common::profile::random;
use crate::common::rows::Rows;
use bregman::{Row, Sampler};

/// Tokens accepted before the first step.
const HISTORY: usize = 2000;
/// Masks of a grammar, which take turns.
const MASKS: usize = 4;

pub struct Slot {
    pub seed: u64,
    pub history: Vec<i32>,
    /// The masks of a slot that has a grammar, else none.
    masks: Vec<Vec<u32>>,
}

impl Slot {
    /// So many slots; the likely tokens of a slot's history are those of its first row.
    pub fn some(count: usize, rows: &Rows<f32>) -> Vec<Self> {
        let mut largest = Sampler::new("top_k(64)", 0).expect("a chain");
        let slot = |s: usize| {
            let row = Row::from_f32(rows.row(s % rows.count)).expect("a row is not empty");
            let likely = largest.distribution(row).expect("the row is valid");
            let likely: Vec<i32> = likely.iter().map(|&(id, _)| id as i32).collect();
            let seed = 1000 + s as u64;
            let share = if s % 8 == 3 { WIDE } else { NARROW };
            let masks = if s % 4 == 3 { MASKS } else { 0 };
            let masks = (0..masks as u64).map(|m| mask(seed << 8 | m, rows.vocab, share)).collect();
            Self { seed, history: history(seed, rows.vocab, &likely), masks }
        };
        (0..count).map(slot).collect()
    }

    /// What the grammar allows in this step; none for a slot without a grammar.
    pub fn mask(&self, step: usize) -> Option<&[u32]> {
        (!self.masks.is_empty()).then(|| &*self.masks[step % self.masks.len()])
    }
}

/// Allowed tokens of 512: inside of a string nearly all, between values few.
const WIDE: u64 = 480;
const NARROW: u64 = 1;

fn mask(seed: u64, vocab: usize, share: u64) -> Vec<u32> {
    let mut words = vec![0; vocab.div_ceil(32)];
    words[0] = 1; // one token at the least
    for t in (0..vocab).filter(|&t| random(seed, t as u64) % 512 < share) {
        words[t / 32] |= 1 << (t % 32);
    }
    words
}

/// By Zipf's law: the r-th word of the vocabulary has a frequency of 1/r, and so have, among a quarter of the tokens, the
/// likely ones.
fn history(seed: u64, vocab: usize, likely: &[i32]) -> Vec<i32> {
    let token = |n: usize| {
        let unit = |i| (random(!seed, i) >> 11) as f64 / (1u64 << 53) as f64;
        let rank = |of: usize, i: u64| ((of as f64).powf(unit(i)) as usize - 1).min(of - 1);
        let n = n as u64;
        if n.is_multiple_of(4) {
            likely[rank(likely.len(), n)]
        } else {
            // Frequent words are anywhere in the vocabulary.
            (random(42, rank(vocab, n) as u64) % vocab as u64) as i32
        }
    };
    (0..HISTORY).map(token).collect()
}
