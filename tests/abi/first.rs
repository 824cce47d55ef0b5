//! A program that was compiled with the first header of ABI 1, before its structs grew, runs with this library.

use crate::toolchain::{compiler, library_dir, root, run, scratch, soname_dir};
use bregman::ffi::{bregman_answers, bregman_batch};
use bregman::{Answers, Row, Sampler, Source, Want};
use std::mem::offset_of;
use std::process::Command;

#[test]
fn program_of_the_first_header_runs() {
    let dir = scratch("first");
    let (program, source) = (dir.join("first"), root().join("tests/c/first.c"));
    run(compiler("c11").arg(source).arg("-o").arg(&program).arg(library_dir().join("libbregman.so")));
    let report = run(Command::new(program).env("LD_LIBRARY_PATH", soname_dir(&dir)));
    let mut lines = report.lines();
    let (batch, answers) = (offset_of!(bregman_batch, ids), offset_of!(bregman_answers, given));
    assert_eq!(lines.next(), Some(&*format!("sizes {batch} {answers}")));
    for r in 0..3 {
        let logits: Vec<f32> = (40 * r..40 * (r + 1)).map(|i| (i * 7919 % 97) as f32 / 16.0).collect();
        let mut sampler = Sampler::new("temperature(0.8) | top_k(9) | draw", r as u64).unwrap();
        let (mut top, mut kept) = ([0; 4], [0; 4]);
        let mut answers =
            Answers { source: Source::Decoded, top_ids: &mut top, kept_ids: &mut kept, ..Answers::default() };
        let want = Want { kept_mass: true, ..Want::default() };
        let (token, rank) = sampler.decode_with(Row::from_f32(&logits).unwrap(), want, &mut answers).unwrap();
        let figures: Vec<f64> = lines.next().unwrap()[4..].split(' ').map(|word| word.parse().unwrap()).collect();
        let expected = [token.token.into(), token.p, token.kept_mass, rank.logprob, top[1].into(), kept[2].into()];
        assert!(figures.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-6), "{figures:?} {expected:?}");
    }
}
