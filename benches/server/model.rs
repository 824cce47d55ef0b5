//! The rest of a step, as far as it matters here: the rows are written, and much other memory is read after that.

use crate::common::floor;
use crate::common::rows::Rows;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Bytes of weights: more than any cache holds.
const WEIGHTS: usize = 256 << 20;
/// Bytes that a step reads at the least.
const READ: usize = 64 << 20;
/// How long a step takes at the least.
const STEP: Duration = Duration::from_millis(20);
/// Floats that are read between two looks at the clock.
const CHUNK: usize = 1 << 18;

pub struct Model {
    rows: Rows<f32>,
    /// Row s is that of slot s.
    pub logits: Rows<f32>,
    weights: Vec<f32>,
    at: usize,
}

impl Model {
    /// A model that writes these rows in turn. Untimed it has no weights.
    pub fn new(rows: Rows<f32>, slots: usize, timed: bool) -> Self {
        let logits = Rows::new(rows.vocab, slots, 0.0);
        // Not zero: pages of zeros may be one and the same page.
        let weights = vec![1e-3; if timed { WEIGHTS / 4 } else { 0 }];
        Self { rows, logits, weights, at: 0 }
    }

    /// Which of the rows slot s has in a step.
    pub fn row(&self, step: usize, slot: usize) -> &[f32] {
        self.rows.row((step * self.logits.count + slot) % self.rows.count)
    }

    pub fn step(&mut self, step: usize) {
        let begin = Instant::now();
        for s in 0..self.logits.count {
            let row = self.rows.row((step * self.logits.count + s) % self.rows.count);
            self.logits.row_mut(s).copy_from_slice(row);
        }
        let mut read = 0;
        while !self.weights.is_empty() && (read < READ || begin.elapsed() < STEP) {
            black_box(floor::sum(black_box(&self.weights[self.at..][..CHUNK])));
            self.at = (self.at + CHUNK) % self.weights.len();
            read += 4 * CHUNK;
        }
    }
}
