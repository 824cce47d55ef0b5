//! Rows of a batch through the C ABI: each has the bits of a single decode, whatever the number of threads, the
//! number format, the stride and the mask; and a mask equals logits of -infinity.

use crate::common::definitions::Step;
use crate::common::handle::{Handle, Rows, batch, bits};
use crate::common::plain::chain;
use crate::common::random_chains::drawing;
use crate::common::rows::{ROWS, Random, logits};
use crate::common::shape::SHAPE;
use bregman::ffi::*;
use proptest::prelude::*;
use proptest::sample::select;

const EVERYTHING: u32 = BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_MODEL_LOGPROB | BREGMAN_WANT_ENTROPY | BREGMAN_ACCEPT;

/// Rows in f32, and the same numbers in half precision where they fit.
struct Many {
    rows: usize,
    vocab: usize,
    stride: usize,
    f32: Vec<f32>,
}

impl Many {
    /// The gaps between rows are NaN: they must not be read.
    fn new(rows: usize, vocab: usize, gap: usize, kind: &str, random: &mut Random) -> Self {
        let stride = vocab + gap;
        let mut f32 = vec![f32::NAN; rows * stride];
        for r in 0..rows {
            f32[r * stride..][..vocab].copy_from_slice(&logits(kind, vocab, random));
        }
        Self { rows, vocab, stride, f32 }
    }

    fn row(&self, r: usize) -> &[f32] {
        &self.f32[r * self.stride..][..self.vocab]
    }

    /// Every logit as `narrow` has it, as bits and widened again.
    fn narrowed(&self, narrow: impl Fn(f32) -> (u16, f32)) -> (Vec<u16>, Self) {
        let (half, wide) = self.f32.iter().map(|&l| narrow(l)).unzip();
        (half, Self { f32: wide, ..*self })
    }
}

fn samplers(steps: &[Step], rows: usize) -> Vec<Handle> {
    let text = chain(steps);
    let sampler = |r| Handle::try_new(&text, 1000 + r as u64, &[SHAPE.for_c()]);
    (0..rows).map(|r| sampler(r).unwrap_or_else(|why| panic!("{text}: {why:?}"))).collect()
}

/// The rows' answers, twice in a row so that positions and histories matter.
fn answers(
    steps: &[Step],
    many: &Many,
    rows: &Rows<'_>,
    masks: Option<(&[u32], usize)>,
    threads: u32,
) -> Vec<[u32; 8]> {
    let samplers = samplers(steps, many.rows);
    let run = || batch(&samplers, rows, (many.vocab, many.stride), masks, (EVERYTHING, threads)).1;
    [run(), run()].concat().iter().map(bits).collect()
}

/// Each row by a batch of its own, in f32.
fn alone(steps: &[Step], many: &Many, masks: Option<(&[u32], usize)>) -> Vec<[u32; 8]> {
    let samplers = samplers(steps, many.rows);
    let one = |r: usize| {
        let mask = masks.map(|(words, stride)| (&words[r * stride..][..stride], stride));
        let rows = Rows::F32(many.row(r));
        bits(&batch(&samplers[r..=r], &rows, (many.vocab, many.vocab), mask, (EVERYTHING, 0)).1[0])
    };
    [(0..many.rows).map(one).collect::<Vec<_>>(), (0..many.rows).map(one).collect()].concat()
}

/// A mask of `words` words a row that leaves some token of the row's finite ones, or none at all now and then.
fn masks(many: &Many, words: usize, random: &mut Random) -> Vec<u32> {
    (0..many.rows)
        .flat_map(|_| {
            let density = random.pick(&[0u32, 1, 2, 8]);
            (0..words).map(|_| (0..density).fold(0, |bits, _| bits | random.next() as u32)).collect::<Vec<_>>()
        })
        .collect()
}

fn drawing_without_bans() -> impl Strategy<Value = Vec<Step>> {
    const BANS: [&str; 9] = [
        "ban_invalid",
        "allowed_tokens",
        "forced_tokens",
        "reasoning_budget",
        "sequence_bias",
        "logit_bias",
        "bad_words",
        "min_tokens",
        "no_repeat_ngram",
    ];
    let bans = |step: &Step| BANS.contains(&step.definition.stage);
    drawing().prop_map(move |mut steps| {
        steps.retain(|step| !bans(step));
        steps
    })
}

fn allowed(words: &[u32], token: usize) -> bool {
    words.get(token / 32).is_some_and(|w| w >> (token % 32) & 1 == 1)
}

