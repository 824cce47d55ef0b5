//! Random chains of the whole catalogue through the C ABI, with parameters over their whole ranges, extremes first: what
//! holds for every answer. `BREGMAN_RANDOM_CASES=1000000` tries more than the usual number; a case follows from its
//! number alone.

use crate::common::handle::Handle;
use crate::common::rows::{ROWS, Random, logits};
use bregman::ffi::*;
use bregman::{Candidate, Kind, ParameterInfo, StageInfo};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;

const CASES: u64 = 4000;

/// A chain that was accepted, a row and the tokens so far.
struct Case {
    number: u64,
    chain: String,
    row: Vec<f32>,
    prompt: Vec<i32>,
    output: Vec<i32>,
    mask: Option<Vec<u32>>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = &self.row[..self.row.len().min(12)];
        write!(f, "case {}, `{}` on {} logits {row:?}", self.number, self.chain, self.row.len())?;
        write!(f, ", {} + {} tokens, mask {}", self.prompt.len(), self.output.len(), self.mask.is_some())
    }
}

impl Case {
    fn new(number: u64) -> Self {
        let mut random = Random(number.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let chain = chain(&mut random);
        let row = row(&mut random);
        let tokens = |random: &mut Random, most: usize| -> Vec<i32> {
            let (n, distinct) = (random.below(most), random.pick(&[1, 2, 5, 40]));
            (0..n).map(|_| random.below(distinct) as i32).collect()
        };
        let most = random.pick(&[1, 3, 40, 400]);
        let (prompt, output) = (tokens(&mut random, 20), tokens(&mut random, most));
        let is_masked = random.below(4) == 0;
        let word = |random: &mut Random| (random.next() | random.next()) as u32;
        let mask = is_masked.then(|| (0..row.len().div_ceil(32)).map(|_| word(&mut random)).collect());
        Self { number, chain, row, prompt, output, mask }
    }

    /// None if the chain is refused.
    fn handle(&self) -> Option<Handle> {
        let handle = match Handle::try_new(&self.chain, self.number, &[]) {
            Ok(handle) => handle,
            Err((BREGMAN_INVALID_CHAIN | BREGMAN_UNSUPPORTED, _)) => return None,
            Err((status, why)) => panic!("{self}: {status}, {why}"),
        };
        let words = self.mask.as_deref().unwrap_or_default();
        // SAFETY: a live handle and arrays of the stated lengths.
        unsafe {
            let mut ok = bregman_sampler_accept(handle.raw, self.prompt.as_ptr(), self.prompt.len()) == BREGMAN_OK;
            ok &= bregman_sampler_set_prompt_length(handle.raw, self.prompt.len()) == BREGMAN_OK;
            ok &= bregman_sampler_accept(handle.raw, self.output.as_ptr(), self.output.len()) == BREGMAN_OK;
            if self.mask.is_some() {
                ok &= bregman_sampler_set_mask(handle.raw, words.as_ptr(), words.len()) == BREGMAN_OK;
            }
            assert!(ok, "{self}: {}", handle.error());
        }
        Some(handle)
    }
}

/// Up to five stages, of which a later one draws in half of the chains.
fn chain(random: &mut Random) -> String {
    let stages = bregman::stages();
    let (drawing, others): (Vec<_>, Vec<_>) = stages.iter().partition(|stage| stage.draws);
    let mut texts: Vec<String> = (0..random.below(5)).map(|_| stage(random.pick(&others), random)).collect();
    if texts.is_empty() || random.below(2) == 0 {
        texts.push(stage(random.pick(&drawing), random));
    }
    texts.join(" | ")
}

fn stage(stage: &StageInfo, random: &mut Random) -> String {
    let of_groups: Vec<&str> = stage.alternatives().flat_map(|group| group.iter().copied()).collect();
    let chosen: Vec<&str> = stage.alternatives().map(|group| random.pick(group)).collect();
    let given = |p: &&ParameterInfo, random: &mut Random| {
        p.required || chosen.contains(&p.name) || !of_groups.contains(&p.name) && random.below(2) == 0
    };
    let parameters = stage.parameters.iter().filter(|p| p.kind != Kind::Name);
    let given: Vec<_> = parameters.filter(|p| given(p, random)).collect();
    let texts: Vec<_> = given.into_iter().map(|p| format!("{}={}", p.name, value(p, random))).collect();
    format!("{}({})", stage.name, texts.join(", "))
}

/// A value of a parameter's range: one of its ends as often as one within.
fn value(parameter: &ParameterInfo, random: &mut Random) -> String {
    let ids = |random: &mut Random| (0..1 + random.below(4)).map(|_| random.below(12).to_string()).collect::<Vec<_>>();
    match parameter.kind {
        Kind::Number { min, max, open } => {
            let top = if max.is_finite() { max } else { random.pick(&[1e300, 1e38, 1e3]) };
            let low = if min.is_finite() { min } else { -1e300 };
            let ends =
                [low, top, low + 1e-308, low + 1e-45, low + 1e-6, top * (1.0 - 1e-7), 0.0, 1.0, 0.5, 1e-38, 1e-300];
            let within = |random: &mut Random| {
                let exponent = random.between(-12.0, top.abs().max(1.0).log10().min(12.0));
                let sign = if low < 0.0 && random.below(2) == 0 { -1.0 } else { 1.0 };
                [sign * 10f64.powf(exponent), random.between(low.max(-3.0), top.min(3.0))][random.below(2)]
            };
            let value = if random.below(2) == 0 { random.pick(&ends) } else { within(random) };
            let value = value.clamp(low, top);
            (if open && value == min { 0.7 } else { value }).to_string()
        }
        Kind::Count { min } => {
            let ends = [min, min + 1, 1, 2, i64::from(u32::MAX), 65_536];
            let value = if random.below(2) == 0 { random.pick(&ends) } else { random.below(300) as i64 };
            value.max(min).to_string()
        }
        // (A vocabulary of millions would take seconds.)
        Kind::CountUpTo { min, max } => random.pick(&[min, min + 1, max.min(5000)]).to_string(),
        Kind::Keys { most } => {
            (0..1 + random.below(most)).map(|_| random.next().to_string()).collect::<Vec<_>>().join(" ")
        }
        Kind::Choice(words) => random.pick(words).into(),
        Kind::Tokens => ids(random).join(" "),
        Kind::Sequences => (0..1 + random.below(3)).map(|_| ids(random).join(" ")).collect::<Vec<_>>().join("; "),
        Kind::Biases => {
            let biases = ["-inf", "-3e38", "3e38", "1e-45", "-0.5", "2", "700", "-2000"];
            let (first, n) = (random.below(8), 1 + random.below(4));
            (first..first + n).map(|id| format!("{id}:{}", random.pick(&biases))).collect::<Vec<_>>().join(" ")
        }
        Kind::Name => unreachable!("left out"),
    }
}

fn row(random: &mut Random) -> Vec<f32> {
    let vocab = random.pick(&[1, 2, 3, 4, 7, 16, 17, 33, 100, 257, 1000]);
    match random.below(3) {
        0 => logits(random.pick(&ROWS), vocab, random),
        1 => {
            let ends = [3e38, -3e38, f32::MAX, f32::MIN, 1e-45, -1e-45, 0.0, -0.0, 1.0, 88.0, -104.0, 700.0, -745.0];
            let mut row: Vec<f32> = (0..vocab).map(|_| random.pick(&ends)).collect();
            (0..vocab).filter(|_| random.below(8) == 0).for_each(|i| row[i] = f32::NEG_INFINITY);
            row
        }
        _ => {
            // Gaps at which weights leave f32, and f64.
            let gap = random.pick(&[1e-6, 1.0, 87.0, 103.0, 708.0, 745.0, 1e4, 1e30]);
            (0..vocab).map(|_| (gap * random.below(4) as f64 * -random.unit().sqrt()) as f32).collect()
        }
    }
}

fn is_share(p: f32) -> bool {
    p > 0.0 && p <= 1.0
}

/// The status of a call, which is OK or that nothing can be sampled.
fn status<T>(case: &Case, what: &str, result: Result<T, (u32, String)>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err((BREGMAN_EMPTY_SUPPORT, _)) => None,
        Err((status, why)) => panic!("{case}: {what} gives {status}, {why}"),
    }
}

