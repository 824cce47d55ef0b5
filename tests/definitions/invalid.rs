//! Logits that are NaN or +infinity: refused, or banned by `ban_invalid` as if they were -infinity, wherever they stand and
//! in every number format.

use crate::common::plain::{Tokens, candidates, chain, sampler_after};
use crate::common::random_cases;
use crate::common::random_chains::{drawing, row, tokens};
use crate::common::rows::{Random, logits};
use bregman::{Candidate, Error, Row, Sampler, Source, Values, Want, model_answers, simd_levels};
use proptest::prelude::*;

/// A NaN of either sign, with a payload, and what signals in f32; +infinity.
const INVALID: [u32; 5] = [0x7fc0_0000, 0xffc0_0000, 0x7fff_ffff, 0x7f80_0001, 0x7f80_0000];

const FIGURES: Want = Want { kept_mass: true, entropy: true, ..Want::NONE };

/// A row in the three formats: f32, f16, bf16.
struct Formats(Vec<f32>, Vec<u16>, Vec<u16>);

impl Formats {
    fn new(row: &[f32]) -> Self {
        let half = row.iter().map(|&l| half::f16::from_f32(l.clamp(-6e4, 6e4)).to_bits()).collect();
        let brain = row.iter().map(|&l| half::bf16::from_f32(l).to_bits()).collect();
        Self(row.to_vec(), half, brain)
    }

    /// With other numbers at some places: -infinity, or invalid ones.
    fn with(&self, at: &[usize], is_invalid: bool) -> Self {
        let Self(mut full, mut half, mut brain) = Self(self.0.clone(), self.1.clone(), self.2.clone());
        for (i, &at) in at.iter().enumerate() {
            let bits = if is_invalid { INVALID[(i + at) % INVALID.len()] } else { f32::NEG_INFINITY.to_bits() };
            full[at] = f32::from_bits(bits);
            // The upper half of an f32 NaN may be an infinity.
            half[at] = if bits << 1 == 0xff00_0000 { (bits >> 16 & 0x8000) as u16 | 0x7c00 } else { 0x7e01 };
            brain[at] = if bits << 1 == 0xff00_0000 { (bits >> 16) as u16 } else { 0xffc1 };
        }
        Self(full, half, brain)
    }

    fn rows(&self) -> [Row<'_>; 3] {
        [Values::F32(&self.0), Values::F16(&self.1), Values::Bf16(&self.2)].map(|values| Row::new(values).unwrap())
    }
}

/// All that a sampler says of a row, as bits; where it fails, that it does.
fn answers(sampler: &Sampler, row: Row<'_>) -> Vec<Option<Vec<u64>>> {
    let ask = |question: &dyn Fn(&mut Sampler) -> Result<Vec<u64>, Error>| question(&mut sampler.clone()).ok();
    vec![
        ask(&|s| {
            let t = s.decode(row, FIGURES)?;
            Ok(vec![t.token.into(), t.support as u64, t.p.to_bits(), t.kept_mass.to_bits(), t.entropy.to_bits()])
        }),
        ask(&|s| Ok(s.distribution(row)?.into_iter().flat_map(|(id, p)| [id.into(), p.to_bits()]).collect())),
        ask(&|s| Ok(s.draw_many(row, 3)?.iter().map(|sample| sample.token.into()).collect())),
        ask(&|s| {
            let (mut ids, mut logprobs) = ([0; 5], [0.0; 5]);
            s.top_logprobs(row, Source::Decoded, &mut ids, &mut logprobs)?;
            Ok(ids.iter().map(|&id| id as u64).chain(logprobs.iter().map(|l| u64::from(l.to_bits()))).collect())
        }),
    ]
}

/// What is left of candidates that have a probability or a logit, in order.
fn applied(sampler: &Sampler, mut all: Vec<Candidate>) -> Option<Vec<(i32, u32)>> {
    let done = sampler.clone().apply(&mut all).ok()?;
    let selected = done.selected.map(|at| all[at].id);
    let left = all[..done.size].iter().filter(|c| c.logit > f32::NEG_INFINITY).map(|c| (c.id, c.logit.to_bits()));
    Some(left.chain(selected.map(|id| (id, 0))).collect())
}

