//! Gates of mixtures of experts: which experts a token goes to, and with which weights, by the convention of a model.
//!
//! For an engine that routes on the CPU, or checks its routing against a second implementation. Not for the routing of a
//! GPU: that is a fused kernel.

use super::check;
use crate::error::{Error, Result};
use crate::math::exp;
use crate::memory;
use std::cmp::Ordering;

/// How a model turns router logits h into experts and weights. k stands for [`GateOptions::top_k`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateConvention {
    /// Mixtral: softmax over all experts, the k largest, renormalised.
    Mixtral,
    /// Qwen2-MoE: softmax over all experts, the k largest, not renormalised.
    Qwen2,
    /// Qwen3-MoE: as Mixtral.
    Qwen3,
    /// gpt-oss: the k largest logits, softmax over these. The same weights as Mixtral's, and here the same bits.
    GptOss,
    /// Llama 4: the k largest logits, the sigmoid of each.
    Llama4,
    /// DeepSeek-V3 and GLM-4-MoE: s = sigmoid(h); the k largest s + bias within the best groups of experts; weights
    /// s / (Σs + 1e-20) times the scale.
    DeepSeekV3,
}

/// A gate. The last four fields are for [`GateConvention::DeepSeekV3`]; other conventions refuse them unless 0 or empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateOptions<'a> {
    /// The convention.
    pub convention: GateConvention,
    /// Number of experts, at least 1.
    pub experts: usize,
    /// Number of experts that each token goes to, from 1 to the number that can be chosen.
    pub top_k: usize,
    /// Number of groups of consecutive experts, which divides `experts`; 0 for 1.
    pub groups: usize,
    /// Number of groups from which experts are chosen: those with the largest sum of the two largest s + bias; 0 for all.
    pub top_groups: usize,
    /// Factor of the weights, positive and finite; 0 for 1.
    pub scale: f64,
    /// Correction of each expert for the choice alone, finite; empty for none.
    pub bias: &'a [f64],
}

/// Experts and weights, row after row, `top_k` of each.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Routes {
    /// The chosen experts, from 0, in descending order of what they were chosen by (ties: ascending id).
    pub ids: Vec<i32>,
    /// The weight of each.
    pub weights: Vec<f64>,
}

/// Routes rows of `experts` router logits, finite or -infinity (an expert with s = 0).
///
/// # Errors
/// An option or a logit out of its range; a row of softmax in which every logit is -infinity; a length that does not fit.
pub fn route(options: &GateOptions<'_>, logits: &[f64]) -> Result<Routes> {
    let gate = Gate::new(options)?;
    check::rows(logits, "logits", options.experts, "experts")?;
    check::all(logits, "logits", "finite or -infinity", |h| h < f64::INFINITY)?;
    let rows = logits.len() / options.experts;
    let Some(chosen) = rows.checked_mul(gate.top_k) else { return Err(Error::OutOfMemory) };
    let mut routes = Routes { ids: memory::filled(chosen, 0)?, weights: memory::filled(chosen, 0.0)? };
    let mut scratch = Scratch::new(options)?;
    let rows = logits.chunks_exact(options.experts);
    let outputs = routes.ids.chunks_exact_mut(gate.top_k).zip(routes.weights.chunks_exact_mut(gate.top_k));
    for (row, (logits, (ids, weights))) in rows.zip(outputs).enumerate() {
        if gate.is_softmax() && logits.iter().all(|&h| h == f64::NEG_INFINITY) {
            return check::refuse(format!("row {row} of logits has no expert: every logit is -infinity"));
        }
        let chosen = gate.choose(logits, &mut scratch);
        gate.weigh(logits, chosen, weights);
        ids.iter_mut().zip(chosen).for_each(|(id, &i)| *id = i as i32);
    }
    Ok(routes)
}

/// The memory of a row.
struct Scratch {
    /// What experts are chosen by.
    scores: Vec<f64>,
    /// Experts, or groups, the best first.
    order: Vec<usize>,
    of_groups: Vec<f64>,
}

impl Scratch {
    fn new(options: &GateOptions<'_>) -> Result<Self> {
        let (experts, groups) = (options.experts, options.groups.max(1));
        let (scores, of_groups) = (memory::filled(experts, 0.0)?, memory::filled(groups, 0.0)?);
        Ok(Self { scores, order: memory::filled(experts, 0)?, of_groups })
    }
}

/// Options that were checked, with their defaults filled in.
struct Gate<'a> {
    convention: GateConvention,
    top_k: usize,
    group_size: usize,
    top_groups: usize,
    scale: f64,
    bias: &'a [f64],
}

