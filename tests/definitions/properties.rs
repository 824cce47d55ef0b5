//! Properties that the theorems give to every decoder and distribution (docs/mathematics.md, 2, T4 and 5), on random ones.

use crate::common::definitions::decoders::{divergence, size};
use crate::common::rows::{DISTRIBUTIONS, Random, distribution};
use bregman::bregman::{Alpha, Decoded, Decoder, Family, Limits, Mode, Size, objective};
use proptest::prelude::*;
use proptest::sample::select;

/// Powers of numbers like 1e-30 cost some digits.
const ROUNDING: f64 = 1e-12;

fn decoder(mode: Mode, alpha: f64, size: Size) -> Decoder {
    Decoder::new(Family::Alpha(alpha), mode, size, Limits::default()).expect("the strategies are within the ranges")
}

fn decode(mode: Mode, alpha: f64, size: Size, p: &[f64]) -> Decoded {
    decoder(mode, alpha, size).decode(p).expect("a distribution")
}

/// The k that a decoder chooses.
fn chosen(mode: Mode, alpha: f64, size: Size, p: &[f64]) -> usize {
    decode(mode, alpha, size, p).p_hat.len()
}

/// A distribution by its recipe, which is shorter to print.
#[derive(Debug, Clone)]
struct Recipe(&'static str, usize, u64);

impl Recipe {
    fn make(&self) -> Vec<f64> {
        distribution(self.0, self.1, &mut Random(self.2))
    }
}

fn probabilities(most: usize) -> impl Strategy<Value = Recipe> {
    (select(DISTRIBUTIONS.to_vec()), 1..=most, any::<u64>()).prop_map(|(kind, vocab, seed)| Recipe(kind, vocab, seed))
}

/// The least λ at which one token is all, whatever the distribution (docs/mathematics.md, T4).
fn lambda_max(mode: Mode, alpha: f64) -> f64 {
    let b = alpha - 1.0;
    // 1 - 2^(-x).
    let lost = |x: f64| -(-x * std::f64::consts::LN_2).exp_m1();
    match mode {
        Mode::Primal if b == 0.0 => std::f64::consts::LN_2,
        Mode::Primal => lost(b) / (alpha * b),
        Mode::Dual if alpha <= 2.0 => lost(b) / alpha - lost(alpha - 2.0) / (2.0 * b),
        Mode::Dual => lost(b) / alpha,
    }
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(4000))]

    #[test]
    fn solution_is_a_distribution_not_below_p((mode, alpha) in divergence(), size in size(), p in probabilities(400)) {
        let p = p.make();
        let Decoded { p_hat, nu, .. } = decode(mode, alpha, size, &p);
        let sum: f64 = p_hat.iter().sum();
        prop_assert!((sum - 1.0).abs() <= 1e-12, "sum {sum}");
        prop_assert!(nu >= -1e-300 && nu.is_finite(), "ν {nu}");
        for (i, (&x, &p_i)) in p_hat.iter().zip(&p).enumerate() {
            prop_assert!(x > 0.0 && x >= p_i * (1.0 - ROUNDING), "{i}: {x} < {p_i}");
            prop_assert!(i == 0 || x <= p_hat[i - 1], "{i} is larger than the one before");
            prop_assert!(i == 0 || p_i < p[i - 1] || x == p_hat[i - 1], "{i}: equal tokens get equal shares");
        }
    }

    #[test]
    fn k_min_and_k_max_clamp_the_size(
        (mode, alpha) in divergence(), size in size(), p in probabilities(300), k_min in 1usize..60, more in 0usize..60
    ) {
        let p = p.make();
        let free = chosen(mode, alpha, size, &p);
        let limits = Limits { k_min, k_max: k_min + more };
        let limited = Decoder::new(Family::Alpha(alpha), mode, size, limits).unwrap().decode(&p).unwrap();
        let k = free.clamp(k_min, k_min + more).min(p.len());
        prop_assert_eq!(limited.p_hat.len(), k);
        // However that k came about, it has one solution.
        let fixed = decode(mode, alpha, Size::Fixed(k), &p);
        for (a, b) in limited.p_hat.iter().zip(&fixed.p_hat) {
            prop_assert!((a - b).abs() <= 1e-13, "{a} {b}");
        }
    }

    #[test]
    fn larger_lambda_keeps_no_more_tokens(
        (mode, alpha) in divergence(), p in probabilities(300), low in -12.0..-0.3f64, more in 0.0..2.0f64
    ) {
        let p = p.make();
        let at = |e: f64| chosen(mode, alpha, Size::Lambda(10f64.powf(e)), &p);
        prop_assert!(at(low) >= at(low + more));
    }

    #[test]
    fn floor_bounds_the_size((mode, alpha) in divergence(), p in probabilities(3000), e in -3.5..0.0f64) {
        let p = p.make();
        let floor = 10f64.powf(e);
        let k = chosen(mode, alpha, Size::Floor(floor), &p);
        prop_assert!(k as f64 <= (1.0 / floor).ceil(), "{k} for {floor}");
    }

    /// docs/mathematics.md, 5, bound 1: a token above t_sure is kept whatever the others are.
    #[test]
    fn tokens_above_t_sure_are_kept((mode, alpha) in divergence(), p in probabilities(300), e in -10.0..-0.3f64) {
        let p = p.make();
        let lambda = 10f64.powf(e);
        let sure = match mode {
            Mode::Primal => (alpha * lambda).powf(1.0 / alpha),
            Mode::Dual => (alpha * (alpha - 1.0) * lambda).powf(1.0 / alpha),
        };
        let least = p.iter().filter(|&&p| p > sure * (1.0 + 1e-12)).count();
        prop_assert!(chosen(mode, alpha, Size::Lambda(lambda), &p) >= least);
    }

    /// Discrete convexity: each further token gains no more than the one before.
    #[test]
    fn gains_do_not_increase_with_k((mode, alpha) in divergence(), p in probabilities(40)) {
        let p = p.make();
        let cost = |k: usize| {
            let mut x = decode(mode, alpha, Size::Fixed(k), &p).p_hat;
            x.resize(p.len(), 0.0);
            objective(&Alpha::new(alpha), mode, 0.0, &x, &p)
        };
        let costs: Vec<f64> = (1..=p.len()).map(cost).collect();
        // The dual's objective has terms of size 1 / (α b).
        let rounding = 1e-13 * costs[0].abs().max(1.0);
        let gains: Vec<f64> = costs.windows(2).map(|w| w[0] - w[1]).collect();
        prop_assert!(gains.iter().all(|g| *g >= -rounding), "{gains:?}");
        prop_assert!(gains.windows(2).all(|w| w[1] <= w[0] + rounding), "{gains:?}");
    }

    #[test]
    fn lambda_max_leaves_one_token((mode, alpha) in divergence(), p in probabilities(300)) {
        let p = p.make();
        let lambda = lambda_max(mode, alpha) * (1.0 + 1e-9);
        prop_assert_eq!(decode(mode, alpha, Size::Lambda(lambda), &p).p_hat, vec![1.0]);
    }

    #[test]
    fn decode_does_not_depend_on_scale((mode, alpha) in divergence(), size in size(), p in probabilities(100), e in -100..100i32) {
        let p = p.make();
        // A power of two, so that the weights round alike.
        let weights: Vec<f64> = p.iter().map(|p| p * 2f64.powi(e)).collect();
        prop_assert_eq!(decode(mode, alpha, size, &p), decode(mode, alpha, size, &weights));
    }

    #[test]
    fn decode_ignores_tokens_without_weight((mode, alpha) in divergence(), size in size(), p in probabilities(60)) {
        let p = p.make();
        let mut longer = p.clone();
        longer.extend([0.0; 7]);
        prop_assert_eq!(decode(mode, alpha, size, &p), decode(mode, alpha, size, &longer));
    }
}

