//! State and drafts through the C ABI: what it adds to the Rust interface, that is buffers, arrays, many sequences, refusals.

use crate::common::chains::CHAINS;
use crate::common::handle::{Failure, Handle, bits, blank, row};
use crate::common::rows::Random;
use bregman::ffi::*;
use bregman::{Row, Sampler};
use std::ffi::{CStr, c_char};
use std::ptr::{null, null_mut};

const VOCAB: usize = 300;

fn save(handle: &Handle) -> Vec<u8> {
    let mut len = 0;
    // SAFETY: a live handle and no buffer, which asks for the size.
    assert_eq!(unsafe { bregman_sampler_save(handle.raw, null_mut(), 0, &mut len) }, BREGMAN_BUFFER_TOO_SMALL);
    let mut bytes = vec![0xAA; len + 1];
    let needed = len;
    // SAFETY: a live handle and a buffer of that length.
    let status = unsafe { bregman_sampler_save(handle.raw, bytes.as_mut_ptr().cast(), needed - 1, &mut len) };
    assert_eq!((status, len), (BREGMAN_BUFFER_TOO_SMALL, needed));
    assert!(bytes.iter().all(|&byte| byte == 0xAA), "written into a buffer that is too small");
    // SAFETY: as above.
    let status = unsafe { bregman_sampler_save(handle.raw, bytes.as_mut_ptr().cast(), bytes.len(), &mut len) };
    assert_eq!((status, len, bytes.pop()), (BREGMAN_OK, needed, Some(0xAA)));
    bytes
}

fn load(bytes: &[u8]) -> Result<*mut bregman_sampler, Failure> {
    let (mut raw, mut error) = (null_mut(), [0 as c_char; 256]);
    // SAFETY: all pointers live through the call.
    let status = unsafe {
        let (error, size) = (error.as_mut_ptr(), error.len());
        bregman_sampler_load(bytes.as_ptr().cast(), bytes.len(), null(), 0, &mut raw, error, size)
    };
    // SAFETY: the buffer was zero, so it has a terminator in any case.
    let why = unsafe { CStr::from_ptr(error.as_ptr()) }.to_str().unwrap().to_owned();
    if status == BREGMAN_OK { Ok(raw) } else { Err((status, why)) }
}

/// Seed, position, length of the history, length of the prompt.
fn place(raw: *mut bregman_sampler) -> (u64, u64, usize, usize) {
    let (mut seed, mut position, mut history, mut prompt) = (0, 0, 0, 0);
    // SAFETY: a live handle and four variables.
    let status = unsafe { bregman_sampler_where(raw, &mut seed, &mut position, &mut history, &mut prompt) };
    assert_eq!(status, BREGMAN_OK);
    (seed, position, history, prompt)
}

#[test]
fn state_moves_between_c_and_rust() {
    for chain in CHAINS {
        let handle = Handle::new(chain, 9);
        // SAFETY: a live handle and three tokens.
        assert_eq!(unsafe { bregman_sampler_accept(handle.raw, [4, 5, 4].as_ptr(), 3) }, BREGMAN_OK);
        for n in 0..5 {
            let token = handle.token(&row(VOCAB, n));
            // SAFETY: a live handle and a token.
            assert_eq!(unsafe { bregman_sampler_accept(handle.raw, &token, 1) }, BREGMAN_OK);
        }
        let bytes = save(&handle);
        let mut rust = Sampler::from_bytes(&bytes).unwrap();
        let raw = load(&rust.to_bytes()).unwrap();
        assert_eq!(place(raw), (9, 5, 8, 3));
        let (mut tokens, mut len) = ([0; 9], 0);
        // SAFETY: a live handle and a buffer of that length.
        assert_eq!(unsafe { bregman_sampler_history(raw, tokens.as_mut_ptr(), 9, &mut len) }, BREGMAN_OK);
        assert_eq!(&tokens[..len], rust.history());
        // SAFETY: as above.
        let status = unsafe { bregman_sampler_history(raw, tokens.as_mut_ptr(), 7, &mut len) };
        assert_eq!((status, len), (BREGMAN_BUFFER_TOO_SMALL, 8));
        // SAFETY: a live handle.
        assert_eq!(unsafe { bregman_sampler_rewind(raw, 2) }, BREGMAN_OK);
        rust.rewind(2).unwrap();
        assert_eq!(place(raw), (9, 3, 6, 3));
        // SAFETY: a live handle.
        assert_eq!(unsafe { bregman_sampler_rewind(raw, 7) }, BREGMAN_INVALID_ARGUMENT);
        assert_eq!(place(raw), (9, 3, 6, 3));
        let logits = row(VOCAB, 77);
        let mut result = blank();
        // SAFETY: a live handle and a row of that length.
        unsafe { bregman_decode(raw, logits.as_ptr(), VOCAB, &mut result) };
        let token = rust.decode(Row::from_f32(&logits).unwrap(), bregman::Want::NONE).unwrap();
        assert_eq!(result.token, token.token as i32, "{chain}");
        // SAFETY: freed once.
        unsafe { bregman_sampler_free(raw) };
    }
}

