//! The vocabulary room: what a handful of passes over a row of logits can tell.
//!
//! It knows nothing of decoders. It answers with maxima, sums and short lists, and reads the row only when asked
//! something that it does not know yet. Nothing here sorts the vocabulary.
//!
//! | file | what it is |
//! |---|---|
//! | `kernels/` | the passes, one job each, written once over vectors of sixteen lanes |
//! | `levels/` | the vector on each instruction set |
//! | `dispatch.rs` | which instruction set runs: the table of kernels |
//! | `row.rs` | reads a row in blocks |
//! | `sums.rs` | weights added up: totals, tails, the draw from the whole vocabulary |
//! | `noise.rs` | the tokens that could win with noise of their own |
//! | `reshape.rs` | a row with other logits |
//! | `spread.rs` | the standard deviation of the logits |
//! | `weighed.rs` | logits with their weights: where a prefix of the descending order ends |
//! | `sample.rs` | a sample of the row: what to expect |
//! | `bulk.rs` | the tokens above a floor where they are too many to sort |
//! | `select.rs` | the largest: bounds that certify a selection, and the collection above them |

mod bulk;
mod dispatch;
mod kernels;
mod levels;
mod noise;
mod reshape;
mod row;
mod sample;
mod select;
mod spread;
mod sums;
mod weighed;

pub(crate) use dispatch::{Kernels, by_name, kernels, levels};
pub(crate) use kernels::candidates::{CandidateUpdate, ProbabilityScale};
pub(crate) use kernels::elementwise::{AdaptivePCurve, SmoothingCurve};
pub(crate) use kernels::exponential::TileScale;
pub(crate) use kernels::lanes::{LANES, Vector};
pub(crate) use kernels::noise::NoiseWords;
pub(crate) use kernels::prefix::PrefixSum;
pub(crate) use kernels::run::Run;
pub(crate) use kernels::{BLOCK, COLLECT_SPARE, RankedToken};
pub(crate) use row::BlockBuffer;
pub(crate) use sums::TILE;
pub(crate) use weighed::SearchTarget;

use crate::error::{Error, Result};
use crate::logits::{Candidate, Row};
use crate::math::ListMath;
use bulk::Bulk;
use kernels::exp_sums::Besides;
use kernels::{Extent, Maxima};
use std::ops::Range;
use sums::Sums;
use weighed::WeightedLogits;

/// More tokens than most heads have: room for as many is made at once.
pub(crate) const USUAL_HEAD: usize = 4096;

/// The memory that the passes work in, kept from call to call so that none is allocated.
pub(crate) struct Scratch {
    copied: BlockBuffer,
    /// The maximum of each lane of each block.
    maxima: Vec<Vector>,
    /// Those of each lane of sixteen blocks.
    columns: Vec<Vector>,
    sums: Sums,
    bulk: Bulk,
    blocks: Vec<u32>,
    sample: WeightedLogits,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            copied: BlockBuffer::new(),
            maxima: Vec::new(),
            columns: Vec::new(),
            sums: Sums::default(),
            bulk: Bulk::default(),
            blocks: Vec::new(),
            sample: WeightedLogits::default(),
        }
    }

    /// Makes room for what the usual question about such a row needs, so that none asked later has to ask for memory.
    fn reserve(&mut self, row: &Row<'_>) {
        self.maxima.resize(row.blocks(), [0.0; LANES]);
        self.columns.clear();
        self.columns.resize(row.blocks().div_ceil(LANES), [f32::NEG_INFINITY; LANES]);
        make_room(&mut self.blocks, row.blocks());
        self.sums.reserve(row);
        self.bulk.reserve(row);
        self.sample.reserve(sample::VECTORS * LANES);
    }
}

/// What the first pass over a row computes, besides the maxima.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum FirstPass {
    /// Nothing.
    Maxima,
    /// The total of the weights.
    Total,
    /// The total, and the smallest logit, so that the number of tokens is known where none is banned.
    TotalAndMin,
    /// The total, and the mean of the logits under these weights, which the entropy needs.
    TotalAndMoment,
}

/// A row of logits with what is known of it so far.
pub(crate) struct Vocabulary<'r> {
    row: Row<'r>,
    kernels: &'static Kernels,
    scratch: &'r mut Scratch,
    max: f32,
    /// No logit is smaller; -infinity where nobody looked.
    min: f32,
    /// Whether no candidate was seen whose id is not its place.
    in_order: bool,
    /// The scale (1/T) that the sums in `scratch` were made with.
    summed_at: Option<f64>,
}

