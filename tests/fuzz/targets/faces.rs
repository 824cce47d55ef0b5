//! One row and one chain through every call that answers for them: what holds for every answer, and that no two of them
//! disagree, on any instruction set.

use super::input::Input;
use crate::common::handle::{Handle, Rows, batch, bits};
use crate::common::rows::Random;
use bregman::ffi::*;
use bregman::{Candidate, Row, Sampler, Want};
use std::collections::BTreeMap;
use std::fmt;

/// A chain, a row and the tokens so far.
struct Case {
    seed: u64,
    chain: String,
    row: Vec<f32>,
    prompt: Vec<i32>,
    output: Vec<i32>,
    mask: Option<Vec<u32>>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = &self.row[..self.row.len().min(12)];
        write!(f, "seed {}, `{}` on {} logits {row:?}", self.seed, self.chain, self.row.len())?;
        write!(f, ", {} + {} tokens, mask {}", self.prompt.len(), self.output.len(), self.mask.is_some())
    }
}

impl Case {
    fn new(input: &mut Input<'_>) -> Self {
        let (seed, chain, row) = (input.seed(), input.chain(), input.row());
        let most = input.pick(&[1, 3, 40, 400]);
        let (prompt, output) = (input.tokens(20), input.tokens(most));
        let mask = input.one_in(4).then(|| input.mask(row.len()));
        Self { seed, chain, row, prompt, output, mask }
    }

    /// None if the chain is refused.
    fn handle(&self) -> Option<Handle> {
        let handle = match Handle::try_new(&self.chain, self.seed, &[]) {
            Ok(handle) => handle,
            Err((BREGMAN_INVALID_CHAIN | BREGMAN_UNSUPPORTED, _)) => return None,
            Err((status, why)) => panic!("{self}: {status}, {why}"),
        };
        let ready = || {
            handle.accept(&self.prompt)?;
            handle.set_prompt(self.prompt.len())?;
            handle.accept(&self.output)?;
            self.mask.as_deref().map_or(Ok(()), |words| handle.set_mask(Some(words)))
        };
        ready().unwrap_or_else(|(status, why)| panic!("{self}: {status}, {why}"));
        Some(handle)
    }

