//! What src/batch/sync.rs offers, on loom; with faults that can be planted, and an end for threads that serve for ever.

pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
pub(crate) use loom::sync::{Mutex, MutexGuard};
pub(crate) use std::sync::PoisonError;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64 as Count, Ordering::Relaxed};
use std::sync::{LockResult, OnceLock};

/// A fault in what the pool is built on, which the model must report.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// A caller that finds the job done after it has given up looking acquires nothing: `take_back` was once like this.
    DoneIsNotAcquired,
    /// A helper that is done releases nothing.
    DoneIsNotReleased,
    /// A job is given without a release of what it is.
    GivenIsNotReleased,
    /// No sleeper is woken.
    WakeIsDropped,
}

pub(crate) static PLANTED: OnceLock<Fault> = OnceLock::new();

fn is_planted(fault: Fault) -> bool {
    PLANTED.get() == Some(&fault)
}

/// Whether the threads of the pool end when they sleep. Unknown to loom, which runs all on one thread of the system: it
/// orders nothing.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// How often a sleeping thread was woken, not to end.
pub(crate) static WOKEN: Count = Count::new(0);

/// The payload that unwinds a thread of the pool.
struct End;

/// At the beginning of an execution.
pub(crate) fn begin() {
    IS_ENDING.store(false, Relaxed);
}

/// From now on, threads of the pool that sleep, or are woken, end.
pub(crate) fn end() {
    IS_ENDING.store(true, Relaxed);
}

/// An atomic of which orders can be dropped.
pub(crate) struct AtomicU32(loom::sync::atomic::AtomicU32);

impl AtomicU32 {
    pub(crate) fn new(value: u32) -> Self {
        Self(loom::sync::atomic::AtomicU32::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.0.load(order)
    }

    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.0.swap(value, unless(Fault::DoneIsNotReleased, order, Ordering::Relaxed))
    }

    pub(crate) fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        self.0.fetch_or(value, unless(Fault::GivenIsNotReleased, order, Ordering::Relaxed))
    }

    pub(crate) fn fetch_and(&self, value: u32, order: Ordering) -> u32 {
        self.0.fetch_and(value, unless(Fault::DoneIsNotAcquired, order, Ordering::Release))
    }

    pub(crate) fn compare_exchange(&self, from: u32, to: u32, done: Ordering, failed: Ordering) -> Result<u32, u32> {
        self.0.compare_exchange(from, to, done, unless(Fault::DoneIsNotAcquired, failed, Ordering::Relaxed))
    }
}

fn unless(fault: Fault, order: Ordering, weaker: Ordering) -> Ordering {
    if is_planted(fault) { weaker } else { order }
}

pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        // At the end it would be found even if no caller missed it.
        if !is_planted(Fault::WakeIsDropped) || IS_ENDING.load(Relaxed) {
            self.0.notify_one();
        }
    }

    pub(crate) fn wait<'a, T>(&self, lock: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let lock = self.0.wait(or_end(lock))?;
        let lock = or_end(lock);
        WOKEN.fetch_add(1, Relaxed);
        Ok(lock)
    }
}

/// Ends the thread, with the lock released, if it is time.
fn or_end<T>(lock: MutexGuard<'_, T>) -> MutexGuard<'_, T> {
    if IS_ENDING.load(Relaxed) {
        drop(lock);
        resume_unwind(Box::new(End));
    }
    lock
}

/// One look: loom tries it at every moment at which a thread may have looked last.
pub(crate) fn spins_until(arrived: impl Fn() -> bool) -> bool {
    arrived()
}

/// Threads that may end by `End`.
pub(crate) struct Builder(loom::thread::Builder);

impl Builder {
    pub(crate) fn new() -> Self {
        Self(loom::thread::Builder::new())
    }

    pub(crate) fn name(self, name: String) -> Self {
        Self(self.0.name(name))
    }

    /// Loom's own: a stack for each execution is dear.
    pub(crate) fn stack_size(self, _: usize) -> Self {
        self
    }

    pub(crate) fn spawn<T>(self, serve: impl FnOnce() -> T + Send + 'static) -> std::io::Result<()> {
        let until_end = move || {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(serve))
                && !payload.is::<End>()
            {
                resume_unwind(payload);
            }
        };
        self.0.spawn(until_end).map(drop)
    }
}
