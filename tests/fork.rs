//! A process forks after a batch with threads: the child does not inherit the pool's threads, and still decodes.
//! Alone in its program, because forking while other threads work leaves the child undefined.

#[path = "common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod handle;
    pub mod rows;
}

use bregman::ffi::*;
use common::handle::{Handle, blank, row};
use std::time::{Duration, Instant};

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

/// The child's exit code; None if it hangs.
fn wait(child: libc::pid_t) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        let mut status = 0;
        // SAFETY: our own child, and a place for its status.
        let done = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if done == child {
            return Some(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: our own child.
    unsafe { libc::kill(child, libc::SIGKILL) };
    None
}

#[test]
fn forked_child_decodes_a_threaded_batch() {
    let logits = row(ROWS * VOCAB, 5);
    let expected = batch(&logits);
    for generation in 0..3 {
        // SAFETY: the child calls the library, compares, and ends without running anything of the parent's.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "fork failed");
        if child == 0 {
            // Twice: with a new pool, and with that pool. A panic must not unwind into the parent's test harness.
            let same = std::panic::catch_unwind(|| batch(&logits) == expected && batch(&logits) == expected);
            // SAFETY: ends the process.
            unsafe { libc::_exit(if matches!(same, Ok(true)) { 42 } else { 1 }) };
        }
        assert_eq!(wait(child), Some(42), "child {generation}: None is a child that hangs");
        assert_eq!(batch(&logits), expected, "the parent goes on");
    }
}
