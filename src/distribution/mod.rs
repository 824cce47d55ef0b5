//! The distribution that a chain works on, as it stands between two stages.
//!
//! It begins as the whole vocabulary, known through a few passes and a scale (1/T). The first stage that drops tokens
//! makes it a list: entries in f64, in descending order, renormalised by being all that is left. If that list would be
//! long, it is first a bulk: selected, but not sorted until a stage or a caller needs the order.
//!
//! | file | what it is |
//! |---|---|
//! | `head.rs` | the most likely tokens in descending order, fetched from the vocabulary as far as needed |
//! | `radix.rs` | the sort of a long head |
//! | `list.rs` | what only a list can do: other weights, another order |
//! | `bulk.rs` | a truncated distribution that is not sorted |
//! | `moments.rs` | totals, entropy, standard deviation |
//! | `threshold.rs`, `prefix.rs`, `window.rs` | truncation: at a threshold, to a nucleus, to a window around a level |
//! | `outside.rs` | what is known of the tokens that a sparse row does not list |
//! | `only.rs` | truncation to some tokens by their ids; bans of those whose logit is invalid |
//! | `edit.rs`, `reshape.rs` | other logits: of single tokens, of all |
//! | `draw.rs` | a token drawn from it |

mod bulk;
mod draw;
mod edit;
mod head;
mod list;
mod moments;
mod only;
mod outside;
mod prefix;
mod radix;
mod reshape;
mod threshold;
mod window;

pub(crate) use draw::Drawn;
pub(crate) use head::{Entry, LOWEST_LOG_WEIGHT};
pub(crate) use outside::Doubt;
pub(crate) use threshold::{Edge, Least, Ties};
pub(crate) use window::{WindowEnd, WindowRule};

use crate::error::{Error, Result};
use crate::logits::Row;
use crate::math::{ListMath, ln};
use crate::memory;
use crate::vocab::{self, FirstPass, Kernels, LogitRange, RankedToken, TileScale, Vocabulary};
use bulk::BulkPrefix;
use head::{Head, HeadScratch};
use outside::Outside;

/// The memory of a distribution, kept from call to call.
pub(crate) struct DistributionScratch {
    vocab: vocab::Scratch,
    head: HeadScratch,
    spare: Spare,
    /// Rewritten rows, edited tokens and masks, one list for each stage that may need one; most stay empty.
    rows: Vec<Vec<f32>>,
    row_edits: Vec<Vec<(u32, f32)>>,
    masks: Vec<Vec<u32>>,
    /// The stages of the chain that runs.
    stages: usize,
    /// How the sums of the next sparse row are taken.
    pub(crate) doubt: Doubt,
}

impl DistributionScratch {
    pub(crate) fn new() -> Self {
        Self {
            vocab: vocab::Scratch::new(),
            head: HeadScratch::default(),
            spare: Spare::default(),
            rows: Vec::new(),
            row_edits: Vec::new(),
            masks: Vec::new(),
            stages: 0,
            doubt: Doubt::Middle,
        }
    }

    /// Makes it fit for a chain of this many stages, each of which may edit tokens once, mask tokens once and rewrite the
    /// row once, and for one edit before them.
    pub(crate) fn reserve_stages(&mut self, stages: usize) -> Result<()> {
        if self.row_edits.len() <= stages {
            memory::make_room(&mut self.rows, stages)?;
            memory::make_room(&mut self.row_edits, stages + 1)?;
            memory::make_room(&mut self.masks, stages)?;
            self.rows.resize_with(stages, Vec::new);
            self.row_edits.resize_with(stages + 1, Vec::new);
            self.masks.resize_with(stages, Vec::new);
        }
        self.stages = stages;
        Ok(())
    }

    /// How a tile of the row that was summed last was weighed.
    pub(crate) fn tile_scale(&self, tile: usize) -> TileScale {
        self.vocab.tile_scale(tile)
    }
}

/// Buffers of single operations.
#[derive(Default)]
struct Spare {
    near: Vec<window::Near>,
    hits: Vec<RankedToken>,
    kept: Vec<RankedToken>,
    marked: Vec<u32>,
    remembered: Vec<(u32, f64)>,
}

