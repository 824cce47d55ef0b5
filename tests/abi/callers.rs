//! Several callers at once, each with batches on several threads: all share one pool, and each must have the answers that it
//! has alone on one thread. Every function that takes threads is called, between calls that copy, save, rewind and free
//! samplers. `ci/sanitized.sh threads` runs this under ThreadSanitizer.

use crate::common::chains::CHAINS;
use crate::common::handle::{Handle, bits, blank, row};
use bregman::ffi::*;
use std::ptr::{null, null_mut};
use std::sync::Barrier;

const VOCAB: usize = 640;
/// Rows of a batch; not a multiple of any number of threads.
const ROWS: usize = 9;
/// Tokens of a sequence's draft, whose rows are one more.
const DRAFT: usize = 2;
const SEQUENCES: usize = ROWS / (DRAFT + 1);
/// Most likely tokens, and kept tokens, asked for.
const TOP: usize = 5;

/// The answers of a call as numbers.
type Told = Vec<u32>;

fn rows_of(logits: &[f32], flags: u32, threads: u32) -> bregman_batch {
    assert_eq!(logits.len(), ROWS * VOCAB);
    bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: logits.as_ptr().cast(),
        rows: ROWS,
        vocab: VOCAB,
        row_stride: VOCAB,
        mask: null(),
        mask_stride: 0,
        flags,
        threads,
        ..bregman_batch::default()
    }
}

fn raw(samplers: &[Handle]) -> Vec<*mut bregman_sampler> {
    samplers.iter().map(|sampler| sampler.raw).collect()
}

fn told(status: u32, results: &[bregman_result]) -> Told {
    [status].into_iter().chain(results.iter().flat_map(bits)).collect()
}

fn decode(samplers: &[Handle], logits: &[f32], threads: u32) -> Told {
    let flags = BREGMAN_ACCEPT | BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_WANT_ENTROPY;
    let (batch, mut results) = (rows_of(logits, flags, threads), [blank(); ROWS]);
    // SAFETY: live handles, and arrays of so many rows.
    let status = unsafe { bregman_decode_batch(raw(samplers).as_ptr(), &batch, results.as_mut_ptr()) };
    told(status, &results)
}

fn decode_answers(samplers: &[Handle], logits: &[f32], threads: u32) -> Told {
    let (batch, mut results) = (rows_of(logits, 0, threads), [blank(); ROWS]);
    let (mut logprobs, mut top_logprobs) = ([7.0f32; ROWS], [7.0f32; ROWS * TOP]);
    let (mut top_ids, mut kept_ids) = ([7i32; ROWS * TOP], [7i32; ROWS * TOP]);
    let answers = bregman_answers {
        struct_size: size_of::<bregman_answers>() as u32,
        source: BREGMAN_OF_DECODED,
        logprobs: logprobs.as_mut_ptr(),
        top: TOP,
        top_stride: TOP,
        top_ids: top_ids.as_mut_ptr(),
        top_logprobs: top_logprobs.as_mut_ptr(),
        kept: TOP,
        kept_stride: TOP,
        kept_ids: kept_ids.as_mut_ptr(),
        ..bregman_answers::default()
    };
    // SAFETY: live handles, and arrays as long as batch and answers say.
    let status =
        unsafe { bregman_decode_batch_answers(raw(samplers).as_ptr(), &batch, results.as_mut_ptr(), &answers) };
    let floats = logprobs.iter().chain(&top_logprobs).map(|p| p.to_bits());
    let ids = top_ids.iter().chain(&kept_ids).map(|&id| id as u32);
    told(status, &results).into_iter().chain(floats).chain(ids).collect()
}

