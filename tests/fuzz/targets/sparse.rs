//! Any list of any row under any chain: the whole row's answer, or that the list does not tell.

use super::input::Input;
use crate::common::listed::{check as compare, list, temperature_of};
use crate::common::rows::Random;
use bregman::{Error, Row, Sampler, Want};

const WANT: Want =
    Want { kept_mass: true, ln_kept_mass: true, model_logprob: true, entropy: true, accept: true, stay: false };

pub fn check(bytes: &[u8]) {
    let input = &mut Input::new(bytes);
    let (seed, chain, row, tokens) = (input.seed(), input.chain(), input.row(), input.tokens(40));
    let Ok(mut whole) = Sampler::new(&chain, seed) else { return };
    if row.iter().all(|l| *l == f32::NEG_INFINITY) {
        return;
    }
    let t = if input.one_in(4) { 0.7 } else { temperature_of(&chain) };
    let vocab = row.len();
    let n = match input.below(4) {
        0 => vocab,
        1 => 1 + input.below(vocab),
        2 => 1 + input.below(vocab.min(40)),
        _ => vocab - input.below(vocab.min(20)),
    };
    let words = input.one_in(4).then(|| input.mask(vocab));
    let listed = list(&row, n, t, &mut Random(input.seed()));
    whole.accept(&tokens).expect("tokens from 0 up");
    whole.set_mask(words.as_deref()).expect("a mask with words");
    let mut sparse = whole.clone();
    let show = || format!("seed {seed}, `{chain}`, {n} of {vocab}: {:?}", &row[..vocab.min(12)]);
    let (all, some) = (|| Row::from_f32(&row).expect("a row"), || listed.row());
    match (sparse.distribution(some()), whole.distribution(all())) {
        (Err(Error::Incomplete(_)), _) => {}
        (Ok(law), Ok(expected)) => {
            let same = |(a, b): (&(u32, f64), &(u32, f64))| a.0 == b.0 && (a.1 - b.1).abs() <= 1e-6;
            let is_same = law.len() == expected.len() && law.iter().zip(&expected).all(same);
            assert!(is_same, "{}: {law:?}, not {expected:?}", show());
        }
        (law, expected) => assert_eq!(law, expected, "{}", show()),
    }
    for step in 0..2 {
        let before = sparse.to_bytes();
        let (s, w) = (sparse.decode(some(), WANT), whole.decode(all(), WANT));
        if let Err(why) = compare(&s, &w) {
            panic!("{}, step {step}: {why}", show());
        }
        if s.is_err() && w.is_ok() {
            // (The question about the distribution has ended the prompt of the one, and not of the other.)
            assert!(sparse.to_bytes() == before, "{}: something moved", show());
            return;
        }
    }
}