/// Which tokens are left, and how they are known.
#[derive(Clone, Copy)]
enum Support {
    /// Every eligible token of the row; the head's entries are the first of them.
    Whole {
        /// Whether the row was read since it last changed.
        is_read: bool,
    },
    /// A prefix of the descending order, unsorted.
    Bulk { prefix: BulkPrefix, first_scale: f64 },
    /// The tokens with a logit in a range, unsorted.
    Range { range: LogitRange, first_scale: f64 },
    /// The head's entries.
    List {
        /// The scale (1/T) that the first truncating stage saw.
        first_scale: f64,
        /// The first entry's logit, once a stage gave the entries logits of its own.
        first_logit: Option<f64>,
    },
}

/// A distribution over the tokens of one row.
pub(crate) struct Distribution<'r> {
    head: Head<'r>,
    support: Support,
    /// What a stage's definition adds to every logit of the row, at the present scale.
    offset: f64,
    spare: &'r mut Spare,
    rows: &'r mut [Vec<f32>],
    row_edits: &'r mut [Vec<(u32, f32)>],
    masks: &'r mut [Vec<u32>],
    /// Memory for the mask of the tokens whose logit is invalid, if they are to be banned and are not yet.
    invalid: Option<&'r mut Vec<u32>>,
    /// What is known of the tokens that the row does not list; none if it lists all.
    outside: Option<Outside>,
    /// The row as it was at first.
    opened_with: Row<'r>,
    /// Whether a stage has given the whole vocabulary other logits.
    is_reshaped: bool,
    remembered: Option<reshape::Remembered<'r>>,
    /// The row and scale that the first dropping stage saw, if the support was the whole vocabulary still after it.
    dropped_from: Option<(Row<'r>, f64)>,
}

impl<'r> Distribution<'r> {
    /// The distribution of a row, which [`Distribution::read`] has to read before anything but single logits is
    /// needed.
    pub(crate) fn new(row: Row<'r>, kernels: &'static Kernels, scratch: &'r mut DistributionScratch) -> Self {
        let DistributionScratch { vocab, head, spare, rows, row_edits, masks, stages, doubt } = scratch;
        let outside = row.rest().map(|rest| Outside::new(rest, row.mask().is_some(), *doubt));
        let mut head = Head::new(Vocabulary::new(row, kernels, vocab), head, row.ids());
        if let Some(rest) = row.rest() {
            head.set_bound(rest.bound);
        }
        Self {
            head,
            outside,
            support: Support::Whole { is_read: false },
            offset: 0.0,
            spare,
            rows: &mut rows[..*stages],
            row_edits: row_edits.get_mut(..*stages + 1).unwrap_or(&mut []),
            masks: &mut masks[..*stages],
            invalid: None,
            opened_with: row,
            is_reshaped: false,
            remembered: None,
            dropped_from: None,
        }
    }

    /// The distribution of a row at a scale, read, with its total.
    pub(crate) fn open(
        row: Row<'r>,
        scale: f64,
        kernels: &'static Kernels,
        scratch: &'r mut DistributionScratch,
    ) -> Result<Self> {
        let mut dist = Self::new(row, kernels, scratch);
        dist.head.set_scale(scale);
        dist.read(FirstPass::Total)?;
        Ok(dist)
    }

    /// Reads the row in one pass that finds what `pass` says, unless the row was read as it is.
    pub(crate) fn read(&mut self, pass: FirstPass) -> Result<()> {
        if let Support::Whole { is_read: false } = self.support {
            let mut read = self.head.read(pass);
            if matches!(read, Err(Error::InvalidLogits { .. })) && self.mask_invalid()? {
                read = self.head.read(pass);
            }
            self.check_first(read)?;
            self.support = Support::Whole { is_read: true };
        }
        Ok(())
    }

    /// Whether a stage has dropped tokens; else the support is every eligible token of the row.
    pub(crate) fn is_truncated(&self) -> bool {
        !matches!(self.support, Support::Whole { .. })
    }

