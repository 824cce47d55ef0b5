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
