//! Best-of-n (docs/mathematics.md, 15.1): against arXiv 2401.01879, and against every sequence of n draws.

use crate::{Random, close, refused};
use bregman::decisions::{BestOfN, best_of_n, best_of_n_bounds, best_of_n_kl_estimates};

fn divergence(q: &[f64], p: &[f64]) -> f64 {
    q.iter().zip(p).filter(|(q, _)| **q > 0.0).map(|(q, p)| q * (q / p).ln()).sum()
}

/// By every sequence of n draws: the first with the highest reward wins.
fn enumerated(p: &[f64], rewards: &[f64], n: u32) -> BestOfN {
    let k = p.len();
    let mut law = vec![0.0; k];
    for sequence in 0..k.pow(n) {
        let (mut rest, mut best, mut probability) = (sequence, None, 1.0);
        for _ in 0..n {
            let i = rest % k;
            rest /= k;
            probability *= p[i];
            best = best.filter(|&b: &usize| rewards[b] >= rewards[i]).or(Some(i));
        }
        law[best.unwrap()] += probability;
    }
    let against = |i: usize, j: usize| match rewards[i].partial_cmp(&rewards[j]).unwrap() {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    };
    let pairs = (0..k).flat_map(|i| (0..k).map(move |j| (i, j)));
    let win_rate = pairs.map(|(i, j)| law[i] * p[j] * against(i, j)).sum();
    BestOfN { kl: divergence(&law, p), law, win_rate }
}

#[test]
fn published_laws_are_reproduced() {
    let (p, r) = ([0.4, 0.3, 0.2, 0.1], [0.0, 1.0, 2.0, 3.0]);
    for (n, law, kl, win_rate) in
        [(2, [0.16, 0.33, 0.32, 0.19], 0.157199, 0.65), (4, [0.0256, 0.2145, 0.416, 0.3439], 0.587114, 0.7826)]
    {
        let best = best_of_n(&p, &r, n).unwrap();
        close(&best.law, &law, 1e-15);
        close(&[best.kl, best.win_rate], &[kl, win_rate], 5e-7);
    }
    let tied = best_of_n(&p, &[0.0, 1.0, 1.0, 2.0], 4).unwrap();
    close(&tied.law, &[0.0256, 0.3783, 0.2522, 0.3439], 1e-15);
    let estimates = best_of_n_kl_estimates(&[1e-12f64.ln(), 0.0], 8).unwrap();
    close(&estimates, &[1.204_441_541_680, 0.0], 1e-11);
}

#[test]
fn laws_are_those_of_all_sequences_of_draws() {
    let mut random = Random(1);
    for _ in 0..400 {
        let (k, n) = (1 + random.below(4), 1 + random.below(5) as u32);
        let p = random.distribution(k);
        // Few rewards, so that many are ties; infinite ones as well.
        let rewards: Vec<f64> =
            (0..k).map(|_| [f64::NEG_INFINITY, -0.0, 0.0, 2.5, f64::INFINITY][random.below(5)]).collect();
        let (ours, all) = (best_of_n(&p, &rewards, u64::from(n)).unwrap(), enumerated(&p, &rewards, n));
        close(&ours.law, &all.law, 1e-13);
        close(&[ours.kl, ours.win_rate], &[all.kl, all.win_rate], 1e-12);
    }
}