    /// The entries known so far, in descending order: all that is left of a truncated distribution.
    pub(crate) fn entries(&mut self) -> &[Entry] {
        self.sort_bulk();
        self.head.entries()
    }

    /// The scale (1/T) that the first truncating stage saw, or the present one if none has truncated.
    pub(crate) fn first_scale(&self) -> f64 {
        match self.support {
            Support::Whole { .. } => self.scale(),
            Support::Bulk { first_scale, .. }
            | Support::Range { first_scale, .. }
            | Support::List { first_scale, .. } => first_scale,
        }
    }

    /// The product of all 1/T so far.
    pub(crate) fn scale(&self) -> f64 {
        self.head.scale()
    }

    /// Extends the entries to `n`, or to all there are; returns how many there are.
    pub(crate) fn deepen(&mut self, n: usize) -> usize {
        let known = self.deepen_if_listed(n);
        if known < n {
            self.lack_tokens();
        }
        known
    }

    /// The same, and fewer are enough: of a sparse row those that are listed.
    pub(crate) fn deepen_if_listed(&mut self, n: usize) -> usize {
        if self.is_truncated() { self.entries().len() } else { self.head.deepen(n) }
    }

    /// Extends the entries to every one with a log-weight of at least `x` relative to the first; returns how many those
    /// are.
    pub(crate) fn deepen_to(&mut self, x: f64) -> usize {
        if !self.reaches(x) {
            self.lack_tokens();
        }
        if self.is_truncated() { self.entries().partition_point(|e| e.x >= x) } else { self.head.deepen_to(x) }
    }

    /// Fetches every token with a log-weight of at least `x` without sorting, unless there are clearly more than `enough`;
    /// returns how many tokens are known then, or a number above it if they are not all listed or fetched.
    pub(crate) fn fetch_to(&mut self, x: f64, enough: usize) -> usize {
        if !self.reaches(x) {
            return usize::MAX;
        }
        if self.is_truncated() { self.entries().len() } else { self.head.fetch_to(x, enough).unwrap_or(usize::MAX) }
    }

    /// Divides all logits by a temperature of 1/`factor`. Beyond some bounds the scale changes no more, so that
    /// products stay finite.
    pub(crate) fn scale_by(&mut self, factor: f64) {
        let scale = (self.scale() * factor).clamp(1e-100, 1e100);
        if !self.reweigh_bulk(scale) {
            if let Some(mut list) = self.list() {
                list.scale_by(factor);
            }
            self.head.set_scale(scale);
        }
        self.offset *= factor;
        if let Support::Whole { is_read: true } = self.support {
            self.head.restart();
        }
    }

    /// Drops all but the first `n` entries (at least one).
    pub(crate) fn truncate(&mut self, n: usize) {
        self.close();
        self.head.truncate(n.max(1));
    }

    /// Makes the entries all that is left.
    fn close(&mut self) {
        self.sort_bulk();
        if let Support::Whole { .. } = self.support {
            self.support = Support::List { first_scale: self.scale(), first_logit: None };
        }
    }

    /// Drops all but the most likely token.
    pub(crate) fn keep_first(&mut self) {
        if !self.is_truncated() {
            self.head.first();
        }
        self.truncate(1);
    }

    /// Keeps the first `p_hat.len()` entries and gives them these probabilities.
    pub(crate) fn renormalise(&mut self, p_hat: &[f64]) {
        self.truncate(p_hat.len());
        let math = self.math();
        if let Some(mut list) = self.list() {
            list.set_probabilities(math, p_hat);
        }
    }

