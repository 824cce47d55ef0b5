//! Random chains for proptest: all stages in any order, a drawing one only at the end.

use super::plain::Step;
use super::plain_stages::Stage;
use bregman::bregman::{Limits, Mode, Size};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn limits() -> impl Strategy<Value = Limits> {
    let some = (1usize..50, 0usize..200).prop_map(|(k_min, more)| Limits { k_min, k_max: k_min + more });
    prop_oneof![3 => Just(Limits::default()), 1 => some]
}

/// A number between two powers of ten, evenly in its logarithm.
fn power_of_ten(low: f64, high: f64) -> impl Strategy<Value = f64> {
    (low..high).prop_map(|e| 10f64.powf(e))
}

pub fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        4 => power_of_ten(-8.0, -0.3).prop_map(Size::Lambda),
        1 => Just(Size::Lambda(0.0)),
        4 => power_of_ten(-4.0, 0.0).prop_map(Size::Floor),
        2 => (1usize..300).prop_map(Size::Fixed),
    ]
}

/// A divergence that the decoders take.
pub fn divergence() -> impl Strategy<Value = (Mode, f64)> {
    let primal =
        [0.05, 0.25, 0.5, 0.9, 0.999, 1.0, 1.001, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 5.0, 8.0, 8.5, 12.0, 32.0, 64.0];
    let dual = [1.0001, 1.01, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 5.0, 16.0];
    prop_oneof![
        select(primal.to_vec()).prop_map(|alpha| (Mode::Primal, alpha)),
        select(dual.to_vec()).prop_map(|alpha| (Mode::Dual, alpha)),
    ]
}

pub fn bregman() -> impl Strategy<Value = Step> {
    let water = prop_oneof![power_of_ten(-4.0, 0.0).prop_map(Size::Floor), (1usize..300).prop_map(Size::Fixed)];
    prop_oneof![
        9 => (divergence(), size(), limits()).prop_map(|((mode, alpha), s, l)| Step::Bregman(mode, alpha, s, l)),
        1 => (water, limits()).prop_map(|(s, l)| Step::Bregman(Mode::Primal, f64::INFINITY, s, l)),
    ]
}

fn dropping() -> impl Strategy<Value = Step> {
    let p = || prop_oneof![8 => 0.001..0.999f64, 1 => Just(0.0), 1 => Just(1.0)];
    let keep = || prop_oneof![4 => Just(1usize), 1 => 1usize..20];
    prop_oneof![
        (size(), limits()).prop_map(|(s, l)| Step::TopK(s, l)),
        (p(), keep()).prop_map(|(p, min_keep)| Step::TopP { p, min_keep }),
        (p(), keep()).prop_map(|(p, min_keep)| Step::MinP { p, min_keep }),
        bregman(),
        truncation().prop_map(Step::Other),
        truncation().prop_map(Step::Other),
    ]
}

/// The truncations that engines have.
pub fn truncation() -> impl Strategy<Value = Stage> {
    let p = || prop_oneof![8 => 0.001..0.999f64, 1 => Just(0.0), 1 => Just(1.0)];
    let small = || prop_oneof![4 => power_of_ten(-5.0, -0.3), 1 => Just(0.0)];
    let keep = || prop_oneof![4 => Just(1usize), 1 => 1usize..20];
    let n = || prop_oneof![8 => 0.01..4.0f64, 1 => Just(0.0)];
    prop_oneof![
        (small(), keep()).prop_map(|(p, min_keep)| Stage::Epsilon { p, min_keep }),
        (small(), keep()).prop_map(|(p, min_keep)| Stage::Eta { p, min_keep }),
        (p(), keep()).prop_map(|(a, min_keep)| Stage::TopA { a, min_keep }),
        (any::<bool>(), keep()).prop_map(|(norm, min_keep)| Stage::PLess { norm, min_keep }),
        (n(), 0usize..2, keep()).prop_map(|(n, ddof, min_keep)| Stage::TopNSigma { n, ddof, min_keep }),
        (p(), select(vec!["reach", "exceed", "within"]), keep()).prop_map(|(p, rule, min_keep)| Stage::Typical {
            p,
            rule,
            min_keep
        }),
        (p(), select(vec!["before", "after"]), keep()).prop_map(|(z, rule, min_keep)| Stage::TailFree {
            z,
            rule,
            min_keep
        }),
        (0.01..1.0f64, prop_oneof![3 => Just(100usize), 1 => 1usize..300], keep())
            .prop_map(|(h, top_n, min_keep)| Stage::TopH { h, top_n, min_keep }),
        (0usize..300).prop_map(|k| Stage::TopKTies { k }),
        (p(), select(vec!["below", "reach", "within", "ties"]), keep())
            .prop_map(|(p, rule, min_keep)| Stage::TopPRule { p, rule, min_keep }),
        (p(), keep()).prop_map(|(p, min_keep)| Stage::MinPAbove { p, min_keep }),
        (prop_oneof![1 => Just(1.0), 2 => 0.01..0.99f64], 0.001..0.6f64, keep())
            .prop_map(|(p, t, min_keep)| Stage::Xtc { p, t, average: p < 1.0, min_keep }),
    ]
}

/// The stages of engines that change the weights.
fn shaping() -> impl Strategy<Value = Stage> {
    let curve = || prop_oneof![1 => Just(1.0), 1 => 1.0..3.0f64];
    prop_oneof![
        (0.5..2.0f64, 0.0..0.9f64, 0.3..3.0f64)
            .prop_map(|(t, share, exponent)| { Stage::DynamicTemperature { t, delta: t * share, exponent } }),
        (prop_oneof![1 => Just(0.0), 8 => 0.01..2.0f64], curve())
            .prop_map(|(factor, curve)| Stage::Smoothing { factor, curve }),
    ]
}

/// The stages of engines that draw.
fn steered() -> impl Strategy<Value = Stage> {
    prop_oneof![
        (0.1..8.0f64).prop_map(|tau| Stage::Mirostat { tau }),
        (0.1..8.0f64).prop_map(|tau| Stage::MirostatV2 { tau }),
        (-0.1..1.0f64).prop_map(|target| Stage::AdaptiveP { target }),
    ]
}

fn temperature() -> impl Strategy<Value = Step> {
    prop_oneof![12 => power_of_ten(-1.5, 1.5), 1 => power_of_ten(-6.0, 6.0), 1 => Just(0.0), 1 => Just(1.0)]
        .prop_map(Step::Temperature)
}

/// Stages that draw nothing.
pub fn transforming() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![2 => temperature(), 6 => dropping(), 1 => shaping().prop_map(Step::Other)], 0..5)
}

/// A chain that ends with a draw.
pub fn drawing() -> impl Strategy<Value = Vec<Step>> {
    (transforming(), prop_oneof![4 => Just(Step::Draw), 1 => Just(Step::Greedy), 2 => steered().prop_map(Step::Other)])
        .prop_map(|(mut steps, last)| {
            steps.push(last);
            steps
        })
}
