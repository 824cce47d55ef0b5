//! Soft values (docs/mathematics.md, 15.2): against arXiv 2408.08252, and against sums over all candidates.

use crate::{Random, close, refused};
use bregman::decisions::soft_values;

#[test]
fn published_weights_are_reproduced() {
    let soft = soft_values(&[0.3, 0.9, 0.1], None, 3, 0.25).unwrap();
    close(&soft.weights, &[0.080176, 0.883798, 0.036026], 1e-6);
    close(&soft.values, &[0.656229], 1e-6);
}

#[test]
fn weights_and_values_are_the_plain_formulas() {
    let mut random = Random(3);
    for _ in 0..500 {
        let (rows, k) = (1 + random.below(4), 1 + random.below(9));
        let alpha = 0.05 + 3.0 * random.unit();
        let values: Vec<f64> = (0..rows * k).map(|_| random.bell()).collect();
        let ratios: Vec<f64> = (0..rows * k).map(|_| random.bell()).collect();
        for ratios in [None, Some(&ratios[..])] {
            let soft = soft_values(&values, ratios, k, alpha).unwrap();
            for row in 0..rows {
                let at = row * k..(row + 1) * k;
                let x: Vec<f64> =
                    at.clone().map(|m| (values[m] / alpha + ratios.map_or(0.0, |r| r[m])).exp()).collect();
                let total: f64 = x.iter().sum();
                close(&soft.weights[at], &x.iter().map(|x| x / total).collect::<Vec<_>>(), 1e-12);
                close(&soft.values[row..=row], &[alpha * (total / k as f64).ln()], 1e-12);
            }
        }
    }
}

/// The mean of exp(value) over every pair of candidates from a proposal is that of the model: the ratios undo the proposal.
#[test]
fn soft_value_of_a_proposal_has_the_mean_of_the_models() {
    let (model, proposal, value) = ([0.5f64, 0.3, 0.2], [0.2, 0.2, 0.6], [0.3f64, -0.4, 1.0]);
    let (alpha, mut mean) = (0.7, 0.0);
    for i in 0..3 {
        for j in 0..3 {
            let ratios = [i, j].map(|c: usize| (model[c] / proposal[c]).ln());
            let soft = soft_values(&[value[i], value[j]], Some(&ratios), 2, alpha).unwrap();
            mean += proposal[i] * proposal[j] * (soft.values[0] / alpha).exp();
        }
    }
    let exact: f64 = (0..3).map(|c| model[c] * (value[c] / alpha).exp()).sum();
    close(&[mean], &[exact], 1e-14);
}

#[test]
fn edges_of_soft_values_are_finite() {
    let minus = f64::NEG_INFINITY;
    // α so small that v / α overflows: the best alone.
    let soft = soft_values(&[1e10, 2e10, 2e10], None, 3, 1e-300).unwrap();
    assert_eq!((&soft.weights[..], soft.values[0]), (&[0.0, 0.5, 0.5][..], 2e10));
    // α so large that all weights are equal: the mean.
    let soft = soft_values(&[1.0, 2.0, 6.0, 7.0], None, 4, 1e15).unwrap();
    close(&soft.values, &[4.0], 1e-13);
    let soft = soft_values(&[5.0, minus, 5.0], None, 3, 2.0).unwrap();
    assert_eq!(soft.weights, [0.5, 0.0, 0.5]);
    close(&soft.values, &[5.0 + 2.0 * (2.0f64 / 3.0).ln()], 1e-15);
    // The best value with a ratio of 0 has no weight.
    let soft = soft_values(&[1e308, 1.0], Some(&[minus, 0.0]), 2, 1.0).unwrap();
    assert_eq!(soft.weights, [0.0, 1.0]);
    let one = soft_values(&[-3.5], None, 1, 0.1).unwrap();
    assert_eq!((one.weights[0], one.values[0]), (1.0, -3.5));
    assert!(soft_values(&[], None, 4, 1.0).unwrap().values.is_empty());
}

#[test]
fn arguments_of_soft_values_out_of_range_are_refused() {
    let minus = f64::NEG_INFINITY;
    refused(soft_values(&[1.0], None, 0, 1.0), "candidates is 0");
    refused(soft_values(&[1.0; 5], None, 2, 1.0), "values has 5 elements");
    refused(soft_values(&[1.0], None, 1, 0.0), "alpha is 0");
    refused(soft_values(&[1.0], None, 1, f64::INFINITY), "alpha is inf");
    refused(soft_values(&[1.0, f64::NAN], None, 2, 1.0), "values[1] is NaN");
    refused(soft_values(&[1.0, f64::INFINITY], None, 2, 1.0), "values[1] is inf");
    refused(soft_values(&[1.0, 2.0], Some(&[0.0]), 2, 1.0), "log_ratios has 1 elements, values has 2");
    refused(soft_values(&[1.0, 2.0], Some(&[0.0, f64::INFINITY]), 2, 1.0), "log_ratios[1] is inf");
    refused(soft_values(&[1.0, 2.0, minus, minus], None, 2, 1.0), "row 1 of values has no candidate");
    refused(soft_values(&[minus, 2.0], Some(&[0.0, minus]), 2, 1.0), "row 0 of values has no candidate");
}