fn distributions(samplers: &[Handle], logits: &[f32], threads: u32) -> Told {
    let batch = rows_of(logits, 0, threads);
    let (mut offsets, mut ids, mut probs) = ([7; ROWS + 1], vec![7; ROWS * VOCAB], vec![7.0f32; ROWS * VOCAB]);
    // SAFETY: live handles, and arrays as long as the call is told.
    let status = unsafe {
        let (offsets, ids, probs) = (offsets.as_mut_ptr(), ids.as_mut_ptr(), probs.as_mut_ptr());
        bregman_distribution_batch(raw(samplers).as_ptr(), &batch, offsets, ids, probs, ROWS * VOCAB)
    };
    let n = offsets[ROWS];
    let entries = ids[..n].iter().map(|&id| id as u32).chain(probs[..n].iter().map(|p| p.to_bits()));
    [status].into_iter().chain(offsets.iter().map(|&o| o as u32)).chain(entries).collect()
}

fn verify(samplers: &[Handle], logits: &[f32], threads: u32) -> Told {
    let tokens: Vec<i32> = (0..SEQUENCES * DRAFT).map(|i| most_likely(&logits[(i + i / DRAFT) * VOCAB..])).collect();
    let drafts: Vec<_> = (0..SEQUENCES)
        .map(|s| bregman_draft {
            struct_size: size_of::<bregman_draft>() as u32,
            rule: [BREGMAN_RULE_MATCH, BREGMAN_RULE_TOKEN, BREGMAN_RULE_BLOCK][s % 3],
            tokens: tokens[s * DRAFT..].as_ptr(),
            n: DRAFT,
            parents: null(),
            q_offsets: null(),
            q_ids: null(),
            q_probs: null(),
        })
        .collect();
    let batch = rows_of(logits, BREGMAN_ACCEPT, threads);
    let (mut accepted, mut path, mut results) = ([7; SEQUENCES], [7; ROWS], [blank(); ROWS]);
    // SAFETY: live handles, a draft for each, and arrays of so many sequences and rows.
    let status = unsafe {
        let (accepted, path) = (accepted.as_mut_ptr(), path.as_mut_ptr());
        let handles = raw(&samplers[..SEQUENCES]);
        bregman_verify(handles.as_ptr(), drafts.as_ptr(), SEQUENCES, &batch, accepted, path, results.as_mut_ptr())
    };
    told(status, &results).into_iter().chain(accepted).chain(path.map(|at| at as u32)).collect()
}

fn most_likely(row: &[f32]) -> i32 {
    let of = |&(_, a): &(usize, &f32), &(_, b): &(usize, &f32)| a.total_cmp(b);
    row[..VOCAB].iter().enumerate().max_by(of).map_or(-1, |(token, _)| token as i32)
}

fn reduce(logits: &[f32], threads: u32) -> Told {
    let batch = rows_of(logits, 0, threads);
    let (mut ids, mut listed) = ([7; ROWS * TOP], [7.0f32; ROWS * TOP]);
    let (mut log_rest, mut bound) = ([7.0f64; ROWS], [7.0f32; ROWS]);
    // SAFETY: arrays as long as the call is told.
    let status = unsafe {
        let (log_rest, bound) = (log_rest.as_mut_ptr(), bound.as_mut_ptr());
        bregman_reduce(&batch, 0, TOP, 0.0, ids.as_mut_ptr(), listed.as_mut_ptr(), log_rest, bound)
    };
    let floats = listed.iter().chain(&bound).map(|l| l.to_bits());
    let rests = log_rest.iter().flat_map(|r| [r.to_bits() as u32, (r.to_bits() >> 32) as u32]);
    [status].into_iter().chain(ids.map(|id| id as u32)).chain(floats).chain(rests).collect()
}

