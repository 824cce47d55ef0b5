//! Nothing is timed that does not answer rightly: against the plain way in f64, against llama.cpp's own samplers, and
//! all levels and faces of the library against one another.

use crate::llama::{Llama, Stage, blank, differ, fill};
use crate::reference::plain::{Plain, Tokens, steps, with_ids};
use crate::work::Work;
use bregman::{Candidate, Row, Sampler, Token, Values, Want};

/// How much of the mass llama.cpp may have elsewhere among the tokens that both keep: its probabilities are f32.
const LLAMA: f64 = 1e-5;

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
    let mut candidates = blank(logits.len());
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
    let mut candidates = blank(logits.len());
    fill(&mut candidates, logits);
    let (size, selected) = llama.sampler(work.llama, 42).apply(&mut candidates);
    let selected = selected.ok_or("llama.cpp took no token")?;
    if work.llama == [Stage::Greedy] {
        let same = candidates[selected].id as u32 == law[0].0;
        return same.then_some(()).ok_or_else(|| "llama.cpp is greedy for another token".into());
    }
    alike(work, logits, &candidates[..size], law).map_err(|why| format!("llama.cpp: {why}"))
}

/// llama.cpp adds up the vocabulary in f32, token by token: what it keeps may be what we keep at a threshold that is off
/// by the error of such a sum, and of the tokens that both keep the probabilities must agree.
fn alike(work: &Work, logits: &[f32], theirs: &[Candidate], law: &[(u32, f64)]) -> Result<(), String> {
    let error = rounding(logits);
    let mut p = vec![[0.0f64; 2]; logits.len()];
    law.iter().for_each(|&(id, q)| p[id as usize][0] = q);
    theirs.iter().for_each(|c| p[c.id as usize][1] = f64::from(c.p));
    // What f32 rounds to nothing tells nothing of what was kept.
    p.iter_mut().filter(|q| q[0].max(q[1]) < f64::from(f32::MIN_POSITIVE)).for_each(|q| *q = [0.0; 2]);
    if p.iter().any(|&[ours, theirs]| (ours > 0.0) != (theirs > 0.0)) {
        let (least, most) = (kept(work, logits, -error), kept(work, logits, error));
        let inside = least.iter().zip(&most).zip(&p).all(|((&l, &m), q)| (!l || q[1] > 0.0) && (m || q[1] == 0.0));
        if !inside {
            let (theirs, ours) = (theirs.len(), law.len());
            return Err(format!("{theirs} tokens, not {ours}: more than an error of {error:.1e} in its sums can do"));
        }
    }
    p.retain(|q| q[0] > 0.0 && q[1] > 0.0);
    let sums = p.iter().fold([0.0; 2], |s, q| [s[0] + q[0], s[1] + q[1]]);
    let elsewhere: f64 = p.iter().map(|q| (q[0] / sums[0] - q[1] / sums[1]).abs()).sum();
    // A temperature that comes from the entropy has the error too.
    let is_dynamic = work.llama.iter().any(|stage| matches!(stage, Stage::TempExt(..)));
    let near = elsewhere <= LLAMA + if is_dynamic { error } else { 0.0 };
    near.then_some(()).ok_or_else(|| format!("{elsewhere:.1e} of the mass is elsewhere"))
}

