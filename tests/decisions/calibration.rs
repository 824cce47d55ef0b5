//! The calibration error (docs/mathematics.md, 15.5): against arXiv 2408.08998, pairs of samples, and simulations.

use crate::{Random, close, refused};
use bregman::decisions::{Calibration, calibration_error};
use std::collections::HashMap;

fn error(z: &[f64], ranks: &[u32], top: usize, bins: usize) -> Calibration {
    calibration_error(z, ranks, top, bins, 0.9, 0, 0).unwrap()
}

#[test]
fn published_errors_are_reproduced() {
    let tiny = error(&[0.55, 0.57, 0.72, 0.74, 0.74, 0.93], &[1, 0, 1, 1, 0, 1], 1, 10);
    close(&[tiny.squared_error, tiny.variance], &[-0.139_966_666_7, 0.003_264_315_0], 1e-10);
    assert_eq!(tiny.cells, 3);
    let two = error(&[0.6, 0.2, 0.65, 0.22, 0.9, 0.05, 0.61, 0.27], &[1, 2, 1, 0], 2, 5);
    close(&[two.squared_error, two.variance], &[-0.105_025, 0.086_511_944_444_444_46], 1e-15);
}

/// T from its definition: for each cell the sum over pairs of different samples.
fn by_pairs(z: &[f64], ranks: &[u32], top: usize, bins: usize) -> f64 {
    let u = |i: usize, j: usize| f64::from(u8::from(ranks[i] as usize == j + 1)) - z[i * top + j];
    let mut cells: HashMap<Vec<usize>, Vec<usize>> = HashMap::new();
    for i in 0..ranks.len() {
        let key = (0..top).map(|j| ((z[i * top + j] * bins as f64) as usize).min(bins - 1)).collect();
        cells.entry(key).or_default().push(i);
    }
    let of_cell = |cell: &Vec<usize>| -> f64 {
        let pairs = cell.iter().flat_map(|&a| cell.iter().map(move |&b| (a, b))).filter(|(a, b)| a != b);
        let sum: f64 = pairs.map(|(a, b)| (0..top).map(|j| u(a, j) * u(b, j)).sum::<f64>()).sum();
        sum / (cell.len() as f64 - 1.0).max(1.0)
    };
    cells.values().map(of_cell).sum::<f64>() / ranks.len() as f64
}

/// Probabilities of `top` classes, some of them 0 and 1.
fn probabilities(random: &mut Random, n: usize, top: usize) -> Vec<f64> {
    let mut one = |_| {
        let mut p = random.distribution(top + 1);
        p.truncate(top);
        p
    };
    (0..n).flat_map(&mut one).collect()
}

#[test]
fn error_is_the_sum_over_pairs() {
    let mut random = Random(7);
    for _ in 0..300 {
        let (n, top, bins) = (1 + random.below(60), 1 + random.below(3), 1 + random.below(8));
        let z = probabilities(&mut random, n, top);
        let ranks: Vec<u32> = (0..n).map(|_| random.below(top + 1) as u32).collect();
        close(&[error(&z, &ranks, top, bins).squared_error], &[by_pairs(&z, &ranks, top, bins)], 1e-12);
    }
}

/// The mean of T over all outcomes is the squared error: (1/n) Σ over cells of the mean of E[U]·E[U'] over pairs, times N.
#[test]
fn error_is_unbiased() {
    let z = [0.55, 0.6, 0.58, 0.9, 0.95];
    let truth = [0.3, 0.7, 0.9, 0.8, 0.4f64];
    let mut mean = 0.0;
    for outcome in 0..32u32 {
        let ranks: Vec<u32> = (0..5).map(|i| outcome >> i & 1).collect();
        let probability: f64 = (0..5).map(|i| if ranks[i] == 1 { truth[i] } else { 1.0 - truth[i] }).product();
        mean += probability * error(&z, &ranks, 1, 2).squared_error;
    }
    let gaps: Vec<f64> = truth.iter().zip(&z).map(|(t, z)| t - z).collect();
    let pairs = (0..5).flat_map(|i| (0..5).map(move |j| (i, j))).filter(|(i, j)| i != j);
    let exact: f64 = pairs.map(|(i, j)| gaps[i] * gaps[j] / 4.0).sum::<f64>() / 5.0;
    close(&[mean], &[exact], 1e-14);
}

/// Confidences between 0.5 and 1, and whether the answers were right, where P(right) is a power of the confidence.
fn simulated(random: &mut Random, n: usize, power: f64) -> (Vec<f64>, Vec<u32>) {
    let z: Vec<f64> = (0..n).map(|_| 0.5 + 0.499 * random.unit()).collect();
    let ranks = z.iter().map(|z| u32::from(random.unit() < z.powf(power))).collect();
    (z, ranks)
}

