//! Chains, rows and tokens from bytes, so that a fuzzer's changes of bytes change single parts of them. Where the bytes
//! end, every choice is the first one.

use crate::common::rows::{ROWS, Random, logits};
use arbitrary::Unstructured;
use bregman::{Kind, ParameterInfo, StageInfo};

/// The bytes that are left.
pub struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All bytes that are left.
    pub fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0.int_in_range(0..=n - 1).unwrap_or(0)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// True in about one of `n` cases; false where the bytes end.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn number(&mut self) -> u64 {
        self.0.arbitrary().unwrap_or(0)
    }

    /// A number whose size needs few bytes; a seed.
    pub fn seed(&mut self) -> u64 {
        self.below(1 << 16) as u64
    }

    /// In (0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.below(1 << 24) as f64 + 0.5) / (1 << 24) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Up to `most` tokens, of few or many different ones.
    pub fn tokens(&mut self, most: usize) -> Vec<i32> {
        let (n, distinct) = (self.below(most), self.pick(&[1, 2, 5, 40]));
        (0..n).map(|_| self.below(distinct) as i32).collect()
    }

    /// A mask for so many tokens, of which it allows three quarters or all.
    pub fn mask(&mut self, vocab: usize) -> Vec<u32> {
        let random = &mut Random(self.seed());
        let words = vocab.div_ceil(32).saturating_sub(self.pick(&[0, 0, 0, 1])).max(1);
        (0..words).map(|_| (random.next() | random.next()) as u32).collect()
    }

    /// A row of up to 1000 logits: one of the usual kinds, extremes, or gaps at which weights leave f32 and f64.
    pub fn row(&mut self) -> Vec<f32> {
        let vocab = self.pick(&[1, 2, 3, 4, 7, 16, 17, 33, 100, 257, 1000]);
        match self.below(3) {
            0 => {
                let kind = self.pick(&ROWS);
                logits(kind, vocab, &mut Random(self.seed()))
            }
            1 => {
                let ends =
                    [3e38, -3e38, f32::MAX, f32::MIN, 1e-45, -1e-45, 0.0, -0.0, 1.0, 88.0, -104.0, 700.0, -745.0];
                let choice = |input: &mut Self| if input.one_in(8) { f32::NEG_INFINITY } else { input.pick(&ends) };
                (0..vocab).map(|_| choice(self)).collect()
            }
            _ => {
                let gap = self.pick(&[1e-6, 1.0, 87.0, 103.0, 708.0, 745.0, 1e4, 1e30]);
                (0..vocab).map(|_| (gap * self.below(4) as f64 * -self.unit().sqrt()) as f32).collect()
            }
        }
    }

    /// Up to five stages, of which a later one draws in half of the chains.
    pub fn chain(&mut self) -> String {
        let (drawing, others): (Vec<_>, Vec<_>) = bregman::stages().iter().partition(|stage| stage.draws);
        let mut texts: Vec<String> = (0..self.below(5))
            .map(|_| {
                let stage = self.pick(&others);
                self.stage(stage)
            })
            .collect();
        if texts.is_empty() || self.below(2) == 0 {
            let stage = self.pick(&drawing);
            texts.push(self.stage(stage));
        }
        texts.join(" | ")
    }

    fn stage(&mut self, stage: &StageInfo) -> String {
        let of_groups: Vec<&str> = stage.alternatives().flat_map(|group| group.iter().copied()).collect();
        let chosen: Vec<&str> = stage.alternatives().map(|group| self.pick(group)).collect();
        let mut texts = vec![];
        for parameter in stage.parameters.iter().filter(|p| p.kind != Kind::Name) {
            let is_asked = parameter.required || chosen.contains(&parameter.name);
            if is_asked || !of_groups.contains(&parameter.name) && self.below(2) == 0 {
                texts.push(format!("{}={}", parameter.name, self.value(parameter)));
            }
        }
        format!("{}({})", stage.name, texts.join(", "))
    }

    /// A value of a parameter's range: one of its ends as often as one within.
    fn value(&mut self, parameter: &ParameterInfo) -> String {
        let ids = |input: &mut Self| {
            let n = 1 + input.below(4);
            (0..n).map(|_| input.below(12).to_string()).collect::<Vec<_>>()
        };
        match parameter.kind {
            Kind::Number { min, max, open } => {
                let top = if max.is_finite() { max } else { self.pick(&[1e300, 1e38, 1e3]) };
                let low = if min.is_finite() { min } else { -1e300 };
                let value = if self.below(2) == 0 {
                    let near = [low + 1e-308, low + 1e-45, low + 1e-6, top * (1.0 - 1e-7)];
                    let usual = [0.0, 1.0, 0.5, 1e-38, 1e-300];
                    self.pick(&[&[low, top][..], &near, &usual].concat())
                } else if self.below(2) == 0 {
                    let exponent = self.between(-12.0, top.abs().max(1.0).log10().min(12.0));
                    let sign = if low < 0.0 && self.below(2) == 0 { -1.0 } else { 1.0 };
                    sign * 10f64.powf(exponent)
                } else {
                    self.between(low.max(-3.0), top.min(3.0))
                };
                let value = value.clamp(low, top);
                (if open && value == min { 0.7 } else { value }).to_string()
            }
            Kind::Count { min } => {
                let ends = [min, min + 1, 1, 2, i64::from(u32::MAX), 65_536];
                let value = if self.below(2) == 0 { self.pick(&ends) } else { self.below(300) as i64 };
                value.max(min).to_string()
            }
            // (A vocabulary of millions would take seconds.)
            Kind::CountUpTo { min, max } => self.pick(&[min, min + 1, max.min(5000)]).to_string(),
            Kind::Keys { most } => {
                let n = 1 + self.below(most);
                (0..n).map(|_| self.number().to_string()).collect::<Vec<_>>().join(" ")
            }
            Kind::Choice(words) => self.pick(words).into(),
            Kind::Tokens => ids(self).join(" "),
            Kind::Sequences => {
                let n = 1 + self.below(3);
                (0..n).map(|_| ids(self).join(" ")).collect::<Vec<_>>().join("; ")
            }
            Kind::Biases => {
                let biases = ["-inf", "-3e38", "3e38", "1e-45", "-0.5", "2", "700", "-2000"];
                let (first, n) = (self.below(8), 1 + self.below(4));
                (first..first + n).map(|id| format!("{id}:{}", self.pick(&biases))).collect::<Vec<_>>().join(" ")
            }
            Kind::Name => unreachable!("left out"),
        }
    }
}
