//! The distribution that a chain works on: the distribution over tokens as it stands between two stages.
//!
//! It begins as the whole vocabulary, known through a few passes and a scale (1/T). The first stage that drops a token
//! makes it a closed head: a short list in f64 that every later stage works on, renormalised by being all there is. If
//! that list would be long, it is a bulk at first, which nobody sorts until a stage or a caller asks for the list.

mod bulk;
mod edit;
pub(crate) mod head;
mod moments;
mod prefix;
mod radix;
mod reshape;
mod threshold;
mod window;

pub(crate) use threshold::{Edge, Least, Ties};
pub(crate) use window::{WindowEnd, WindowRule};

use crate::error::Result;
use crate::logits::Row;
use crate::math::{ListMath, exp, ln};
use crate::vocab::{self, FirstPass, Kernels, RankedToken, TileScale, Vocabulary};
use head::{Entry, Head, HeadScratch, LOWEST_LOG_WEIGHT};

/// The memory of a distribution, kept from call to call.
pub(crate) struct DistributionScratch {
    vocab: vocab::Scratch,
    head: HeadScratch,
    spare: Spare,
    /// One for each stage that may rewrite the row; most stay empty.
    rows: Vec<Vec<f32>>,
    row_edits: Vec<Vec<(u32, f32)>>,
}

impl DistributionScratch {
    /// For a distribution that is changed (`Distribution::change`) and rewritten (`Distribution::bend`,
    /// `Distribution::ring`) at most so many times.
    pub(crate) fn new(edits: usize, rewrites: usize) -> Self {
        Self {
            vocab: vocab::Scratch::new(),
            head: HeadScratch::default(),
            spare: Spare::default(),
            rows: vec![Vec::new(); rewrites],
            row_edits: vec![Vec::new(); edits],
        }
    }

    /// How a tile of the row that the last distribution summed was weighed.
    pub(crate) fn tile_scale(&self, tile: usize) -> TileScale {
        self.vocab.tile_scale(tile)
    }
}

/// Lists that a stage fills and forgets.
#[derive(Default)]
struct Spare {
    near: Vec<window::Near>,
    hits: Vec<RankedToken>,
    kept: Vec<RankedToken>,
    marked: Vec<u32>,
    former: Vec<(u32, f64)>,
}

/// The distribution as it was when a stage remembered it.
#[derive(Clone, Copy)]
enum Remembered<'r> {
    /// In the spare list, as (index, p).
    Entries,
    Row {
        row: Row<'r>,
        max: f32,
        scale: f64,
        total: f64,
    },
}

/// A token that a drawing stage took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drawn {
    /// Position in the row.
    pub(crate) index: u32,
    /// Position among the entries; 0 where the distribution is the whole vocabulary.
    pub(crate) rank: usize,
    /// Its probability under the distribution.
    pub(crate) p: f64,
}

/// A distribution over the tokens of one row.
pub(crate) struct Distribution<'r> {
    vocab: Vocabulary<'r>,
    head: Head<'r>,
    /// The product of all 1/T so far.
    scale: f64,
    /// The scale that the first dropping stage saw; none while the distribution is the whole vocabulary.
    closed_at: Option<f64>,
    /// The first entry's logit (ln p), once a stage gave the entries logits (probabilities) of its own.
    renormalised: Option<f64>,
    drawn: Option<Drawn>,
    /// Set while the distribution is closed and nobody has asked for its list.
    bulk: Option<bulk::Kept>,
    spare: &'r mut Spare,
    rows: &'r mut [Vec<f32>],
    /// Memory for the row's edits, a list for each change.
    row_edits: &'r mut [Vec<(u32, f32)>],
    /// What the next pass over the row is to find; none if the row as it is was read.
    unread: Option<FirstPass>,
    /// The row as the distribution was opened with it.
    opened_with: Row<'r>,
    /// Whether a stage has given the whole vocabulary other logits.
    is_reshaped: bool,
    former: Option<Remembered<'r>>,
    /// The row and scale that the first dropping stage saw, if the distribution was the whole vocabulary still after
    /// it.
    dropped_from: Option<(Row<'r>, f64)>,
}

impl<'r> Distribution<'r> {
    /// The distribution of a row, which [`Distribution::read`] has to read before anything is asked of it; `first` is
    /// what the chain will ask. `ids` are the tokens of a candidate array in which they are not the positions.
    pub(crate) fn new(
        row: Row<'r>,
        ids: Option<&'r [i32]>,
        first: FirstPass,
        kernels: &'static Kernels,
        scratch: &'r mut DistributionScratch,
    ) -> Self {
        let DistributionScratch { vocab, head, spare, rows, row_edits } = scratch;
        Self {
            vocab: Vocabulary::new(row, kernels, vocab),
            head: Head::new(head, &kernels.math, ids),
            scale: 1.0,
            closed_at: None,
            renormalised: None,
            drawn: None,
            bulk: None,
            spare,
            rows,
            row_edits,
            unread: Some(first),
            opened_with: row,
            is_reshaped: false,
            former: None,
            dropped_from: None,
        }
    }

