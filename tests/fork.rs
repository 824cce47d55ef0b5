//! A process forks after a batch with threads: the child does not inherit the pool's threads, and still decodes.
//! Alone in its program, because forking while other threads work leaves the child undefined.

#[path = "common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod children;
    pub mod handle;
    pub mod rows;
}

use bregman::ffi::*;
use common::children::{fork, wait};
use common::handle::{Handle, blank, row};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::new(());

const ROWS: usize = 32;
const VOCAB: usize = 2000;

/// A batch of fresh samplers on two threads.
fn batch(logits: &[f32]) -> Vec<i32> {
    let samplers: Vec<_> = (0..ROWS as u64).map(|r| Handle::new("bregman(alpha=1.5, floor=0.01) | draw", r)).collect();
    let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
    let mut results = vec![blank(); ROWS];
    let batch = bregman_batch {
        struct_size: size_of::<bregman_batch>() as u32,
        dtype: BREGMAN_F32,
        logits: logits.as_ptr().cast(),
        rows: ROWS,
        vocab: VOCAB,
        row_stride: VOCAB,
        mask: std::ptr::null(),
        mask_stride: 0,
        flags: 0,
        threads: 2,
        ..bregman_batch::default()
    };
    // SAFETY: live handles, and arrays of so many rows.
    let status = unsafe { bregman_decode_batch(handles.as_ptr(), &batch, results.as_mut_ptr()) };
    assert_eq!(status, BREGMAN_OK);
    results.iter().map(|r| r.token).collect()
}

/// Children from now on are in a process namespace of their own, in which the first has the id 1.
#[cfg(target_os = "linux")]
fn unshare_processes() -> bool {
    // SAFETY: changes only where children are; without privileges, a user namespace has them.
    unsafe { libc::unshare(libc::CLONE_NEWPID) == 0 || libc::unshare(libc::CLONE_NEWPID | libc::CLONE_NEWUSER) == 0 }
}

/// A process with id 1 has a pool; its child has id 1 too, and needs another pool.
#[cfg(target_os = "linux")]
#[test]
fn child_with_its_parents_process_id_decodes_a_threaded_batch() {
    const NOT_PERMITTED: i32 = 77;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let logits = row(ROWS * VOCAB, 5);
    let expected = batch(&logits);
    let first = |then: &dyn Fn() -> i32| {
        if unshare_processes() { wait(fork(then)).unwrap_or(2) } else { NOT_PERMITTED }
    };
    let is_one_and_decodes = || std::process::id() == 1 && batch(&logits) == expected && batch(&logits) == expected;
    let inner = || if is_one_and_decodes() { 42 } else { 3 };
    let outer = || if is_one_and_decodes() { first(&inner) } else { 4 };
    match wait(fork(|| first(&outer))) {
        Some(NOT_PERMITTED) => println!("skipped: process namespaces are not permitted here"),
        code => assert_eq!(code, Some(42), "2 is a child that hangs"),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn pool_starts_no_more_threads_than_are_wanted_or_the_machine_has() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let logits = row(ROWS * VOCAB, 5);
    let expected = batch(&logits);
    let threads = || std::fs::read_dir("/proc/self/task").map_or(usize::MAX, Iterator::count);
    let child = fork(|| {
        let before = threads();
        let is_same = batch(&logits) == expected;
        let started = threads() - before;
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        if is_same && started == 1.min(cores - 1) { 42 } else { 3 }
    });
    assert_eq!(wait(child), Some(42), "3: other threads than were wanted, or than the machine has");
}

#[test]
fn forked_child_decodes_a_threaded_batch() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let logits = row(ROWS * VOCAB, 5);
    let expected = batch(&logits);
    for generation in 0..3 {
        // Twice: with a new pool, and with that pool.
        let same = || batch(&logits) == expected && batch(&logits) == expected;
        let child = fork(|| if same() { 42 } else { 1 });
        assert_eq!(wait(child), Some(42), "child {generation}: None is a child that hangs");
        assert_eq!(batch(&logits), expected, "the parent goes on");
    }
}

/// While threads of the parent are inside batches, at moments that differ from fork to fork.
#[test]
fn child_forked_at_any_moment_of_a_batch_decodes() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let logits = row(ROWS * VOCAB, 5);
    let expected = batch(&logits);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(batch(&logits), expected);
                }
            });
        }
        let found: Vec<Option<i32>> = (0..forks())
            .map(|n| {
                // A batch takes about a millisecond.
                std::thread::sleep(Duration::from_micros(n * 7 % 1500));
                wait(fork(|| if batch(&logits) == expected { 42 } else { 3 }))
            })
            .collect();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        let others: Vec<_> = found.iter().enumerate().filter(|(_, code)| **code != Some(42)).collect();
        assert!(others.is_empty(), "forks and their children's codes, None for one that hangs: {others:?}");
        println!("{} forks", found.len());
    });
}

/// `BREGMAN_FORKS` sets another number.
fn forks() -> u64 {
    std::env::var("BREGMAN_FORKS").map_or(200, |n| n.parse().expect("a number"))
}
