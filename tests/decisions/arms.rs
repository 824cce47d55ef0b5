//! Top-two rules and their stopping rule (docs/mathematics.md, 15.3): values, laws of the draws, and simulations.

use crate::chi_square::{LEAST_P_VALUE, p_value};
use crate::{Random, close, refused};
use bregman::decisions::{ArmOptions, ArmRule, NextArm, Rewards, best_arm, next_arm, transport_cost};
use statrs::distribution::{Beta, Continuous, ContinuousCDF, Normal};

const GAUSSIAN: Rewards = Rewards::Gaussian { sigma: 1.0 };
const MEANS: [f64; 4] = [0.5, 0.45, 0.43, 0.4];
const PULLS: [u64; 4] = [20, 15, 12, 10];

fn options(rule: ArmRule, rewards: Rewards, beta: f64) -> ArmOptions {
    ArmOptions { rule, rewards, beta, redraws: 0 }
}

#[test]
fn published_transport_costs_are_reproduced() {
    let costs = |rewards| [1, 2, 3].map(|j| transport_cost(rewards, &MEANS, &PULLS, 0, j).unwrap());
    close(&costs(GAUSSIAN), &[0.010_714_29, 0.018_375, 0.033_333_33], 1e-8);
    close(&costs(Rewards::Bernoulli), &[0.042_972_8, 0.073_866_92, 0.134_639], 1e-8);
    // Twice the deviation, a quarter of the evidence; none that a worse arm is better.
    close(
        &[transport_cost(Rewards::Gaussian { sigma: 2.0 }, &MEANS, &PULLS, 0, 1).unwrap()],
        &[0.010_714_29 / 4.0],
        1e-8,
    );
    assert_eq!(transport_cost(GAUSSIAN, &MEANS, &PULLS, 1, 0).unwrap(), 0.0);
    let verdict = best_arm(GAUSSIAN, &MEANS, &PULLS, 0.1).unwrap();
    assert_eq!((verdict.stop, verdict.best), (false, 0));
    close(&[verdict.statistic, verdict.threshold], &[0.010_714_29, ((1.0 + 57f64.ln()) / 0.1).ln()], 1e-8);
}

/// The statistic from its definition: the largest over i of the smallest over j.
#[test]
fn statistic_is_the_largest_of_the_smallest_costs() {
    let mut random = Random(10);
    for _ in 0..500 {
        let k = 2 + random.below(5);
        let means: Vec<f64> = (0..k).map(|_| random.below(8) as f64 / 7.0).collect();
        let pulls: Vec<u64> = (0..k).map(|_| 1 + random.below(200) as u64).collect();
        for rewards in [GAUSSIAN, Rewards::Bernoulli] {
            let cost = |i, j| transport_cost(rewards, &means, &pulls, i, j).unwrap();
            let least = |i| (0..k).filter(|&j| j != i).map(|j| cost(i, j)).fold(f64::INFINITY, f64::min);
            let largest = (0..k).map(least).fold(0.0, f64::max);
            let verdict = best_arm(rewards, &means, &pulls, 0.05).unwrap();
            assert_eq!(verdict.statistic, largest);
            assert_eq!(verdict.stop, largest >= verdict.threshold);
            assert!(means.iter().all(|&m| m <= means[verdict.best]));
        }
    }
}

/// W of Bernoulli arms is the least cost of moving both means to a common one, here by a search.
#[test]
fn transport_cost_is_the_least_over_common_means() {
    let kl = |a: f64, b: f64| {
        let term = |a: f64, b: f64| if a > 0.0 { a * (a / b).ln() } else { 0.0 };
        term(a, b) + term(1.0 - a, 1.0 - b)
    };
    for (a, b, n, m) in [(0.7, 0.2, 11u64, 40u64), (1.0, 0.0, 5, 3), (0.31, 0.3, 1000, 10)] {
        let cost = |x: f64| n as f64 * kl(a, x) + m as f64 * kl(b, x);
        let least = (1..100_000).map(|i| cost(f64::from(i) / 100_000.0)).fold(f64::INFINITY, f64::min);
        let ours = transport_cost(Rewards::Bernoulli, &[a, b], &[n, m], 0, 1).unwrap();
        assert!(ours <= least + 1e-12 && least - ours < 1e-6, "{ours} {least}");
    }
}

/// How often each arm is the leader and the one pulled.
fn frequencies(options: &ArmOptions, means: &[f64], pulls: &[u64], draws: u64) -> (Vec<u64>, Vec<u64>) {
    let mut counts = (vec![0; means.len()], vec![0; means.len()]);
    for position in 0..draws {
        let NextArm { arm, leader } = next_arm(options, means, pulls, 77, position).unwrap();
        counts.0[leader] += 1;
        counts.1[arm] += 1;
    }
    counts
}

