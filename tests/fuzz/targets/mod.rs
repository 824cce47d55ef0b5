//! What is fuzzed. `fuzz/` hands each target libFuzzer's bytes, `tests/fuzz/main.rs` random ones and the seeds.

mod chains;
mod faces;
pub mod input;
mod model;
mod sequences;
mod sparse;
mod states;

/// Makes a case of bytes, and panics if an answer is wrong.
type Check = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Check); 5] = [
    ("chains", chains::check),
    ("faces", faces::check),
    ("sequences", sequences::check),
    ("sparse", sparse::check),
    ("states", states::check),
];

/// Runs the target of that name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, check) = TARGETS.iter().find(|target| target.0 == name).expect("a target");
    check(bytes);
}
