//! What the other projects' tests compute as their reference, in f64 and without short cuts.

use crate::cases::{Case, float, tokens};
use serde_json::Value;

/// Logits, and the tokens that are left.
pub struct Plain {
    pub logits: Vec<f64>,
    pub kept: Vec<bool>,
}

impl Plain {
    /// The row after all steps of a list. Boundaries are moved by the slack towards more tokens (1) or fewer (-1).
    pub fn new(case: &Case, steps: &Value, towards: f64) -> Self {
        let logits: Vec<f64> = case.row.iter().map(|&l| f64::from(l)).collect();
        let kept = (0..logits.len()).map(|id| case.is_possible(id)).collect();
        let mut plain = Self { logits, kept };
        for step in steps.as_array().expect("steps") {
            plain.step(case, step, case.slack * towards);
        }
        plain
    }

    /// Probabilities over the tokens that are left.
    pub fn p(&self) -> Vec<f64> {
        softmax(&self.logits, &self.kept)
    }

    fn step(&mut self, case: &Case, step: &Value, move_by: f64) {
        let name = step[0].as_str().expect("a step's name");
        let x = |i: usize| float(&step[i]);
        match name {
            "temperature" => self.logits.iter_mut().for_each(|l| *l /= x(1)),
            "bias" => self.logits[x(1) as usize] += x(2),
            "ban" => tokens(&step[1]).into_iter().for_each(|id| self.kept[id as usize] = false),
            "penalties" => self.penalties(case, x(1), x(2), x(3)),
            "dry" => self.dry(&case.history(), [x(1), x(2), x(3), x(4)], &tokens(&step[5])),
            "xtc_average" => self.xtc_average(x(1), x(2)),
            // All equals of the k-th are kept.
            "top_k" => {
                let mut sorted = self.sorted();
                sorted.truncate(x(1) as usize);
                let last = self.logits[*sorted.last().expect("a token")];
                self.keep(|plain, id, _| plain.logits[id] >= last);
            }
            "top_p" => self.kept = self.top_p(x(1) + move_by),
            // Both masks are of the same distribution.
            "top_k_and_top_p" => {
                let top_p = self.top_p(x(2) + move_by);
                self.step(case, &Value::from(vec![Value::from("top_k"), step[1].clone()]), 0.0);
                self.kept.iter_mut().zip(top_p).for_each(|(kept, other)| *kept &= other);
            }
            "within" => {
                let (p, mut sum) = (self.p(), 0.0);
                let sorted = self.sorted();
                for (rank, id) in sorted.into_iter().enumerate() {
                    sum += p[id];
                    self.kept[id] = rank == 0 || sum <= x(1) + move_by;
                }
            }
            "min_p" => {
                let most = self.p().into_iter().fold(0.0, f64::max);
                self.keep(|_, _, p| p >= x(1) * most * (1.0 - move_by));
            }
            "p_less" => {
                let threshold: f64 = self.p().iter().map(|p| p * p).sum();
                self.keep(|_, _, p| p >= threshold * (1.0 - move_by));
            }
            other => panic!("no step `{other}`"),
        }
    }

    fn keep(&mut self, stays: impl Fn(&Self, usize, f64) -> bool) {
        let p = self.p();
        let kept = (0..p.len()).map(|id| self.kept[id] && stays(self, id, p[id])).collect();
        self.kept = kept;
    }

    /// Tokens that are left, by descending logit.
    fn sorted(&self) -> Vec<usize> {
        let mut ids: Vec<usize> = (0..self.logits.len()).filter(|&id| self.kept[id]).collect();
        ids.sort_by(|&a, &b| self.logits[b].total_cmp(&self.logits[a]));
        ids
    }

    /// The tokens at which the sum from the least likely one upwards is above 1 - p, and the most likely one.
    fn top_p(&self, mass: f64) -> Vec<bool> {
        let (p, mut sum, mut kept) = (self.p(), 0.0, vec![false; self.kept.len()]);
        let sorted = self.sorted();
        for &id in sorted.iter().rev() {
            sum += p[id];
            kept[id] = sum > 1.0 - mass || id == sorted[0];
        }
        kept
    }

    /// Repetition over prompt and output, frequency and presence over the output.
    fn penalties(&mut self, case: &Case, repetition: f64, frequency: f64, presence: f64) {
        let times = |tokens: &[i32], id: usize| tokens.iter().filter(|&&t| t == id as i32).count() as f64;
        let history = case.history();
        for id in 0..self.logits.len() {
            let logit = &mut self.logits[id];
            if times(&history, id) > 0.0 {
                *logit = if *logit > 0.0 { *logit / repetition } else { *logit * repetition };
            }
            let n = times(&case.output, id);
            *logit -= n * frequency + n.min(1.0) * presence;
        }
    }

    /// Compares the end of the window with every place before it.
    fn dry(&mut self, history: &[i32], [multiplier, base, allowed, last_n]: [f64; 4], breakers: &[i32]) {
        let n = if last_n < 0.0 { history.len() } else { history.len().min(last_n as usize) };
        let window = &history[history.len() - n..];
        let limit = window.iter().rev().position(|token| breakers.contains(token)).unwrap_or(n);
        let most =
            if base <= 1.000_001 { f64::INFINITY } else { (f64::from(f32::MAX).ln() / base.ln() + 1e-6).floor() };
        let mut longest = std::collections::BTreeMap::<i32, usize>::new();
        for end in 0..n.saturating_sub(1) {
            let equal = (0..=end).take_while(|&back| window[end - back] == window[n - 1 - back]).count().min(limit);
            if equal as f64 >= allowed {
                let length = longest.entry(window[end + 1]).or_default();
                *length = (*length).max(equal);
            }
        }
        if (limit as f64) < allowed {
            return;
        }
        for (token, length) in longest {
            if !breakers.contains(&token) {
                self.logits[token as usize] -= multiplier * base.powf((length as f64 - allowed).min(most));
            }
        }
    }

    /// The weights of all tokens of at least the threshold but the last of them, times what a coin leaves on average.
    fn xtc_average(&mut self, probability: f64, threshold: f64) {
        let p = self.p();
        let mut top: Vec<usize> = self.sorted().into_iter().filter(|&id| p[id] >= threshold).collect();
        top.pop();
        let mass: f64 = top.iter().map(|&id| p[id]).sum();
        let factor = (1.0 - probability) / (1.0 + probability * mass / (1.0 - mass));
        for id in top {
            self.logits[id] += factor.ln();
            self.kept[id] &= factor > 0.0;
        }
    }
}

pub fn softmax(logits: &[f64], kept: &[bool]) -> Vec<f64> {
    let of = |(l, kept): (&f64, &bool)| if *kept { *l } else { f64::NEG_INFINITY };
    let max = logits.iter().zip(kept).map(of).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().zip(kept).map(of).map(|l| (l - max).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}
