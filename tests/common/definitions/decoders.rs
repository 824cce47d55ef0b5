//! `bregman` and `top_k`: the support by adding tokens as long as each gains more than its price, the probabilities by
//! bisection (`common/oracle.rs`).
//!
//! That takes seconds for thousands of tokens, so supports of more than [`FEW`] candidates are the library's own
//! `Decoder`'s, which tests/definitions/exhaustive.rs holds to the same bisection. α = 1 is always the definition's.

use super::super::oracle::{Phi, Power, literal, optimum};
use super::super::shape::{GENERATOR, SHAPE, Shape};
use super::parameters::{Values, maybe, of, power_of_ten, value};
use super::{Definition, Distribution, Given};
use bregman::bregman::{Decoder, Family, Limits, Mode, Size};
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

/// Candidates for which the bisection is quick.
const FEW: usize = 16;

pub static DECODERS: &[Definition] = &[
    Definition {
        stage: "bregman",
        parameters: || {
            let family = divergence().prop_map(|(mode, alpha)| {
                let mode = if mode == Mode::Primal { "primal" } else { "dual" };
                vec![("alpha", alpha.to_string()), ("mode", mode.to_owned())]
            });
            let family = family.boxed();
            let own = select(vec!["primal", "dual"])
                .prop_map(|mode| vec![("mode", mode.to_owned()), ("generator", GENERATOR.to_owned())])
                .boxed();
            let water = value("alpha", Just(f64::INFINITY));
            prop_oneof![
                14 => of("bregman", [family.clone(), sized(size()), limits()]),
                5 => of("bregman", [family, sized(size_by_mass()), limits()]),
                1 => of("bregman", [water.clone(), sized(size_without_lambda()), limits()]),
                1 => of("bregman", [water, sized((0.01..0.999f64).prop_map(Size::TopP)), limits()]),
                2 => of("bregman", [own.clone(), sized(size()), limits()]),
                1 => of("bregman", [own, sized(size_by_mass()), limits()]),
            ]
            .boxed()
        },
        is_off: keeps_all,
        apply: |given, distribution, moment| decode(given, distribution, moment.moved),
        draws: None,
    },
    Definition {
        stage: "top_k",
        parameters: || {
            let ties = || prop_oneof![Just(vec![]), value("ties", Just("exact"))].boxed();
            let (off, keep) = (value("k", Just(0)), value("ties", Just("keep")));
            prop_oneof![
                6 => of("top_k", [sized(size()), ties(), limits()]),
                3 => of("top_k", [value("k", 1usize..300), keep, limits()]),
                1 => of("top_k", [off, ties()]),
            ]
            .boxed()
        },
        is_off: |given| given.maybe_count("k") == Some(0) || keeps_all(given),
        apply: |given, distribution, moment| {
            if given.text("ties") == "keep" {
                let k_max = given.maybe_count("k_max").unwrap_or(usize::MAX);
                distribution.keep_first_with_equals(given.count("k").clamp(given.count("k_min"), k_max));
                if distribution.len() > k_max {
                    distribution.keep_first(k_max);
                }
            } else {
                decode(given, distribution, moment.moved);
            }
        },
        draws: None,
    },
];

/// A penalty of zero or all mass, and no limit.
fn keeps_all(given: &Given) -> bool {
    let is = |name, number: f64| given.given(name).is_some_and(|value| value.parse() == Ok(number));
    (is("lambda", 0.0) || is("mass", 1.0) || is("top_p", 1.0)) && given.given("k_max").is_none()
}

pub fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        4 => power_of_ten(-8.0, -0.3).prop_map(Size::Lambda),
        1 => Just(Size::Lambda(0.0)),
        6 => size_without_lambda(),
    ]
}

fn size_without_lambda() -> impl Strategy<Value = Size> {
    prop_oneof![6 => power_of_ten(-4.0, 0.0).prop_map(Size::Floor), 3 => (1usize..300).prop_map(Size::Fixed)]
}

