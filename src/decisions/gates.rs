//! Gates of mixtures of experts: which experts a token goes to, and with which weights, by the convention of a model.
//!
//! For an engine that routes on the CPU, or checks its routing against a second implementation. Not for the routing of a
//! GPU: that is a fused kernel.

use super::check;
use crate::error::Result;
use crate::math::exp;

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
    let mut routes = Routes { ids: vec![], weights: vec![] };
    let mut scores = vec![0.0; options.experts];
    for (row, logits) in logits.chunks_exact(options.experts).enumerate() {
        if gate.is_softmax() && logits.iter().all(|&h| h == f64::NEG_INFINITY) {
            return check::refuse(format!("row {row} of logits has no expert: every logit is -infinity"));
        }
        let chosen = gate.choose(logits, &mut scores);
        routes.weights.extend(gate.weights(logits, &chosen));
        routes.ids.extend(chosen.iter().map(|&i| i as i32));
    }
    Ok(routes)
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

    /// The experts of a row; `scores` receives what they are chosen by.
    fn choose(&self, logits: &[f64], scores: &mut [f64]) -> Vec<usize> {
        if self.convention != GateConvention::DeepSeekV3 {
            return largest(logits, self.top_k);
        }
        for (i, (score, &h)) in scores.iter_mut().zip(logits).enumerate() {
            *score = sigmoid(h) + self.bias.get(i).copied().unwrap_or(0.0);
        }
        let of_groups: Vec<f64> = scores.chunks_exact(self.group_size).map(sum_of_two_largest).collect();
        let groups = largest(&of_groups, self.top_groups);
        for (group, scores) in scores.chunks_exact_mut(self.group_size).enumerate() {
            if !groups.contains(&group) {
                scores.fill(f64::NEG_INFINITY);
            }
        }
        largest(scores, self.top_k)
    }

    fn weights(&self, logits: &[f64], chosen: &[usize]) -> Vec<f64> {
        match self.convention {
            GateConvention::Llama4 => chosen.iter().map(|&i| sigmoid(logits[i])).collect(),
            GateConvention::DeepSeekV3 => {
                let scores: Vec<f64> = chosen.iter().map(|&i| sigmoid(logits[i])).collect();
                let total = scores.iter().sum::<f64>() + 1e-20;
                scores.iter().map(|s| s / total * self.scale).collect()
            }
            _ => {
                let weight = |&h: &f64| exp(h - logits[chosen[0]]);
                let chosen: Vec<f64> = chosen.iter().map(|&i| weight(&logits[i])).collect();
                let total: f64 = match self.convention {
                    GateConvention::Qwen2 => logits.iter().map(weight).sum(),
                    _ => chosen.iter().sum(),
                };
                chosen.iter().map(|w| w / total).collect()
            }
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// The indices of the n largest, in descending order (ties: ascending index). No score is NaN.
fn largest(scores: &[f64], n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let descending = |i: &usize, j: &usize| scores[*j].partial_cmp(&scores[*i]).unwrap_or(std::cmp::Ordering::Equal);
    // A stable sort keeps ties in the order of their ids.
    order.sort_by(descending);
    order.truncate(n);
    order
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