/// All that must hold for one case; whether a token was left.
fn check(case: &Case, handle: &Handle) -> bool {
    let law = status(case, "distribution", handle.distribution(&case.row));
    let mut processed = case.row.clone();
    let is_processed = status(case, "process", handle.process(&mut processed)).is_some();
    assert_eq!(law.is_some(), is_processed, "{case}: distribution and process disagree");
    let decoded = decode(case, handle);
    let candidates = |ids: &[i32]| -> Vec<Candidate> {
        ids.iter().map(|&id| Candidate { id, logit: case.row[id as usize], p: f32::NAN }).collect()
    };
    let in_order: Vec<i32> = (0..case.row.len() as i32).collect();
    let mut applied = candidates(&in_order);
    let done = status(case, "apply", handle.clone().apply(&mut applied));
    assert_eq!(law.is_some(), done.is_some(), "{case}: distribution and apply disagree");
    let (Some(law), Some(done)) = (law, done) else { return false };

    assert!(!law.is_empty() && law.iter().all(|e| is_share(e.1)), "{case}: {law:?}");
    assert!(law.is_sorted_by(|a, b| a.1 >= b.1), "{case}: {law:?}");
    let total: f64 = law.iter().map(|e| f64::from(e.1)).sum();
    assert!((total - 1.0).abs() < 1e-4, "{case}: the probabilities sum to {total}");
    let p_of: BTreeMap<i32, f64> = law.iter().map(|e| (e.0 as i32, f64::from(e.1))).collect();
    let p = |id: i32| p_of.get(&id).copied().unwrap_or(0.0);

    assert!(processed.iter().all(|l| *l <= 0.0), "{case}: ln p above 0");
    for (id, &l) in (0..).zip(&processed) {
        assert!((f64::from(l).exp() - p(id)).abs() < 1e-5, "{case}: process gives token {id} {l}, not ln {}", p(id));
    }
    if let Some(result) = decoded {
        assert!(p(result.token) > 0.0, "{case}: {result:?} is outside of the distribution");
        assert!((f64::from(result.p) - p(result.token)).abs() < 1e-5, "{case}: {result:?}, not {}", p(result.token));
        assert!(done.selected.is_some_and(|at| at < done.size), "{case}: {done:?}");
    }
    softmax_is(case, &applied, &p);

    let mut shuffled = in_order;
    Random(case.number).shuffle(&mut shuffled);
    let mut again = candidates(&shuffled);
    let permuted = status(case, "apply to shuffled candidates", handle.clone().apply(&mut again)).expect("as in order");
    assert!(permuted.size == again.len(), "{case}: {permuted:?}");
    // Sums over the row round otherwise in another order: tokens within that of a boundary may fall on either side.
    let (one, two) = (shares(&applied), shares(&again));
    for (kept, other) in [(&one, &two), (&two, &one)] {
        let both = kept.iter().filter(|e| other.contains_key(e.0));
        let least = both.map(|e| *e.1).fold(1.0, f64::min);
        let lost = kept.iter().find(|(id, p)| !other.contains_key(id) && (*p / least - 1.0).abs() > 1e-4);
        assert!(lost.is_none(), "{case}: another order of the candidates drops token {lost:?}");
    }
    softmax_is(case, &again, &p);
    true
}

