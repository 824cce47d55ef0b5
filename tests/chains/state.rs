//! A sampler as a value: saved and loaded, rewound, cloned, without a change of any answer.

use crate::common::chains::CHAINS;
use crate::common::checksum::crc32;
use crate::common::rows::{Random, logits};
use bregman::{Candidate, Error, Row, Sampler, Token, Want};
use proptest::prelude::*;
use proptest::sample::select;

const VOCAB: usize = 300;

fn row(n: u64) -> Vec<f32> {
    logits(["model", "normal", "ties"][n as usize % 3], VOCAB, &mut Random(n))
}

fn load(sampler: &Sampler) -> Sampler {
    let bytes = sampler.to_bytes();
    let loaded = Sampler::from_bytes(&bytes).unwrap_or_else(|e| panic!("{sampler:?}: {e}"));
    assert!(loaded.to_bytes() == bytes, "{sampler:?}: other bytes after loading");
    loaded
}

/// What an operation returned, as bits.
type Answer = Vec<u64>;

fn bits(token: &Token) -> Answer {
    vec![u64::from(token.token), token.support as u64, token.p.to_bits()]
}

/// A call on a sampler; each takes its numbers from the seed.
#[derive(Debug, Clone, Copy)]
enum Call {
    Decode { accept: bool },
    Stay,
    Apply,
    DrawMany,
    Distribution,
    Process,
    Accept,
    Bias,
    Mask,
    Reseed,
    SetPrompt,
    Rewind,
    Reset,
}

const CALLS: [Call; 14] = [
    Call::Decode { accept: true },
    Call::Decode { accept: true },
    Call::Decode { accept: false },
    Call::Stay,
    Call::Apply,
    Call::DrawMany,
    Call::Distribution,
    Call::Process,
    Call::Accept,
    Call::Bias,
    Call::Mask,
    Call::Reseed,
    Call::SetPrompt,
    Call::Rewind,
];