#[test]
fn hostile_bytes_are_an_invalid_argument_with_a_message() {
    let handle = Handle::new("draw", 1);
    let good = save(&handle);
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    for bytes in [&[][..], &good[..20], &bad, &good[1..]] {
        let (status, why) = load(bytes).unwrap_err();
        assert!(status == BREGMAN_INVALID_ARGUMENT && why.contains("saved state"), "{why}");
    }
    let shaped =
        Handle::try_new("bregman(generator=shape, lambda=0.01) | draw", 1, &[crate::common::shape::SHAPE.for_c()]);
    if let Ok(shaped) = shaped {
        let (status, why) = load(&save(&shaped)).unwrap_err();
        assert!(status == BREGMAN_INVALID_ARGUMENT && why.contains("shape"), "a generator is missing: {why}");
    }
}

/// Sequences with drafts of different lengths, the rows one after the other.
struct Sequences {
    handles: Vec<Handle>,
    tokens: Vec<Vec<i32>>,
    rows: Vec<f32>,
}

impl Sequences {
    /// Each sequence's rows are numbered from its own start, so that they are the same in another company.
    fn new(chain: &str, n: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let handles: Vec<_> = (0..n as u64).map(|s| Handle::new(chain, seed * 100 + s)).collect();
        let (mut tokens, mut rows) = (Vec::new(), Vec::new());
        for (s, handle) in handles.iter().enumerate() {
            let length = random.below(4);
            let first = s as u64 * 1000;
            // The draft is what plain decoding gives, with an error now and then.
            let ahead = handle.clone();
            let mut draft = Vec::new();
            for i in 0..length {
                let token = ahead.token(&row(VOCAB, first + i as u64));
                // SAFETY: a live handle and a token.
                assert_eq!(unsafe { bregman_sampler_accept(ahead.raw, &token, 1) }, BREGMAN_OK);
                draft.push(if random.below(4) == 0 { (token + 1) % VOCAB as i32 } else { token });
            }
            rows.extend((0..=length).flat_map(|i| row(VOCAB, first + i as u64)));
            tokens.push(draft);
        }
        Self { handles, tokens, rows }
    }

    fn drafts(&self, rule: u32) -> Vec<bregman_draft> {
        let draft = |tokens: &Vec<i32>| bregman_draft {
            struct_size: size_of::<bregman_draft>() as u32,
            rule,
            tokens: tokens.as_ptr(),
            n: tokens.len(),
            parents: null(),
            q_offsets: null(),
            q_ids: null(),
            q_probs: null(),
        };
        self.tokens.iter().map(draft).collect()
    }

    fn verify(&self, drafts: &[bregman_draft], rows: usize, threads: u32) -> (u32, Vec<u32>, Vec<i32>, Vec<[u32; 8]>) {
        let handles: Vec<_> = self.handles.iter().map(|handle| handle.raw).collect();
        let batch = bregman_batch {
            struct_size: size_of::<bregman_batch>() as u32,
            dtype: BREGMAN_F32,
            logits: self.rows.as_ptr().cast(),
            rows,
            vocab: VOCAB,
            row_stride: VOCAB,
            flags: BREGMAN_ACCEPT | BREGMAN_WANT_ENTROPY,
            threads,
            ..bregman_batch::default()
        };
        let (mut accepted, mut path, mut results) = (vec![77; drafts.len()], vec![77; rows], vec![blank(); rows]);
        // SAFETY: live handles, and arrays as long as the batch says.
        let status = unsafe {
            let (accepted, path, results) = (accepted.as_mut_ptr(), path.as_mut_ptr(), results.as_mut_ptr());
            bregman_verify(handles.as_ptr(), drafts.as_ptr(), drafts.len(), &batch, accepted, path, results)
        };
        (status, accepted, path, results.iter().map(bits).collect())
    }

    fn count(&self) -> usize {
        self.rows.len() / VOCAB
    }
}

#[test]
fn verify_gives_each_sequence_its_own_answer_on_any_number_of_threads() {
    for chain in CHAINS {
        for rule in [BREGMAN_RULE_MATCH, BREGMAN_RULE_TOKEN, BREGMAN_RULE_BLOCK] {
            let learns = ["mirostat", "adaptive_p"].iter().any(|stage| chain.contains(stage));
            let all = Sequences::new(chain, 9, 3);
            let (status, accepted, path, results) = all.verify(&all.drafts(rule), all.count(), 0);
            let again = Sequences::new(chain, 9, 3);
            assert_eq!(
                again.verify(&again.drafts(rule), again.count(), 2),
                (status, accepted.clone(), path.clone(), results.clone())
            );
            if learns && rule != BREGMAN_RULE_MATCH {
                assert_eq!(status, BREGMAN_UNSUPPORTED, "{chain}");
                assert!(accepted.iter().all(|&n| n == 0) && path.iter().all(|&at| at == -1));
                assert!(results.iter().all(|r| r[0] == u32::MAX && r[1] == BREGMAN_UNSUPPORTED));
                continue;
            }
            assert_eq!(status, BREGMAN_OK, "{chain}");
            let mut first = 0;
            for (s, tokens) in all.tokens.iter().enumerate() {
                let (n, accepted) = (tokens.len() + 1, accepted[s] as usize);
                let (results, path) = (&results[first..first + n], &path[first..first + n]);
                assert!((0..n).all(|i| path[i] == if i < accepted { i as i32 } else { -1 }), "{path:?}");
                assert!((0..n).all(|i| results[i][1] == BREGMAN_OK && (results[i][0] == u32::MAX) == (i > accepted)));
                assert!((0..accepted).all(|i| results[i][0] == tokens[i] as u32));
                assert_eq!(place(all.handles[s].raw), (300 + s as u64, accepted as u64 + 1, accepted + 1, 0));
                assert!(save(&all.handles[s]) == save(&again.handles[s]));
                first += n;
            }
        }
    }
}

