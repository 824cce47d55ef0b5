//! The same distribution, asked for in every way that the library has.

use crate::cases::Case;
use crate::common::rows::Random;
use bregman::{Candidate, Error, Row, Sampler, Want};

/// A distribution as (token, probability) by ascending token, tokens without probability left out.
pub type Law = Vec<(usize, f64)>;

const SEED: u64 = 3;

/// A sampler after the case's tokens. `drawing` adds a draw if the chain has none.
pub fn sampler(case: &Case, drawing: bool) -> Result<Sampler, Error> {
    let mut sampler = Sampler::new(&case.chain, SEED)?;
    if drawing && !draws(&sampler) {
        sampler = Sampler::new(&format!("{} | draw", case.chain), SEED)?;
    }
    sampler.set_mask(case.mask.as_deref())?;
    sampler.accept(&case.prompt)?;
    case.output.iter().try_for_each(|&token| sampler.accept(&[token]))?;
    sampler.set_prompt_length(case.prompt.len())?;
    for _ in 0..case.decoded {
        sampler.decode(Row::from_f32(&case.row)?, Want { accept: true, ..Want::default() })?;
    }
    Ok(sampler)
}

fn draws(sampler: &Sampler) -> bool {
    let canonical = sampler.to_string();
    let last = canonical.rsplit(" | ").next().unwrap_or_default().split('(').next().unwrap_or_default();
    bregman::stages().iter().any(|stage| stage.draws && stage.name == last)
}

/// In descending order of probability.
pub fn ordered(case: &Case) -> Result<Vec<(usize, f64)>, Error> {
    let law = sampler(case, false)?.distribution(Row::from_f32(&case.row)?)?;
    Ok(law.into_iter().map(|(id, p)| (id as usize, p)).collect())
}

/// Each way and what it gives.
pub fn laws(case: &Case) -> Result<Vec<(&'static str, Law)>, Error> {
    let mut distribution = ordered(case)?;
    distribution.sort_by_key(|e| e.0);
    let mut all = vec![("distribution", distribution)];
    all.push(("process", process(case)?));
    all.push(("apply", apply(case, false)?));
    all.push(("apply to shuffled candidates", apply(case, true)?));
    Ok(all)
}

fn process(case: &Case) -> Result<Law, Error> {
    let mut row = case.row.clone();
    sampler(case, false)?.process(&mut row)?;
    let kept = row.iter().enumerate().filter(|(_, l)| **l > f32::NEG_INFINITY);
    Ok(kept.map(|(id, &l)| (id, f64::from(l).exp())).collect())
}

fn apply(case: &Case, shuffled: bool) -> Result<Law, Error> {
    let mut all: Vec<_> = (0..).zip(&case.row).map(|(id, &logit)| Candidate { id, logit, p: 0.0 }).collect();
    if shuffled {
        Random(SEED).shuffle(&mut all);
    }
    let size = sampler(case, false)?.apply(&mut all)?.size;
    let max = all[..size].iter().map(|c| f64::from(c.logit)).fold(f64::NEG_INFINITY, f64::max);
    let weights = all[..size].iter().map(|c| (c.id as usize, (f64::from(c.logit) - max).exp()));
    let mut law: Law = weights.filter(|e| e.1 > 0.0).collect();
    let total: f64 = law.iter().map(|e| e.1).sum();
    law.iter_mut().for_each(|e| e.1 /= total);
    law.sort_by_key(|e| e.0);
    Ok(law)
}
