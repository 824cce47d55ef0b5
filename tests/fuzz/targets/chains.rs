//! Texts of chains: refused with a message, or parsed to a canonical form that means the same.

use super::input::Input;
use crate::common::handle::{Handle, row};
use bregman::ffi::*;
use bregman::{Row, Sampler, Want};
use std::time::{Duration, Instant};

/// Longest time for one text, under a sanitizer. (The largest text takes milliseconds.)
const MOST: Duration = Duration::from_secs(10);

/// How long this thread has had a processor, where Linux tells; elsewhere how long it has been since `start`. On a busy machine
/// a thread may wait longer than [`MOST`] for its turn.
fn spent(start: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.as_ref().and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let text = if input.one_in(3) { changed(&mut input) } else { String::from_utf8_lossy(input.rest()).into_owned() };
    if text.contains('\0') {
        return;
    }
    let start = Instant::now();
    let before = spent(start);
    let sampler = Sampler::new(&text, 7);
    let through_c = Handle::try_new(&text, 7, &[]);
    let took = spent(start) - before;
    assert!(took < MOST, "{took:?} for {text:?}");
    let mut sampler = match (sampler, through_c) {
        (Ok(sampler), Ok(_)) => sampler,
        (Err(why), Err((status, _))) => {
            let why = why.to_string();
            assert!([BREGMAN_INVALID_CHAIN, BREGMAN_UNSUPPORTED].contains(&status), "{text:?}: {status}");
            assert!(!why.is_empty() && !why.contains(char::is_control), "{text:?}: {why:?}");
            return;
        }
        // A C text has a limit of its own.
        (Ok(_), Err(_)) if text.len() > bregman::LONGEST_CHAIN => return,
        (rust, c) => panic!("{text:?}: {:?} in Rust, {:?} in C", rust.err(), c.err()),
    };
    let canonical = sampler.chain_with_keys();
    let mut again = Sampler::new(&canonical, 7).unwrap_or_else(|e| panic!("{text:?} becomes {canonical:?}: {e}"));
    assert_eq!(again.chain_with_keys(), canonical, "{text:?}");
    for (at, vocab) in [30, 31].into_iter().enumerate() {
        let logits = row(vocab, at as u64);
        let answer = |sampler: &mut Sampler| {
            let law = sampler.distribution(Row::from_f32(&logits).expect("a row"));
            let law = law.map(|law| law.iter().map(|e| (e.0, e.1.to_bits())).collect::<Vec<_>>());
            let token = sampler.decode(Row::from_f32(&logits).expect("a row"), Want { accept: true, ..Want::NONE });
            (law, token.map(|t| (t.token, t.p.to_bits())))
        };
        assert_eq!(answer(&mut sampler), answer(&mut again), "{text:?} and {canonical:?}");
    }
}

/// A chain of the catalogue with a few characters inserted, dropped or repeated.
fn changed(input: &mut Input<'_>) -> String {
    const MARKS: [char; 24] = [
        '|', '(', ')', ',', '=', ' ', ';', ':', '.', '-', '+', '0', '1', '9', 'e', 'x', '_', 'a', '\n', '\t', '#', 'é',
        '\u{2028}', '\u{7f}',
    ];
    let mut text: Vec<char> = input.chain().chars().collect();
    for _ in 0..input.below(6) {
        let at = input.below(text.len() + 1);
        match input.below(4) {
            0 => text.insert(at, input.pick(&MARKS)),
            1 if at < text.len() => {
                text.remove(at);
            }
            2 if at < text.len() => text[at] = input.pick(&MARKS),
            _ => {
                let end = at.min(text.len()).max(input.below(text.len() + 1));
                let part = text[at..end].to_vec();
                text.splice(at..at, part);
            }
        }
    }
    text.into_iter().collect()
}
