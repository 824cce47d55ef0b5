//! The vocabulary room: what a handful of passes over a row of logits can tell.
//!
//! It knows nothing of decoders. It answers with maxima, sums and short lists, and reads the row only when asked
//! something that it does not know yet. Nothing here sorts the vocabulary.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod dispatch;
mod lanes;
mod passes;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use dispatch::{Kernels, by_name, kernels, levels};
pub(crate) use passes::{Hit, Weighting};

use crate::error::{Error, Result};
use crate::logits::{BLOCK, Row, Tile};

/// The memory that the passes work in, kept from call to call so that none is allocated.
pub(crate) struct Scratch {
    tile: Tile,
    maxima: Vec<f32>,
    sums: Vec<f64>,
    ranked: Vec<f32>,
    weights: Vec<f32>,
    marked: Vec<u32>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            tile: Tile::new(),
            maxima: Vec::new(),
            sums: Vec::new(),
            ranked: Vec::new(),
            weights: vec![0.0; BLOCK],
            marked: Vec::new(),
        }
    }
}

/// A row of logits with what is known of it so far.
pub(crate) struct Vocabulary<'r> {
    row: Row<'r>,
    kernels: &'static Kernels,
    scratch: &'r mut Scratch,
    max: f32,
    /// The scale (1/T) that the block sums in `scratch` were made with.
    summed_at: Option<f64>,
}

impl<'r> Vocabulary<'r> {
    /// The row, which [`Vocabulary::read`] has to read before anything is asked.
    pub(crate) fn new(row: Row<'r>, kernels: &'static Kernels, scratch: &'r mut Scratch) -> Self {
        Self { row, kernels, scratch, max: f32::NEG_INFINITY, summed_at: None }
    }

    /// Makes `row` the row; it has to be read, again.
    pub(crate) fn replace(&mut self, row: Row<'r>) {
        self.row = row;
    }

