//! Passes over a whole row of logits: maxima, sums, short lists. Independent of decoders and stages.
//!
//! A [`Vocabulary`] caches what it has computed, reads the row again only for something new, and never sorts it.
//!
//! | file | what it is |
//! |---|---|
//! | `kernels/` | the loops over a row, written once over vectors of sixteen lanes |
//! | `levels/` | the vector on each instruction set |
//! | `dispatch.rs` | which instruction set runs: the table of kernels |
//! | `row.rs` | a row read in blocks |
//! | `reads.rs` | how much was read by which pass, for tests |
//! | `sums/` | sums of weights: totals, tails, the draw from the whole vocabulary |
//! | `select.rs` | the largest tokens: bounds that certify a selection, and the collection above them |
//! | `bulk.rs` | the tokens above a floor where they are too many to sort |
//! | `largest.rs` | the end of the k largest of them |
//! | `bulk_draw.rs` | a draw from them in descending order |
//! | `weighted.rs` | a list of logits with their weights, and the search for the end of a prefix in it |
//! | `nearest.rs` | the tokens nearest to a level where they are too many to sort |
//! | `descent.rs` | a draw from them in descending order |
//! | `sample.rs` | a sample of the row, for estimates |
//! | `noise.rs` | the tokens that can win with Gumbel noise |
//! | `curve.rs` | the row with new logits |
//! | `deviation.rs` | the standard deviation of the logits |
//!
//! Files import downwards only: kernels and levels, then `dispatch.rs` and `row.rs`, then the others.

mod bulk;
mod bulk_draw;
#[cfg(test)]
mod corner_tests;
mod curve;
mod descent;
mod deviation;
mod dispatch;
#[cfg(all(test, target_os = "linux"))]
mod guard_tests;
mod kernels;
mod largest;
#[cfg(test)]
mod level_tests;
mod levels;
mod nearest;
mod noise;
mod reads;
mod row;
mod sample;
mod select;
mod sums;
mod weighted;

pub(crate) use bulk_draw::BulkDraw;
pub(crate) use dispatch::{Kernels, by_name, kernels, levels};
pub(crate) use kernels::BLOCK;
pub(crate) use kernels::candidates::{CandidateUpdate, LogitChange, ProbabilityScale};
pub(crate) use kernels::collect::COLLECT_SPARE;
pub(crate) use kernels::curve::{AdaptivePCurve, SmoothingCurve};
pub(crate) use kernels::exponential::TileScale;
pub(crate) use kernels::prefix::PrefixSum;
pub(crate) use kernels::ranked::RankedToken;
pub(crate) use kernels::words::NoiseWords;
pub(crate) use nearest::{LogitRange, NearEnd, Window};
#[cfg(debug_assertions)]
pub(crate) use reads::take_logits_read;
pub(crate) use row::BlockBuffer;
pub(crate) use sample::PrefixEstimate;
pub(crate) use select::Tail;
pub(crate) use sums::TILE;

use crate::error::{Error, Result};
use crate::logits::{Candidate, Row};
use crate::math::ListMath;
use crate::memory;
use bulk::Bulk;
use kernels::lanes::{LANES, Vector};
use kernels::maxima::{Extent, Maxima};
use kernels::sums::SumsExtra;
use nearest::NearestScratch;
use reads::Pass;
use std::ops::Range;
use sums::Sums;
use weighted::WeightedLogits;

/// More tokens than most heads have: lists are reserved for as many up front.
pub(crate) const USUAL_HEAD: usize = 4096;

/// The buffers of a [`Vocabulary`], kept from call to call so that none is allocated.
pub(crate) struct Scratch {
    block: BlockBuffer,
    /// The maximum of each lane of each block.
    maxima: Vec<Vector>,
    /// The maximum of each lane of every sixteen blocks.
    columns: Vec<Vector>,
    sums: Sums,
    bulk: Bulk,
    blocks: Vec<u32>,
    /// A sample of the row, and the last few tokens of a draw from a bulk.
    sample: WeightedLogits,
    nearest: NearestScratch,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            block: BlockBuffer::new(),
            maxima: Vec::new(),
            columns: Vec::new(),
            sums: Sums::default(),
            bulk: Bulk::default(),
            blocks: Vec::new(),
            sample: WeightedLogits::default(),
            nearest: NearestScratch::default(),
        }
    }

    /// Reserves what any question about such a row may need, so that later calls do not allocate. Memory that is never
    /// used is no more than addresses.
    fn reserve(&mut self, row: &Row<'_>) -> Result<()> {
        memory::resize(&mut self.maxima, row.blocks(), [0.0; LANES])?;
        self.columns.clear();
        memory::resize(&mut self.columns, row.blocks().div_ceil(LANES), [f32::NEG_INFINITY; LANES])?;
        memory::make_room(&mut self.blocks, row.blocks().max(sample::VECTORS) + 1)?;
        self.sums.reserve(row)?;
        self.bulk.reserve(row)?;
        self.nearest.reserve(row)?;
        self.sample.reserve(sample::VECTORS * LANES + sample::TOP)
    }
}

