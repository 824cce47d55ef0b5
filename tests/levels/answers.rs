//! A digest of all answers about a row: decode, distribution, draws, process, apply and drafts, in every number format, and of
//! the state that they leave.

use crate::rows::Named;
use bregman::{Candidate, Draft, DraftLaws, Order, Result, Row, Rule, Sampler, Token, Values, Want};

/// FNV-1a over 64-bit words.
struct Digest(u64);

impl Digest {
    fn word(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// The bits of a number. The bits of a NaN depend on the processor, so all are one.
    fn number(&mut self, x: f64) {
        self.word(if x.is_nan() { u64::MAX } else { x.to_bits() });
    }

    fn token(&mut self, token: Result<Token>) {
        match token {
            Ok(t) => {
                self.word(t.token.into());
                self.word(t.support as u64);
                [t.p, t.kept_mass, t.ln_kept_mass, t.model_logprob, t.entropy].into_iter().for_each(|x| self.number(x));
            }
            Err(e) => e.to_string().bytes().for_each(|b| self.word(b.into())),
        }
    }
}

pub fn combined(digests: &[u64]) -> u64 {
    let mut all = Digest(0xcbf2_9ce4_8422_2325);
    digests.iter().for_each(|&d| all.word(d));
    all.0
}

const WANT: Want =
    Want { kept_mass: true, ln_kept_mass: true, model_logprob: true, entropy: true, accept: true, stay: false };

/// The answers of one chain on one level.
pub fn digest(chain: &str, level: &str, row: &Named) -> u64 {
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    let mut sampler = Sampler::new(chain, 3).unwrap().with_simd_level(level).unwrap();
    // Tokens for the stages that look at the history.
    sampler.accept(&[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]).unwrap();
    // One element on, so that no vector of the row is aligned.
    let memory: Vec<f32> = [f32::NAN].into_iter().chain(row.logits.iter().copied()).collect();
    let logits = &memory[1..];
    let mask: Vec<u32> = (0..logits.len() as u32 / 32 + 1).map(|i| 0x9999_7531_u32.rotate_left(i) | 1).collect();
    formats(&mut digest, &mut sampler, logits, &mask);
    faces(&mut digest, &mut sampler, logits);
    sampler.set_logit_bias(&[(0, 1.5), (7, -3.0), (11, f32::NEG_INFINITY), (300, 4.0), (1024, 0.25)]).unwrap();
    formats(&mut digest, &mut sampler, logits, &mask);
    faces(&mut digest, &mut sampler, logits);
    drafts(&mut digest, &mut sampler, logits);
    sampler.to_bytes().iter().for_each(|&byte| digest.word(byte.into()));
    digest.0
}

/// Drafts that are partly accepted, by every rule that the chain allows.
fn drafts(digest: &mut Digest, sampler: &mut Sampler, logits: &[f32]) {
    let row = |_| Row::from_f32(logits);
    let token = sampler.clone().decode(Row::from_f32(logits).unwrap(), WANT).map_or(0, |token| token.token as i32);
    let (ids, probs) = ([token, i32::MAX >> 8], [0.75, 0.25]);
    for rule in [Rule::Match, Rule::Token, Rule::Block] {
        let laws = Some(DraftLaws { offsets: &[0, 2, 4, 6], ids: &[ids; 3].concat(), probs: &[probs; 3].concat() });
        let draft = Draft { rule, tokens: &[token; 3], parents: None, laws };
        match sampler.verify(&draft, row, WANT) {
            Ok(verified) => verified.tokens.into_iter().for_each(|token| digest.token(Ok(token))),
            Err(e) => digest.token(Err(e)),
        }
    }
}

/// Decodes in f32, f16 and bf16, with and without a mask.
fn formats(digest: &mut Digest, sampler: &mut Sampler, logits: &[f32], mask: &[u32]) {
    // The largest number of f16 is 65504.
    let fits = |l: f32| if l.is_finite() { l.clamp(-6e4, 6e4) } else { l };
    let f16: Vec<u16> = logits.iter().map(|&l| half::f16::from_f32(fits(l)).to_bits()).collect();
    let bf16: Vec<u16> = logits.iter().map(|&l| half::bf16::from_f32(fits(l)).to_bits()).collect();
    let candidates: Vec<_> = (0..).zip(logits).map(|(id, &logit)| Candidate { id, logit, p: 0.0 }).collect();
    for values in [Values::F32(logits), Values::F16(&f16), Values::Bf16(&bf16), Values::Candidates(&candidates)] {
        let row = Row::new(values).unwrap();
        digest.token(sampler.decode(row, WANT));
        digest.token(sampler.decode(row.with_mask(mask), WANT));
    }
}

/// The distribution, the processed row, and the candidates in two orders.
fn faces(digest: &mut Digest, sampler: &mut Sampler, logits: &[f32]) {
    // Sorting a whole vocabulary is slow under emulation, and tests no more than a smaller one does.
    if logits.len() > 5000 {
        return;
    }
    for (id, p) in sampler.distribution(Row::from_f32(logits).unwrap()).into_iter().flatten() {
        digest.word(id.into());
        digest.number(p);
    }
    for sample in sampler.draw_many(Row::from_f32(logits).unwrap(), 7).into_iter().flatten() {
        digest.word(sample.token.into());
        digest.number(sample.logprob);
        digest.number(sample.score);
    }
    let mut processed = logits.to_vec();
    digest.word(sampler.process(&mut processed).is_ok().into());
    processed.iter().for_each(|&l| digest.number(l.into()));
    for turned in [false, true] {
        let place = |at: usize| if turned { logits.len() - 1 - at } else { at };
        let candidate = |at| Candidate { id: place(at) as i32, logit: logits[place(at)], p: 0.0 };
        let mut candidates: Vec<_> = (0..logits.len()).map(candidate).collect();
        let Ok(applied) = sampler.apply(&mut candidates) else {
            digest.word(u64::MAX);
            continue;
        };
        digest.word(applied.size as u64);
        digest.word(applied.selected.map_or(u64::MAX, |at| at as u64));
        digest.word((applied.order == Order::Sorted).into());
        for c in &candidates[..applied.size] {
            digest.word(c.id as u64);
            digest.number(c.logit.into());
            digest.number(c.p.into());
        }
    }
}
