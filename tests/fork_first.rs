//! A process forks while another thread makes the first calls of all, stopped at each of the points at which it takes memory
//! or asks the system: the child has no such thread, and must not wait for what it had begun.
//! Alone in its program, in which only forked children call the library: for each of them, its call is the first.
#![cfg(target_os = "linux")]

#[path = "common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod children;
    pub mod handle;
    pub mod rows;
}

use bregman::ffi::*;
use common::children::{fork, wait_up_to};
use common::handle::{Handle, Rows, batch, row};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_long, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A child's exit codes.
const DECODED: i32 = 42;
const NOT_REACHED: i32 = 43;
const DIFFERS: i32 = 3;
const HANGS: i32 = 4;

/// A child that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30);

thread_local! {
    /// The point at which this thread stops for ever, counted from here; 0 for none.
    static STOP: Cell<u64> = const { Cell::new(0) };
}

/// Whether a thread of this process has stopped.
static HAS_STOPPED: AtomicBool = AtomicBool::new(false);

fn point() {
    let left = STOP.try_with(|stop| stop.replace(stop.get().saturating_sub(1)));
    if left == Ok(1) {
        HAS_STOPPED.store(true, Ordering::Release);
        loop {
            // SAFETY: only waits for signals.
            unsafe { libc::pause() };
        }
    }
}

/// The system's allocator; taking memory is a point.
struct Points;

// SAFETY: everything is the system allocator's; a thread that stops has nothing of it in its hands.
unsafe impl GlobalAlloc for Points {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        point();
        // SAFETY: as this function's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as this function's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static POINTS: Points = Points;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Instead of the C library's: a point. What tells a child from its parent is made with it.
///
/// # Safety
/// As madvise(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int {
    point();
    // SAFETY: as this function's; it does what the C library's does.
    unsafe { libc::syscall(libc::SYS_madvise, start, length, c_long::from(advice)) as c_int }
}

/// Instead of the C library's: a point. The choice of instruction set begins with it.
///
/// # Safety
/// As getenv(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn getenv(name: *const c_char) -> *const c_char {
    point();
    // SAFETY: the environment, which nothing changes here: texts with an equals sign, and NULL at the end.
    unsafe {
        let length = libc::strlen(name);
        let mut entry = environ;
        while !(*entry).is_null() {
            if libc::strncmp(*entry, name, length) == 0 && *(*entry).add(length) == b'=' as c_char {
                return (*entry).add(length + 1);
            }
            entry = entry.add(1);
        }
    }
    std::ptr::null()
}

/// Whether rows on two threads are decoded as each alone.
fn decodes_a_batch() -> bool {
    const ROWS: usize = 2;
    const VOCAB: usize = 500;
    let logits = row(ROWS * VOCAB, 5);
    let samplers = || (0..ROWS as u64).map(|seed| Handle::new("bregman(alpha=1.5, floor=0.01) | draw", seed));
    let (status, results) = batch(&samplers().collect::<Vec<_>>(), &Rows::F32(&logits), (VOCAB, VOCAB), None, (0, 2));
    let alone = samplers().zip(logits.chunks(VOCAB)).map(|(sampler, row)| sampler.token(row));
    status == BREGMAN_OK && results.iter().map(|result| result.token).eq(alone)
}

/// Whether the catalogue of stages is there.
fn describes_stages() -> bool {
    // SAFETY: numbers and pointers.
    let mut stage: bregman_stage = unsafe { std::mem::zeroed() };
    stage.struct_size = size_of::<bregman_stage>() as u32;
    // SAFETY: a struct of that size.
    bregman_stage_count() > 30 && unsafe { bregman_stage_info(0, &mut stage) } == BREGMAN_OK && !stage.name.is_null()
}

/// Whether a sampler decodes whose table is shared with others.
fn decodes_with_a_shared_table() -> bool {
    let token = Handle::new("green_list(key=15485863, scheme=selfhash, width=3) | draw", 1).token(&row(500, 5));
    (0..500).contains(&token)
}

/// In a process that has not called the library: a thread calls it and stops at point n, and a child calls it then.
fn fork_at(n: u64, call: fn() -> bool) -> i32 {
    let first = std::thread::spawn(move || {
        STOP.set(n);
        let is_right = call();
        STOP.set(0);
        is_right
    });
    while !HAS_STOPPED.load(Ordering::Acquire) {
        if first.is_finished() {
            return if first.join().is_ok_and(|is_right| is_right) { NOT_REACHED } else { DIFFERS };
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    wait_up_to(LIMIT, fork(|| if call() { DECODED } else { DIFFERS })).unwrap_or(HANGS)
}

#[test]
fn child_forked_at_any_point_of_the_first_call_makes_the_same_call() {
    // Of the catalogue, whose texts are many allocations of one kind, each fiftieth.
    let calls = [
        ("a batch", decodes_a_batch as fn() -> bool, 1),
        ("the catalogue", describes_stages, 50),
        ("a shared table", decodes_with_a_shared_table, 1),
    ];
    for (name, call, step) in calls {
        let mut n = 1;
        let points = loop {
            // Eight at a time, since they mostly wait.
            let children: Vec<_> = (0..8).map(|i| n + i * step).map(|n| (n, fork(|| fork_at(n, call)))).collect();
            let ended: Vec<_> = children.into_iter().map(|(n, child)| (n, wait_up_to(2 * LIMIT, child))).collect();
            for (n, code) in &ended {
                let is_right = matches!(code, Some(DECODED | NOT_REACHED));
                assert!(is_right, "{name}: at point {n}, code {code:?}; {HANGS} is a child that hangs");
            }
            if let Some((n, _)) = ended.iter().find(|(_, code)| *code == Some(NOT_REACHED)) {
                break n - 1;
            }
            n += 8 * step;
        };
        println!("{name}: {points} points");
        assert!(points > 10, "{name}: only {points} points");
    }
}
