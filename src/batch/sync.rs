//! What the pool and its workers synchronise with, here the standard library's; in the model of `tests/loom`, loom's.

pub(super) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
pub(super) use std::thread::Builder;

use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// How long a thread looks for what it waits for before it sleeps: longer than waking a thread and than decoding a usual
/// row takes, so that batches that follow one another closely wake none.
const SPIN: Duration = Duration::from_micros(100);

/// Looks whether something has arrived, for a while; true if it has.
pub(super) fn spins_until(arrived: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    loop {
        for _ in 0..32 {
            if arrived() {
                return true;
            }
            spin_loop();
        }
        if start.elapsed() > SPIN {
            return false;
        }
    }
}
