//! Nothing is timed that does not answer rightly: against the plain way in f64, against llama.cpp's own samplers, and
//! all levels and faces of the library against one another.

use crate::llama::{self, Llama, Stage, differ, fill};
use crate::reference::plain::{Plain, Tokens, steps, with_ids};
use crate::work::Work;
use bregman::{Candidate, Row, Sampler, Token, Values, Want};

/// Whether the library of today has the work's stages.
pub fn knows(work: &Work) -> bool {
    Sampler::new(work.chain, 0).is_ok()
}

pub fn sampler(work: &Work, level: &str) -> Sampler {
    let sampler = Sampler::new(work.chain, 42).unwrap_or_else(|e| panic!("{}: {e}", work.chain));
    sampler.with_simd_level(level).expect("one of the machine's levels")
}

pub fn decode(sampler: &mut Sampler, values: Values<'_>) -> Token {
    let row = Row::new(values).expect("a row is not empty");
    sampler.decode(row, Want::default()).expect("the row is valid")
}

/// One row by one piece of work, everywhere.
pub fn row(work: &Work, logits: &[f32], levels: &[&'static str], llama: Option<&Llama>) {
    let fail = |what: &str| -> ! { panic!("`{}`, V = {}: {what}", work.chain, logits.len()) };
    let law = sampler(work, levels[0]).distribution(Row::from_f32(logits).unwrap()).expect("the row is valid");
    // Of several plain distributions a coin decides.
    if let Some(plain) = Plain::new(&steps(work.chain), &Tokens::default()).certain(&with_ids(logits)) {
        let ours: Vec<(i32, f64)> = law.iter().map(|&(id, p)| (id as i32, p)).collect();
        if plain.iter().all(|plain| plain.differs_from(&ours, 0.0).is_some()) {
            fail("not the plain distribution");
        }
    }
    let token = decode(&mut sampler(work, levels[0]), Values::F32(logits));
    if token.support != law.len() || !law.iter().any(|e| e.0 == token.token) {
        fail("the token is not from the distribution");
    }
    for &level in levels {
        if bits(decode(&mut sampler(work, level), Values::F32(logits))) != bits(token) {
            fail(&format!("another token on {level}"));
        }
        in_chain(work, level, logits, &law).unwrap_or_else(|why| fail(&why));
    }
    if let (Some(llama), false) = (llama, work.llama.is_empty()) {
        against(llama, work, logits, &law).unwrap_or_else(|why| fail(&why));
    }
}

/// What must not depend on the level.
fn bits(token: Token) -> (u32, usize, u64) {
    (token.token, token.support, token.p.to_bits())
}

/// The same work on candidates.
fn in_chain(work: &Work, level: &str, logits: &[f32], law: &[(u32, f64)]) -> Result<(), String> {
    let mut candidates = vec![Candidate { id: 0, logit: 0.0, p: 0.0 }; logits.len()];
    fill(&mut candidates, logits);
    let applied = sampler(work, level).apply(&mut candidates).map_err(|e| e.to_string())?;
    differ(&candidates[..applied.size], law, 1e-5).map_err(|why| format!("in chain on {level}: {why}"))?;
    match applied.selected {
        Some(at) if at < applied.size => Ok(()),
        _ => Err(format!("in chain on {level}: no token")),
    }
}

/// llama.cpp's samplers against the law.
fn against(llama: &Llama, work: &Work, logits: &[f32], law: &[(u32, f64)]) -> Result<(), String> {
    let mut candidates = vec![Candidate { id: 0, logit: 0.0, p: 0.0 }; logits.len()];
    fill(&mut candidates, logits);
    let (size, selected) = llama.sampler(work.llama, 42).apply(&mut candidates);
    let selected = selected.ok_or("llama.cpp took no token")?;
    if work.llama == [Stage::Greedy] {
        let same = candidates[selected].id as u32 == law[0].0;
        return same.then_some(()).ok_or_else(|| "llama.cpp is greedy for another token".into());
    }
    differ(&candidates[..size], law, llama::TOLERANCE).map_err(|why| format!("llama.cpp: {why}"))
}
