//! The size of the support by mass, docs/mathematics.md, 16 and T5: golden vectors, the definition by bisection, and the
//! consequences.

use crate::common::definitions::decoders::divergence;
use crate::common::oracle::{Phi, Power, literal, optimum};
use crate::common::random_cases;
use crate::common::random_chains::row;
use crate::common::rows::{DISTRIBUTIONS, Random, distribution};
use crate::common::shape::SHAPE;
use bregman::bregman::{Alpha, Decoder, Family, Limits, Mode, Size, objective};
use bregman::{Row, Sampler};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use std::sync::Arc;

fn decode(mode: Mode, alpha: f64, size: Size, limits: Limits, p: &[f64]) -> Vec<f64> {
    Decoder::new(Family::Alpha(alpha), mode, size, limits).unwrap().decode(p).unwrap().p_hat
}

/// The number of tokens that top-p keeps.
fn nucleus(p: &[f64], mass: f64) -> usize {
    let mut before = 0.0;
    let kept = p.iter().take_while(|&p| {
        let keeps = before < mass * (1.0 - 2e-7);
        before += p;
        keeps
    });
    kept.count().max(1)
}

#[test]
fn golden_cases_have_their_size_and_probabilities() {
    let file: Value = serde_json::from_str(include_str!("../golden/mass.json")).expect("the file is JSON");
    let (mut smaller, mut worst) = (0, 0.0f64);
    for case in file["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let list = |name: &str| case[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
        let mode = if case["mode"] == "dual" { Mode::Dual } else { Mode::Primal };
        let (name, alpha, mass, w) = (&case["name"], number("alpha"), number("mass"), list("weights"));
        let x = decode(mode, alpha, Size::Mass(mass), Limits::default(), &w);
        assert!(number("margin") > 1e-6, "{name}: a tie");
        assert_eq!(x.len() as u64, case["k_star"].as_u64().unwrap(), "{name}");
        for (x, theirs) in x.iter().zip(list("phat")) {
            worst = worst.max((x - theirs).abs());
        }
        let top = decode(mode, alpha, Size::TopP(mass), Limits::default(), &w);
        assert_eq!(top.len() as u64, case["nucleus"].as_u64().unwrap(), "{name}");
        // From logits, through the chain.
        let logits: Vec<f32> = w.iter().map(|w| w.ln() as f32).collect();
        let chain = format!("bregman(alpha={alpha}, mode={}, mass={mass})", case["mode"].as_str().unwrap());
        let law = Sampler::new(&chain, 0).unwrap().distribution(Row::from_f32(&logits).unwrap()).unwrap();
        assert_eq!(law.len(), x.len(), "{name}: {chain}");
        assert!(law.iter().zip(&x).all(|(law, x)| (law.1 - x).abs() < 1e-6), "{name}: {chain}");
        smaller += u32::from(x.len() < top.len());
    }
    assert!(worst < 1e-13, "off by {worst:e}");
    assert!(smaller >= 15, "only {smaller} keep fewer than top-p");
}

#[test]
fn mass_refuses_what_it_cannot_mean() {
    for (chain, why) in [
        ("bregman(mass=0)", "`mass` must be a number in (0, 1]"),
        ("bregman(top_p=1.5)", "`top_p` must be a number in (0, 1]"),
        ("bregman(alpha=inf, mass=0.9)", "no divergence; give floor, k or top_p"),
        ("bregman(mass=0.9, floor=0.1)", "only one of lambda, floor, k, mass, top_p"),
        ("top_k(mass=0.9)", "no parameter `mass`"),
    ] {
        let e = Sampler::new(chain, 0).expect_err(chain).to_string();
        assert!(e.contains(why), "{chain}: {e}");
    }
    let row = [0.5f32, 0.25, 1.0];
    for chain in ["bregman(alpha=2, mass=1)", "bregman(alpha=inf, top_p=1)"] {
        assert_eq!(Sampler::new(chain, 0).unwrap().distribution(Row::from_f32(&row).unwrap()).unwrap().len(), 3);
    }
    let law = Sampler::new("bregman(alpha=3, mass=1, k_max=2)", 0).unwrap().distribution(Row::from_f32(&row).unwrap());
    assert_eq!(law.unwrap().len(), 2);
}

fn distributions() -> impl Strategy<Value = Vec<f64>> {
    (select(DISTRIBUTIONS.to_vec()), 1usize..40, any::<u64>())
        .prop_map(|(kind, vocab, seed)| distribution(kind, vocab, &mut Random(seed)))
}

