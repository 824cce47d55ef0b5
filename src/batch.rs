//! Rows in parallel, on a private thread pool that is created on first use.

use crate::error::{Error, Result};
use crate::process;
use once_cell::race::OnceBox;
use rayon::ThreadPool;

/// Calls `work(index, item)` for each item, on the caller's thread or on up to `threads` threads of the pool. Which
/// thread does what changes no answer: an item touches only itself.
pub(crate) fn for_each<T: Send>(items: &mut [T], threads: usize, work: impl Fn(usize, &mut T) + Sync) -> Result<()> {
    if threads.min(items.len()) <= 1 {
        items.iter_mut().enumerate().for_each(|(i, item)| work(i, item));
        return Ok(());
    }
    let pool = pool()?;
    pool.install(|| split(items, 0, threads.min(pool.current_num_threads()), &work));
    Ok(())
}

/// Halves the items among the threads; `join` keeps its jobs on the stack, so that no row allocates (rayon's own queue
/// takes a block now and then).
fn split<T: Send>(items: &mut [T], first: usize, threads: usize, work: &(impl Fn(usize, &mut T) + Sync)) {
    if threads <= 1 || items.len() <= 1 {
        items.iter_mut().enumerate().for_each(|(i, item)| work(first + i, item));
        return;
    }
    let left = threads / 2;
    let middle = items.len() * left / threads;
    let (a, b) = items.split_at_mut(middle);
    rayon::join(|| split(a, first, left, work), || split(b, first + middle, threads - left, work));
}

/// The pool of one process, and those of its forked children behind it.
struct Pools {
    process: u64,
    pool: ThreadPool,
    next: OnceBox<Pools>,
}

/// The pool of this process. A child after `fork` has none of its parent's threads and gets a pool of its own, behind that
/// of its parent, which it never drops: that would wait for threads that are not there. Without a lock: one that another
/// thread held at the moment of the fork would stay locked in the child.
fn pool() -> Result<&'static ThreadPool> {
    static FIRST: OnceBox<Pools> = OnceBox::new();
    let process = process::number();
    let mut slot = &FIRST;
    loop {
        let pools =
            slot.get_or_try_init(|| new_pool().map(|pool| Box::new(Pools { process, pool, next: OnceBox::new() })))?;
        if pools.process == process {
            return Ok(&pools.pool);
        }
        slot = &pools.next;
    }
}

fn new_pool() -> Result<ThreadPool> {
    // As many threads as the machine has: rayon would take RAYON_NUM_THREADS, however large.
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("bregman-{i}"))
        .build()
        .map_err(|e| Error::Unsupported(format!("no threads for the batch: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_met_once_with_its_index() {
        for threads in [0, 1, 2, 3, 64] {
            for n in [0, 1, 2, 7, 100] {
                let mut items = vec![usize::MAX; n];
                for_each(&mut items, threads, |i, item| *item = i).unwrap();
                assert!(items.iter().enumerate().all(|(i, &item)| i == item));
            }
        }
    }
}