impl<'r> Vocabulary<'r> {
    /// The row, which [`Vocabulary::read`] has to read before anything is asked.
    pub(crate) fn new(row: Row<'r>, kernels: &'static Kernels, scratch: &'r mut Scratch) -> Self {
        Self { row, kernels, scratch, max: f32::NEG_INFINITY, min: f32::NEG_INFINITY, in_order: true, summed_at: None }
    }

    /// Makes `row` the row; it has to be read, again.
    pub(crate) fn replace(&mut self, row: Row<'r>) {
        self.row = row;
    }

    /// One pass, with weights at this scale (1/T). Refuses NaN and +infinity, and a row without any finite logit.
    pub(crate) fn read(&mut self, pass: FirstPass, scale: f64) -> Result<()> {
        self.scratch.reserve(&self.row);
        self.summed_at = None;
        // These are copied, without their ids, before a pass sees them.
        self.in_order &= self.row.edited_candidates().all(|(first, block)| counts_up(block, first as i32));
        match pass {
            FirstPass::Maxima => self.find_maxima()?,
            FirstPass::Total => self.sum_at(scale, Besides::Nothing)?,
            FirstPass::TotalAndMin => self.sum_at(scale, Besides::Smallest)?,
            FirstPass::TotalAndMoment => self.sum_at(scale, Besides::Moment { from: 0.0 })?,
        }
        if self.max == f32::NEG_INFINITY {
            return Err(Error::EmptySupport);
        }
        Ok(())
    }

    pub(crate) fn row(&self) -> Row<'r> {
        self.row
    }

    /// The list functions of the row's instruction set.
    pub(crate) fn math(&self) -> &'static ListMath {
        &self.kernels.math
    }

    /// Whether the id of every candidate is its place, as far as the row was read; of other rows there are no ids.
    pub(crate) fn is_in_order(&self) -> bool {
        self.in_order
    }

    /// The largest logit.
    pub(crate) fn max(&self) -> f32 {
        self.max
    }

    /// The number of tokens with `logit >= low`.
    pub(crate) fn count(&mut self, low: f32) -> u64 {
        if self.min >= low {
            return self.row.vocab() as u64;
        }
        let Self { row, kernels, scratch, .. } = self;
        let mut n = 0;
        row.for_each_run(0..row.blocks(), &mut scratch.copied, |_, run| n += (kernels.count)(run, low));
        n
    }

    fn find_maxima(&mut self) -> Result<()> {
        let seen = self.maxima_of(0..self.row.blocks());
        self.see(seen)
    }

    /// Finds the maxima of some blocks.
    fn maxima_of(&mut self, blocks: Range<usize>) -> Extent {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { copied, maxima, columns, .. } = &mut **scratch;
        let mut seen = Extent::NOTHING;
        row.for_each_run(blocks, copied, |first, run| {
            let maxima = Maxima { blocks: &mut maxima[first..], columns, first };
            seen = seen.and((kernels.maxima)(run, maxima));
        });
        seen
    }

    /// Takes note of the row's extent, unless it shows what is no logit.
    fn see(&mut self, seen: Extent) -> Result<()> {
        if seen.ordered && seen.max < f32::INFINITY {
            (self.max, self.min) = (seen.max, seen.min);
            self.in_order &= seen.in_order;
            return Ok(());
        }
        let (index, value) = (0..self.row.vocab())
            .map(|i| (i, self.row.logit(i as u32)))
            .find(|(_, l)| l.is_nan() || *l == f32::INFINITY)
            .unwrap_or((0, f32::NAN));
        Err(Error::InvalidLogits { index, value })
    }
}

/// Room for `n` elements in all.
pub(crate) fn make_room<T>(list: &mut Vec<T>, n: usize) {
    list.reserve(n.saturating_sub(list.len()));
}

/// Whether the ids count up from `first` by one.
fn counts_up(candidates: &[Candidate], first: i32) -> bool {
    candidates.iter().zip(first..).all(|(c, id)| c.id == id)
}

/// The block and the lane of a token.
fn place(token: u32) -> (usize, usize) {
    (token as usize / BLOCK, token as usize % LANES)
}