/// What the first pass over a row computes besides the maxima.
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
    /// The total, and the sum of the squared weights: the probability that two draws agree.
    TotalAndSquares,
}

/// A row of logits with what is known about it so far.
pub(crate) struct Vocabulary<'r> {
    row: Row<'r>,
    kernels: &'static Kernels,
    scratch: &'r mut Scratch,
    max: f32,
    /// A lower bound of all logits but those that `scratch.sums` knows as banned; -infinity if the smallest was not computed.
    min: f32,
    /// Whether every candidate read so far has its position as id.
    in_order: bool,
    /// The scale (1/T) of the sums in `scratch`.
    summed_at: Option<f64>,
}

impl<'r> Vocabulary<'r> {
    /// [`Vocabulary::read`] must be called before anything else.
    pub(crate) fn new(row: Row<'r>, kernels: &'static Kernels, scratch: &'r mut Scratch) -> Self {
        scratch.sums.forget_edits();
        Self { row, kernels, scratch, max: f32::NEG_INFINITY, min: f32::NEG_INFINITY, in_order: true, summed_at: None }
    }

    /// Replaces the row, which must be read again.
    pub(crate) fn replace(&mut self, row: Row<'r>) {
        self.row = row;
        self.summed_at = None;
        self.scratch.sums.forget_edits();
    }

    /// The first pass, with weights at this scale (1/T). An error for a NaN, +infinity, or a row without a finite logit.
    pub(crate) fn read(&mut self, pass: FirstPass, scale: f64) -> Result<()> {
        // Kernels read blocks with an edit as copies without ids.
        self.in_order &= self.row.edited_candidates().all(|(first, block)| has_ids_from(block, first as i32));
        let extra = match pass {
            FirstPass::Maxima => None,
            FirstPass::Total => Some(SumsExtra::None),
            FirstPass::TotalAndMin => Some(SumsExtra::Min),
            FirstPass::TotalAndMoment => Some(SumsExtra::Moment { from: 0.0 }),
            FirstPass::TotalAndSquares => Some(SumsExtra::Squares),
        };
        let is_known = match extra {
            Some(extra) => self.sum_edited(scale, extra)?,
            None => false,
        };
        if !is_known {
            self.scratch.reserve(&self.row)?;
            self.scratch.sums.forget_edits();
            self.summed_at = None;
            match extra {
                None => self.find_maxima()?,
                Some(extra) => self.sum_at(scale, extra)?,
            }
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

    /// Whether every candidate read so far has its position as id; true for rows without ids.
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
            return (self.row.vocab() - self.scratch.sums.banned()) as u64;
        }
        let Self { row, kernels, scratch, .. } = self;
        let mut n = 0;
        row.for_each_run(Pass::Count, 0..row.blocks(), &mut scratch.block, |_, run| n += (kernels.count)(run, low));
        n
    }

    fn find_maxima(&mut self) -> Result<()> {
        let extent = self.maxima_of(0..self.row.blocks());
        self.set_extent(extent)
    }

    /// Computes the maxima of some blocks.
    fn maxima_of(&mut self, blocks: Range<usize>) -> Extent {
        let Self { row, kernels, scratch, .. } = self;
        let Scratch { block, maxima, columns, .. } = &mut **scratch;
        let mut extent = Extent::EMPTY;
        row.for_each_run(Pass::Maxima, blocks, block, |first, run| {
            let maxima = Maxima { blocks: &mut maxima[first..], columns, first };
            extent = extent.and((kernels.maxima)(run, maxima));
        });
        extent
    }

    /// Records the row's extent; an error if it shows a NaN or +infinity.
    fn set_extent(&mut self, extent: Extent) -> Result<()> {
        if extent.ordered && extent.max < f32::INFINITY {
            (self.max, self.min) = (extent.max, extent.min);
            self.in_order &= extent.in_order;
            return Ok(());
        }
        let (index, value) = (0..self.row.vocab())
            .map(|i| (i, self.row.logit(i as u32)))
            .find(|(_, l)| l.is_nan() || *l == f32::INFINITY)
            .unwrap_or((0, f32::NAN));
        Err(Error::InvalidLogits { index, value })
    }
}

/// Whether the ids count up by one from `first`.
fn has_ids_from(candidates: &[Candidate], first: i32) -> bool {
    candidates.iter().zip(first..).all(|(c, id)| c.id == id)
}
