//! What a host's process may do around a call: unload the library, interrupt it by signals, give it a small stack, end the
//! thread that made a handle. A program of its own, because signals and memory belong to the whole process.
#![cfg(target_os = "linux")]

#[path = "../common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod chains;
    pub mod handle;
    pub mod rows;
}
#[path = "../c/toolchain.rs"]
mod toolchain;

mod reload;
mod signals;
mod stacks;
mod threads;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by the test that runs: the others would change its memory, threads and signals.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resident memory in KiB, and the number of threads.
fn usage() -> (usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let number = |name: &str| -> usize {
        let line = status.lines().find(|line| line.starts_with(name)).expect("it has this line");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
    };
    (number("VmRSS:"), number("Threads:"))
}