fn processed(sampler: &Sampler, row: &[f32]) -> Option<Vec<u32>> {
    let mut row = row.to_vec();
    sampler.clone().process(&mut row).ok()?;
    Some(row.iter().map(|l| l.to_bits()).collect())
}

proptest! {
    #![proptest_config(random_cases::config(1500))]

    /// Every chain, every face, every format and instruction set: the bits of the row that has -infinity there.
    #[test]
    fn ban_invalid_is_minus_infinity_in_the_place_of_nan_and_infinity(
        steps in drawing(), tokens in tokens(), recipe in row(), seed: u64, share in prop_oneof![Just(0.01), Just(0.3), Just(0.97)],
        masks: bool
    ) {
        let row = recipe.make();
        let mut random = Random(seed);
        let at: Vec<usize> = (0..row.len()).filter(|_| random.unit() < share).collect();
        let formats = Formats::new(&row);
        let (invalid, banned) = (formats.with(&at, true), formats.with(&at, false));
        let first = steps.first().is_some_and(|step| step.definition.stage == "ban_invalid");
        let text = if first { chain(&steps) } else { format!("ban_invalid | {}", chain(&steps)) };
        let mut sampler = sampler_after(&text, seed, &tokens);
        sampler.set_logit_bias(&[(0, 0.5), (2, -1.0), (3, f32::NEG_INFINITY)]).unwrap();
        if masks {
            sampler.set_mask(Some(&[!0x1234_5678, u32::MAX])).unwrap();
        }
        for (invalid, banned) in invalid.rows().into_iter().zip(banned.rows()) {
            let expected = answers(&sampler, banned);
            for level in simd_levels() {
                let sampler = sampler.clone().with_simd_level(level).unwrap();
                prop_assert_eq!(&answers(&sampler, invalid), &expected, "{} at {}", text, level);
            }
        }
        prop_assert_eq!(processed(&sampler, &invalid.0), processed(&sampler, &banned.0));
        for shuffled in [false, true] {
            let of = |row: &[f32]| candidates(row, shuffled.then_some(&mut Random(seed)));
            prop_assert_eq!(applied(&sampler, of(&invalid.0)), applied(&sampler, of(&banned.0)), "{}", text);
        }
    }
}

#[test]
fn one_invalid_logit_is_found_at_every_place() {
    let row = logits("normal", 530, &mut Random(3));
    let formats = Formats::new(&row);
    for chain in ["top_k(5) | draw", "temperature(0.7) | draw", "penalties(1.5) | typical(0.9) | draw"] {
        for level in simd_levels() {
            let new = |text: &str| {
                let mut sampler = Sampler::new(text, 1).unwrap().with_simd_level(level).unwrap();
                sampler.accept(&[3, 300, 529]).unwrap();
                sampler
            };
            let (mut refuses, mut bans) = (new(chain), new(&format!("ban_invalid | {chain}")));
            for at in 0..row.len() {
                let (invalid, banned) = (formats.with(&[at], true), formats.with(&[at], false));
                for (invalid, banned) in invalid.rows().into_iter().zip(banned.rows()) {
                    let expected = bans.distribution(banned).unwrap();
                    assert_eq!(bans.distribution(invalid).unwrap(), expected, "{chain}, {at}, {level}");
                    let refused = refuses.distribution(invalid);
                    assert!(matches!(refused, Err(Error::InvalidLogits { index, .. }) if index == at), "{refused:?}");
                }
            }
        }
    }
}

#[test]
fn ban_invalid_counts_before_bans_that_yield() {
    let row = [f32::NAN, f32::INFINITY, f32::NAN, 1.0];
    let decode = |chain: &str| Sampler::new(chain, 1).unwrap().decode(Row::from_f32(&row).unwrap(), FIGURES);
    assert_eq!(decode("ban_invalid | bad_words(sequences=3, yield=true) | greedy").unwrap().token, 3);
    assert_eq!(decode("ban_invalid | allowed_tokens(tokens=0 2, yield=true) | draw").unwrap().token, 3);
    for chain in ["ban_invalid | bad_words(3) | greedy", "ban_invalid | allowed_tokens(0 2) | draw"] {
        assert!(matches!(decode(chain), Err(Error::NothingLeft(_))), "{chain}");
    }
    let nothing = [f32::NAN; 40];
    let decode = |chain: &str| Sampler::new(chain, 1).unwrap().decode(Row::from_f32(&nothing).unwrap(), FIGURES);
    assert!(matches!(decode("ban_invalid | draw"), Err(Error::EmptySupport)));
    assert!(matches!(decode("draw"), Err(Error::InvalidLogits { index: 0, .. })));
}