#[test]
fn leader_is_each_arm_with_its_posterior_probability() {
    let draws = 40_000;
    let (means, pulls) = ([0.6, 0.35], [9, 4]);
    let gap = Normal::new(0.25, (1.0 / 9.0 + 1.0 / 4.0f64).sqrt()).unwrap();
    let normal = gap.sf(0.0);
    let successes = [9.0 * 0.6, 4.0 * 0.35];
    let (first, second) = (
        Beta::new(1.0 + successes[0], 1.0 + 9.0 - successes[0]).unwrap(),
        Beta::new(1.0 + successes[1], 1.0 + 4.0 - successes[1]).unwrap(),
    );
    let bernoulli: f64 =
        (0..20_000).map(|i| (f64::from(i) + 0.5) / 20_000.0).map(|x| first.pdf(x) * second.cdf(x)).sum();
    for (rewards, p) in [(GAUSSIAN, normal), (Rewards::Bernoulli, bernoulli / 20_000.0)] {
        let (leaders, arms) = frequencies(&options(ArmRule::T3c, rewards, 0.7), &means, &pulls, draws);
        let expected = |p: f64| [p * draws as f64, (1.0 - p) * draws as f64];
        assert!(p_value(&leaders, &expected(p)) > LEAST_P_VALUE, "{rewards:?}: {leaders:?} {p}");
        // The leader is pulled with probability 0.7, the other arm otherwise.
        assert!(p_value(&arms, &expected(0.7 * p + 0.3 * (1.0 - p))) > LEAST_P_VALUE, "{rewards:?}: {arms:?}");
    }
}

/// TTTS: given the leader, the challenger is another arm with the probability that it leads.
#[test]
fn challenger_of_ttts_is_the_leader_of_another_draw() {
    let (means, pulls, draws) = ([0.5, 0.4, 0.2], [6, 6, 3], 60_000);
    for rewards in [GAUSSIAN, Rewards::Bernoulli] {
        let rule = options(ArmRule::Ttts, rewards, 0.5);
        let (leaders, _) = frequencies(&rule, &means, &pulls, draws);
        let p: Vec<f64> = leaders.iter().map(|&n| n as f64 / draws as f64).collect();
        let mut challengers = [0, 0];
        for position in draws..2 * draws {
            let next = next_arm(&rule, &means, &pulls, 77, position).unwrap();
            if next.leader == 0 && next.arm != 0 {
                challengers[next.arm - 1] += 1;
            }
        }
        let total = (challengers[0] + challengers[1]) as f64;
        let expected = [1, 2].map(|j| total * p[j] / (p[1] + p[2]));
        // The expectations are estimates themselves.
        assert!(p_value(&challengers, &expected) > LEAST_P_VALUE, "{rewards:?}: {challengers:?} {expected:?}");
    }
}

#[test]
fn challenger_of_t3c_has_the_smallest_cost() {
    let rule = options(ArmRule::T3c, GAUSSIAN, 1e-9);
    for position in 0..2000 {
        let next = next_arm(&rule, &MEANS, &PULLS, 3, position).unwrap();
        assert_ne!(next.arm, next.leader);
        // Every other arm of a larger mean costs nothing.
        let least = [1, 0, 0, 0][next.leader];
        assert!(if next.leader == 0 { next.arm == least } else { next.arm < next.leader }, "{next:?}");
    }
    // Equal costs: each with the same probability.
    let (_, arms) = frequencies(&rule, &[1.0, 0.0, 0.0, 0.0], &[1000; 4], 3000);
    assert_eq!(arms[0], 0);
    assert!(p_value(&arms[1..], &[1000.0; 3]) > LEAST_P_VALUE, "{arms:?}");
}

/// Pulls arms until the rule says stop; whether the arm is the best one, and the number of pulls.
fn identify(rule: &ArmOptions, truth: &[f64], delta: f64, seed: u64) -> (bool, u64) {
    let mut random = Random(seed);
    let (mut sums, mut pulls) = (vec![0.0; truth.len()], vec![0u64; truth.len()]);
    for t in 0..20_000 {
        let means: Vec<f64> = sums.iter().zip(&pulls).map(|(s, &n)| s / n.max(1) as f64).collect();
        let verdict = best_arm(rule.rewards, &means, &pulls, delta).unwrap();
        if verdict.stop {
            return (truth.iter().all(|&m| m <= truth[verdict.best]), t);
        }
        let arm = next_arm(rule, &means, &pulls, seed, t).unwrap().arm;
        sums[arm] += match rule.rewards {
            Rewards::Bernoulli => f64::from(u8::from(random.unit() < truth[arm])),
            Rewards::Gaussian { sigma } => truth[arm] + sigma * random.bell(),
        };
        pulls[arm] += 1;
    }
    panic!("{rule:?} does not stop");
}

