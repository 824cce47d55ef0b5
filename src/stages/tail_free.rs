//! Tail-free: a cut where the second differences of the sorted probabilities have almost ended.

use super::{Built, Context, MIN_KEEP, OFF, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Entry};
use crate::error::Result;
use crate::math::exp;
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
    /// The place of the token with which the share of `sum` is passed, if it is among these.
    fn end(&self, entries: &[Entry], sum: f64) -> Option<usize> {
        let mut so_far = 0.0;
        bends(entries).position(|d| {
            so_far += d;
            so_far > self.z * sum
        })
    }

    /// The place of that token, by looking no further down than it takes: what the weights beyond the n-th bend is at
    /// most the sum of the last two, because first differences telescope.
    fn last(&self, dist: &mut Distribution<'_>) -> Option<usize> {
        let (straight, mut wanted) = (STRAIGHT * dist.total(), FIRST_LOOK);
        loop {
            let n = dist.deepen(wanted);
            let is_all = dist.is_truncated() || n < wanted;
            let entries = &dist.entries()[..n];
            let known: f64 = bends(entries).sum();
            let rest: f64 = if is_all { 0.0 } else { entries[n - 2..].iter().map(|e| exp(e.x)).sum() };
            if known + rest <= straight {
                return Some((self.z * (dist.support() - 2) as f64) as usize);
            }
            if known > straight {
                let (first, last) = (self.end(entries, known), self.end(entries, known + rest));
                if first == last && (is_all || first.is_some()) {
                    return first;
                }
            }
            wanted = 2 * n;
        }
    }
}

/// How the curve of the weights bends: its second differences, without their signs.
fn bends(entries: &[Entry]) -> impl Iterator<Item = f64> {
    let mut weights = entries.iter().map(|e| exp(e.x));
    let (mut a, mut b) = (weights.next().unwrap_or(0.0), weights.next().unwrap_or(0.0));
    weights.map(move |c| {
        let bend = (a - 2.0 * b + c).abs();
        (a, b) = (b, c);
        bend
    })
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
