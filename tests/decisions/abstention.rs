//! Abstention (docs/mathematics.md, 15.4): the rule against every other rule of small worlds.

use crate::{Random, refused};
use bregman::decisions::abstain;

#[test]
fn published_decisions_are_reproduced() {
    let rejects = abstain(&[0.9, 0.9, 0.6, 0.7], &[0.1, 0.6, 0.1, 0.1], 0.2, 0.3).unwrap();
    assert_eq!(rejects, [false, true, true, false]);
}

/// Of all 2^m rules over m inputs none has a smaller cost than the one returned.
#[test]
fn rule_has_the_smallest_cost_of_all_rules() {
    let mut random = Random(5);
    for _ in 0..300 {
        let m = 1 + random.below(6);
        let own: Vec<f64> = (0..m).map(|_| 0.01 + random.unit()).collect();
        let other: Vec<f64> = (0..m).map(|_| random.unit()).collect();
        let (own_total, other_total): (f64, f64) = (own.iter().sum(), other.iter().sum());
        let max_p: Vec<f64> = (0..m).map(|_| random.unit()).collect();
        let c_in = 0.6 * random.unit();
        let c_out = (1.0 - c_in) * random.unit();
        // The probability of an error on an own input that is kept, of an own one rejected, and of another one kept.
        let cost = |rejects: &dyn Fn(usize) -> bool| -> f64 {
            let of = |i: usize| {
                let (p_in, p_out) = (own[i] / own_total, other[i] / other_total);
                if rejects(i) { c_in * p_in } else { (1.0 - c_in - c_out) * p_in * (1.0 - max_p[i]) + c_out * p_out }
            };
            (0..m).map(of).sum()
        };
        let ratios: Vec<f64> = (0..m).map(|i| other[i] / other_total / (own[i] / own_total)).collect();
        let rule = abstain(&max_p, &ratios, c_in, c_out).unwrap();
        let least = (0..1 << m).map(|set| cost(&|i| set >> i & 1 == 1)).fold(f64::INFINITY, f64::min);
        assert!(cost(&|i| rule[i]) <= least + 1e-14);
    }
}

#[test]
fn edges_of_abstention_are_defined() {
    assert_eq!(abstain(&[], &[], 0.5, 0.5).unwrap(), []);
    // A cost of exactly c_in is kept; an input of another law alone is rejected; without its cost it does not count.
    assert_eq!(abstain(&[0.5, 1.0, 1.0], &[0.0, f64::INFINITY, 0.0], 0.25, 0.25).unwrap(), [false, true, false]);
    assert_eq!(abstain(&[1.0], &[f64::INFINITY], 0.0, 0.0).unwrap(), [false]);
    // 0.7 + 0.3 and its like are accepted.
    assert_eq!(abstain(&[0.0], &[0.0], 0.7, 0.3).unwrap(), [false]);
    assert_eq!(abstain(&[0.0], &[0.0], 0.9, 0.1).unwrap(), [false]);
}

#[test]
fn arguments_of_abstention_out_of_range_are_refused() {
    let nan = f64::NAN;
    refused(abstain(&[0.5], &[], 0.1, 0.1), "ratios has 0 elements, max_p has 1");
    refused(abstain(&[0.5], &[0.5], -0.1, 0.1), "c_in is -0.1");
    refused(abstain(&[0.5], &[0.5], 0.1, nan), "c_out is NaN");
    refused(abstain(&[0.5], &[0.5], 0.6, 0.6), "c_in + c_out is 1.2");
    refused(abstain(&[0.5, 1.1], &[0.5, 0.5], 0.1, 0.1), "max_p[1] is 1.1");
    refused(abstain(&[nan], &[0.5], 0.1, 0.1), "max_p[0] is NaN");
    refused(abstain(&[0.5], &[-1.0], 0.1, 0.1), "ratios[0] is -1");
    refused(abstain(&[0.5], &[nan], 0.1, 0.1), "ratios[0] is NaN");
}