fn shape() -> impl Strategy<Value = (usize, usize, usize, &'static str, u64)> {
    let vocab = prop_oneof![1usize..80, 200usize..700, 4000usize..4200];
    (1usize..12, vocab, 0usize..5, select(ROWS.to_vec()), any::<u64>())
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(300))]

    #[test]
    fn batch_row_equals_single_decode(steps in drawing(), (rows, vocab, gap, kind, seed) in shape(), masked: bool) {
        let random = &mut Random(seed);
        let many = Many::new(rows, vocab, gap, kind, random);
        // Also fewer words than the vocabulary needs: the rest is banned; and more.
        let stride = (vocab.div_ceil(32) + 2).saturating_sub(random.below(4)).max(1);
        let words = masks(&many, stride, random);
        let masks = masked.then_some((&words[..], stride));
        let one_by_one = alone(&steps, &many, masks);
        for threads in [0, 1, 2, 3, 7] {
            prop_assert_eq!(&answers(&steps, &many, &Rows::F32(&many.f32), masks, threads), &one_by_one);
        }
        let (bf16, wide) = many.narrowed(|l| {
            let half = half::bf16::from_f32(l);
            (half.to_bits(), half.to_f32())
        });
        prop_assert_eq!(answers(&steps, &wide, &Rows::Bf16(&bf16), masks, 3), alone(&steps, &wide, masks));
        // Clamped to what f16 can represent.
        let (f16, wide) = many.narrowed(|l| {
            let half = half::f16::from_f32(if l.is_finite() { l.clamp(-6e4, 6e4) } else { l });
            (half.to_bits(), half.to_f32())
        });
        prop_assert_eq!(answers(&steps, &wide, &Rows::F16(&f16), masks, 2), alone(&steps, &wide, masks));
    }

    #[test]
    fn mask_equals_logits_of_minus_infinity(steps in drawing(), (rows, vocab, gap, kind, seed) in shape()) {
        let random = &mut Random(seed);
        let many = Many::new(rows, vocab, gap, kind, random);
        let stride = vocab.div_ceil(32).saturating_sub(random.below(2)).max(1);
        let words = masks(&many, stride, random);
        let mut banned = Many { f32: many.f32.clone(), ..many };
        for r in 0..rows {
            let row = &mut banned.f32[r * many.stride..][..vocab];
            let mask = &words[r * stride..][..stride];
            row.iter_mut().enumerate().filter(|(t, _)| !allowed(mask, *t)).for_each(|(_, l)| *l = f32::NEG_INFINITY);
        }
        let masked = answers(&steps, &many, &Rows::F32(&many.f32), Some((&words, stride)), 2);
        let plain = answers(&steps, &banned, &Rows::F32(&banned.f32), None, 2);
        for (mut masked, mut plain) in masked.into_iter().zip(plain) {
            // Only the model's log-probability differs: it ignores the mask.
            (masked[5], plain[5]) = (0, 0);
            prop_assert_eq!(masked, plain);
        }
    }

    /// A row without a finite logit, or with a NaN, fails alone, and its sampler does not advance. (Without bans, which
    /// may fail a good row, or hide the NaN.)
    #[test]
    fn batch_failure_affects_one_row(steps in drawing_without_bans(), vocab in 1usize..300, seed: u64, bad in 0usize..5) {
        let random = &mut Random(seed);
        let good = Many::new(5, vocab, 0, "normal", random);
        let mut broken = Many { f32: good.f32.clone(), ..good };
        let row = &mut broken.f32[bad * vocab..][..vocab];
        let status = if seed % 2 == 0 {
            row.fill(f32::NEG_INFINITY);
            BREGMAN_EMPTY_SUPPORT
        } else {
            row[seed as usize % vocab] = if seed % 4 == 1 { f32::NAN } else { f32::INFINITY };
            BREGMAN_INVALID_LOGITS
        };
        let (samplers, fresh) = (samplers(&steps, 5), samplers(&steps, 5));
        let run = |s: &[Handle], many: &Many| batch(s, &Rows::F32(&many.f32), (vocab, vocab), None, (EVERYTHING, 2));
        let (first, results) = run(&samplers, &broken);
        prop_assert_eq!(first, status);
        for (r, (result, alone)) in results.iter().zip(run(&fresh, &good).1).enumerate() {
            if r == bad {
                prop_assert!(result.status == status && result.token == -1 && result.support == 0 && result.p.is_nan());
                prop_assert!(!samplers[r].error().is_empty());
            } else {
                prop_assert_eq!(bits(result), bits(&alone));
            }
        }
        // The failed row's sampler is where it was, the others one further.
        let (again, next) = (run(&samplers, &good).1, run(&fresh, &good).1);
        for r in 0..5 {
            let expected = if r == bad { run(&self::samplers(&steps, 5), &good).1[r] } else { next[r] };
            prop_assert_eq!(bits(&again[r]), bits(&expected));
        }
    }
}
