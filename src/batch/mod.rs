//! Rows in parallel: the caller works, and threads of the library's own pool help it.

mod pool;
mod signals;
mod sync;
mod worker;

use pool::Pool;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work(index, item)` for each item, on the caller's thread and on up to `threads - 1` threads of the pool. Which
/// thread does what changes no answer: an item touches only itself.
pub(crate) fn for_each<T: Send>(items: &mut [T], threads: usize, work: impl Fn(usize, &mut T) + Sync) {
    let helpers = threads.min(items.len()).saturating_sub(1);
    if helpers == 0 {
        return items.iter_mut().enumerate().for_each(|(i, item)| work(i, item));
    }
    let items = Items { first: items.as_mut_ptr(), len: items.len(), next: AtomicUsize::new(0) };
    Pool::of_process().run(helpers, &|| {
        while let Some((i, item)) = items.next() {
            work(i, item);
        }
    });
}

/// Items of which each is given away once.
struct Items<T> {
    first: *mut T,
    len: usize,
    next: AtomicUsize,
}

// SAFETY: an item is given to one thread alone, which may have it since `T` is `Send`.
unsafe impl<T: Send> Sync for Items<T> {}

impl<T> Items<T> {
    #[allow(clippy::mut_from_ref, reason = "no item is given away twice")]
    fn next(&self) -> Option<(usize, &mut T)> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        // SAFETY: an element of the slice that `for_each` borrows until all threads are done; no other call has this `i`.
        (i < self.len).then(|| (i, unsafe { &mut *self.first.add(i) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn every_item_is_met_once_with_its_index() {
        for threads in [0, 1, 2, 3, 64] {
            for n in [0, 1, 2, 7, 100] {
                let mut items = vec![usize::MAX; n];
                for_each(&mut items, threads, |i, item| *item = i);
                assert!(items.iter().enumerate().all(|(i, &item)| i == item));
            }
        }
    }

    /// With pauses between the calls, so that helpers are found awake, falling asleep, and asleep.
    #[test]
    fn many_callers_at_once_meet_all_their_items() {
        thread::scope(|scope| {
            for caller in 0..8 {
                scope.spawn(move || {
                    for call in 0..1500_usize {
                        let mut items = [0_usize; 9];
                        for_each(&mut items, 2 + caller % 3, |i, item| *item += call + i);
                        assert!(items.iter().enumerate().all(|(i, &item)| item == call + i));
                        if call % 100 == caller {
                            thread::sleep(Duration::from_micros(300));
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn panic_of_any_item_reaches_the_caller_when_all_threads_are_done() {
        for bad in 0..6 {
            let inside = AtomicUsize::new(0);
            let mut items = [0; 6];
            let work = |i: usize, item: &mut i32| {
                inside.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(2));
                inside.fetch_sub(1, Ordering::SeqCst);
                assert!(i != bad, "item {bad}");
                *item = 1;
            };
            let panicked = catch_unwind(AssertUnwindSafe(|| for_each(&mut items, 2, work)));
            let said = panicked.expect_err("one item panics");
            assert_eq!(said.downcast_ref::<String>(), Some(&format!("item {bad}")));
            assert_eq!(inside.load(Ordering::SeqCst), 0, "a thread is still at work");
        }
        let mut items = [0; 6];
        for_each(&mut items, 2, |_, item| *item = 1);
        assert_eq!(items, [1; 6], "the pool works on");
    }

    /// If this machine has a second core: two items that wait for each other, again and again until the pool is not busy
    /// with the other tests.
    #[test]
    fn two_threads_work_at_the_same_time() {
        if thread::available_parallelism().map_or(1, |n| n.get()) < 2 {
            return;
        }
        let together = || {
            let here = [AtomicBool::new(false), AtomicBool::new(false)];
            let mut met = [false; 2];
            for_each(&mut met, 2, |i, met| {
                here[i].store(true, Ordering::SeqCst);
                let start = Instant::now();
                while !*met && start.elapsed() < Duration::from_millis(100) {
                    *met = here[1 - i].load(Ordering::SeqCst);
                    thread::yield_now();
                }
            });
            met == [true; 2]
        };
        assert!((0..200).any(|_| together()));
    }
}