    /// The same through the Rust interface, on one instruction set.
    fn sampler(&self, level: &str) -> Sampler {
        let ready = || {
            let mut sampler = Sampler::new(&self.chain, self.seed)?.with_simd_level(level)?;
            sampler.accept(&self.prompt)?;
            sampler.set_prompt_length(self.prompt.len())?;
            sampler.accept(&self.output)?;
            sampler.set_mask(self.mask.as_deref())?;
            Ok(sampler)
        };
        ready().unwrap_or_else(|e: bregman::Error| panic!("{self}: {e}"))
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

pub fn check(bytes: &[u8]) {
    let case = Case::new(&mut Input::new(bytes));
    if let Some(handle) = case.handle() {
        agree(&case, &handle);
        levels_agree(&case);
    }
}

/// All that must hold for one case.
fn agree(case: &Case, handle: &Handle) {
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
    let (Some(law), Some(done)) = (law, done) else { return };

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
    Random(case.seed).shuffle(&mut shuffled);
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
    top_is(case, handle, &law);
}

/// Decodes, if the chain draws.
fn decode(case: &Case, handle: &Handle) -> Option<bregman_result> {
    let flags = BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_WANT_ENTROPY | BREGMAN_WANT_LN_KEPT;
    let all = [handle.clone()];
    let vocab = case.row.len();
    let (_, results) = batch(&all, &Rows::F32(&case.row), (vocab, vocab), None, (flags, 1));
    let result = results[0];
    batches_agree(case, handle, &result);
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

/// The most likely tokens are the first of the distribution.
fn top_is(case: &Case, handle: &Handle, law: &[(u32, f32)]) {
    let n = law.len().min(7) + 1;
    let (mut ids, mut logprobs, mut len) = (vec![-9; n], vec![9.0; n], 0);
    // SAFETY: a live handle, a row, and arrays of `n`.
    let status = unsafe {
        let (row, vocab, source) = (case.row.as_ptr(), case.row.len(), BREGMAN_OF_DECODED);
        bregman_top_logprobs(handle.raw, row, vocab, source, n, ids.as_mut_ptr(), logprobs.as_mut_ptr(), &mut len)
    };
    assert!(status == BREGMAN_OK && len >= law.len().min(n), "{case}: {status}, {len} of {}", law.len());
    for (at, &(id, p)) in law.iter().take(n).enumerate() {
        assert_eq!(ids[at], id as i32, "{case}: {ids:?}, not {:?}", &law[..law.len().min(n)]);
        let ln = f64::from(p).ln();
        // A probability below 1e-38 has fewer digits than its logarithm.
        assert!((f64::from(logprobs[at]) - ln).abs() < 1e-5 * (1.0 - ln) || p < 1e-38, "{case}: {} {ln}", logprobs[at]);
    }
}

/// The row alone, beside itself on several threads, as a whole list in another order, and narrowed: the same answer.
fn batches_agree(case: &Case, handle: &Handle, expected: &bregman_result) {
    let vocab = case.row.len();
    let flags = BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_WANT_ENTROPY | BREGMAN_WANT_LN_KEPT;
    let plain = handle.clone().decode(&case.row);
    assert_eq!(bits(&plain)[..4], bits(expected)[..4], "{case}: decode {plain:?}, a batch of one {expected:?}");
    let clones = || [handle.clone(), handle.clone(), handle.clone()];
    let rows = [&case.row[..], &case.row, &case.row].concat();
    let (_, results) = batch(&clones(), &Rows::F32(&rows), (vocab, vocab), None, (flags, 2));
    assert!(results.iter().all(|r| bits(r) == bits(expected)), "{case}: {results:?}, not {expected:?}");

    let mut order: Vec<i32> = (0..vocab as i32).collect();
    Random(case.seed).shuffle(&mut order);
    let logits: Vec<f32> = order.iter().map(|&id| case.row[id as usize]).collect();
    let (listed, mut results) = (handle.clone(), [*expected; 1]);
    let list = bregman_batch {
        logits: logits.as_ptr().cast(),
        rows: 1,
        vocab,
        row_stride: vocab,
        ids: order.as_ptr(),
        ..bregman_batch::default()
    };
    // SAFETY: a live handle, and arrays as long as the batch says.
    unsafe { bregman_decode_batch(&listed.raw, &list, results.as_mut_ptr()) };
    assert_eq!(bits(&results[0])[..4], bits(expected)[..4], "{case}: the whole list gives {results:?}, {expected:?}");

    // The row in bf16, and the same numbers in f32.
    let narrow: Vec<u16> = case.row.iter().map(|l| (l.to_bits() >> 16) as u16).collect();
    let wide: Vec<f32> = narrow.iter().map(|&h| f32::from_bits(u32::from(h) << 16)).collect();
    let one = |rows: &Rows<'_>| {
        let fresh = handle.clone();
        bits(&batch(std::slice::from_ref(&fresh), rows, (vocab, vocab), None, (flags, 1)).1[0])
    };
    assert_eq!(one(&Rows::Bf16(&narrow)), one(&Rows::F32(&wide)), "{case}: in bf16 and f32");
}

/// Every instruction set gives the scalar one's bits.
fn levels_agree(case: &Case) {
    let answers = |level: &str| {
        let (mut sampler, row) = (case.sampler(level), || Row::from_f32(&case.row).expect("a row"));
        let law = sampler.distribution(row());
        let law = law.map(|law| law.iter().map(|e| (e.0, e.1.to_bits())).collect::<Vec<_>>());
        let mut processed = case.row.clone();
        let is_processed = sampler.process(&mut processed);
        let processed: Vec<u32> = processed.iter().map(|l| l.to_bits()).collect();
        let want = Want { kept_mass: true, ln_kept_mass: true, model_logprob: true, entropy: true, ..Want::NONE };
        let token = sampler.decode(row(), want).map(|t| bits(&t.into()));
        (law, is_processed, processed, token)
    };
    let [scalar, others @ ..] = &bregman::simd_levels()[..] else { unreachable!("there is a scalar level") };
    let expected = answers(scalar);
    for level in others {
        assert!(answers(level) == expected, "{case}: {level} and {scalar} disagree");
    }
}