/// The bound of [`lambda_max_leaves_one_token`] is the best one: some distribution reaches it.
#[test]
fn lambda_max_is_tight() {
    let halves = [0.5, 0.5];
    for alpha in [0.05, 0.25, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0, 2.5, 3.0, 8.0, 12.0, 32.0] {
        let k =
            |factor: f64| chosen(Mode::Primal, alpha, Size::Lambda(lambda_max(Mode::Primal, alpha) * factor), &halves);
        assert_eq!((k(1.0 - 1e-9), k(1.0 + 1e-9)), (2, 1), "primal {alpha}");
    }
    for alpha in [1.0001, 1.01, 1.1, 1.5, 1.75, 2.0] {
        let k = |factor: f64| chosen(Mode::Dual, alpha, Size::Lambda(lambda_max(Mode::Dual, alpha) * factor), &halves);
        assert_eq!((k(1.0 - 1e-8), k(1.0 + 1e-8)), (2, 1), "dual {alpha}");
    }
    // Above 2 it is only reached in the limit of ever smaller tokens.
    let flat = vec![1e-5; 100_000];
    for alpha in [2.5, 3.0, 5.0, 16.0] {
        let k = |factor: f64| chosen(Mode::Dual, alpha, Size::Lambda(lambda_max(Mode::Dual, alpha) * factor), &flat);
        assert!(k(1.0 - 1e-3) >= 2, "dual {alpha}");
        assert_eq!(k(1.0 + 1e-9), 1, "dual {alpha}");
    }
}

/// docs/mathematics.md, 7: at a tie of costs the smaller support; a penalty of zero keeps all; one token is all.
#[test]
fn decode_edge_cases_are_as_specified() {
    assert_eq!(decode(Mode::Primal, 2.0, Size::Lambda(0.25), &[0.5, 0.5]).p_hat, [1.0]);
    let p = [0.4, 0.3, 0.2, 0.1];
    for (mode, alpha) in [(Mode::Primal, 0.5), (Mode::Primal, 1.0), (Mode::Primal, 12.0), (Mode::Dual, 1.5)] {
        let all = decode(mode, alpha, Size::Lambda(0.0), &p);
        assert!(all.p_hat.iter().zip(&p).all(|(a, b)| (a - b).abs() < 1e-15) && all.nu == 0.0, "{alpha}: {all:?}");
        for size in [Size::Lambda(0.0), Size::Lambda(0.01), Size::Floor(1.0), Size::Fixed(9)] {
            assert_eq!(decode(mode, alpha, size, &[3.0]).p_hat, [1.0]);
        }
        assert_eq!(chosen(mode, alpha, Size::Fixed(9), &p), 4, "no more than there are");
        assert_eq!(chosen(mode, alpha, Size::Floor(1.0), &p), 1);
    }
}

#[test]
fn decode_refuses_invalid_distributions() {
    let decoder = decoder(Mode::Primal, 1.5, Size::Floor(0.1));
    for p in [&[0.5, f64::NAN][..], &[f64::INFINITY], &[0.5, -0.1], &[0.1, 0.5]] {
        assert!(matches!(decoder.decode(p), Err(bregman::Error::InvalidArgument(_))), "{p:?}");
    }
    for p in [&[][..], &[0.0, 0.0]] {
        assert_eq!(decoder.decode(p), Err(bregman::Error::EmptySupport), "{p:?}");
    }
}
