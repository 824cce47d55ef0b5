//! The thread pool of src/batch in loom, which runs it in every order of its threads, up to a number of preemptions, and with
//! every value that the memory model lets a load see. `ci/loom.sh` runs it.
//! usage: model                   all models
//!        model --whole           the first one with any number of preemptions
//!        model --planted NAME    with a fault in what the pool is built on: exits with 0 if loom reports it as it should
//! LOOM_MAX_PREEMPTIONS sets another bound for all.

mod sync;

#[path = "../../src/batch/pool.rs"]
#[allow(dead_code, reason = "each model has a pool of its own, not the process's")]
mod pool;
#[path = "../../src/batch/worker.rs"]
mod worker;

/// Nothing is forked here.
mod process {
    pub(crate) fn number() -> u64 {
        0
    }
}

/// Nor are there signals.
mod signals {
    pub(crate) fn blocked_while<T>(start: impl FnOnce() -> T) -> T {
        start()
    }
}

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use pool::Pool;
use std::process::exit;
use std::sync::atomic::{AtomicPtr, AtomicU64 as Count, Ordering::Relaxed};
use std::time::Instant;
use sync::Fault;

/// Calls on one pool: `callers` threads at the same time make `calls` each, one after another, with `items`, of which each
/// wants `helpers`.
struct Model {
    workers: usize,
    callers: usize,
    calls: usize,
    items: usize,
    helpers: usize,
    /// How many times a thread may be interrupted that could go on.
    preemptions: usize,
}

#[rustfmt::skip]
const MODELS: [Model; 5] = [
    Model { workers: 1, callers: 1, calls: 1, items: 2, helpers: 1, preemptions: 5 },
    Model { workers: 1, callers: 1, calls: 2, items: 2, helpers: 1, preemptions: 4 },
    Model { workers: 1, callers: 2, calls: 1, items: 2, helpers: 1, preemptions: 2 },
    Model { workers: 2, callers: 1, calls: 1, items: 2, helpers: 2, preemptions: 2 },
    Model { workers: 2, callers: 2, calls: 1, items: 1, helpers: 2, preemptions: 1 },
];

/// The faults, and what loom says of each.
const FAULTS: [(&str, Fault, &str); 4] = [
    ("done-not-acquired", Fault::DoneIsNotAcquired, "Causality violation"),
    ("done-not-released", Fault::DoneIsNotReleased, "Causality violation"),
    ("given-not-released", Fault::GivenIsNotReleased, "null pointer dereference"),
    ("wake-dropped", Fault::WakeIsDropped, "deadlock"),
];

/// The pool of the execution before this one, whose threads have ended.
static LAST: AtomicPtr<Pool> = AtomicPtr::new(std::ptr::null_mut());

static EXECUTIONS: Count = Count::new(0);
/// How many times a helper began a job.
static HELPED: Count = Count::new(0);

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (mut is_whole, mut expected) = (false, None);
    match arguments[..] {
        [] => (),
        ["--whole"] => is_whole = true,
        ["--planted", name] => {
            let found = FAULTS.iter().find(|(known, ..)| *known == name);
            let (_, fault, says) = found.unwrap_or_else(|| panic!("no fault {name}"));
            sync::PLANTED.get_or_init(|| *fault);
            expected = Some(*says);
        }
        _ => panic!("usage: model [--whole | --planted NAME]"),
    }
    // At once: what unwinds out of a model that failed would fail again.
    std::panic::set_hook(Box::new(move |panic| {
        let n = EXECUTIONS.load(Relaxed);
        println!("in execution {n} of this model: {panic}");
        exit(if expected.is_some_and(|says| panic.to_string().contains(says)) { 0 } else { 1 });
    }));
    if is_whole {
        return MODELS[0].check(None);
    }
    for model in &MODELS {
        let bound = std::env::var("LOOM_MAX_PREEMPTIONS").ok();
        model.check(Some(bound.map_or(model.preemptions, |bound| bound.parse().expect("a number"))));
    }
    if expected.is_some() {
        println!("the planted fault was not found");
        exit(1);
    }
}

impl Model {
    fn check(&'static self, bound: Option<usize>) {
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 10_000;
        builder.preemption_bound = bound;
        for count in [&EXECUTIONS, &HELPED, &sync::WOKEN] {
            count.store(0, Relaxed);
        }
        let start = Instant::now();
        builder.check(|| self.execute());
        let [executions, helped, woken] = [&EXECUTIONS, &HELPED, &sync::WOKEN].map(|count| count.load(Relaxed));
        let Self { workers, callers, calls, items, helpers, .. } = self;
        let bound = bound.map_or("any preemptions".into(), |n| format!("up to {n} preemptions"));
        println!(
            "workers {workers}, callers {callers} x {calls}, items {items}, helpers {helpers}, {bound}: {executions} executions \
             ({helped} jobs begun by helpers, {woken} sleepers woken) in {:.1} s",
            start.elapsed().as_secs_f64()
        );
        assert!(helped > 0 && woken > 0, "a model in which no helper works or none sleeps shows nothing");
    }

    fn execute(&self) {
        EXECUTIONS.fetch_add(1, Relaxed);
        sync::begin();
        let new = Box::into_raw(Box::new(Pool::with_workers(self.workers)));
        let last = LAST.swap(new, Relaxed);
        if !last.is_null() {
            // SAFETY: made here, and all threads that used it have ended.
            drop(unsafe { Box::from_raw(last) });
        }
        // SAFETY: it lives until the next execution.
        let pool: &'static Pool = unsafe { &*new };
        let (calls, items, helpers) = (self.calls, self.items, self.helpers);
        let call = move || (0..calls).for_each(|_| call(pool, items, helpers));
        let others: Vec<_> = (1..self.callers).map(|_| loom::thread::spawn(call)).collect();
        call();
        others.into_iter().for_each(|other| other.join().expect("the hook ends the process"));
        sync::end();
        pool.workers.iter().for_each(worker::Worker::wake);
    }
}

/// A row for each item; loom knows who may touch it.
struct Items(Vec<UnsafeCell<usize>>);

// SAFETY: loom reports an access that is not ordered behind the others.
unsafe impl Sync for Items {}

impl Items {
    fn add(&self, i: usize, value: usize) {
        // SAFETY: see above.
        self.0[i].with_mut(|item| unsafe { *item += value });
    }
}

/// One batch: when it returns, each item was met once, and what helpers did is visible and over.
fn call(pool: &'static Pool, n: usize, helpers: usize) {
    let items = Items((0..n).map(|_| UnsafeCell::new(0)).collect());
    let next = AtomicUsize::new(0);
    let begun = Count::new(0);
    pool.run(helpers, &|| {
        begun.fetch_add(1, Relaxed);
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n {
                return;
            }
            items.add(i, i + 1);
        }
    });
    HELPED.fetch_add(begun.load(Relaxed) - 1, Relaxed);
    for (i, item) in items.0.iter().enumerate() {
        // SAFETY: see above.
        assert_eq!(item.with(|item| unsafe { *item }), i + 1, "item {i}");
    }
    // The caller's own again: a write that loom compares with the helpers' accesses, as the end of the row's memory is one.
    (0..n).for_each(|i| items.add(i, 1));
}