#[test]
fn rules_identify_the_best_arm_at_the_confidence_they_promise() {
    let (delta, runs) = (0.1, 100);
    for rule in [ArmRule::T3c, ArmRule::Ttts] {
        for (rewards, truth) in
            [(Rewards::Gaussian { sigma: 0.5 }, [0.1, 0.5, 0.0, -0.2]), (Rewards::Bernoulli, [0.2, 0.4, 0.75, 0.3])]
        {
            // Near the end another arm leads in one draw of 1 / delta.
            let rule =
                ArmOptions { redraws: if rule == ArmRule::Ttts { 100 } else { 0 }, ..options(rule, rewards, 0.5) };
            let (mut wrong, mut pulls) = (0, 0);
            for seed in 0..runs {
                let (right, t) = identify(&rule, &truth, delta, seed);
                wrong += u64::from(!right);
                pulls += t;
            }
            let uniform = 400 * runs;
            println!("{rule:?}: {wrong} of {runs} wrong, {} pulls", pulls / runs);
            assert!(wrong as f64 <= delta * runs as f64 && pulls < uniform, "{rule:?}: {wrong} wrong, {pulls} pulls");
        }
    }
}

#[test]
fn edges_of_arms_are_defined() {
    let rule = options(ArmRule::Ttts, Rewards::Bernoulli, 0.5);
    // An arm without pulls comes first, whatever its mean.
    let next = next_arm(&rule, &[0.5, f64::NAN, f64::NAN], &[3, 0, 0], 1, 1).unwrap();
    assert_eq!(next, NextArm { arm: 1, leader: 1 });
    assert_eq!(next_arm(&rule, &[1.0], &[4], 1, 1).unwrap(), NextArm { arm: 0, leader: 0 });
    // An arm that always leads: after the redraws T3C's challenger.
    let sure = ArmOptions { redraws: 5, ..options(ArmRule::Ttts, GAUSSIAN, 1e-9) };
    let next = next_arm(&sure, &[1e6, 0.0, 5e5], &[9, 9, 9], 1, 1).unwrap();
    assert_eq!(next, NextArm { arm: 2, leader: 0 });
    let never = best_arm(Rewards::Bernoulli, &[1.0, f64::NAN], &[1_000_000, 0], 0.5).unwrap();
    assert_eq!((never.stop, never.best, never.statistic), (false, 0, 0.0));
    let none = best_arm(Rewards::Bernoulli, &[f64::NAN; 2], &[0, 0], 0.5).unwrap();
    assert_eq!((none.stop, none.best, none.threshold), (false, 0, 2f64.ln()));
    let single = best_arm(GAUSSIAN, &[3.0], &[1], 0.5).unwrap();
    assert_eq!((single.stop, single.statistic), (true, f64::INFINITY));
    let tie = best_arm(Rewards::Bernoulli, &[0.2, 1.0, 1.0], &[9, 9, 9], 0.5).unwrap();
    assert_eq!((tie.stop, tie.best, tie.statistic), (false, 1, 0.0));
    // Many pulls: more than a u64 can count together.
    assert!(best_arm(Rewards::Bernoulli, &[0.5, 0.4], &[u64::MAX, u64::MAX], 0.01).unwrap().stop);
}

#[test]
fn arguments_of_arms_out_of_range_are_refused() {
    let gaussian = options(ArmRule::Ttts, GAUSSIAN, 0.5);
    let next = |options: &ArmOptions, means: &[f64], pulls: &[u64]| next_arm(options, means, pulls, 1, 1);
    refused(next(&gaussian, &[], &[]), "the number of arms is 0");
    refused(next(&gaussian, &[1.0], &[1, 2]), "pulls has 2 elements, means has 1");
    refused(next(&gaussian, &[1.0, f64::NAN], &[1, 2]), "means[1] is NaN");
    refused(next(&options(ArmRule::T3c, Rewards::Bernoulli, 0.5), &[1.5], &[1]), "means[0] is 1.5");
    for beta in [0.0, 1.1, f64::NAN] {
        refused(next(&options(ArmRule::T3c, GAUSSIAN, beta), &[1.0], &[1]), "beta is");
    }
    refused(next(&ArmOptions { redraws: 7, ..options(ArmRule::T3c, GAUSSIAN, 0.5) }, &[1.0], &[1]), "redraws is 7");
    for sigma in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        refused(best_arm(Rewards::Gaussian { sigma }, &[1.0], &[1], 0.1), "sigma is");
    }
    for delta in [0.0, 1.0, f64::NAN] {
        refused(best_arm(GAUSSIAN, &[1.0], &[1], delta), "delta is");
    }
    refused(transport_cost(GAUSSIAN, &[1.0], &[1], 0, 1), "j is 1");
}
