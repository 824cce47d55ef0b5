//! The threads that help callers. A call claims those that are idle and gives up those that have not begun when its work
//! is done, so that it never waits for a thread to wake, nor for another call.

use super::signals;
use super::sync::{AtomicU64, AtomicUsize, Builder, Mutex, Ordering, PoisonError};
use super::worker::Worker;
use crate::process;
use once_cell::race::OnceBox;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// The most workers of a pool: 256 threads with the caller's.
const MOST: usize = 255;

/// Bytes of a worker's stack: any call needs less than 64 KiB.
const STACK: usize = 2 << 20;

/// How long a system that had no thread is not asked again: asking costs more than a usual row.
const RETRY: Duration = Duration::from_secs(1);

/// The threads of one process. They are started when a call first wants them, and stay.
pub(super) struct Pool {
    /// As many as may be started.
    pub(super) workers: Box<[Worker<Job>]>,
    /// How many were started.
    started: AtomicUsize,
    /// Held by the call that starts some; when the system last had no thread for one.
    starts: Mutex<Option<Instant>>,
    /// Those that no call has claimed.
    idle: Set,
    /// Calls at work that may have helpers.
    callers: AtomicUsize,
}

/// What the workers of a call have to do.
pub(super) struct Job {
    /// Returns when nothing is left to do. It is borrowed for as long as the job, which nothing outlives: see `Help`.
    work: &'static (dyn Fn() + Sync),
    pool: &'static Pool,
    /// The call's workers that have to be woken. The caller wakes one, and each that is awake two more.
    asleep: Set,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Pool {
    /// The pool of this process. A child after `fork` has none of its parent's threads and gets a pool of its own, behind
    /// that of its parent. Without a lock: one that another thread held at the moment of the fork would stay locked in the
    /// child.
    pub(super) fn of_process() -> &'static Self {
        /// The pool of one process, and those of its forked children behind it.
        struct Pools {
            process: u64,
            pool: Pool,
            next: OnceBox<Pools>,
        }
        static FIRST: OnceBox<Pools> = OnceBox::new();
        let process = process::number();
        let mut slot = &FIRST;
        loop {
            let pools = slot.get_or_init(|| Box::new(Pools { process, pool: Pool::new(), next: OnceBox::new() }));
            if pools.process == process {
                return &pools.pool;
            }
            slot = &pools.next;
        }
    }

    /// One worker for each core but the caller's.
    fn new() -> Self {
        Self::with_workers(std::thread::available_parallelism().map_or(0, |n| n.get() - 1))
    }

    pub(super) fn with_workers(n: usize) -> Self {
        Self {
            workers: (0..n.min(MOST)).map(|_| Worker::new()).collect(),
            started: AtomicUsize::new(0),
            starts: Mutex::new(None),
            idle: Set::default(),
            callers: AtomicUsize::new(0),
        }
    }

    /// Runs `work` on the caller's thread and on up to `helpers` others; returns when all are done.
    pub(super) fn run(&'static self, helpers: usize, work: &(dyn Fn() + Sync)) {
        self.start(helpers);
        // SAFETY: only the lifetime changes. `help` ends before the borrow does, unwinding included.
        let work_for_ever: &'static (dyn Fn() + Sync) = unsafe { std::mem::transmute(work) };
        let job = Job { work: work_for_ever, pool: self, asleep: Set::default(), panic: Mutex::new(None) };
        let help = Help::new(&job, helpers);
        job.wake_one();
        work();
        drop(help);
        let panic = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Starts workers up to this number; fewer if the system has no more threads, or if another call starts some.
    fn start(&'static self, wanted: usize) {
        let wanted = wanted.min(self.workers.len());
        if self.started.load(Ordering::Relaxed) >= wanted {
            return;
        }
        let Ok(mut refused) = self.starts.try_lock() else { return };
        if refused.is_some_and(|at| at.elapsed() < RETRY) {
            return;
        }
        for i in self.started.load(Ordering::Relaxed)..wanted {
            let serve = move || self.workers[i].serve(Job::run);
            // The size is set because the default is the environment's RUST_MIN_STACK.
            let thread = Builder::new().name(format!("bregman-{i}")).stack_size(STACK);
            if signals::blocked_while(|| thread.spawn(serve)).is_err() {
                *refused = Some(Instant::now());
                return;
            }
            self.idle.add(i);
            self.started.store(i + 1, Ordering::Relaxed);
        }
    }
}

impl Job {
    fn run(&self) {
        self.wake_one();
        self.wake_one();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(self.work)) {
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            match *first {
                None => *first = Some(panic),
                // Never dropped: that could panic again, here.
                Some(_) => std::mem::forget(panic),
            }
        }
    }

