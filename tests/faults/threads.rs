//! Threads that end and leave the handles which they made and used.

use crate::common::handle::{Handle, bits, row};

const VOCAB: usize = 3000;
const CHAIN: &str = "penalties(1.2) | typical(0.95) | draw";

/// A handle that a thread, ended by now, has used for some rows.
fn left_by_a_thread(seed: u64, rows: &[Vec<f32>]) -> Handle {
    std::thread::scope(|scope| {
        let used = || {
            let handle = Handle::new(CHAIN, seed);
            rows.iter().for_each(|row| handle.accept(&[handle.token(row)]).expect("a token"));
            handle
        };
        scope.spawn(used).join().expect("no panic")
    })
}

#[test]
fn handle_outlives_the_thread_that_made_it() {
    let _alone = crate::alone();
    let rows: Vec<_> = (0..6).map(|n| row(VOCAB, n)).collect();
    let mut memory = 0;
    for seed in 0..300 {
        let (left, own) = (left_by_a_thread(seed, &rows), Handle::new(CHAIN, seed));
        rows.iter().for_each(|row| own.accept(&[own.token(row)]).expect("a token"));
        for row in &rows {
            assert_eq!(bits(&left.decode(row)), bits(&own.decode(row)), "seed {seed}");
        }
        // The buffers of a thread go with it.
        if seed == 100 {
            memory = crate::usage().0;
        }
    }
    let after = crate::usage().0;
    assert!(after <= memory + 1024, "{memory} KiB after 100 threads, {after} KiB after 300");
}

/// A thread that panics between two calls leaves its handle as it was.
#[test]
fn handle_of_a_thread_that_panicked_goes_on() {
    let rows: Vec<_> = (0..6).map(|n| row(VOCAB, n)).collect();
    let (shared, own) = (Handle::new(CHAIN, 7), Handle::new(CHAIN, 7));
    let died = std::thread::scope(|scope| {
        let dies = || {
            shared.accept(&[shared.token(&rows[0])]).expect("a token");
            std::panic::resume_unwind(Box::new("as if by a host's fault"));
        };
        scope.spawn(dies).join()
    });
    assert!(died.is_err());
    own.accept(&[own.token(&rows[0])]).expect("a token");
    for row in &rows {
        assert_eq!(bits(&shared.decode(row)), bits(&own.decode(row)));
    }
}
