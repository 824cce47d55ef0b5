//! Tail-free: a cut where the second differences of the sorted probabilities have almost ended.

use super::{Built, Context, MIN_KEEP, OFF, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::Result;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "tail_free",
    aliases: &["tfs", "tfs_z", "tail_free_sampling"],
    summary: "cuts the tail once the cumulative |second difference| of the sorted probabilities exceeds z of its total",
    definition: "d_i = |p_i - 2 p_{i+1} + p_{i+2}| over the sorted probabilities, divided by their sum (all equal if \
                 that is at most 1e-6); i the first, and at least min_keep, with d_1 + ... + d_i > z: keep those \
                 before it (rule=before) or it too (rule=after); up to two tokens are left as they are",
    source: "Trenton Bricken, Tail Free Sampling (2019)",
    agrees: "koboldcpp, early llama.cpp (rule=before); ExLlamaV2 (rule=after)",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "z",
            aliases: &["tfs", "tfs_z"],
            summary: "the share; 1 switches the stage off",
            kind: Kind::Number { min: 0.0, max: 1.0, open: false },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "rule",
            aliases: &[],
            summary: "whether the token with which the share is passed is dropped (before) or kept (after)",
            kind: Kind::Choice(&["before", "after"]),
            default: "before",
            required: false,
        },
        MIN_KEEP,
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (z, keeps_last) = (arguments.number("z"), arguments.is("rule", "after"));
    if z >= 1.0 { OFF } else { on(TailFree { z, keeps_last, min_keep: arguments.count("min_keep") }) }
}

struct TailFree {
    z: f64,
    keeps_last: bool,
    min_keep: usize,
}

/// A cut is usually before this.
const FIRST_LOOK: usize = 128;

/// If the probabilities bend less than this in all, they are taken for a straight line.
const STRAIGHT: f64 = 1e-6;

impl TailFree {
    /// The place of the token with which the share of the bends is passed, by looking no further down than it takes: what the
    /// weights beyond the n-th bend is at most the sum of the last two, because first differences telescope.
    fn last(&self, dist: &mut Distribution<'_>) -> Option<usize> {
        let (straight, mut wanted) = (STRAIGHT * dist.total(), FIRST_LOOK);
        let mut bends = Bends::new(dist.vocabulary().0.row().vocab());
        loop {
            let n = dist.deepen(wanted);
            let is_all = dist.is_truncated() || n < wanted;
            let weights = &dist.weights()[..n];
            bends.extend(weights);
            let rest = if is_all { 0.0 } else { weights[n - 2] + weights[n - 1] };
            if bends.sum + rest <= straight {
                return Some((self.z * (dist.support() - 2) as f64) as usize);
            }
            if bends.sum > straight {
                let [first, last] = [bends.sum, bends.sum + rest].map(|sum| bends.above(self.z * sum, weights));
                if first == last && (is_all || first.is_some()) {
                    return first;
                }
            }
            wanted = 2 * n;
        }
    }
}

/// How the curve of the weights bends, summed from the first one on: its second differences, without their signs.
struct Bends {
    len: usize,
    sum: f64,
    /// The sum before every `stride`-th.
    marks: [f64; MARKS],
    stride: usize,
}

/// A mark for every 512th of the largest vocabularies.
const MARKS: usize = 512;

impl Bends {
    /// For up to this many weights.
    fn new(most: usize) -> Self {
        Self { len: 0, sum: 0.0, marks: [0.0; MARKS], stride: most.div_ceil(MARKS).max(1) }
    }

    /// Adds those of the weights that have joined.
    fn extend(&mut self, weights: &[f64]) {
        let end = weights.len() - 2;
        while self.len < end {
            if self.len.is_multiple_of(self.stride) {
                self.marks[self.len / self.stride] = self.sum;
            }
            let next = end.min((self.len / self.stride + 1) * self.stride);
            self.sum = weights[self.len..next + 2].windows(3).fold(self.sum, |sum, three| sum + bend(three));
            self.len = next;
        }
    }

    /// The first with which their sum is above this.
    fn above(&self, target: f64, weights: &[f64]) -> Option<usize> {
        let marks = &self.marks[..self.len.div_ceil(self.stride)];
        let first = self.stride * (marks.partition_point(|&before| before <= target) - 1);
        let mut sum = marks[first / self.stride];
        let passed = weights[first..self.len + 2].windows(3).position(|three| {
            sum += bend(three);
            sum > target
        });
        passed.map(|at| first + at)
    }
}

/// How three weights bend.
fn bend(three: &[f64]) -> f64 {
    (three[0] - 2.0 * three[1] + three[2]).abs()
}

impl Stage for TailFree {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Total)
    }

    fn transform(&self, dist: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        if dist.deepen(3) < 3 {
            return Ok(());
        }
        if let Some(last) = self.last(dist) {
            let k = last.max(self.min_keep) + usize::from(self.keeps_last);
            let k = dist.deepen(k).min(k);
            dist.truncate(k);
        }
        Ok(())
    }
}