/// What one caller is told in `rounds` rounds of calls, each of fresh samplers, copies and saved states.
fn play(caller: usize, rounds: usize, threads: impl Fn(usize) -> u32) -> Vec<Told> {
    let mut answers = Vec::new();
    for round in 0..rounds {
        let threads = threads(caller + round);
        let logits = row(ROWS * VOCAB, (caller * 100 + round) as u64);
        let chain = |r: usize| CHAINS[(caller + ROWS * round + r) % CHAINS.len()];
        let mut samplers: Vec<_> = (0..ROWS).map(|r| Handle::new(chain(r), (caller * ROWS + r) as u64)).collect();
        answers.push(decode(&samplers, &logits, threads));
        let copies = samplers.clone();
        answers.push(decode_answers(&copies, &logits, threads));
        let saved: Vec<_> = copies.iter().map(Handle::save).collect();
        drop(copies);
        answers.push(distributions(&samplers, &logits, threads));
        answers.push(verify(&samplers, &logits, threads));
        answers.push(reduce(&logits, threads));
        for (sampler, state) in samplers.iter_mut().zip(&saved) {
            *sampler = Handle::load(state).expect("a state of this library");
        }
        answers.push(decode(&samplers, &logits, threads));
        answers.push(samplers.iter().flat_map(|s| [s.place().1 as u32, s.place().2 as u32]).collect());
        // A call that fails is one of many, too: its message stays on its own handle.
        let refused = samplers[0].distribution(&[f32::NAN; VOCAB]);
        assert!(refused.is_err_and(|(_, why)| !why.is_empty()));
    }
    answers
}

/// Each of `callers` with 2, 4 or 8 threads, all at once, against each alone on its own thread.
fn together_as_alone(callers: usize, rounds: usize) {
    let alone: Vec<_> = (0..callers).map(|caller| play(caller, rounds, |_| 1)).collect();
    let start = Barrier::new(callers);
    let together: Vec<_> = std::thread::scope(|scope| {
        let begin = |caller: usize| {
            start.wait();
            play(caller, rounds, |n| [2, 4, 8][n % 3])
        };
        let threads: Vec<_> = (0..callers).map(|caller| scope.spawn(move || begin(caller))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    for (caller, (alone, together)) in alone.iter().zip(&together).enumerate() {
        for (call, (alone, together)) in alone.iter().zip(together).enumerate() {
            assert_eq!(alone, together, "caller {caller}, call {call}");
        }
    }
}

#[test]
fn callers_at_once_with_threads_have_the_answers_of_each_alone() {
    // All chains: 7 rounds of 9 rows.
    together_as_alone(6, 7);
}

/// A batch inside a batch: the generator of a row, which is the host's, decodes a batch of its own.
#[test]
fn generator_that_decodes_a_batch_itself_does_not_wait_for_ever() {
    use std::ffi::{CString, c_void};
    unsafe extern "C" fn phi(_: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
        for i in 0..n {
            // SAFETY: both vectors have n elements.
            unsafe { *out.add(i) = *x.add(i) * *x.add(i) / 2.0 };
        }
    }
    unsafe extern "C" fn f(_: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
        let samplers: Vec<_> = (0..ROWS).map(|r| Handle::new("draw", r as u64)).collect();
        decode(&samplers, &row(ROWS * VOCAB, 3), 4);
        // SAFETY: both vectors have n elements.
        unsafe { std::ptr::copy_nonoverlapping(x, out, n) };
    }
    let name = CString::new("nested").expect("no NUL");
    let generator = bregman_generator {
        struct_size: size_of::<bregman_generator>() as u32,
        reserved: 0,
        name: name.as_ptr(),
        user: null_mut(),
        phi: Some(phi),
        f: Some(f),
        f_inverse: Some(f),
        f_prime: None,
    };
    let new = |r: usize| Handle::try_new("bregman(generator=nested, k=3) | draw", r as u64, &[generator]);
    let samplers = |_| (0..ROWS).map(|r| new(r).expect("a valid generator")).collect::<Vec<_>>();
    let logits = row(ROWS * VOCAB, 4);
    let [alone, together] = [1, 4].map(|threads| decode(&samplers(threads), &logits, threads));
    assert_eq!(alone, together);
    assert_eq!(alone[0], BREGMAN_OK);
}
