//! How much stack the calls need: measured on a thread whose stack was filled with a pattern.

use crate::common::chains::CHAINS;
use crate::common::handle::{Handle, Rows, batch, row};
use bregman::Candidate;
use bregman::ffi::*;
use std::ffi::c_void;
use std::ptr::null_mut;

/// What docs/integrate.md promises.
const PROMISED: usize = 64 << 10;
const STACK: usize = 2 << 20;
const PATTERN: u8 = 0xA5;
const VOCAB: usize = 3000;

extern "C" fn run(body: *mut c_void) -> *mut c_void {
    // SAFETY: the closure of `deepest`, which waits for this thread.
    unsafe { (*body.cast::<&mut (dyn FnMut() + Send)>())() };
    null_mut()
}

/// Bytes of stack that a thread touches which runs `body`, what a thread itself needs included.
fn deepest(mut body: &mut (dyn FnMut() + Send)) -> usize {
    // SAFETY: new memory for a stack, filled before the thread begins and read after it has ended.
    unsafe {
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let stack = libc::mmap(null_mut(), STACK, access, flags, -1, 0);
        assert!(stack != libc::MAP_FAILED);
        stack.cast::<u8>().write_bytes(PATTERN, STACK);
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstack(&mut attributes, stack, STACK), 0);
        let mut thread = 0;
        assert_eq!(libc::pthread_create(&mut thread, &attributes, run, (&raw mut body).cast()), 0);
        assert_eq!(libc::pthread_join(thread, null_mut()), 0);
        let untouched = std::slice::from_raw_parts(stack.cast::<u8>(), STACK).iter().take_while(|b| **b == PATTERN);
        let used = STACK - untouched.count();
        libc::munmap(stack, STACK);
        used
    }
}

/// Every call on a sampler.
fn calls(chain: &str, row: &[f32]) {
    let handle = Handle::new(chain, 3);
    handle.accept(&[4, 5, 4, 6, 4, 5, 4]).expect("tokens");
    let _ = handle.distribution(row);
    let _ = handle.process(&mut row.to_vec());
    let _ = handle.apply(&mut (0..).zip(row).map(|(id, &logit)| Candidate { id, logit, p: 0.0 }).collect());
    let flags = BREGMAN_ACCEPT | BREGMAN_WANT_ENTROPY | BREGMAN_WANT_LN_KEPT | BREGMAN_WANT_MODEL_LOGPROB;
    let _ = batch(&[handle.clone(), handle.clone()], &Rows::F32(&row.repeat(2)), (VOCAB, VOCAB), None, (flags, 2));
    let (mut ids, mut probs, mut len) = ([0; 20], [0.0; 20], 0);
    let (ids, probs) = (ids.as_mut_ptr(), probs.as_mut_ptr());
    // SAFETY: a live handle, a row and arrays of twenty.
    unsafe {
        bregman_top_logprobs(handle.raw, row.as_ptr(), VOCAB, BREGMAN_OF_DECODED, 20, ids, probs, &mut len);
        bregman_draw_many(handle.raw, row.as_ptr(), VOCAB, 20, ids, probs, null_mut(), &mut len);
    }
    let loaded = Handle::load(&handle.save()).expect("a state");
    loaded.rewind(3).expect("so many tokens");
    assert!(!loaded.describe().is_empty());
    for rule in [BREGMAN_RULE_MATCH, BREGMAN_RULE_TOKEN, BREGMAN_RULE_BLOCK] {
        let draft = bregman_draft {
            struct_size: size_of::<bregman_draft>() as u32,
            rule,
            tokens: [4, 5].as_ptr(),
            n: 2,
            parents: std::ptr::null(),
            q_offsets: std::ptr::null(),
            q_ids: std::ptr::null(),
            q_probs: std::ptr::null(),
        };
        let rows = row.repeat(3);
        let rows = bregman_batch {
            logits: rows.as_ptr().cast(),
            rows: 3,
            vocab: VOCAB,
            row_stride: VOCAB,
            ..bregman_batch::default()
        };
        let (mut accepted, mut results) = (0, [crate::common::handle::blank(); 3]);
        // SAFETY: a live handle, and arrays as long as the batch says.
        unsafe { bregman_verify(&loaded.raw, &draft, 1, &rows, &mut accepted, null_mut(), results.as_mut_ptr()) };
    }
    assert!(Handle::try_new("top_k(3) | drow", 1, &[]).is_err());
}

#[test]
fn every_call_fits_a_stack_of_64_kib() {
    let _alone = crate::alone();
    let mut flat = row(VOCAB, 3);
    flat[..VOCAB / 2].fill(4.0);
    let rows = [row(VOCAB, 4), flat];
    let nothing = deepest(&mut || {});
    let mut worst = (0, "");
    for chain in CHAINS {
        for row in &rows {
            let used = deepest(&mut || calls(chain, row));
            worst = worst.max((used, chain));
        }
    }
    let (used, chain) = worst;
    println!(
        "{} KiB of stack at most, of which a thread alone takes {}: `{chain}`",
        used.div_ceil(1024),
        nothing / 1024
    );
    // Without optimisation every temporary has a place of its own.
    let is_optimised = option_env!("CARGO_PROFILE_TEST_OPT_LEVEL") != Some("0");
    assert!(used <= PROMISED || !is_optimised, "{used} bytes: `{chain}`");
    assert!(nothing < used, "nothing was measured");
}