#[test]
fn failed_sequence_changes_nothing_and_fails_no_other() {
    for rule in [BREGMAN_RULE_MATCH, BREGMAN_RULE_TOKEN, BREGMAN_RULE_BLOCK] {
        let (mut all, good) = (Sequences::new("top_k(9) | draw", 6, 5), Sequences::new("top_k(9) | draw", 6, 5));
        let before: Vec<_> = all.handles.iter().map(save).collect();
        let (_, accepted, _, expected) = good.verify(&good.drafts(rule), good.count(), 0);
        let mut drafts = all.drafts(rule);
        // One with a rule that is none, one with a token that is none, one whose last row cannot be decoded.
        drafts[1].rule = 9;
        all.tokens[2] = vec![-4; drafts[2].n.max(1)];
        let first = |s: usize| all.tokens[..s].iter().zip(&good.tokens).map(|(_, good)| good.len() + 1).sum::<usize>();
        drafts[2].tokens = all.tokens[2].as_ptr();
        let fails = |s: usize| s == 1 || (s == 2 && drafts[2].n > 0);
        let (status, counts, _, results) = all.verify(&drafts, all.count(), 2);
        assert_eq!(status, BREGMAN_INVALID_ARGUMENT);
        for s in 0..6 {
            let rows = first(s)..first(s) + drafts[s].n + 1;
            if fails(s) {
                assert!(counts[s] == 0 && results[rows].iter().all(|r| r[1] == BREGMAN_INVALID_ARGUMENT));
                assert!(all.handles[s].error().contains("draft"), "{}", all.handles[s].error());
                assert!(save(&all.handles[s]) == before[s], "changed");
            } else {
                assert_eq!((counts[s], &results[rows.clone()]), (accepted[s], &expected[rows]));
            }
        }
    }
}

#[test]
fn verify_refuses_what_does_not_fit() {
    let all = Sequences::new("top_k(9) | draw", 4, 7);
    let before: Vec<_> = all.handles.iter().map(save).collect();
    let drafts = all.drafts(BREGMAN_RULE_MATCH);
    // One row too few: every sequence fails, and says so.
    let (status, accepted, path, results) = all.verify(&drafts, all.count() - 1, 0);
    assert_eq!(status, BREGMAN_INVALID_ARGUMENT);
    assert!(accepted.iter().all(|&n| n == 0) && path.iter().all(|&at| at == -1));
    assert!(results.iter().all(|r| r[1] == BREGMAN_INVALID_ARGUMENT));
    assert!(all.handles.iter().all(|handle| handle.error().contains("rows->rows")), "{}", all.handles[0].error());
    // A struct of another size among the others, or one that is too small: nothing is written.
    for size in [0, size_of::<bregman_draft>() as u32 - 8] {
        let mut drafts = drafts.clone();
        drafts[0].struct_size = size;
        let (status, accepted, ..) = all.verify(&drafts, all.count(), 0);
        assert_eq!((status, accepted[0]), (BREGMAN_INVALID_ARGUMENT, 77));
    }
    assert!(all.handles.iter().map(save).eq(before), "changed");
    // No sequences, no rows.
    let none = Sequences { handles: vec![], tokens: vec![], rows: vec![0.0] };
    assert_eq!(none.verify(&[], 0, 0).0, BREGMAN_OK);
    // The same sampler for two sequences.
    let mut twice = Sequences::new("top_k(9) | draw", 2, 7);
    let handle = std::mem::replace(&mut twice.handles[1], Handle::new("draw", 1));
    let first = twice.handles[0].raw;
    let raw = std::mem::replace(&mut twice.handles[1].raw, first);
    let (status, _, _, results) = twice.verify(&twice.drafts(BREGMAN_RULE_MATCH), twice.count(), 2);
    assert_eq!((status, results[0][1]), (BREGMAN_INVALID_ARGUMENT, BREGMAN_OK));
    assert!(twice.handles[0].error().starts_with("samplers[1] is samplers[0] again"), "{}", twice.handles[0].error());
    twice.handles[1].raw = raw;
    drop(handle);
}