    /// One pass: the maximum of every block. Refuses NaN and +infinity, and a row without any finite logit.
    pub(crate) fn read(&mut self) -> Result<()> {
        let Self { row, kernels, scratch, .. } = self;
        scratch.maxima.resize(row.blocks(), 0.0);
        let (maxima, mut valid) = (&mut scratch.maxima, true);
        row.for_each_run(&mut scratch.tile, |first, run| {
            let out = &mut maxima[first..first + run.len().div_ceil(BLOCK)];
            valid &= (kernels.block_maxima)(run, out);
        });
        if !valid {
            return Err(first_invalid(row));
        }
        let max = maxima.iter().copied().fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m });
        if max == f32::NEG_INFINITY {
            return Err(Error::EmptySupport);
        }
        (self.max, self.summed_at) = (max, None);
        Ok(())
    }

    pub(crate) fn row(&self) -> Row<'r> {
        self.row
    }

    /// The largest logit.
    pub(crate) fn max(&self) -> f32 {
        self.max
    }

    /// A logit that about `k` tokens reach and no more than some multiple: where to look for the k largest.
    ///
    /// While `k` is small against the number of blocks, it is the k-th largest block maximum, which k tokens certainly
    /// reach. Beyond, it is a rank in a sample of the row, with slack that grows with each `attempt`: the caller
    /// counts what it finds, and asks again. -infinity once the sample has nothing lower.
    pub(crate) fn reached_by(&mut self, k: usize, attempt: u32) -> f32 {
        /// Logits in the sample, one in so many.
        const SAMPLE: usize = 4096;
        let Scratch { ranked, maxima, .. } = &mut *self.scratch;
        if k <= maxima.len() / 4 && attempt == 0 {
            ranked.clone_from(maxima);
            return nth_largest(ranked, k);
        }
        let vocab = self.row.vocab();
        let step = vocab.div_ceil(SAMPLE);
        ranked.clear();
        ranked.extend((0..vocab as u32).step_by(step).map(|i| self.row.logit(i)));
        // The expected rank and four standard deviations above it.
        let rank = k as f64 / step as f64;
        let rank = (rank + 4.0 * rank.sqrt() + 4.0) * f64::from(1u32 << (2 * attempt).min(30));
        if rank >= ranked.len() as f64 { f32::NEG_INFINITY } else { nth_largest(ranked, rank as usize) }
    }

    /// Appends the tokens with `low <= logit < high` in order of index, reading only blocks that reach `low`.
    pub(crate) fn collect(&mut self, low: f32, high: f32, hits: &mut Vec<Hit>) {
        let (row, scratch) = (&self.row, &mut *self.scratch);
        for (block, &max) in scratch.maxima.iter().enumerate() {
            if max >= low {
                let run = row.block(block, &mut scratch.tile);
                (self.kernels.collect)(run, (block * BLOCK) as u32, low, high, hits);
            }
        }
    }

    /// The number of tokens with `logit >= low`.
    pub(crate) fn count(&mut self, low: f32) -> u64 {
        let mut n = 0;
        self.row.for_each_run(&mut self.scratch.tile, |_, run| n += (self.kernels.count)(run, low));
        n
    }

    /// The sum of `exp((l - max) * scale)` over the row.
    pub(crate) fn total(&mut self, scale: f64) -> f64 {
        self.sum_blocks(scale);
        self.scratch.sums.iter().sum()
    }

    /// The sum of `exp((l - max) * scale)` over the tokens that are not among `excluded`.
    ///
    /// MATH.md, 8: a tail taken as 1 minus the head would carry the rounding of the whole sum. Here the blocks that
    /// hold an excluded token are summed again without it, and the others are taken as they are: nothing cancels.
    pub(crate) fn total_without(&mut self, excluded: impl Iterator<Item = u32>, scale: f64) -> f64 {
        self.sum_blocks(scale);
        let weighting = Weighting::new(self.max, scale);
        let scratch = &mut *self.scratch;
        scratch.marked.clear();
        scratch.marked.extend(excluded);
        scratch.marked.sort_unstable();
        let mut marked = scratch.marked.iter().copied().peekable();
        let mut total = 0.0;
        for (block, &sum) in scratch.sums.iter().enumerate() {
            let start = block * BLOCK;
            let inside = |&i: &u32| (i as usize) < start + BLOCK;
            if marked.peek().is_none_or(|i| !inside(i)) {
                total += sum;
                continue;
            }
            let run = self.row.block_mut(block, &mut scratch.tile);
            while let Some(i) = marked.next_if(inside) {
                run[i as usize - start] = f32::NEG_INFINITY;
            }
            let mut rest = [0.0];
            (self.kernels.block_sums)(run, weighting, &mut rest);
            total += rest[0];
        }
        total
    }

    /// The sum of `exp((l - max) * scale) * (l - max)` over the row.
    pub(crate) fn moment(&mut self, scale: f64) -> f64 {
        let weighting = Weighting::new(self.max, scale);
        let mut total = 0.0;
        self.row.for_each_run(&mut self.scratch.tile, |_, run| total += (self.kernels.moment)(run, weighting));
        total
    }

    /// The token at which the running sum of `exp((l - max) * scale)`, in order of index, first exceeds `u` times the
    /// total; `u` in (0, 1). No array of probabilities is built: the block sums lead to the block.
    pub(crate) fn quantile(&mut self, scale: f64, u: f64) -> u32 {
        let target = u * self.total(scale);
        let sums = &self.scratch.sums;
        let (mut before, mut after, mut block) = (0.0, 0.0, 0);
        // Rounding may leave the target at the total: then the last block with any weight has it.
        for (b, &sum) in sums.iter().enumerate().filter(|&(_, &sum)| sum > 0.0) {
            (block, before) = (b, after);
            after += sum;
            if after > target {
                break;
            }
        }
        self.quantile_in_block(block, Weighting::new(self.max, scale), target - before)
    }

    fn quantile_in_block(&mut self, block: usize, weighting: Weighting, target: f64) -> u32 {
        let scratch = &mut *self.scratch;
        let run = self.row.block(block, &mut scratch.tile);
        let weights = &mut scratch.weights[..run.len()];
        (self.kernels.weights)(run, weighting, weights);
        let (mut sum, mut last) = (0.0, 0);
        for (i, &w) in weights.iter().enumerate().filter(|&(_, &w)| w > 0.0) {
            last = i;
            sum += f64::from(w);
            if sum > target {
                break;
            }
        }
        (block * BLOCK + last) as u32
    }

    /// Calls `visit(index, exp((l - max) * scale))` for every token in order of index.
    pub(crate) fn for_each_weight(&mut self, scale: f64, mut visit: impl FnMut(usize, f32)) {
        let weighting = Weighting::new(self.max, scale);
        let Scratch { tile, weights, .. } = &mut *self.scratch;
        self.row.for_each_run(tile, |first, run| {
            for (b, block) in run.chunks(BLOCK).enumerate() {
                let weights = &mut weights[..block.len()];
                (self.kernels.weights)(block, weighting, weights);
                weights.iter().enumerate().for_each(|(i, &w)| visit((first + b) * BLOCK + i, w));
            }
        });
    }

    fn sum_blocks(&mut self, scale: f64) {
        if self.summed_at == Some(scale) {
            return;
        }
        self.summed_at = Some(scale);
        let weighting = Weighting::new(self.max, scale);
        let scratch = &mut *self.scratch;
        scratch.sums.resize(self.row.blocks(), 0.0);
        let sums = &mut scratch.sums;
        self.row.for_each_run(&mut scratch.tile, |first, run| {
            let out = &mut sums[first..first + run.len().div_ceil(BLOCK)];
            (self.kernels.block_sums)(run, weighting, out);
        });
    }
}

/// The k-th largest, counted from 1.
fn nth_largest(values: &mut [f32], k: usize) -> f32 {
    *values.select_nth_unstable_by(k.max(1) - 1, |a, b| b.total_cmp(a)).1
}

fn first_invalid(row: &Row<'_>) -> Error {
    let (index, value) = (0..row.vocab())
        .map(|i| (i, row.logit(i as u32)))
        .find(|(_, l)| l.is_nan() || *l == f32::INFINITY)
        .unwrap_or((0, f32::NAN));
    Error::InvalidLogits { index, value }
}