/// D of a decoded distribution and of top-p's, by the definition over all tokens, with the size of their terms.
fn distances(phi: &dyn Phi, mode: Mode, k: usize, nucleus: usize, p: &[f64]) -> [(f64, f64); 2] {
    let head: f64 = p[..nucleus].iter().sum();
    [optimum(phi, mode, &p[..k]), p[..nucleus].iter().map(|p| p / head).collect()].map(|mut x| {
        x.resize(p.len(), 0.0);
        literal(phi, mode, 0.0, &x, p)
    })
}

proptest! {
    #![proptest_config(random_cases::config(400))]

    /// The size is the smallest whose optimum, by bisection, is within the budget.
    #[test]
    fn size_by_mass_is_the_smallest_within_the_budget(
        (mode, alpha) in divergence(), p in distributions(), mass in 0.01..0.9999f64, own in proptest::bool::weighted(0.1)
    ) {
        let n = nucleus(&p, mass);
        let family = if own { Family::Custom("mine".into(), Arc::new(SHAPE)) } else { Family::Alpha(alpha) };
        let power = Power::new(alpha);
        let phi: &dyn Phi = if own { &SHAPE } else { &power };
        let decoder = Decoder::new(family, mode, Size::Mass(mass), Limits::default()).unwrap();
        let k = decoder.decode(&p).unwrap().p_hat.len();
        prop_assert!((1..=n).contains(&k));
        let is_within = |k: usize| {
            let [own, top] = distances(phi, mode, k, n, &p);
            // None where rounding decides.
            let slack = 1e-9 * top.0 + 4e-15 * (own.1 + top.1);
            (own.0 <= top.0 - slack).then_some(true).or((own.0 > top.0 + slack).then_some(false))
        };
        prop_assert!(k == n || is_within(k) != Some(false), "{k} of {n} is too far away");
        prop_assert!(k == 1 || is_within(k - 1) != Some(true), "{} of {n} would do", k - 1);
    }

    /// docs/mathematics.md, T5.
    #[test]
    fn consequences_of_the_budget_hold(
        (mode, alpha) in divergence(), p in distributions(), mass in 0.01..0.9999f64, k_min in 1usize..20, more in 0usize..20
    ) {
        let size = |mass: f64, limits| decode(mode, alpha, Size::Mass(mass), limits, &p).len();
        let k = size(mass, Limits::default());
        prop_assert!(k <= decode(mode, alpha, Size::TopP(mass), Limits::default(), &p).len());
        let limits = Limits { k_min, k_max: k_min + more };
        prop_assert_eq!(size(mass, limits), k.clamp(k_min, k_min + more).min(p.len()));
        if alpha >= 1.0 {
            prop_assert!(size((mass * 1.1).min(1.0), Limits::default()) >= k, "larger masses keep no fewer");
        }
        if alpha == 1.0 {
            prop_assert_eq!(k, nucleus(&p, mass));
        }
        // No farther from p than top-p's tokens renormalised.
        let n = nucleus(&p, mass);
        let head: f64 = p[..n].iter().sum();
        let mut top: Vec<f64> = p[..n].iter().map(|p| p / head).collect();
        let mut ours = decode(mode, alpha, Size::Mass(mass), Limits::default(), &p);
        top.resize(p.len(), 0.0);
        ours.resize(p.len(), 0.0);
        let distance = |x: &[f64]| objective(&Alpha::new(alpha), mode, 0.0, x, &p);
        prop_assert!(distance(&ours) <= distance(&top) * (1.0 + 1e-9) + 1e-15);
    }

    /// α = 1: the same tokens and the same bits as top_p.
    #[test]
    fn mass_at_alpha_1_is_top_p(recipe in row(), mass in 0.001..1.0f64, k_min in 1usize..10) {
        let row = recipe.make();
        let law = |chain: String| {
            let law = Sampler::new(&chain, 0).unwrap().distribution(Row::from_f32(&row).unwrap()).unwrap();
            law.into_iter().map(|(id, p)| (id, p.to_bits())).collect::<Vec<_>>()
        };
        let top_p = law(format!("top_p(p={mass}, min_keep={k_min})"));
        prop_assert_eq!(&law(format!("bregman(mass={mass}, k_min={k_min})")), &top_p);
        prop_assert_eq!(&law(format!("bregman(top_p={mass}, k_min={k_min})")), &top_p);
        // Another divergence, and the same tokens.
        let ids = |law: &[(u32, u64)]| law.iter().map(|e| e.0).collect::<Vec<_>>();
        let other = law(format!("bregman(alpha=1.5, top_p={mass}, k_min={k_min})"));
        prop_assert_eq!(ids(&other), ids(&top_p));
    }
}