fn call(sampler: &mut Sampler, call: Call, seed: u64) -> Answer {
    let (mut random, logits) = (Random(seed), row(seed % 50));
    let row = || Row::from_f32(&logits).unwrap();
    match call {
        Call::Decode { accept } => {
            sampler.decode(row(), Want { accept, ..Want::default() }).as_ref().map_or(vec![u64::MAX], bits)
        }
        Call::Stay => sampler.decode(row(), Want { stay: true, ..Want::default() }).as_ref().map_or(vec![], bits),
        Call::Apply => {
            let mut all: Vec<Candidate> =
                (0..).zip(&logits).map(|(id, &logit)| Candidate { id, logit, p: 0.0 }).collect();
            let applied = sampler.apply(&mut all).map_or(0, |applied| applied.size);
            all[..applied].iter().flat_map(|c| [c.id as u64, u64::from(c.logit.to_bits())]).collect()
        }
        Call::DrawMany => {
            sampler.draw_many(row(), 3).map_or(vec![], |many| many.iter().map(|s| u64::from(s.token)).collect())
        }
        Call::Distribution => sampler
            .distribution(row())
            .map_or(vec![], |law| law.iter().take(9).flat_map(|e| [u64::from(e.0), e.1.to_bits()]).collect()),
        Call::Process => {
            let mut logits = logits.clone();
            let _ = sampler.process(&mut logits);
            logits.iter().map(|l| u64::from(l.to_bits())).collect()
        }
        Call::Accept => {
            let tokens: Vec<i32> = (0..random.below(5)).map(|_| random.below(12) as i32).collect();
            sampler.accept(&tokens).unwrap();
            vec![]
        }
        Call::Bias => {
            let at = random.below(VOCAB - 1) as i32;
            sampler.set_logit_bias(&[(at, 3.5), (at + 1, f32::NEG_INFINITY)]).unwrap();
            vec![]
        }
        Call::Mask => {
            let words: Vec<u32> = (0..VOCAB.div_ceil(32)).map(|_| (random.next() | random.next()) as u32).collect();
            sampler.set_mask((random.below(3) > 0).then_some(&words[..])).unwrap();
            vec![]
        }
        Call::Reseed => {
            // The next position after a row that stayed, or any.
            let next = sampler.position() + 1;
            let (seed, position) =
                if random.below(2) == 0 { (sampler.seed(), next) } else { (random.next(), random.next() % 1000) };
            sampler.reseed(seed, position);
            vec![]
        }
        Call::SetPrompt => {
            sampler.set_prompt_length(random.below(sampler.history().len() + 1)).unwrap();
            vec![]
        }
        Call::Rewind => {
            sampler.rewind(random.below(4.min(sampler.history().len() + 1))).unwrap();
            vec![]
        }
        Call::Reset => {
            sampler.reset();
            vec![]
        }
    }
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(400))]

    /// Saving and loading, cloning, and going forth and back, wherever it is done.
    #[test]
    fn inserted_round_trips_change_no_answer(chain in select(&CHAINS[..]), seed: u64, calls in proptest::collection::vec((select(&CALLS[..]), any::<u64>(), 0..4u32), 1..40)) {
        let mut plain = Sampler::new(chain, seed).unwrap();
        let mut other = Sampler::new(chain, seed).unwrap();
        for (what, numbers, insert) in calls {
            match insert {
                0 => other = load(&other),
                1 => other = other.clone(),
                2 => {
                    // As far as rows begin after an accepted token, some tokens and back are where they were.
                    let before = other.to_bytes();
                    let mut further = load(&other);
                    let length = further.history().len();
                    for n in 0..3 {
                        call(&mut further, Call::Decode { accept: true }, n);
                    }
                    let n = further.history().len() - length;
                    further.rewind(n).unwrap();
                    if n > 0 && has_no_pending_row(&other) {
                        prop_assert!(further.to_bytes() == before, "{chain}: rewound elsewhere");
                        other = further;
                    }
                }
                _ => {}
            }
            prop_assert_eq!(call(&mut plain, what, numbers), call(&mut other, what, numbers), "{}: {:?}", chain, what);
            prop_assert!(plain.to_bytes() == other.to_bytes(), "{chain}: {what:?}");
        }
        call(&mut plain, Call::Reset, 0);
        call(&mut other, Call::Reset, 0);
        prop_assert!(plain.to_bytes() == other.to_bytes());
    }

    /// Bytes that were changed are refused or make a sampler that works; with the checksum made right they reach the parser.
    #[test]
    fn changed_bytes_are_refused_or_work(chain in select(&CHAINS[..]), seed: u64, changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4), cut in 0..40usize) {
        let mut sampler = Sampler::new(chain, seed).unwrap();
        for n in 0..12 {
            call(&mut sampler, CALLS[(seed as usize + n) % CALLS.len()], seed.wrapping_add(n as u64));
        }
        let mut bytes = sampler.to_bytes();
        let before = bytes.clone();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if cut > 30 {
            bytes.truncate(bytes.len() * (cut - 30) / 10);
        }
        if bytes != before {
            prop_assert!(matches!(Sampler::from_bytes(&bytes), Err(Error::InvalidArgument(_))));
        }
        if let Some((body, checksum)) = bytes.split_last_chunk_mut::<4>() {
            *checksum = crc32(body).to_le_bytes();
        }
        match Sampler::from_bytes(&bytes) {
            Ok(mut loaded) => {
                // Whatever it is, it keeps the promises of a sampler.
                for n in 0..3 {
                    call(&mut loaded, Call::Decode { accept: true }, n);
                }
                let n = loaded.history().len().min(5);
                loaded.rewind(n).unwrap();
                load(&loaded);
            }
            Err(Error::InvalidArgument(what)) => prop_assert!(what.starts_with("bytes are not a saved state"), "{what}"),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

fn has_no_pending_row(sampler: &Sampler) -> bool {
    let mut back = sampler.clone();
    back.accept(&[1]).unwrap();
    back.rewind(1).unwrap();
    back.to_bytes() == sampler.to_bytes()
}

/// Decodes rows `from..to` and accepts their tokens.
fn generate(sampler: &mut Sampler, rows: std::ops::Range<u64>) -> Vec<Answer> {
    let want = Want { accept: true, ..Want::default() };
    rows.map(|n| bits(&sampler.decode(Row::from_f32(&row(n)).unwrap(), want).unwrap())).collect()
}

#[test]
fn rewound_sampler_decodes_the_same_tokens_again() {
    for chain in CHAINS {
        let mut sampler = Sampler::new(chain, 7).unwrap();
        sampler.accept(&[4, 5, 9, 4]).unwrap();
        let at_first = sampler.to_bytes();
        let text = generate(&mut sampler, 0..30);
        let at_the_end = sampler.to_bytes();
        for n in [1, 2, 7, 29, 30] {
            sampler.rewind(n).unwrap();
            assert_eq!(sampler.position(), 30 - n as u64, "{chain}");
            assert_eq!(sampler.history().len(), 34 - n, "{chain}");
            if n == 30 {
                assert!(sampler.to_bytes() == at_first, "{chain}");
            }
            assert_eq!(generate(&mut sampler, 30 - n as u64..30), text[30 - n..], "{chain}");
            assert!(sampler.to_bytes() == at_the_end, "{chain}");
        }
        assert!(sampler.rewind(35).is_err());
        assert!(sampler.to_bytes() == at_the_end, "{chain}: changed by a call that failed");
    }
}

#[test]
fn loaded_sampler_rewinds_as_the_saved_one() {
    for chain in CHAINS {
        let mut sampler = Sampler::new(chain, 8).unwrap();
        generate(&mut sampler, 0..12);
        let mut loaded = load(&sampler);
        sampler.rewind(5).unwrap();
        loaded.rewind(5).unwrap();
        assert!(sampler.to_bytes() == loaded.to_bytes(), "{chain}");
        assert_eq!(generate(&mut sampler, 7..20), generate(&mut loaded, 7..20), "{chain}");
    }
}

/// A sequence whose tokens were decoded elsewhere: history, prompt length and position are given.
#[test]
fn rewind_of_a_resumed_sequence_moves_the_position() {
    let mut sampler = Sampler::new("penalties(1.2) | draw", 3).unwrap();
    sampler.accept(&[1; 100]).unwrap();
    sampler.set_prompt_length(20).unwrap();
    sampler.reseed(3, 80);
    sampler.rewind(5).unwrap();
    assert_eq!((sampler.position(), sampler.history().len(), sampler.prompt_length()), (75, 95, 20));
    sampler.rewind(80).unwrap();
    assert_eq!((sampler.position(), sampler.history().len(), sampler.prompt_length()), (0, 15, 15));
}

/// Tokens without rows of their own (a template's, a tool's) take no position back; draws that were thrown away do.
#[test]
fn rewind_takes_back_the_rows_that_the_tokens_took() {
    let mut sampler = Sampler::new("draw", 3).unwrap();
    let row = row(1);
    let decode = |sampler: &mut Sampler| {
        sampler.decode(Row::from_f32(&row).unwrap(), Want::default()).unwrap();
    };
    sampler.accept(&[1, 2]).unwrap();
    decode(&mut sampler);
    sampler.accept(&[3]).unwrap();
    sampler.accept(&[10, 11, 12]).unwrap();
    (0..3).for_each(|_| decode(&mut sampler));
    sampler.accept(&[4]).unwrap();
    decode(&mut sampler);
    assert_eq!(sampler.position(), 5);
    let mut positions = Vec::new();
    while !sampler.history().is_empty() {
        sampler.rewind(1).unwrap();
        positions.push(sampler.position());
    }
    assert_eq!(positions, [1, 1, 1, 1, 0, 0, 0]);
}

#[test]
fn stay_leaves_the_position_and_what_was_learnt() {
    let stay = Want { stay: true, ..Want::default() };
    for chain in CHAINS {
        let mut sampler = Sampler::new(chain, 5).unwrap();
        generate(&mut sampler, 0..3);
        let (logits, position) = (row(9), sampler.position());
        let row = || Row::from_f32(&logits).unwrap();
        let first = bits(&sampler.decode(row(), stay).unwrap());
        assert_eq!(bits(&sampler.decode(row(), stay).unwrap()), first, "{chain}");
        assert_eq!(sampler.position(), position, "{chain}");
        assert_eq!(bits(&sampler.decode(row(), Want::default()).unwrap()), first, "{chain}");
        assert_eq!(sampler.position(), position + 1, "{chain}");
        let both = Want { stay: true, accept: true, ..Want::default() };
        assert!(matches!(sampler.decode(row(), both), Err(Error::InvalidArgument(_))));
    }
}

/// Draw, check, draw again under the mask at the same position, and the token of masking first: the same with `gumbel` and
/// no truncation before the mask.
#[test]
fn lazy_grammar_with_gumbel_gives_the_token_of_masking_first() {
    let stay = Want { stay: true, ..Want::default() };
    let (mut redrawn, mut chosen) = (0, 0);
    for seed in 0..400 {
        let (logits, mut random) = (row(seed), Random(seed));
        let words: Vec<u32> = (0..VOCAB.div_ceil(32)).map(|_| random.next() as u32).collect();
        let row = || Row::from_f32(&logits).unwrap();
        let mut lazy = Sampler::new("temperature(0.9) | gumbel", seed).unwrap();
        let mut token = lazy.decode(row(), stay).unwrap().token;
        if words[token as usize / 32] >> (token % 32) & 1 == 0 {
            token = lazy.decode(row().with_mask(&words), Want::default()).unwrap().token;
            redrawn += 1;
        } else {
            lazy.reseed(seed, 1);
            chosen += 1;
        }
        let mut first = Sampler::new("temperature(0.9) | gumbel", seed).unwrap();
        assert_eq!(first.decode(row().with_mask(&words), Want::default()).unwrap().token, token);
        lazy.accept(&[token as i32]).unwrap();
        first.accept(&[token as i32]).unwrap();
        assert_eq!(lazy.position(), 1);
        lazy.rewind(1).unwrap();
        first.rewind(1).unwrap();
        assert!(lazy.to_bytes() == first.to_bytes());
    }
    assert!(redrawn > 50 && chosen > 50, "{redrawn} {chosen}");
}

#[test]
fn state_is_linear_in_the_history() {
    for (chain, per_token) in [("penalties(1.1, scope=all) | dry | draw", 4), ("mirostat_v2", 4 + 16)] {
        let size = |n: usize| {
            let mut sampler = Sampler::new(chain, 1).unwrap();
            sampler.decode(Row::from_f32(&row(1)).unwrap(), Want::default()).unwrap();
            sampler.accept(&(0..n as i32).map(|i| i % 1000).collect::<Vec<_>>()).unwrap();
            let bytes = sampler.to_bytes();
            assert_eq!(load(&sampler).history().len(), n);
            bytes.len()
        };
        let (small, large) = (size(1_000), size(1_000_000));
        assert_eq!(large - small, per_token * 999_000, "{chain}");
    }
}

/// States that earlier versions wrote, with the tokens that follow: one line each, of chain, bytes and tokens. A new
/// version of the format gets a file of its own: `STATE_GOLDEN=write` writes it from the chains of then.
#[test]
fn states_of_every_version_load_and_go_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states-1.txt");
    if std::env::var("STATE_GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::write(path, CHAINS.iter().filter_map(|chain| golden_line(chain)).collect::<String>()).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.lines().count() > 45);
    for line in text.lines() {
        let [chain, hex, tokens] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("three fields: {line}") };
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let mut sampler = Sampler::from_bytes(&bytes).unwrap_or_else(|e| panic!("{chain}: {e}"));
        assert!(sampler.to_bytes() == bytes, "{chain}: other bytes than when it was written");
        assert_eq!(golden_tokens(&mut sampler), tokens, "{chain}");
    }
}

/// None for a chain that wants token 7, which is banned here.
fn golden_line(chain: &str) -> Option<String> {
    let mut sampler = Sampler::new(chain, 0x0123_4567_89AB_CDEF).unwrap();
    sampler.accept(&[4, 5, 9, 4, 5]).unwrap();
    sampler.set_logit_bias(&[(2, 1.5), (7, f32::NEG_INFINITY)]).unwrap();
    sampler.set_mask(Some(&[0xFFFF_FF7F, !0, 0x7FFF_FFFF, !0, !0, !0, !0, !0, !0, !0])).unwrap();
    let mut tried = sampler.clone();
    let want = Want { accept: true, ..Want::default() };
    if (0..20).any(|n| tried.decode(Row::from_f32(&row(n)).unwrap(), want).is_err()) {
        return None;
    }
    generate(&mut sampler, 0..6);
    let hex: String = sampler.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{chain}\t{hex}\t{}\n", golden_tokens(&mut sampler)))
}

fn golden_tokens(sampler: &mut Sampler) -> String {
    let tokens: Vec<String> = generate(sampler, 6..20).iter().map(|answer| answer[0].to_string()).collect();
    tokens.join(" ")
}
