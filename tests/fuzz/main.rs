//! The fuzzer's targets in stable Rust: the committed seeds, and random bytes. `BREGMAN_RANDOM_CASES=1000000` tries more of
//! these than the usual number, from `BREGMAN_RANDOM_FIRST` on; a case follows from its number alone.
//! `BREGMAN_FUZZ_INPUT=FILE` replays one input that libFuzzer found, whose folder or beginning names the target.

#[path = "../common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod chains;
    pub mod checksum;
    pub mod handle;
    pub mod listed;
    pub mod rows;
}
mod targets;

use common::rows::Random;
use std::path::Path;
use targets::input::Input;
use targets::{TARGETS, run};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |n| n.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}

/// The bytes of a case: short ones as often as long ones.
fn bytes(number: u64) -> Vec<u8> {
    let mut random = Random(number.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let most = random.pick(&[16, 64, 256, 1024, 4096]);
    let n = random.below(most);
    (0..n).map(|_| random.next() as u8).collect()
}

/// Tries a target on random bytes; all that fail are named.
fn explore(target: &str, cases: u64) {
    let first = number("BREGMAN_RANDOM_FIRST", 0);
    let cases = first..first + number("BREGMAN_RANDOM_CASES", cases);
    let fails = |case: &u64| std::panic::catch_unwind(|| run(target, &bytes(*case))).is_err();
    let failed: Vec<u64> = cases.clone().filter(fails).collect();
    assert!(failed.is_empty(), "{} of {cases:?} fail, see above: {:?}", failed.len(), &failed[..failed.len().min(30)]);
    println!("{target}: {} random cases", cases.end - cases.start);
}

#[test]
fn random_chain_texts_are_refused_or_keep_their_meaning() {
    explore("chains", 6_000);
}

#[test]
fn random_rows_have_the_same_answer_on_every_face() {
    explore("faces", 3_000);
}

#[test]
fn random_calls_agree_with_a_model_of_the_state() {
    explore("sequences", 1_000);
}

#[test]
fn random_lists_give_the_whole_rows_answer_or_none() {
    explore("sparse", 2_000);
}

#[test]
fn random_bytes_are_refused_or_a_state_that_works() {
    explore("states", 2_000);
}

/// Chains that are refused try nothing but the parser.
#[test]
fn half_of_the_random_chains_are_accepted() {
    let accepted = |case: &u64| bregman::Sampler::new(&Input::new(&bytes(*case)).chain(), 1).is_ok();
    let accepted = (0..1000).filter(accepted).count();
    assert!(accepted > 500, "{accepted} of 1000");
}

#[test]
fn seeds_of_the_fuzzer_pass() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut n = 0;
    for (target, check) in TARGETS {
        for file in std::fs::read_dir(seeds.join(target)).expect("each target has seeds") {
            check(&std::fs::read(file.unwrap().path()).unwrap());
            n += 1;
        }
    }
    assert!(n >= 50, "only {n} seeds");
}

#[test]
fn input_given_by_the_caller_passes() {
    let Some(file) = std::env::var_os("BREGMAN_FUZZ_INPUT") else { return };
    let named =
        |name: &str| Path::new(&file).components().any(|part| part.as_os_str().to_string_lossy().contains(name));
    let (target, check) = TARGETS.iter().find(|(name, _)| named(name)).expect("the path names a target");
    println!("{target}");
    check(&std::fs::read(&file).unwrap());
}
