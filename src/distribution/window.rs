//! Truncation to the tokens nearest to a level, which need not include the first: typical sampling's window.
//!
//! The vocabulary is not sorted for it. Shells around the level are collected until what lies in them is enough; what
//! is nearest among that is selected by halves, and only what is kept is sorted. A large window is found as a range of
//! logits (`vocab/nearest.rs`), which is not sorted either until a stage or a caller needs the order.

use super::bulk::MANY;
use super::{Distribution, Drawn, Spare, Support};
use crate::error::Result;
use crate::math::exp;
use crate::memory::make_room;
use crate::vocab::{COLLECT_SPARE, LogitRange, NearEnd, Window};
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
            if self.keep_range(level, end) {
                return Ok(());
            }
            self.keep_nearest_of_vocabulary(level, end)
        }
    }

    /// Keeps the tokens nearest to a level as a range of logits, if they are many and it is certain which they are; else
    /// nothing is changed.
    fn keep_range(&mut self, level: f64, end: WindowEnd) -> bool {
        let (scale, first) = (self.scale(), self.head.logit_of(level - FIRST_RADIUS));
        if !self.can_be_bulk() || self.head.vocab().count_lower_bound(first, MANY) < MANY {
            return false;
        }
        let lowest = self.head.lowest();
        let vocab = self.head.vocab_mut();
        // Both ways of summing are off by no more than this, however the weights are ordered.
        let margin = end.weight * (vocab.row().vocab() as f64 * f64::EPSILON + 1e-12);
        let window = Window { level, scale, lowest, weight: end.weight, many: MANY };
        match vocab.nearest(window, |ends, before| certain_end(ends, before, end, margin)) {
            Some(range) if range.count >= end.min_keep => {
                self.support = Support::Range { range, first_scale: scale };
                true
            }
            _ => false,
        }
    }

    /// Makes a range a list.
    pub(super) fn sort_range(&mut self) {
        if let Support::Range { range, first_scale } = self.support {
            self.head.restart();
            self.head.take_range(range.low, range.high);
            self.support = Support::List { first_scale, first_logit: None };
            if let Some(mut list) = self.list() {
                list.rebase();
            }
        }
    }

    /// [`Distribution::draw`] from a range, with the bits of a draw from the list; none if it has to be sorted first.
    pub(super) fn draw_from_range(&mut self, range: LogitRange, u: f64) -> Option<Drawn> {
        let drawn = self.head.vocab_mut().draw_from_range(range, u)?;
        Some(Drawn { index: drawn.index, rank: drawn.rank, p: drawn.p })
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

/// How many of the tokens around a window's end belong to it, if the sums tell that with this margin.
fn certain_end(ends: &[NearEnd], before: f64, end: WindowEnd, margin: f64) -> Option<usize> {
    let (least, most) = (end.weight - margin, end.weight + margin);
    let mut sum = before;
    for (i, e) in ends.iter().enumerate() {
        if sum > least {
            return None;
        }
        sum += e.weight;
        if sum > most {
            return Some(match end.rule {
                WindowRule::Within => i,
                WindowRule::Exceed => i + 1,
                WindowRule::Reach => i + ends[i..].partition_point(|other| other.distance <= e.distance),
            });
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::super::DistributionScratch;
    use super::*;
    use crate::logits::Row;
    use crate::testing::Lcg;
    use crate::vocab::{FirstPass, levels};

    /// Flat rows: bells of several widths, one with a spike, one of steps, a slope, and one with a plateau.
    fn rows() -> Vec<Vec<f32>> {
        let mut random = Lcg::new(11);
        let mut bell = |width: f64| -> Vec<f64> {
            let one = |random: &mut Lcg| width * ((0..4).map(|_| random.unit()).sum::<f64>() - 2.0);
            (0..20_011).map(|_| one(&mut random)).collect()
        };
        let rows = [
            bell(4.0),
            bell(1.5),
            bell(0.3),
            bell(3.0).into_iter().enumerate().map(|(i, l)| if i == 77 { l + 9.0 } else { l }).collect(),
            bell(3.0).into_iter().map(|l| (l * 64.0).floor() / 64.0).collect(),
            bell(2.0).into_iter().map(|l| l.min(1.0)).collect(),
            (0..20_011).map(|i| f64::from(i) * -3e-4).collect(),
            bell(1.0).into_iter().map(|l| l + 3e5).collect(),
        ];
        rows.into_iter().map(|row| row.into_iter().map(|l| l as f32).collect()).collect()
    }

    type Kept = (usize, Vec<(u32, u64)>, Vec<(u32, usize, u64)>);

    /// What is kept and drawn, as a range if it can be one, or in the plain way; and whether it was a range.
    fn kept(row: &[f32], p: f64, rule: WindowRule, as_range: bool) -> Vec<(bool, Kept)> {
        let levels = if as_range { levels() } else { &levels()[..1] };
        levels
            .iter()
            .map(|kernels| {
                let mut scratch = DistributionScratch::new();
                let mut dist = Distribution::new(Row::from_f32(row).unwrap(), kernels, &mut scratch);
                dist.read(FirstPass::TotalAndMoment).unwrap();
                let (level, weight) = (dist.mean_log_weight(), p * dist.total());
                let end = WindowEnd { weight, rule, min_keep: 1 };
                if as_range {
                    dist.keep_nearest(level, end).unwrap();
                } else {
                    dist.keep_nearest_of_vocabulary(level, end).unwrap();
                }
                let is_range = matches!(dist.support, Support::Range { .. });
                let mut random = Lcg::new(3);
                let drawn = (0..20).map(|_| random.unit()).chain([1e-9, 0.999_999_9]).map(|u| dist.draw(u));
                let drawn = drawn.map(|d| (d.index, d.rank, d.p.to_bits())).collect();
                let size = dist.support();
                let entries = dist.entries().iter().map(|e| (e.index, e.x.to_bits())).collect();
                (is_range, (size, entries, drawn))
            })
            .collect()
    }

    #[test]
    fn range_has_the_bits_of_the_plain_window() {
        let (mut ranges, mut all) = (0, 0);
        for row in rows() {
            for (p, rule) in [
                (0.95, WindowRule::Reach),
                (0.5, WindowRule::Exceed),
                (0.9, WindowRule::Within),
                (0.2, WindowRule::Reach),
                (0.999, WindowRule::Exceed),
            ] {
                let plain = kept(&row, p, rule, false);
                for (is_range, kept) in kept(&row, p, rule, true) {
                    ranges += usize::from(is_range);
                    all += 1;
                    assert!(kept == plain[0].1, "{p} {rule:?}: {} and {} tokens", kept.0, plain[0].1.0);
                }
            }
        }
        // Some windows are too small, or end among equals.
        assert!(ranges > all / 2, "{ranges} of {all} are ranges");
    }
}
