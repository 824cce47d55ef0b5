//! A part of a row as a sparse row, and what its answer may be.

use super::rows::Random;
use bregman::{Error, Rest, Row, Token, Values};

/// A part of a row.
pub struct Listed {
    pub ids: Vec<i32>,
    pub logits: Vec<f32>,
    pub rest: Option<Rest>,
}

/// ln of the sum of exp(l / t), in f64.
pub fn log_sum(logits: impl Iterator<Item = f32> + Clone, t: f64) -> f64 {
    let max = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    if max == f32::NEG_INFINITY {
        return f64::NEG_INFINITY;
    }
    let sum: f64 = logits.map(|l| ((f64::from(l) - f64::from(max)) / t).exp()).sum();
    sum.ln() + f64::from(max) / t
}

/// The `n` largest of a row and some others, in no order.
pub fn list(row: &[f32], n: usize, t: f32, random: &mut Random) -> Listed {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
    let mut listed: Vec<usize> = order[..n].to_vec();
    if random.below(3) == 0 {
        listed.extend(order[n..].iter().filter(|_| random.below(8) == 0));
    }
    let others: Vec<f32> = (0..row.len()).filter(|i| !listed.contains(i)).map(|i| row[i]).collect();
    let smallest = listed[..n].iter().map(|&i| row[i]).filter(|l| l.is_finite()).fold(f32::INFINITY, f32::min);
    let largest_other = others.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let bound = match random.below(3) {
        0 => smallest,
        1 => largest_other,
        _ => largest_other.max(f32::MIN) + random.unit() as f32,
    };
    let exact = log_sum(others.iter().copied(), f64::from(t));
    let is_unknown = random.below(10) == 0 && exact > f64::NEG_INFINITY;
    let log_sum = if is_unknown { f64::INFINITY } else { exact };
    random.shuffle(&mut listed);
    Listed {
        logits: listed.iter().map(|&i| row[i]).collect(),
        ids: listed.iter().map(|&i| i as i32).collect(),
        rest: (!others.is_empty()).then_some(Rest { log_sum, temperature: t, bound: bound.max(largest_other) }),
    }
}

impl Listed {
    pub fn row(&self) -> Row<'_> {
        let row = Row::sparse(Values::F32(&self.logits), &self.ids).unwrap();
        self.rest.map_or(row, |rest| row.with_rest(rest).unwrap())
    }
}

/// The temperature at which a chain first needs probabilities, as its text says it.
pub fn temperature_of(chain: &str) -> f32 {
    let t = |stage: &str| stage.trim().strip_prefix("temperature(").and_then(|t| t.trim_end_matches(')').parse().ok());
    let first = chain.split('|').find(|stage| !stage.contains("penalties") && !stage.contains("logit_bias"));
    first.and_then(t).filter(|t| *t > 0.0).unwrap_or(1.0)
}

pub fn is_near(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a - b).abs() <= tolerance * (1.0 + b.abs().min(a.abs()))
}

/// Whether a sparse row's answer was complete; what of it is wrong.
pub fn check(sparse: &Result<Token, Error>, whole: &Result<Token, Error>) -> Result<bool, String> {
    let (s, w) = match (sparse, whole) {
        (Err(Error::Incomplete(_)), _) => return Ok(false),
        (Ok(s), Ok(w)) => (s, w),
        (Err(s), Err(w)) if s == w => return Ok(true),
        (s, w) => return Err(format!("{s:?}, not {w:?}")),
    };
    let others = [(s.kept_mass, w.kept_mass), (s.ln_kept_mass, w.ln_kept_mass), (s.model_logprob, w.model_logprob)];
    let is_right = (s.token, s.support) == (w.token, w.support)
        && is_near(s.p, w.p, 1e-6)
        && is_near(s.entropy, w.entropy, 3e-6)
        && others.iter().all(|&(s, w)| s.is_nan() || is_near(s, w, 5e-6));
    if is_right { Ok(true) } else { Err(format!("{s:?}, not {w:?}")) }
}