    fn wake_one(&self) {
        if let Some(i) = self.asleep.take() {
            self.pool.workers[i].wake();
        }
    }
}

/// The workers that a job was given to. They are done with it when this is dropped.
struct Help<'a> {
    job: &'a Job,
    claimed: Set,
}

impl<'a> Help<'a> {
    /// At most as many as leave a core to each other call that may have helpers: with more, all would be slower.
    fn new(job: &'a Job, most: usize) -> Self {
        let (help, pool) = (Self { job, claimed: Set::default() }, job.pool);
        let others = pool.callers.fetch_add(1, Ordering::Relaxed);
        for _ in 0..most.min(pool.workers.len().saturating_sub(others)) {
            let Some(i) = pool.idle.take() else { break };
            help.claimed.add(i);
            if pool.workers[i].give(job) {
                job.asleep.add(i);
            }
        }
        help
    }
}

impl Drop for Help<'_> {
    fn drop(&mut self) {
        while let Some(i) = self.claimed.take() {
            self.job.pool.workers[i].take_back();
            self.job.pool.idle.add(i);
        }
        self.job.pool.callers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A set of workers.
#[derive(Default)]
struct Set([AtomicU64; MOST.div_ceil(64)]);

impl Set {
    fn add(&self, i: usize) {
        self.0[i / 64].fetch_or(1 << (i % 64), Ordering::AcqRel);
    }

    /// Takes the first out, so that the same few are used again and again, and the others sleep.
    fn take(&self) -> Option<usize> {
        self.0.iter().enumerate().find_map(|(w, word)| {
            loop {
                let first = word.load(Ordering::Relaxed).trailing_zeros();
                if first == 64 {
                    return None;
                }
                if word.fetch_and(!(1 << first), Ordering::AcqRel) & (1 << first) != 0 {
                    return Some(64 * w + first as usize);
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Items;

    /// More workers than this machine may have cores. Without locks or atomics at the items, which would hide a race from
    /// ThreadSanitizer.
    #[test]
    fn callers_at_once_share_seven_workers() {
        const ITEMS: usize = 20;
        let pool: &Pool = Box::leak(Box::new(Pool::with_workers(7)));
        std::thread::scope(|scope| {
            for caller in 0..6 {
                scope.spawn(move || {
                    let mut sums = [0; ITEMS];
                    for call in 0..500 {
                        let items = Items { first: sums.as_mut_ptr(), len: ITEMS, next: AtomicUsize::new(0) };
                        pool.run(1 + (caller + call) % 8, &|| {
                            while let Some((i, sum)) = items.next() {
                                *sum += call + i;
                            }
                        });
                        assert!(sums.iter().enumerate().all(|(i, &sum)| sum == call * (call + 1) / 2 + (call + 1) * i));
                    }
                });
            }
        });
        assert_eq!(pool.started.load(Ordering::Relaxed), 7);
    }

    #[test]
    fn set_gives_each_member_once_the_least_first() {
        let set = Set::default();
        [200, 3, 64, 0, 63].into_iter().for_each(|i| set.add(i));
        assert_eq!(std::iter::from_fn(|| set.take()).collect::<Vec<_>>(), [0, 3, 63, 64, 200]);
        set.add(MOST - 1);
        assert_eq!(set.take(), Some(MOST - 1));
        assert_eq!(set.take(), None);
    }
}