/// Which tokens the work keeps if every threshold is moved by a share `by` of itself, upwards: towards more tokens. Of
/// those that tie with the k-th largest, llama.cpp may keep any.
fn kept(work: &Work, logits: &[f32], by: f64) -> Vec<bool> {
    let mut chain = work.chain.to_owned();
    for stage in work.llama {
        if let Stage::TopK(k) = *stage {
            let moved = if by > 0.0 { format!("{k}, ties=keep") } else { above_last(logits, k as usize).to_string() };
            chain = chain.replace(&format!("top_k({k})"), &format!("top_k({moved})"));
        }
        let (name, x, by) = match *stage {
            Stage::TopP(p) => ("top_p", p, by),
            Stage::Typical(p) => ("typical", p, by),
            Stage::TopNSigma(n) => ("top_n_sigma", n, by),
            Stage::MinP(p) => ("min_p", p, -by),
            _ => continue,
        };
        let moved = x.to_string().parse::<f64>().expect("a number's own text") * (1.0 + by);
        let moved = if name == "top_n_sigma" { moved } else { moved.min(1.0) };
        chain = chain.replace(&format!("{name}({x})"), &format!("{name}({moved})"));
    }
    assert!(by == 0.0 || chain != work.chain, "`{chain}` has no threshold that could be moved");
    let mut sampler = Sampler::new(&chain, 42).unwrap_or_else(|e| panic!("{chain}: {e}"));
    let mut kept = vec![false; logits.len()];
    let law = sampler.distribution(Row::from_f32(logits).unwrap()).expect("the row is valid");
    law.iter().for_each(|&(id, _)| kept[id as usize] = true);
    if work.llama.iter().any(|stage| matches!(stage, Stage::Typical(_))) {
        move_window(&mut kept, logits, by);
    }
    kept
}

/// How many tokens are above the `k`-th largest; at least one.
fn above_last(logits: &[f32], k: usize) -> usize {
    let mut row = logits.to_vec();
    let last = k.min(row.len()) - 1;
    let (above, last, _) = row.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
    above.iter().filter(|logit| *logit > last).count().max(1)
}

/// Widens or narrows typical's window by the error of the entropy, of which each sum has the share `by`: it takes a token
/// below the entropy as far away as it brings one above it nearer.
fn move_window(kept: &mut [bool], logits: &[f32], by: f64) {
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(f64::from(x)));
    let total: f64 = logits.iter().map(|&x| (f64::from(x) - most).exp()).sum();
    let surprise = |x: f32| most + total.ln() - f64::from(x);
    let entropy: f64 = logits.iter().map(|&x| (-surprise(x)).exp() * surprise(x)).sum();
    let distance = |x: f32| (surprise(x) - entropy).abs();
    let edge = logits.iter().zip(&*kept).filter(|(_, kept)| **kept).fold(0.0f64, |edge, (&x, _)| edge.max(distance(x)));
    let edge = edge + 2.0 * by * (1.0 + entropy);
    logits.iter().zip(kept).for_each(|(&x, kept)| *kept = distance(x) <= edge);
}

/// The relative error of what samplers add up over the row, if f32 sums are made one token after the other, in the row's
/// order or in descending order: the weights, those times the logits, and the squares behind the standard deviation.
fn rounding(logits: &[f32]) -> f64 {
    let mut row = logits.to_vec();
    let mut worst = 0.0f64;
    for _ in 0..2 {
        let (most, n) = (row.iter().copied().fold(f32::MIN, f32::max), row.len() as f32);
        let mean = row.iter().sum::<f32>() / n;
        let exact_mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / f64::from(n);
        let weights: (f32, f64) = (
            row.iter().map(|&x| (x - most).exp()).sum(),
            row.iter().map(|&x| (f64::from(x) - f64::from(most)).exp()).sum(),
        );
        let moments: (f32, f64) = (
            row.iter().map(|&x| (x - most) * (x - most).exp()).sum(),
            row.iter().map(|&x| (f64::from(x) - f64::from(most)) * (f64::from(x) - f64::from(most)).exp()).sum(),
        );
        let squares: (f32, f64) = (
            row.iter().map(|&x| (x - mean) * (x - mean)).sum(),
            row.iter().map(|&x| (f64::from(x) - exact_mean).powi(2)).sum(),
        );
        for (single, double) in [weights, moments, squares] {
            worst = worst.max((f64::from(single) / double - 1.0).abs());
        }
        row.sort_unstable_by(|a, b| b.total_cmp(a));
    }
    // Another order rounds otherwise: by a random walk of as many steps as there are tokens.
    worst + (logits.len() as f64).sqrt() * f64::from(f32::EPSILON)
}
