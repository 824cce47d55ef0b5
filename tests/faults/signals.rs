//! A timer's signals interrupt calls thousands of times a second: the same answers.

use crate::common::chains::CHAINS;
use crate::common::handle::{Handle, Rows, batch, bits, row};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const VOCAB: usize = 2000;
const ROWS: usize = 8;

static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Sets a timer of so many microseconds; 0 stops it.
fn every(microseconds: i64) {
    let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: a timer of this process, and no place for the old one.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) }, 0);
}

fn answers(rows: &[f32]) -> Vec<[u32; 8]> {
    let decode = |chain: &&str| {
        let handles: Vec<_> = (0..ROWS as u64).map(|seed| Handle::new(chain, seed)).collect();
        [1, 2].map(|threads| batch(&handles, &Rows::F32(rows), (VOCAB, VOCAB), None, (0, threads)).1)
    };
    CHAINS.iter().flat_map(decode).flatten().map(|result| bits(&result)).collect()
}

/// The blocked signals of the threads with that name, as bits.
fn blocked_by(name: &str) -> Vec<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it").flatten();
    let statuses = tasks.flat_map(|task| std::fs::read_to_string(task.path().join("status")));
    let field = |status: &str, name: &str| -> Option<String> {
        status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    statuses
        .filter(|status| field(status, "Name:").is_some_and(|found| found.starts_with(name)))
        .map(|status| u64::from_str_radix(&field(&status, "SigBlk:").expect("a set"), 16).expect("in hexadecimal"))
        .collect()
}

/// A host that waits for SIGTERM in one of its threads, and blocks it in all others, must not lose it to the library's.
#[test]
fn threads_of_the_pool_take_no_signals_but_their_own_faults() {
    let _alone = crate::alone();
    let handles: Vec<_> = (0..ROWS as u64).map(|seed| Handle::new("top_k(8) | draw", seed)).collect();
    batch(&handles, &Rows::F32(&row(ROWS * VOCAB, 3)), (VOCAB, VOCAB), None, (0, 2));
    let workers = blocked_by("bregman-");
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    assert!(!workers.is_empty() || cores == 1);
    let bit = |signal: i32| 1u64 << (signal - 1);
    for blocked in workers {
        assert!([libc::SIGTERM, libc::SIGINT, libc::SIGALRM].iter().all(|&s| blocked & bit(s) != 0), "{blocked:x}");
        assert!([libc::SIGSEGV, libc::SIGBUS].iter().all(|&s| blocked & bit(s) == 0), "{blocked:x}");
    }
    // SAFETY: a place for the set of this thread, which starting the threads did not change.
    let own = unsafe {
        let mut own = std::mem::zeroed();
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut own), 0);
        libc::sigismember(&own, libc::SIGTERM)
    };
    assert_eq!(own, 0);
}

#[test]
fn signals_during_calls_change_no_answer() {
    let _alone = crate::alone();
    let rows = row(ROWS * VOCAB, 3);
    let expected = answers(&rows);
    // SAFETY: a handler that counts, installed without SA_RESTART so that calls of the system are interrupted, too.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()), 0);
    }
    every(100);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) || SIGNALS.load(Ordering::Relaxed) < 1000 {
        let answers = answers(&rows);
        if answers != expected {
            every(0);
            panic!("other answers after {} signals", SIGNALS.load(Ordering::Relaxed));
        }
    }
    every(0);
    println!("{} signals", SIGNALS.load(Ordering::Relaxed));
}