/// Decodes, if the chain draws.
fn decode(case: &Case, handle: &Handle) -> Option<bregman_result> {
    let flags = BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_WANT_ENTROPY | BREGMAN_WANT_LN_KEPT;
    let all = [handle.clone()];
    let vocab = case.row.len();
    let rows = crate::common::handle::Rows::F32(&case.row);
    let (_, results) = crate::common::handle::batch(&all, &rows, (vocab, vocab), None, (flags, 1));
    let result = results[0];
    match result.status {
        BREGMAN_OK => {}
        BREGMAN_EMPTY_SUPPORT => return None,
        BREGMAN_UNSUPPORTED => return None,
        status => panic!("{case}: decode gives {status}, {}", all[0].error()),
    }
    assert!((0..vocab as i32).contains(&result.token) && is_share(result.p), "{case}: {result:?}");
    assert!(is_share(result.kept_mass) && result.support >= 1, "{case}: {result:?}");
    let is_log = |x: f32| x <= 0.0 && x.is_finite();
    assert!(is_log(result.model_logprob) && is_log(result.ln_kept_mass), "{case}: {result:?}");
    assert!(result.entropy >= 0.0 && result.entropy.is_finite(), "{case}: {result:?}");
    Some(result)
}

/// The softmax of the logits that apply leaves, which an engine takes, by token.
fn shares(applied: &[Candidate]) -> BTreeMap<i32, f64> {
    let max = applied.iter().map(|c| f64::from(c.logit)).fold(f64::NEG_INFINITY, f64::max);
    let weights = applied.iter().map(|c| (c.id, (f64::from(c.logit) - max).exp()));
    let mut shares: BTreeMap<i32, f64> = weights.filter(|e| e.1 > 0.0).collect();
    let total: f64 = shares.values().sum();
    shares.values_mut().for_each(|w| *w /= total);
    shares
}

fn softmax_is(case: &Case, applied: &[Candidate], p: &impl Fn(i32) -> f64) {
    let largest = applied.iter().map(|c| c.logit).fold(f32::NEG_INFINITY, f32::max);
    assert!(largest.is_finite(), "{case}: apply leaves {:?}", &applied[..applied.len().min(9)]);
    let shares = shares(applied);
    for c in applied {
        let (found, expected) = (shares.get(&c.id).copied().unwrap_or(0.0), p(c.id));
        assert!((found - expected).abs() < 2e-4, "{case}: apply gives token {} {found}, not {expected}", c.id);
    }
}

#[test]
fn random_chains_answer_within_their_promises() {
    let cases = std::env::var("BREGMAN_RANDOM_CASES").map_or(CASES, |n| n.parse().expect("a number"));
    let (mut accepted, mut answered, mut failed) = (0, 0, vec![]);
    for number in 0..cases {
        let case = Case::new(number);
        let Some(handle) = case.handle() else { continue };
        accepted += 1;
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| check(&case, &handle)));
        match result {
            Ok(is_answered) => answered += u64::from(is_answered),
            Err(why) => failed.push(why.downcast_ref::<String>().cloned().unwrap_or_else(|| format!("{case}"))),
        }
    }
    println!("{accepted} of {cases} chains were accepted, {answered} left a token");
    let shown = failed.len().min(30);
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), failed[..shown].join("\n"));
    assert!(accepted > cases / 3 && answered > cases / 6, "too few chains are tried");
}