#[test]
fn divergence_and_win_rate_stay_within_their_bounds() {
    let mut random = Random(2);
    for _ in 0..2000 {
        let (k, n) = (1 + random.below(40), 1 + random.below(100) as u64);
        let p = random.distribution(k);
        let rewards: Vec<f64> = (0..k).map(|_| random.below(30) as f64).collect();
        let (best, bounds) = (best_of_n(&p, &rewards, n).unwrap(), best_of_n_bounds(n).unwrap());
        assert!((best.law.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(best.kl >= 0.0 && best.kl <= bounds.kl + 1e-12, "{best:?} {bounds:?}");
        assert!(best.win_rate >= 0.5 - 1e-12 && best.win_rate <= bounds.win_rate + 1e-12, "{best:?} {bounds:?}");
        // Of the best outcome the estimate is an upper bound (data processing), and itself below the bound.
        let top = (0..k).filter(|&i| p[i] > 0.0).max_by(|&i, &j| rewards[i].total_cmp(&rewards[j])).unwrap();
        let epsilon: f64 = (0..k).filter(|&i| rewards[i] == rewards[top]).map(|i| p[i]).sum();
        let estimate = best_of_n_kl_estimates(&[epsilon.min(1.0).ln()], n).unwrap()[0];
        assert!(best.kl <= estimate + 1e-12 && estimate <= bounds.kl + 1e-12, "{} {estimate} {bounds:?}", best.kl);
    }
}

/// The law of which the estimate is the exact divergence: one best answer of probability ε, and the rest in small pieces.
#[test]
fn estimate_is_the_divergence_of_one_atom_above_a_continuum() {
    for (epsilon, n) in [(0.3f64, 4), (0.05, 8), (0.9, 2), (0.001, 64)] {
        let pieces = 40_000;
        let mut p = vec![(1.0 - epsilon) / pieces as f64; pieces];
        p.push(epsilon);
        let rewards: Vec<f64> = (0..p.len()).map(|i| i as f64).collect();
        let (best, estimate) = (best_of_n(&p, &rewards, n).unwrap(), best_of_n_kl_estimates(&[epsilon.ln()], n));
        close(&[best.kl], &estimate.unwrap(), 2e-3 / pieces as f64 * n as f64 * 1000.0);
    }
}

#[test]
fn edges_of_best_of_n_are_exact() {
    let p = [0.25, 0.5, 0.25];
    let once = best_of_n(&p, &[3.0, 1.0, 2.0], 1).unwrap();
    close(&once.law, &p, 1e-15);
    assert!(once.kl < 1e-15 && (once.win_rate - 0.5).abs() < 1e-15);
    assert_eq!(best_of_n(&[7.0], &[0.0], 9).unwrap(), BestOfN { law: vec![1.0], kl: 0.0, win_rate: 0.5 });
    // Weights need not sum to 1, and an impossible outcome is never returned.
    assert_eq!(best_of_n(&[0.0, 3.0], &[9.0, 1.0], 5).unwrap().law, [0.0, 1.0]);
    // No cancellation where Fⁿ underflows or F is next to 1.
    let rare = best_of_n(&[1.0, 1e-18], &[0.0, 1.0], 1000).unwrap();
    close(&[rare.law[1] / 1e-15], &[1.0], 1e-12);
    let certain = best_of_n(&[1.0, 1.0], &[0.0, 1.0], 1 << 60).unwrap();
    assert_eq!(certain.law, [0.0, 1.0]);
    close(&[certain.kl], &[2f64.ln()], 1e-15);
    let bounds = best_of_n_bounds(1).unwrap();
    assert_eq!((bounds.kl, bounds.win_rate), (0.0, 0.5));
    let limit = best_of_n_kl_estimates(&[f64::NEG_INFINITY, -1e4, -1e-17], 8).unwrap();
    assert_eq!(limit[..2], [best_of_n_bounds(8).unwrap().kl; 2]);
    assert!(limit[2] < 1e-15);
    // The estimate falls as ε grows.
    let epsilons: Vec<f64> = (1..=1000).map(|i| (f64::from(i) / 1000.0).ln()).collect();
    assert!(best_of_n_kl_estimates(&epsilons, 5).unwrap().windows(2).all(|pair| pair[0] >= pair[1]));
}

#[test]
fn arguments_of_best_of_n_out_of_range_are_refused() {
    let nan = f64::NAN;
    refused(best_of_n(&[1.0], &[1.0], 0), "n is 0");
    refused(best_of_n(&[], &[], 2), "the number of outcomes is 0");
    refused(best_of_n(&[1.0], &[1.0, 2.0], 2), "rewards has 2 elements, p has 1");
    refused(best_of_n(&[1.0, nan], &[1.0, 2.0], 2), "p[1] is NaN");
    refused(best_of_n(&[1.0, -0.5], &[1.0, 2.0], 2), "p[1] is -0.5");
    refused(best_of_n(&[1.0, f64::INFINITY], &[1.0, 2.0], 2), "p[1] is inf");
    refused(best_of_n(&[0.0, 0.0], &[1.0, 2.0], 2), "the sum of p is 0");
    refused(best_of_n(&[f64::MAX, f64::MAX], &[1.0, 2.0], 2), "the sum of p is inf");
    refused(best_of_n(&[1.0, 1.0], &[1.0, nan], 2), "rewards[1] is NaN");
    refused(best_of_n_bounds(0), "n is 0");
    refused(best_of_n_kl_estimates(&[-1.0, 0.1], 2), "log_epsilons[1] is 0.1");
    refused(best_of_n_kl_estimates(&[nan], 2), "log_epsilons[0] is NaN");
    refused(best_of_n_kl_estimates(&[-1.0], 0), "n is 0");
}