    /// The list functions of the row's instruction set.
    pub(crate) fn math(&self) -> &'static ListMath {
        self.head.math()
    }

    /// Whether the id of every candidate is its place, if the row was read from candidates.
    pub(crate) fn is_in_order(&self) -> bool {
        self.head.vocab().is_in_order()
    }

    /// The id of the token at a position of the row.
    pub(crate) fn id(&self, index: u32) -> i32 {
        self.head.id(index)
    }

    /// The ids of a candidate array; none where the position is the id.
    pub(crate) fn ids(&self) -> Option<&'r [i32]> {
        self.head.ids()
    }

    /// The smallest logit of the row that is eligible, while the support is the whole vocabulary.
    pub(crate) fn lowest(&self) -> f32 {
        self.head.lowest()
    }

    /// The number of tokens with positive probability.
    pub(crate) fn support(&mut self) -> usize {
        match self.support {
            Support::Whole { .. } => {
                self.lack_statistics();
                let lowest = self.head.lowest();
                self.head.vocab_mut().count(lowest) as usize
            }
            Support::Bulk { prefix, .. } => prefix.len(),
            Support::Range { range, .. } => range.count,
            Support::List { .. } => self.head.entries().len(),
        }
    }

    /// The weight of each entry, e^x.
    pub(crate) fn weights(&mut self) -> &[f64] {
        self.weighted().1
    }

    /// The entries with the weight of each.
    pub(crate) fn weighted(&mut self) -> (&[Entry], &[f64]) {
        self.sort_bulk();
        self.head.weighted()
    }

    /// The entries' logits as an engine should see them: by the definitions of the stages that made them. Where they are so
    /// large that an f32 would lose their differences, they are taken relative to the first entry's.
    pub(crate) fn engine_logits(&mut self) -> impl Fn(&Entry) -> f64 + use<> {
        self.sort_bulk();
        let first_logit = if let Support::List { first_logit, .. } = self.support { first_logit } else { None };
        let logit = logit_of(first_logit, self.scale(), self.offset);
        let is_large = self.head.entries().first().is_some_and(|first| logit(first).abs() > LARGE_LOGIT);
        move |e| if is_large { e.x } else { logit(e) }
    }

    /// The logits of the whole vocabulary, in the same way: (pivot, base) of `(raw - pivot) * scale + base`.
    pub(crate) fn logit_transform(&self) -> (f64, f64) {
        let max = f64::from(self.head.vocab().max());
        let largest = max * self.scale() + self.offset;
        if largest.abs() > LARGE_LOGIT { (max, 0.0) } else { (0.0, self.offset) }
    }

    /// Calls `write(index, ln p)` for every token of the support.
    pub(crate) fn log_probabilities(&mut self, mut write: impl FnMut(usize, f32)) {
        if self.is_truncated() {
            let log_total = ln(self.head_weight());
            self.entries().iter().for_each(|e| write(e.index as usize, (e.x - log_total) as f32));
            return;
        }
        let (row, max, scale) = (self.head.vocab().row(), f64::from(self.head.vocab().max()), self.scale());
        let log_total = ln(self.head.vocab_mut().total(scale));
        for i in 0..row.vocab() {
            let x = (f64::from(row.logit(i as u32)) - max) * scale;
            if x >= LOWEST_LOG_WEIGHT {
                write(i, (x - log_total) as f32);
            }
        }
    }

    /// The row as it was at first.
    pub(crate) fn opened_with(&self) -> Row<'r> {
        self.opened_with
    }

    /// Whether the whole vocabulary's logits are known to be the model's, but for the scale.
    pub(crate) fn has_model_logits(&self) -> bool {
        !self.is_reshaped && self.outside.is_none() && !self.head.vocab().row().is_touched()
    }

    /// The row and scale that the first dropping stage saw, if the support was the whole vocabulary still after it.
    pub(crate) fn dropped_from(&self) -> Option<(Row<'r>, f64)> {
        self.dropped_from
    }

    /// The row and what was learnt of it, for questions about the model rather than the distribution, and the entries.
    pub(crate) fn vocabulary(&mut self) -> (&mut Vocabulary<'r>, &[Entry]) {
        self.sort_bulk();
        self.head.parts()
    }
}

/// A logit beyond it has less than 14 bits after the point in f32.
const LARGE_LOGIT: f64 = 1024.0;

/// The logit of an entry: the row's own at a scale and an offset, or counted from the first entry's.
fn logit_of(first_logit: Option<f64>, scale: f64, offset: f64) -> impl Fn(&Entry) -> f64 {
    move |e| first_logit.map_or_else(|| f64::from(e.raw) * scale + offset, |first| e.x + first)
}
