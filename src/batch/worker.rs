//! One thread of the pool, and how it is given a job: without a lock while it is awake, and without an allocation.

use super::sync::{AtomicPtr, AtomicU32, Condvar, Mutex, MutexGuard, Ordering, PoisonError, spins_until};

/// The states of a worker. `FREE`, `GIVEN` and `DONE` may have `SLEEPS` added: the thread sleeps. `TAKEN` may have `AWAITED`
/// added: the caller sleeps until it is done.
const FREE: u32 = 0;
const GIVEN: u32 = 1;
const TAKEN: u32 = 2;
const DONE: u32 = 3;
const SLEEPS: u32 = 4;
const AWAITED: u32 = 8;

/// A thread of the pool. A call that has claimed it (see `Pool`) may give it a job, and has to take the job back.
///
/// On cache lines of its own, since it is looked at all the time while its thread is awake.
#[repr(align(128))]
pub(super) struct Worker<J> {
    state: AtomicU32,
    job: AtomicPtr<J>,
    lock: Mutex<()>,
    changed: Condvar,
}

impl<J: Sync> Worker<J> {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU32::new(FREE),
            job: AtomicPtr::new(std::ptr::null_mut()),
            lock: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Gives a free worker a job; true if its thread sleeps and has to be woken.
    pub(super) fn give(&self, job: &J) -> bool {
        self.job.store(std::ptr::from_ref(job).cast_mut(), Ordering::Relaxed);
        self.state.fetch_or(GIVEN, Ordering::AcqRel) & SLEEPS != 0
    }

    /// Wakes the thread, or the caller, whichever sleeps.
    pub(super) fn wake(&self) {
        // Who is about to sleep holds the lock until it does.
        drop(self.lock());
        self.changed.notify_one();
    }

    /// Makes the worker free again: takes back a job that was not begun, or waits until it is done. The job may end then.
    pub(super) fn take_back(&self) {
        let given = self.state.load(Ordering::Relaxed);
        if given & !SLEEPS == GIVEN && self.changes(given, given & SLEEPS) {
            return;
        }
        let is_done = |state| state & !SLEEPS == DONE;
        if !self.spins_until(is_done) {
            let mut lock = self.lock();
            if self.changes(TAKEN, TAKEN | AWAITED) {
                while !is_done(self.state.load(Ordering::Acquire)) {
                    lock = self.sleep(lock);
                }
            }
        }
        // To FREE; the thread may sleep on.
        self.state.fetch_and(SLEEPS, Ordering::AcqRel);
    }

    /// Waits for a job, runs it, and so on; `run` must not unwind.
    pub(super) fn serve(&self, run: impl Fn(&J)) -> ! {
        loop {
            self.wait_for_job();
            // SAFETY: the job lives until it is taken back, which waits for `DONE`.
            run(unsafe { &*self.job.load(Ordering::Relaxed) });
            if self.state.swap(DONE, Ordering::AcqRel) & AWAITED != 0 {
                self.wake();
            }
        }
    }

    /// Returns when the state is `TAKEN`.
    fn wait_for_job(&self) {
        loop {
            if self.spins_until(|state| state == GIVEN) {
                // Or it was taken back.
                if self.changes(GIVEN, TAKEN) {
                    return;
                }
                continue;
            }
            let mut lock = self.lock();
            // Also if the job is done and not yet taken back: the caller's own item may be a long one.
            if self.changes(FREE, SLEEPS) || self.changes(DONE, DONE | SLEEPS) {
                while !self.changes(GIVEN | SLEEPS, TAKEN) {
                    lock = self.sleep(lock);
                }
                return;
            }
        }
    }

    fn changes(&self, from: u32, to: u32) -> bool {
        // If it fails because the job is done, what the job wrote is visible, too.
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn spins_until(&self, arrived: impl Fn(u32) -> bool) -> bool {
        spins_until(|| arrived(self.state.load(Ordering::Acquire)))
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep<'a>(&self, lock: MutexGuard<'a, ()>) -> MutexGuard<'a, ()> {
        self.changed.wait(lock).unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, Instant};

    #[test]
    fn thread_sleeps_while_its_finished_job_is_not_taken_back() {
        let worker: &Worker<AtomicBool> = Box::leak(Box::new(Worker::new()));
        std::thread::spawn(|| worker.serve(|job| job.store(true, Ordering::Relaxed)));
        for _ in 0..3 {
            let ran = AtomicBool::new(false);
            if worker.give(&ran) {
                worker.wake();
            }
            let start = Instant::now();
            while worker.state.load(Ordering::Relaxed) != DONE | SLEEPS {
                assert!(start.elapsed() < Duration::from_secs(60), "state {}", worker.state.load(Ordering::Relaxed));
                std::thread::yield_now();
            }
            worker.take_back();
            assert!(ran.load(Ordering::Relaxed));
            assert_eq!(worker.state.load(Ordering::Relaxed), SLEEPS);
        }
    }
}
