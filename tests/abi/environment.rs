//! The host's floating-point environment: whatever it is set to, answers are the usual ones and it stays as it is.
#![cfg(target_arch = "x86_64")]

use crate::common::chains::CHAINS;
use crate::common::handle::{Handle, Rows, batch, bits, row};
use bregman::Candidate;
use bregman::ffi::*;
use std::arch::asm;
use std::ptr::null_mut;

const VOCAB: usize = 700;
const USUAL: u32 = 0x1f80;

/// Every rounding mode, with and without flushing (FTZ is bit 15, DAZ bit 6), and all traps on.
fn settings() -> impl Iterator<Item = u32> {
    let flushes = [0, 1 << 15, 1 << 6, 1 << 15 | 1 << 6];
    (0..4).flat_map(move |rounding| flushes.map(|flush| USUAL | rounding << 13 | flush)).chain([0])
}

fn read() -> u32 {
    let mut control = 0u32;
    // SAFETY: stores a register into the variable.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control) };
    control
}

fn write(control: u32) {
    // SAFETY: one of `settings`, or what was read.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const control) };
}

/// Makes one call of the library under a setting. The call must do nothing else: Rust presumes the usual one.
fn under<T>(control: u32, call: impl FnOnce() -> T) -> T {
    write(control);
    let answer = call();
    let after = read();
    write(USUAL);
    // The lowest bits say what has occurred, and may be set.
    assert_eq!(after & !0x3f, control, "the setting was {control:#x} and is {after:#x}");
    answer
}

/// Logits whose weights reach down to subnormal numbers and below.
fn logits() -> Vec<f32> {
    let mut logits = row(VOCAB, 3);
    logits.iter_mut().enumerate().filter(|(i, _)| i % 3 == 0).for_each(|(i, l)| *l -= i as f32 / 6.0);
    (logits[5], logits[6]) = (1e-40, -1e-44);
    logits
}

/// The answers of every call about a row, as bits.
fn answers(chain: &str, logits: &[f32], control: u32) -> Vec<u32> {
    let handle = Handle::new(chain, 9);
    handle.accept(&[4, 5, 4, 6, 4, 5]).expect("tokens");
    let mut all = vec![];
    let (mut ids, mut probs, mut len) = (vec![0; VOCAB], vec![0.0f32; VOCAB], 0);
    let (row, to_ids, to_probs) = (logits.as_ptr(), ids.as_mut_ptr(), probs.as_mut_ptr());
    // SAFETY: a live handle, a row and arrays of that length.
    all.push(under(control, || unsafe {
        bregman_distribution(handle.raw, row, VOCAB, to_ids, to_probs, VOCAB, &mut len)
    }));
    all.extend(ids.iter().map(|id| *id as u32).chain(probs.iter().map(|p| p.to_bits())));
    // SAFETY: as above.
    all.push(under(control, || unsafe {
        bregman_top_logprobs(handle.raw, row, VOCAB, BREGMAN_OF_MODEL, 9, to_ids, to_probs, &mut len)
    }));
    all.extend(probs[..9].iter().map(|p| p.to_bits()));
    let mut own = logits.to_vec();
    let to_own = own.as_mut_ptr();
    // SAFETY: a live handle and a row of that length.
    all.push(under(control, || unsafe { bregman_process(handle.raw, to_own, VOCAB) }));
    all.extend(own.iter().map(|l| l.to_bits()));
    let mut candidates: Vec<_> = (0..).zip(logits).map(|(id, &logit)| Candidate { id, logit, p: 0.0 }).collect();
    let mut list = bregman_candidates { data: candidates.as_mut_ptr(), size: VOCAB, selected: -1, sorted: 0 };
    // SAFETY: a live handle and an array of that length.
    all.push(under(control, || unsafe { bregman_apply(handle.raw, &mut list) }));
    all.extend(candidates.iter().flat_map(|c| [c.id as u32, c.logit.to_bits(), c.p.to_bits()]));
    // SAFETY: a live handle, a row and arrays of nine at least.
    all.push(under(control, || unsafe {
        bregman_draw_many(handle.raw, row, VOCAB, 9, to_ids, to_probs, null_mut(), &mut len)
    }));
    all.extend(ids[..len.min(9)].iter().map(|id| *id as u32));
    // On the caller's thread and on others.
    let handles: Vec<_> = (0..4).map(|seed| Handle::new(chain, seed)).collect();
    let (rows, flags) = (logits.repeat(4), BREGMAN_ACCEPT | BREGMAN_WANT_ENTROPY | BREGMAN_WANT_LN_KEPT);
    for threads in [1, 2] {
        let rows = Rows::F32(&rows);
        let (_, results) = under(control, || batch(&handles, &rows, (VOCAB, VOCAB), None, (flags, threads)));
        all.extend(results.iter().flat_map(bits));
    }
    all
}

#[test]
fn answers_do_not_depend_on_the_hosts_floating_point_environment() {
    let logits = logits();
    for chain in CHAINS {
        let expected = answers(chain, &logits, USUAL);
        for control in settings() {
            assert!(answers(chain, &logits, control) == expected, "`{chain}` under {control:#x}");
        }
    }
}