/// A budget of mass, which `top_k` has not.
fn size_by_mass() -> impl Strategy<Value = Size> {
    let mass = || prop_oneof![8 => 0.01..0.999f64, 1 => Just(1.0)];
    prop_oneof![2 => mass().prop_map(Size::Mass), 1 => mass().prop_map(Size::TopP)]
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

fn sized(size: impl Strategy<Value = Size> + 'static) -> Values {
    size.prop_map(|size| {
        vec![match size {
            Size::Lambda(lambda) => ("lambda", lambda.to_string()),
            Size::Floor(floor) => ("floor", floor.to_string()),
            Size::Fixed(k) => ("k", k.to_string()),
            Size::Mass(mass) => ("mass", mass.to_string()),
            Size::TopP(mass) => ("top_p", mass.to_string()),
        }]
    })
    .boxed()
}

fn limits() -> Values {
    let both = (1usize..50, 0usize..200).prop_map(|(k_min, more)| (k_min, k_min + more));
    let both = both.prop_map(|(min, max)| vec![("k_min", min.to_string()), ("k_max", max.to_string())]);
    prop_oneof![6 => Just(vec![]), 1 => maybe("k_min", 1usize..50), 1 => both].boxed()
}

fn decode(given: &Given, distribution: &mut Distribution, moved: f64) {
    let is_given = |name| given.given(name).is_some();
    // All mass stays all mass.
    let mass =
        |name| Some(given.number(name)).filter(|&mass| mass < 1.0).map_or(1.0, |mass| (mass * moved).min(0.99999));
    let sizes = ["lambda", "floor", "k", "mass", "top_p"];
    let size = match sizes.into_iter().find(|&name| is_given(name)) {
        Some("lambda") => Size::Lambda(given.number("lambda") * moved),
        Some("floor") => Size::Floor((given.number("floor") * moved).min(1.0)),
        Some("mass") => Size::Mass(mass("mass")),
        Some("top_p") => Size::TopP(mass("top_p")),
        _ => Size::Fixed(given.count("k")),
    };
    let (k_min, k_max) = (given.count("k_min"), given.maybe_count("k_max").unwrap_or(usize::MAX));
    let limited = |k: usize| k.clamp(k_min, k_max);
    let p = distribution.p();
    let is_top_k = given.stage() == "top_k";
    let alpha = if is_top_k { 1.0 } else { given.number("alpha") };
    let mode = if !is_top_k && given.text("mode") == "dual" { Mode::Dual } else { Mode::Primal };
    let own = (!is_top_k && is_given("generator")).then_some(SHAPE);
    if alpha == 1.0 && own.is_none() {
        // At α = 1 a floor is a penalty, and the weights stay as they are.
        let k = match size {
            Size::Fixed(k) => k,
            Size::Lambda(0.0) => p.len(),
            Size::Mass(mass) | Size::TopP(mass) => nucleus(&p, mass),
            Size::Lambda(lambda) | Size::Floor(lambda) => {
                let mut sum = p[0];
                let gains = |p: &&f64| {
                    let gain = (*p / sum).ln_1p();
                    sum += *p;
                    gain > lambda
                };
                1 + p[1..].iter().take_while(gains).count()
            }
        };
        return distribution.keep_first(limited(k));
    }
    let definition = || match own.as_ref() {
        _ if p.len() > FEW || own.is_some() && matches!(size, Size::Floor(_)) => None,
        Some(shape) => by_definition(shape, mode, size, &p, limited),
        None if alpha == f64::INFINITY => Some(water(size, &p, limited)),
        None => by_definition(&Power::new(alpha), mode, as_lambda(size, mode, alpha), &p, limited),
    };
    let p_hat = definition().unwrap_or_else(|| by_the_library(own, alpha, mode, size, Limits { k_min, k_max }, &p));
    // A generator's own functions are as exact as 1 is: smaller shares have no digits, and what depends on them is open.
    distribution.undecided_if(own.is_some() && p_hat.last().is_some_and(|&p| p < 1e-11));
    distribution.give(&p_hat);
}

/// The number of tokens that top-p keeps.
fn nucleus(p: &[f64], mass: f64) -> usize {
    if mass >= 1.0 {
        return p.len();
    }
    let mut before = 0.0;
    let kept = p.iter().take_while(|&p| {
        let keeps = before < mass;
        before += p;
        keeps
    });
    kept.count().max(1)
}

/// The penalty that a floor stands for (docs/mathematics.md, 10).
fn as_lambda(size: Size, mode: Mode, alpha: f64) -> Size {
    match (size, mode) {
        (Size::Floor(t), Mode::Primal) => Size::Lambda(t.powf(alpha) / alpha),
        (Size::Floor(t), Mode::Dual) if alpha <= 2.0 => Size::Lambda(t.powf(alpha) / (alpha * (alpha - 1.0))),
        (Size::Floor(t), Mode::Dual) => Size::Lambda(t.powf(alpha) * (alpha - 1.0) / alpha),
        (other, _) => other,
    }
}

/// The smallest k after which one more token gains no more than its price, and the best probabilities for it. None where
/// the price is lost in the rounding of the costs.
fn by_definition(
    phi: &dyn Phi,
    mode: Mode,
    size: Size,
    p: &[f64],
    limited: impl Fn(usize) -> usize,
) -> Option<Vec<f64>> {
    let cost = |k: usize| {
        let mut x = optimum(phi, mode, &p[..k]);
        x.resize(p.len(), 0.0);
        literal(phi, mode, 0.0, &x, p)
    };
    let k = match size {
        Size::Fixed(k) => k,
        Size::Lambda(0.0) => p.len(),
        Size::Lambda(lambda) => {
            let costs: Vec<(f64, f64)> = (1..=p.len()).map(cost).collect();
            if costs.iter().any(|(_, numbers)| lambda < 1e-10 * numbers) {
                return None;
            }
            1 + costs.windows(2).take_while(|pair| pair[0].0 - pair[1].0 > lambda).count()
        }
        Size::TopP(mass) => nucleus(p, mass),
        Size::Mass(mass) => {
            let nucleus = nucleus(p, mass);
            let head: f64 = p[..nucleus].iter().sum();
            let mut top: Vec<f64> = p[..nucleus].iter().map(|p| p / head).collect();
            top.resize(p.len(), 0.0);
            let (budget, terms) = literal(phi, mode, 0.0, &top, p);
            let costs: Vec<(f64, f64)> = (1..=nucleus).map(cost).collect();
            let is_near =
                |&(own, numbers): &(f64, f64)| (own - budget).abs() < 1e-8 * budget + 1e-12 * (numbers + terms);
            if costs[..nucleus - 1].iter().any(is_near) {
                return None;
            }
            costs.iter().position(|&(own, _)| own <= budget).map_or(nucleus, |at| at + 1)
        }
        Size::Floor(_) => return None,
    };
    Some(optimum(phi, mode, &p[..limited(k).min(p.len())]))
}

/// α = ∞: the first k tokens filled up to one level; with a floor the fewest whose level is no higher than that.
fn water(size: Size, p: &[f64], limited: impl Fn(usize) -> usize) -> Vec<f64> {
    let filled = |k: usize| {
        // The level is that of the tokens from some place on, which share what the ones before it leave.
        let level = |from: usize| (1.0 - p[..from].iter().sum::<f64>()) / (k - from) as f64;
        let level = (0..k).map(level).zip(p).find(|(level, p)| level >= p).map_or(p[k - 1], |(level, _)| level);
        (level, p[..k].iter().map(|p| p.max(level)).collect::<Vec<_>>())
    };
    let k = match size {
        Size::Floor(floor) => (1..=p.len()).find(|&k| filled(k).0 <= floor).unwrap_or(p.len()),
        Size::Fixed(k) => k,
        Size::TopP(mass) => nucleus(p, mass),
        Size::Lambda(_) | Size::Mass(_) => panic!("water-filling has no lambda and no mass"),
    };
    filled(limited(k).min(p.len())).1
}

fn by_the_library(own: Option<Shape>, alpha: f64, mode: Mode, size: Size, limits: Limits, p: &[f64]) -> Vec<f64> {
    let family = own.map_or(Family::Alpha(alpha), |shape| Family::Custom(GENERATOR.into(), Arc::new(shape)));
    // Two probabilities an ulp apart may have log-weights the other way round.
    let mut last = f64::INFINITY;
    let descending = |p: &f64| {
        last = last.min(*p);
        last
    };
    let p: Vec<f64> = p.iter().map(descending).collect();
    let decoder = Decoder::new(family, mode, size, limits).expect("the parameters are valid");
    decoder.decode(&p).expect("a distribution").p_hat
}
