//! What a decode reads of a long history: little, however long the history is and whatever is in it.
#![cfg(debug_assertions)]

use crate::common::rows::{Random, logits};
use bregman::{Row, Sampler, Want, take_places_read};
use std::time::{Duration, Instant};

/// Stages that look at the history, with all that makes it costly.
const CHAINS: [&str; 8] = [
    "dry(scope=all) | draw",
    "dry(scope=all, allowed=0) | draw",
    "dry(scope=all, breakers=1 2 3 1 2 3 9; 8) | draw",
    "no_repeat_ngram(50) | draw",
    "no_repeat_ngram(3) | draw",
    "penalties(repeat=1.2, scope=all) | draw",
    "bad_words(0 0 0 5; 0 1 6) | draw",
    "min_tokens(n=9, stop=2) | draw",
];

const VOCAB: usize = 64;

/// A token at a place of a history.
type Shape = fn(usize) -> i32;

/// Histories that repeat themselves.
const SHAPES: [(&str, Shape); 5] = [
    ("one token", |_| 0),
    ("two tokens in turn", |at| (at % 2) as i32),
    ("runs of one token", |at| i32::from(at % 1000 == 0)),
    ("a long period", |at| (at % 777 * 31 % 7) as i32),
    ("random", |at| Random(at as u64).below(4) as i32),
];

/// Short histories are read whole, so this is the bound for all.
const MOST: u64 = 3 * 4096;

fn decode(sampler: &mut Sampler, row: &[f32]) -> Option<u32> {
    sampler.decode(Row::from_f32(row).unwrap(), Want::default()).ok().map(|token| token.token)
}

#[test]
fn decode_reads_a_bounded_part_of_the_history() {
    let row = logits("normal", VOCAB, &mut Random(1));
    for chain in CHAINS {
        for (name, shape) in SHAPES {
            for n in [1000, 10_000, 40_000] {
                let mut sampler = Sampler::new(chain, 1).unwrap();
                sampler.accept(&(0..n).map(shape).collect::<Vec<_>>()).unwrap();
                // What is kept of a long history is built in the first rows.
                for at in n..n + 64 {
                    decode(&mut sampler, &row);
                    sampler.accept(&[shape(at)]).unwrap();
                }
                const STEPS: u64 = 64;
                take_places_read();
                for at in n + 64..n + 64 + STEPS as usize {
                    decode(&mut sampler, &row);
                    sampler.accept(&[shape(at)]).unwrap();
                }
                let each = take_places_read() / STEPS;
                assert!(each <= MOST, "{chain}, {name}, {n} tokens: {each} places for each row");
            }
        }
    }
}

/// What was built while the history grew gives the answers of a sampler that reads it for the first time.
#[test]
fn long_history_gives_the_same_answer_when_it_is_read_for_the_first_time() {
    let row = logits("normal", VOCAB, &mut Random(2));
    for chain in CHAINS {
        for (name, shape) in SHAPES {
            let mut sampler = Sampler::new(chain, 1).unwrap();
            sampler.accept(&(0..4500).map(shape).collect::<Vec<_>>()).unwrap();
            for at in 4500..4600 {
                let grown = sampler.distribution(Row::from_f32(&row).unwrap());
                if at % 10 == 0 {
                    let mut fresh = Sampler::new(chain, 1).unwrap();
                    fresh.accept(sampler.history()).unwrap();
                    fresh.set_prompt_length(4500).unwrap();
                    let fresh = fresh.distribution(Row::from_f32(&row).unwrap());
                    assert_eq!(grown, fresh, "{chain}, {name}, {at} tokens");
                }
                sampler.accept(&[if at % 7 == 3 { 2 } else { shape(at) }]).unwrap();
            }
        }
    }
}

/// Tokens that are all different, a few at a time.
#[test]
fn accept_of_different_tokens_takes_linear_time() {
    const N: i32 = 1 << 16;
    for chain in ["penalties(repeat=1.2, scope=all) | draw", "penalties(presence=1, last_n=100000) | draw"] {
        let mut sampler = Sampler::new(chain, 1).unwrap();
        take_places_read();
        let tokens: Vec<i32> = (0..N).collect();
        tokens.chunks(32).for_each(|chunk| sampler.accept(chunk).unwrap());
        assert!(decode(&mut sampler, &[0.0; VOCAB]).is_some());
        let read = take_places_read();
        assert!(read <= 8 * N as u64, "{chain}: {read} places for {N} tokens");
    }
}

/// The least of some times of a chain's first row after this history.
fn time(chain: &str, tokens: &[i32]) -> Duration {
    let row = logits("normal", VOCAB, &mut Random(1));
    let once = || {
        let mut sampler = Sampler::new(chain, 1).unwrap();
        sampler.accept(tokens).unwrap();
        let start = Instant::now();
        decode(&mut sampler, &row);
        start.elapsed()
    };
    (0..3).map(|_| once()).min().unwrap()
}

/// What a user's text can make of the time that a history takes, beside a harmless one of the same kind: each was more
/// than a thousand times as slow when it was quadratic.
#[test]
fn time_does_not_grow_with_numbers_in_the_chain() {
    let random: Vec<i32> = (0..20_000).map(|at| Random(at).below(VOCAB) as i32).collect();
    let same = vec![5; 20_000];
    let breakers: Vec<String> = (1000..7000).map(|id| format!("{id} 7")).collect();
    for (chain, harmless, tokens) in [
        (format!("dry(scope=all, breakers={})", breakers.join("; ")), "dry(scope=all, breakers=1000 7)", &random),
        ("no_repeat_ngram(10000)".into(), "no_repeat_ngram(20)", &same),
        ("dry(scope=all, base=1.0001)".into(), "dry(scope=all, allowed=19000)", &same),
    ] {
        let (taken, usual) = (time(&format!("{chain} | draw"), tokens), time(&format!("{harmless} | draw"), tokens));
        let least = usual.max(Duration::from_micros(100));
        assert!(taken < least * 40, "{}: {taken:?}, and {harmless} {usual:?}", &chain[..chain.len().min(40)]);
    }
}
