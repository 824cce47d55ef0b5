//! Truncation to the tokens nearest to a level, which need not include the first: typical sampling's window.
//!
//! The vocabulary is not sorted for it. Shells around the level are collected until what lies in them is enough; what
//! is nearest among that is selected by halves, and only what is kept is sorted.

use super::{Distribution, Spare};
use crate::error::Result;
use crate::math::exp;
use crate::memory::make_room;
use crate::vocab::COLLECT_SPARE;
use std::cmp::Ordering;

/// Where a window ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowEnd {
    /// The weight of the window, the first token's being 1.
    pub(crate) weight: f64,
    pub(crate) rule: WindowRule,
    pub(crate) min_keep: usize,
}

/// Which token is the last, as the weights are summed in order of distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowRule {
    /// The sum with this token is at least the weight: it is the last, and its equals in distance stay with it.
    Reach,
    /// The sum with it is above the weight: it is the last.
    Exceed,
    /// The sum with it is above the weight: the one before it was the last.
    Within,
}

/// A candidate for the window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    /// Its place among the hits or the entries.
    at: u32,
    id: i32,
    distance: f64,
    weight: f64,
}

/// Candidates that are sorted in one go.
const FEW: usize = 64;

/// The first radius around the level, in nats.
const FIRST_RADIUS: f64 = 1.0;

/// Factor between one radius and the next; below 2, because a radius too large collects the bulk of the vocabulary.
const FURTHER: f64 = 1.5;

impl Distribution<'_> {
    /// Keeps the tokens whose log-weight is nearest to `level`, ties to the lower id, until they have the weight that
    /// `end` says; at least one.
    pub(crate) fn keep_nearest(&mut self, level: f64, end: WindowEnd) -> Result<()> {
        if self.is_truncated() {
            self.keep_nearest_entries(level, end)
        } else {
            self.lack_tokens();
            self.keep_nearest_of_vocabulary(level, end)
        }
    }

    fn keep_nearest_entries(&mut self, level: f64, end: WindowEnd) -> Result<()> {
        self.sort_bulk();
        let Self { head, spare: Spare { near, .. }, .. } = self;
        near.clear();
        make_room(near, head.entries().len())?;
        near.extend(head.entries().iter().enumerate().map(|(at, e)| Near {
            at: at as u32,
            id: head.id(e.index),
            distance: (e.x - level).abs(),
            weight: exp(e.x),
        }));
        let n = select(near, end);
        near[..n].sort_unstable_by_key(|n| n.at);
        let near = std::mem::take(near);
        if let Some(mut list) = self.list() {
            list.keep_places(near[..n].iter().map(|n| n.at as usize));
        }
        self.spare.near = near;
        Ok(())
    }

    fn keep_nearest_of_vocabulary(&mut self, level: f64, end: WindowEnd) -> Result<()> {
        let (max, scale, lowest) = (self.head.vocab().max(), self.scale(), self.head.lowest());
        let x_of = |l: f32| (f64::from(l) - f64::from(max)) * scale;
        let Self { head, spare: Spare { near, hits, kept, .. }, .. } = self;
        let n = head.vocab().row().vocab();
        near.clear();
        make_room(near, n)?;
        hits.clear();
        make_room(hits, n + COLLECT_SPARE)?;
        kept.clear();
        make_room(kept, n)?;
        // Every token with low <= logit < high is among the hits.
        let at = |x: f64| ((f64::from(max) + x / scale) as f32).clamp(lowest, max);
        let (mut low, mut high) = (at(level), at(level));
        let mut radius = FIRST_RADIUS;
        loop {
            let below = at(level - radius);
            let above = if level + radius >= 0.0 { f32::INFINITY } else { at(level + radius) };
            let known = hits.len();
            if below < low {
                head.vocab_mut().collect(below, low, hits);
                low = below;
            }
            if high < above {
                head.vocab_mut().collect(high, above, hits);
                high = above;
            }
            near.extend(hits[known..].iter().zip(known..).map(|(hit, at)| {
                let x = x_of(hit.logit());
                Near { at: at as u32, id: head.id(hit.index()), distance: (x - level).abs(), weight: exp(x) }
            }));
            // Nothing nearer than this is missing.
            let below = if low <= lowest { f64::INFINITY } else { level - x_of(low) };
            let above = if high == f32::INFINITY { f64::INFINITY } else { x_of(high) - level };
            let certain = below.min(above);
            if certain == f64::INFINITY || is_enough(near, certain, end) {
                break;
            }
            radius *= FURTHER;
        }
        let n = select(near, end);
        kept.extend(near[..n].iter().map(|n| hits[n.at as usize]));
        head.place(kept);
        self.close();
        if let Some(mut list) = self.list() {
            list.rebase();
        }
        Ok(())
    }
}

/// Whether the tokens nearer than `certain` have all that the window takes.
fn is_enough(near: &[Near], certain: f64, end: WindowEnd) -> bool {
    let inside = || near.iter().filter(|n| n.distance < certain);
    let weight: f64 = inside().map(|n| n.weight).sum();
    // With a margin for the order of summation; more is always right.
    weight > end.weight * (1.0 + 1e-9) && inside().count() >= end.min_keep
}

fn nearest(a: &Near, b: &Near) -> Ordering {
    a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id))
}

/// Brings the tokens of the window to the front and returns their number.
fn select(near: &mut [Near], window: WindowEnd) -> usize {
    let ends = |sum: f64| if window.rule == WindowRule::Reach { sum >= window.weight } else { sum > window.weight };
    // The window ends in low..high; the tokens before low have weight `before`.
    let (mut low, mut high, mut before) = (0, near.len(), 0.0);
    while high - low > FEW {
        let middle = low + (high - low) / 2;
        near[low..high].select_nth_unstable_by(middle - low, nearest);
        let weight: f64 = near[low..middle].iter().map(|n| n.weight).sum();
        if ends(before + weight) {
            high = middle;
        } else {
            (low, before) = (middle, before + weight);
        }
    }
    near[low..high].sort_unstable_by(nearest);
    let end = near[low..high].iter().position(|n| {
        before += n.weight;
        ends(before)
    });
    let n = match end {
        None => high,
        Some(end) if window.rule == WindowRule::Within => low + end,
        Some(end) if window.rule == WindowRule::Exceed => low + end + 1,
        Some(end) => with_equals(near, low + end + 1),
    };
    let least = window.min_keep.max(1).min(near.len());
    if n < least {
        bring_forward(near, least);
    }
    n.max(least)
}

/// Brings the `n` nearest to the front.
fn bring_forward(near: &mut [Near], n: usize) {
    if n < near.len() {
        near.select_nth_unstable_by(n - 1, nearest);
    }
}

/// Brings those after the first `n` that are no farther than the farthest of these behind them, and counts them in.
fn with_equals(near: &mut [Near], n: usize) -> usize {
    let farthest = near[..n].iter().map(|n| n.distance).fold(0.0, f64::max);
    let mut end = n;
    for i in n..near.len() {
        if near[i].distance <= farthest {
            near.swap(i, end);
            end += 1;
        }
    }
    end
}
