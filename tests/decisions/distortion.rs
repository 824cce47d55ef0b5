//! The distortion of a sequence (docs/mathematics.md, 15.6): the sum of kept masses against log-probabilities.

use crate::{Random, close, refused};
use bregman::decisions::{distortion, distortion_of_logprobs};
use bregman::{Row, Sampler, Want};

#[test]
fn published_distortion_is_reproduced() {
    let log_kept = [0.95f64, 0.8, 0.99].map(f64::ln);
    close(&[distortion(&log_kept).unwrap()], &[0.284487], 5e-7);
}

/// A sequence decoded by truncation: both ways give the same. By another decoder: the one way gives what it is defined by.
#[test]
fn both_distortions_of_a_truncated_sequence_are_equal() {
    for (chain, is_truncation) in
        [("top_k(5) | draw", true), ("top_p(0.9) | draw", true), ("bregman(alpha=1.5, floor=0.02) | draw", false)]
    {
        let (mut sampler, mut random) = (Sampler::new(chain, 9).unwrap(), Random(6));
        let want = Want { ln_kept_mass: true, model_logprob: true, ..Want::default() };
        let (mut log_kept, mut decoded, mut model) = (vec![], vec![], vec![]);
        for _ in 0..50 {
            let logits: Vec<f32> = (0..300).map(|_| 2.0 * random.bell() as f32).collect();
            let token = sampler.decode(Row::from_f32(&logits).unwrap(), want).unwrap();
            log_kept.push(token.ln_kept_mass);
            decoded.push(token.p.ln());
            model.push(token.model_logprob);
        }
        let (by_mass, by_logprobs) =
            (distortion(&log_kept).unwrap(), distortion_of_logprobs(&decoded, &model).unwrap());
        // The sums over the vocabulary are f32.
        let gap = (by_mass - by_logprobs).abs();
        assert!(by_logprobs > 1.0 && (gap < 1e-4) == is_truncation, "{chain}: {by_mass} {by_logprobs}");
        let plain: f64 = decoded.iter().zip(&model).map(|(d, m)| d - m).sum();
        close(&[by_logprobs], &[plain], 1e-13);
    }
}

/// 10 000 tokens of which each keeps all but 1e-9: f32 masses are 1 and say nothing.
#[test]
fn small_distortions_add_up() {
    let log_kept = vec![-1e-9; 10_000];
    close(&[distortion(&log_kept).unwrap() / 1e-5], &[1.0], 1e-12);
    assert_eq!(distortion(&[]).unwrap().to_bits(), 0);
    assert_eq!(distortion(&[0.0, -0.0]).unwrap().to_bits(), 0);
    assert_eq!(distortion_of_logprobs(&[], &[]).unwrap().to_bits(), 0);
}

#[test]
fn arguments_of_distortions_out_of_range_are_refused() {
    refused(distortion(&[-1.0, 0.5]), "log_kept[1] is 0.5");
    refused(distortion(&[f64::NEG_INFINITY]), "log_kept[0] is -inf");
    refused(distortion(&[f64::NAN]), "log_kept[0] is NaN");
    refused(distortion_of_logprobs(&[-1.0], &[]), "model has 0 elements, decoded has 1");
    refused(distortion_of_logprobs(&[0.1], &[-1.0]), "decoded[0] is 0.1");
    refused(distortion_of_logprobs(&[-0.1], &[f64::NEG_INFINITY]), "model[0] is -inf");
}