/// What the model said is not changed by a chain.
#[test]
fn figures_of_the_model_have_no_value_where_its_logits_are_invalid() {
    let row = [0.0, f32::NAN, 2.0, f32::INFINITY];
    let want = Want { model_logprob: true, ln_kept_mass: true, ..FIGURES };
    let mut sampler = Sampler::new("ban_invalid | top_k(1) | draw", 1).unwrap();
    let token = sampler.decode(Row::from_f32(&row).unwrap(), want).unwrap();
    assert!(token.model_logprob.is_nan() && token.ln_kept_mass.is_nan(), "{token:?}");
    assert!((token.kept_mass - 1.0 / (1.0 + (-2.0f64).exp())).abs() < 1e-6, "{token:?}");
    let mut answers = bregman::Answers { source: Source::Model, ..Default::default() };
    let refused = model_answers(Row::from_f32(&row).unwrap(), &mut answers);
    assert!(matches!(refused, Err(Error::InvalidLogits { index: 1, .. })), "{refused:?}");
}

#[test]
fn ban_invalid_takes_sparse_rows() {
    let (ids, logits) = ([7, 2, 9, 4], [1.0, f32::NAN, f32::INFINITY, 0.5]);
    let banned = logits.map(|l: f32| if l.is_finite() { l } else { f32::NEG_INFINITY });
    let rest = bregman::Rest { log_sum: -3.0, temperature: 1.0, bound: -4.0 };
    let of = |logits: &[f32]| {
        let row = Row::sparse(Values::F32(logits), &ids).unwrap().with_rest(rest).unwrap();
        Sampler::new("ban_invalid | top_k(2) | draw", 1).unwrap().distribution(row).unwrap()
    };
    assert_eq!(of(&logits), of(&banned));
    assert_eq!(of(&logits).iter().map(|e| e.0).collect::<Vec<_>>(), [7, 4]);
}

#[test]
fn ban_invalid_stands_first() {
    for chain in ["temperature(0.8) | ban_invalid | draw", "ban_invalid | ban_invalid | draw"] {
        let e = Sampler::new(chain, 1).expect_err(chain).to_string();
        assert!(e.contains("stage 2, `ban_invalid`: stands first"), "{e}");
    }
    for chain in ["ban_invalid | llama_cpp", "temperature(1) | ban_invalid | draw"] {
        assert!(Sampler::new(chain, 1).is_ok(), "{chain}");
    }
}

/// A valid row is read once, whatever follows. An invalid one once more: the pass that finds it, and another.
#[cfg(debug_assertions)]
#[test]
fn ban_invalid_costs_a_pass_of_invalid_rows_only() {
    let mut row = logits("normal", 4096, &mut Random(4));
    let mut sampler = Sampler::new("ban_invalid | penalties(1.2) | top_k(40) | draw", 1).unwrap();
    sampler.accept(&[1, 2, 3]).unwrap();
    let mut maxima = |row: &[f32]| {
        bregman::take_logits_read();
        sampler.decode(Row::from_f32(row).unwrap(), Want::NONE).unwrap();
        bregman::take_logits_read().into_iter().find(|(pass, _)| *pass == "maxima").map(|(_, read)| read)
    };
    assert_eq!(maxima(&row), Some(4096));
    row[3000] = f32::NAN;
    assert_eq!(maxima(&row), Some(2 * 4096));
    let tokens = Tokens { prompt: vec![], output: vec![5; 9] };
    let mut edits = sampler_after("ban_invalid | length_decay(start=2, factor=1.5, stop=3000) | draw", 1, &tokens);
    assert!(edits.distribution(Row::from_f32(&row).unwrap()).unwrap().iter().all(|e| e.0 != 3000));
}