    /// The same, read.
    pub(crate) fn open(
        row: Row<'r>,
        first: FirstPass,
        kernels: &'static Kernels,
        scratch: &'r mut DistributionScratch,
    ) -> Result<Self> {
        let mut dist = Self::new(row, None, first, kernels, scratch);
        dist.read()?;
        Ok(dist)
    }

    /// Reads the row, unless it was since it changed.
    pub(crate) fn read(&mut self) -> Result<()> {
        if let Some(first) = self.unread.take() {
            self.vocab.read(first)?;
            self.head.reserve(self.vocab.row().vocab());
            self.head.rescale(self.vocab.max(), self.scale);
        }
        Ok(())
    }

    /// Has the next pass over the row, if one is due, find what `plan` says for the distribution's scale.
    pub(crate) fn plan(&mut self, plan: impl FnOnce(f64) -> FirstPass) {
        if let Some(first) = &mut self.unread {
            *first = plan(self.scale);
        }
    }

    /// The entries known so far, in descending order: all of the distribution if it is closed.
    pub(crate) fn entries(&self) -> &[Entry] {
        debug_assert!(self.bulk.is_none(), "a crowd is no list");
        self.head.entries()
    }

    /// Whether a stage has dropped tokens, so that the entries are all there is.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed_at.is_some()
    }

    /// The scale (1/T) of the distribution that the first dropping stage saw, or of this distribution if none has.
    pub(crate) fn first_scale(&self) -> f64 {
        self.closed_at.unwrap_or(self.scale)
    }

    /// The product of all 1/T so far.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// Makes sure of `n` entries, or all there are; returns how many there are.
    pub(crate) fn deepen(&mut self, n: usize) -> usize {
        if self.is_closed() { self.entries().len() } else { self.head.deepen(n, &mut self.vocab) }
    }

    /// Makes sure of every entry with a log-weight of at least `x` relative to the first; returns how many those are.
    pub(crate) fn deepen_to(&mut self, x: f64) -> usize {
        if self.is_closed() {
            self.entries().partition_point(|e| e.x >= x)
        } else {
            self.head.deepen_to(x, &mut self.vocab)
        }
    }

    /// Finds every token with a log-weight of at least `x`, without putting them in order; returns how many tokens are
    /// known then.
    pub(crate) fn fetch_to(&mut self, x: f64) -> usize {
        if self.is_closed() { self.entries().len() } else { self.head.fetch_to(x, &mut self.vocab) }
    }

    /// The weight of the whole distribution, the first token's being 1: to f32's precision while it is the whole
    /// vocabulary.
    pub(crate) fn rough_total(&mut self) -> f64 {
        if self.is_closed() { self.head_weight() } else { self.vocab.total(self.scale) }
    }

    /// The weight of the tokens that are not among the first `n` entries.
    pub(crate) fn beyond(&mut self, n: usize) -> f64 {
        let entries = self.head.entries();
        if self.closed_at.is_some() {
            return entries[n..].iter().rev().map(|e| exp(e.x)).sum();
        }
        self.vocab.total_without(entries[..n].iter().map(|e| e.index), self.scale)
    }

    /// The scale after a temperature of 1/`factor`: beyond some bounds nothing changes any more, and products stay
    /// finite.
    pub(crate) fn scaled(scale: f64, factor: f64) -> f64 {
        (scale * factor).clamp(1e-100, 1e100)
    }

    /// Multiplies all log-weights: a temperature of 1/`factor`.
    pub(crate) fn scale_by(&mut self, factor: f64) {
        let (former, scale) = (self.scale, Self::scaled(self.scale, factor));
        self.scale = scale;
        if self.reweigh_bulk() {
            return;
        }
        self.scale = former;
        self.list();
        self.scale = scale;
        if self.is_closed() {
            let entries = self.head.entries_mut();
            entries.iter_mut().for_each(|e| e.x *= factor);
            // What has no weight left is not eligible.
            let n = entries.partition_point(|e| e.x >= LOWEST_LOG_WEIGHT);
            entries.truncate(n);
            self.renormalised = self.renormalised.map(|offset| offset * factor);
        } else if self.unread.is_none() {
            self.head.rescale(self.vocab.max(), self.scale);
        }
    }

    /// Drops all but the first `n` entries (at least one).
    pub(crate) fn truncate(&mut self, n: usize) {
        self.closed_at.get_or_insert(self.scale);
        self.head.truncate(n.max(1));
    }

    /// Drops all but the most likely token.
    pub(crate) fn keep_first(&mut self) {
        if !self.is_closed() {
            self.head.first(&mut self.vocab);
        }
        self.truncate(1);
    }

    /// Keeps the first `p_hat.len()` entries and gives them these probabilities.
    pub(crate) fn renormalise(&mut self, p_hat: &[f64]) {
        self.truncate(p_hat.len());
        let first = ln(p_hat[0]);
        for (e, &p) in self.head.entries_mut().iter_mut().zip(p_hat) {
            e.x = ln(p) - first;
        }
        self.renormalised = Some(first);
    }

    /// Takes the first token, whatever its weight.
    pub(crate) fn take_first(&mut self) {
        self.keep_first();
        self.drawn = Some(Drawn { index: self.entries()[0].index, rank: 0, p: 1.0 });
    }

    /// Draws by inverting the cumulative distribution, `u` in (0, 1): over the entries in their order, or over the
    /// whole vocabulary in order of index.
    pub(crate) fn draw(&mut self, u: f64) {
        let drawn = if let Some(drawn) = self.draw_from_bulk(u) {
            drawn
        } else if self.is_closed() {
            let weights = self.head.weights();
            let total: f64 = weights.iter().sum();
            let (mut sum, mut rank) = (0.0, 0);
            for (i, weight) in weights.iter().enumerate() {
                rank = i;
                sum += weight;
                if sum > u * total {
                    break;
                }
            }
            let p = weights[rank] / total;
            Drawn { index: self.entries()[rank].index, rank, p }
        } else {
            let index = self.vocab.quantile(self.scale, u);
            let x = (f64::from(self.vocab.row().logit(index)) - f64::from(self.vocab.max())) * self.scale;
            Drawn { index, rank: 0, p: exp(x) / self.vocab.total(self.scale) }
        };
        self.drawn = Some(drawn);
    }

    /// Takes the token that a drawing stage found in a way of its own.
    pub(crate) fn take(&mut self, drawn: Drawn) {
        self.drawn = Some(drawn);
    }

    /// Whether the id of every candidate is its place, if the row was read from candidates.
    pub(crate) fn is_in_order(&self) -> bool {
        self.vocab.is_in_order()
    }

    /// The id of the token at a position of the row.
    pub(crate) fn id(&self, index: u32) -> i32 {
        self.head.id(index)
    }

    /// The ids of a candidate array; none where the position is the id.
    pub(crate) fn ids(&self) -> Option<&'r [i32]> {
        self.head.ids()
    }

    /// The smallest logit of the row that is eligible, while the distribution is the whole vocabulary.
    pub(crate) fn lowest(&self) -> f32 {
        self.head.lowest()
    }

    /// What a drawing stage took.
    pub(crate) fn drawn(&self) -> Option<Drawn> {
        self.drawn
    }

    /// The list functions of the row's instruction set.
    pub(crate) fn math(&self) -> &'static ListMath {
        self.vocab.math()
    }

    /// The number of tokens with positive probability.
    pub(crate) fn support(&mut self) -> usize {
        match self.bulk_len() {
            Some(size) => size,
            None if self.is_closed() => self.entries().len(),
            None => self.vocab.count(self.head.lowest()) as usize,
        }
    }

    /// The weight of each entry, e^x.
    pub(crate) fn weights(&mut self) -> &[f64] {
        self.head.weights()
    }

    /// Σ exp(x) over the entries.
    pub(crate) fn head_weight(&mut self) -> f64 {
        self.weights().iter().sum()
    }

    /// The entries with the weight of each.
    pub(crate) fn weighed(&mut self) -> (&[Entry], &[f64]) {
        self.head.weighed()
    }

    /// The entry's logit as an engine should see it: the model's own, scaled by 1/T; or ln p̂ after a stage that gave
    /// probabilities of its own.
    pub(crate) fn logit(&self, entry: &Entry) -> f64 {
        self.to_logit()(entry)
    }

    /// [`Distribution::logit`], apart from the distribution.
    pub(crate) fn to_logit(&self) -> impl Fn(&Entry) -> f64 + use<> {
        let (offset, scale) = (self.renormalised, self.scale);
        move |e| offset.map_or_else(|| f64::from(e.raw) * scale, |offset| e.x + offset)
    }

    /// Replaces the row by `ln p` (-infinity off the support).
    pub(crate) fn log_probabilities(&mut self, mut write: impl FnMut(usize, f32)) {
        if self.is_closed() {
            let log_total = ln(self.head_weight());
            self.entries().iter().for_each(|e| write(e.index as usize, (e.x - log_total) as f32));
            return;
        }
        let (row, max, scale) = (self.vocab.row(), f64::from(self.vocab.max()), self.scale);
        let log_total = ln(self.vocab.total(scale));
        for i in 0..row.vocab() {
            let x = (f64::from(row.logit(i as u32)) - max) * scale;
            if x >= LOWEST_LOG_WEIGHT {
                write(i, (x - log_total) as f32);
            }
        }
    }

    /// The row as the distribution was opened with it.
    pub(crate) fn opened_with(&self) -> Row<'r> {
        self.opened_with
    }

    /// Whether the whole vocabulary's logits are the model's, but for the scale.
    pub(crate) fn has_model_logits(&self) -> bool {
        !self.is_reshaped && !self.vocab.row().is_touched()
    }

    /// The row and scale that the first dropping stage saw, if it left the distribution the whole vocabulary, less some
    /// tokens.
    pub(crate) fn dropped_from(&self) -> Option<(Row<'r>, f64)> {
        self.dropped_from
    }

    /// The row and what was learnt of it, for questions about the model rather than the distribution.
    pub(crate) fn vocabulary(&mut self) -> (&mut Vocabulary<'r>, &[Entry]) {
        (&mut self.vocab, self.head.entries())
    }
}