#[test]
fn interval_covers_the_true_error_as_often_as_it_says() {
    let mut random = Random(8);
    let (runs, n) = (400, 1000);
    let grid = || (0..20_000).map(|i| 0.5 + 0.499 * (f64::from(i) + 0.5) / 20_000.0);
    for power in [1.0, 1.5, 2.0] {
        let truth = grid().map(|z: f64| (z.powf(power) - z).powi(2)).sum::<f64>() / 20_000.0;
        let mut covered = 0;
        for _ in 0..runs {
            let (z, ranks) = simulated(&mut random, n, power);
            let found = error(&z, &ranks, 1, 50);
            covered += u32::from(found.lower <= truth && truth <= found.upper);
        }
        let coverage = f64::from(covered) / f64::from(runs);
        // Three standard errors below 0.9; above it where the interval is one-sided.
        assert!(coverage > 0.855, "power {power}: {coverage}");
    }
}

#[test]
fn test_rejects_calibrated_probabilities_as_often_as_it_says() {
    let mut random = Random(9);
    let (runs, mut rejected, mut found) = (400, 0, 0);
    for seed in 0..runs {
        let (z, ranks) = simulated(&mut random, 60, 1.0);
        rejected += u32::from(calibration_error(&z, &ranks, 1, 6, 0.9, 99, seed).unwrap().p_value <= 0.1);
        let (z, ranks) = simulated(&mut random, 60, 4.0);
        found += u32::from(calibration_error(&z, &ranks, 1, 6, 0.9, 99, seed).unwrap().p_value <= 0.1);
    }
    let share = |count: u32| f64::from(count) / runs as f64;
    assert!((share(rejected) - 0.1).abs() < 0.045, "of calibrated ones: {}", share(rejected));
    assert!(share(found) > 0.9, "of others: {}", share(found));
}

/// Exact p-values of a set so small that all outcomes can be listed.
#[test]
fn p_value_is_the_probability_of_at_least_the_same_error() {
    let (z, ranks, bins) = ([0.7, 0.1, 0.65, 0.3, 0.62, 0.2], [2, 1, 0], 2);
    let observed = error(&z, &ranks, 2, bins).squared_error;
    let mut exact = 0.0;
    for outcome in 0..27u32 {
        let ranks = [outcome % 3, outcome / 3 % 3, outcome / 9];
        let probability = |i: usize| match ranks[i] {
            0 => 1.0 - z[2 * i] - z[2 * i + 1],
            rank => z[2 * i + rank as usize - 1],
        };
        let at_least = error(&z, &ranks, 2, bins).squared_error >= observed;
        exact += if at_least { (0..3).map(probability).product() } else { 0.0 };
    }
    let p_value = calibration_error(&z, &ranks, 2, bins, 0.9, 20_000, 5).unwrap().p_value;
    assert!((p_value - exact).abs() < 4.0 * (exact * (1.0 - exact) / 20_000.0).sqrt() + 1e-4, "{p_value} {exact}");
}

#[test]
fn edges_of_calibration_are_defined() {
    // One sample: nothing to compare it with.
    let one = error(&[1.0], &[1], 1, 10);
    assert_eq!((one.squared_error, one.lower, one.cells), (0.0, 0.0, 1));
    // A probability of 1 belongs to the last bin.
    assert_eq!(error(&[1.0, 0.95], &[1, 1], 1, 10).cells, 1);
    let certain = error(&[1.0; 50], &[1; 50], 1, 10);
    assert_eq!((certain.squared_error, certain.lower, certain.upper), (0.0, 0.0, 0.0));
    let wrong = calibration_error(&[1.0; 50], &[0; 50], 1, 10, 0.9, 99, 1).unwrap();
    assert_eq!((wrong.squared_error, wrong.lower, wrong.upper, wrong.p_value), (1.0, 1.0, 1.0, 0.01));
    assert!(error(&[0.5], &[1], 1, 1).p_value.is_nan());
    // As many bins as an index can tell apart.
    assert_eq!(error(&[0.1, 0.2, 0.2], &[0, 0, 1], 1, u32::MAX as usize).cells, 2);
}

#[test]
fn arguments_of_calibration_out_of_range_are_refused() {
    let error = |z: &[f64], ranks: &[u32], top, bins, level| calibration_error(z, ranks, top, bins, level, 0, 0);
    refused(error(&[0.5], &[1], 0, 10, 0.9), "top is 0");
    refused(error(&[0.5; 3], &[1], 2, 10, 0.9), "probabilities has 3 elements");
    refused(error(&[0.5; 3], &[1], 1, 10, 0.9), "ranks has 1 elements, probabilities has 3 rows");
    refused(error(&[], &[], 1, 10, 0.9), "the number of samples is 0");
    refused(error(&[0.5], &[1], 1, 0, 0.9), "bins is 0");
    refused(error(&[0.5], &[1], 1, 10, 1.0), "level is 1");
    refused(error(&[0.5], &[1], 1, 10, f64::NAN), "level is NaN");
    refused(error(&[0.5, -0.1], &[1, 1], 1, 10, 0.9), "probabilities[1] is -0.1");
    refused(error(&[0.5, f64::NAN], &[1, 1], 1, 10, 0.9), "probabilities[1] is NaN");
    refused(error(&[0.5, 0.4, 0.6, 0.5], &[1, 1], 2, 10, 0.9), "row 1 of probabilities has a sum above 1");
    refused(error(&[0.5, 0.5], &[1, 2], 1, 10, 0.9), "ranks[1] is 2");
}