impl<'a> Gate<'a> {
    fn new(options: &GateOptions<'a>) -> Result<Self> {
        let GateOptions { convention, experts, top_k, groups, top_groups, scale, bias } = *options;
        check::positive(experts as u64, "experts")?;
        check::positive(top_k as u64, "top_k")?;
        if experts > i32::MAX as usize {
            return check::refuse(format!("experts is {experts}: must be at most {}", i32::MAX));
        }
        if convention != GateConvention::DeepSeekV3 {
            for (is_set, name) in [
                (groups != 0, "groups"),
                (top_groups != 0, "top_groups"),
                (scale != 0.0, "scale"),
                (!bias.is_empty(), "bias"),
            ] {
                if is_set {
                    return check::refuse(format!("{name} is given: only DeepSeek-V3's convention has it"));
                }
            }
        }
        let groups = groups.max(1);
        if !experts.is_multiple_of(groups) {
            return check::refuse(format!("groups is {groups}: must divide experts, which is {experts}"));
        }
        let group_size = experts / groups;
        if top_groups > groups {
            return check::refuse(format!("top_groups is {top_groups}: must be at most groups, which is {groups}"));
        }
        let top_groups = if top_groups == 0 { groups } else { top_groups };
        if top_k > top_groups * group_size {
            let most = top_groups * group_size;
            return check::refuse(format!("top_k is {top_k}: at most {most} experts can be chosen"));
        }
        check::one(scale, "scale", "positive and finite, or 0 for 1", |s| s >= 0.0 && s.is_finite())?;
        let scale = if scale == 0.0 { 1.0 } else { scale };
        if !bias.is_empty() && bias.len() != experts {
            return check::refuse(format!("bias has {} elements, there are {experts} experts", bias.len()));
        }
        check::all(bias, "bias", "finite", f64::is_finite)?;
        Ok(Self { convention, top_k, group_size, top_groups, scale, bias })
    }

    fn is_softmax(&self) -> bool {
        use GateConvention::{GptOss, Mixtral, Qwen2, Qwen3};
        matches!(self.convention, Mixtral | Qwen2 | Qwen3 | GptOss)
    }

    /// The experts of a row.
    fn choose<'s>(&self, logits: &[f64], scratch: &'s mut Scratch) -> &'s [usize] {
        let Scratch { scores, order, of_groups } = scratch;
        if self.convention != GateConvention::DeepSeekV3 {
            return largest(logits, self.top_k, order);
        }
        for (i, (score, &h)) in scores.iter_mut().zip(logits).enumerate() {
            *score = sigmoid(h) + self.bias.get(i).copied().unwrap_or(0.0);
        }
        for (of_group, scores) in of_groups.iter_mut().zip(scores.chunks_exact(self.group_size)) {
            *of_group = sum_of_two_largest(scores);
        }
        largest(of_groups, of_groups.len(), order);
        for &group in &order[self.top_groups..of_groups.len()] {
            scores[group * self.group_size..][..self.group_size].fill(f64::NEG_INFINITY);
        }
        largest(scores, self.top_k, order)
    }

    /// Writes the weights of the chosen experts.
    fn weigh(&self, logits: &[f64], chosen: &[usize], weights: &mut [f64]) {
        let softmax_weight = |&h: &f64| exp(h - logits[chosen[0]]);
        for (weight, &i) in weights.iter_mut().zip(chosen) {
            *weight = if self.is_softmax() { softmax_weight(&logits[i]) } else { sigmoid(logits[i]) };
        }
        let total: f64 = match self.convention {
            GateConvention::Llama4 => return,
            GateConvention::DeepSeekV3 => weights.iter().sum::<f64>() + 1e-20,
            GateConvention::Qwen2 => logits.iter().map(softmax_weight).sum(),
            _ => weights.iter().sum(),
        };
        weights.iter_mut().for_each(|w| *w = *w / total * self.scale);
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// The indices of the n largest, in descending order (ties: ascending index). No score is NaN, and `order` has at least as
/// many elements as there are scores.
fn largest<'o>(scores: &[f64], n: usize, order: &'o mut [usize]) -> &'o [usize] {
    let order = &mut order[..scores.len()];
    order.iter_mut().enumerate().for_each(|(i, at)| *at = i);
    let descending = |i: usize, j: usize| scores[j].partial_cmp(&scores[i]).unwrap_or(Ordering::Equal);
    order.sort_unstable_by(|&i, &j| descending(i, j).then(i.cmp(&j)));
    &order[..n]
}

/// The sum of the two largest scores of a group; of a group of one, its only score.
fn sum_of_two_largest(scores: &[f64]) -> f64 {
    let (mut first, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for &score in scores {
        if score > first {
            (first, second) = (score, first);
        } else if score > second {
            second = score;
        }
    }
    if scores.len() == 1 { first } else { first + second }
}
