//! All 441 golden vectors, which are exact answers from 50- to 90-digit arithmetic on the definitions, through the C ABI
//! from f32 logits and through the Rust API from f64 probabilities: docs/mathematics.md, 3, 4, 6, 8 and 12.

use crate::common::golden::{Case, Input, cases};
use crate::common::handle::Handle;
use bregman::bregman::{Alpha, Decoder, Size, objective};
use bregman::{Row, Sampler, Want, simd_levels};

/// The file's tolerances for a pipeline from f32 and for f64.
const F32_PIPELINE: f64 = 1e-6;
const F64_CORE: f64 = 1e-12;

/// Probabilities in descending order with their tokens: logit descending, then id ascending. Tokens without any
/// probability stay at the end.
fn sorted_softmax(case: &Case) -> (Vec<u32>, Vec<f64>) {
    let (mut order, weights): (Vec<u32>, Vec<f64>) = match &case.input {
        Input::Weights(weights) => ((0..weights.len() as u32).collect(), weights.clone()),
        Input::Logits(logits) => {
            let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let weight = |l: &f32| ((f64::from(*l) - max) / case.temperature).exp();
            ((0..logits.len() as u32).collect(), logits.iter().map(weight).collect())
        }
    };
    // The raw inputs are compared, not the rounded probabilities.
    match &case.input {
        Input::Logits(l) => order.sort_by(|&a, &b| l[b as usize].total_cmp(&l[a as usize]).then(a.cmp(&b))),
        Input::Weights(w) => order.sort_by(|&a, &b| w[b as usize].total_cmp(&w[a as usize]).then(a.cmp(&b))),
    }
    let p: Vec<f64> = order.iter().map(|&i| weights[i as usize]).collect();
    let total: f64 = p.iter().rev().sum();
    (order, p.iter().map(|p| p / total).collect())
}

/// A decoded distribution against the file's; false if the case is a near tie that went the other way.
fn agrees(case: &Case, decoded: &[(u32, f64)], how: &str) -> bool {
    if decoded.len() != case.k_star && case.is_near_tie(1e-5) {
        return false;
    }
    let ids: Vec<u32> = decoded.iter().map(|e| e.0).collect();
    assert_eq!(ids, case.ids, "{}, {how}: the support", case.name);
    for (i, ((_, p), expected)) in decoded.iter().zip(&case.p_hat).enumerate() {
        assert!((p - expected).abs() <= F32_PIPELINE, "{}, {how}: {i}: {p} {expected}", case.name);
    }
    true
}

#[test]
fn golden_vectors_through_the_c_abi() {
    let (mut ran, mut exempt) = (0, 0);
    for case in cases() {
        let Input::Logits(logits) = &case.input else { continue };
        ran += 1;
        let decoded = Handle::new(&case.chain(), 0).distribution(logits);
        let decoded = decoded.unwrap_or_else(|why| panic!("{}: {why:?}", case.name));
        let decoded: Vec<_> = decoded.into_iter().map(|(id, p)| (id, f64::from(p))).collect();
        exempt += u32::from(!agrees(&case, &decoded, "C"));
    }
    assert_eq!(ran, 276 + 129);
    assert!(exempt <= 6, "{exempt} near ties went the other way; the file has no more than 6 below 1e-5");
}

/// The same on every level of the machine, with a draw and its support and kept mass.
#[test]
fn golden_vectors_on_every_level() {
    for level in simd_levels() {
        let (mut ran, mut exempt) = (0, 0);
        for case in cases() {
            let Input::Logits(logits) = &case.input else { continue };
            ran += 1;
            let row = Row::from_f32(logits).unwrap();
            let chain = format!("{} | draw", case.chain());
            let mut sampler = Sampler::new(&chain, 1).unwrap().with_simd_level(level).unwrap();
            if !agrees(&case, &sampler.distribution(row).unwrap(), level) {
                exempt += 1;
                continue;
            }
            let token = sampler.decode(row, Want { kept_mass: true, ..Want::default() }).unwrap();
            let rank = case.ids.iter().position(|&id| id == token.token).expect("a token of the support");
            assert_eq!(token.support, case.k_star, "{}, {level}", case.name);
            assert!((token.p - case.p_hat[rank]).abs() <= F32_PIPELINE, "{}, {level}", case.name);
            let mass = case.head_mass.expect("every logits case has it");
            assert!((token.kept_mass - mass).abs() <= F32_PIPELINE, "{}, {level}: {}", case.name, token.kept_mass);
        }
        println!("{level}: {ran} cases, {exempt} near ties");
        assert_eq!(ran, 276 + 129);
        assert!(exempt <= 6, "{level}: {exempt} near ties went the other way");
    }
}

#[test]
fn golden_vectors_through_the_decoder() {
    let (mut from_weights, mut from_logits) = (0, 0);
    for case in cases() {
        match &case.input {
            Input::Weights(_) => from_weights += 1,
            Input::Logits(_) => from_logits += 1,
        }
        let (order, p) = sorted_softmax(&case);
        let decoded = case.decoder(None).decode(&p).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        if decoded.p_hat.len() != case.k_star && case.is_near_tie(1e-10) {
            continue;
        }
        assert_eq!(order[..decoded.p_hat.len()], case.ids, "{}: the support", case.name);
        for (i, (p, expected)) in decoded.p_hat.iter().zip(&case.p_hat).enumerate() {
            assert!((p - expected).abs() <= F64_CORE, "{}: {i}: {p} {expected}", case.name);
        }
        let nu = case.nu.expect("every case has it, or the level");
        let error = (decoded.nu - nu).abs();
        assert!(error <= F64_CORE || error <= 1e-9 * nu.abs(), "{}: ν is {}, not {nu}", case.name, decoded.nu);
    }
    assert_eq!((from_weights, from_logits), (36, 405));
}

/// `objective` against the costs of the file: the full objective at the optimum for k tokens.
#[test]
fn objective_matches_the_golden_costs() {
    let mut rows = 0;
    for case in cases() {
        let Size::Lambda(lambda) = case.sizing else { continue };
        let (_, p) = sorted_softmax(&case);
        for &(k, cost) in &case.cost {
            let decoder: Decoder = case.decoder(Some(Size::Fixed(k)));
            let mut p_hat = decoder.decode(&p).unwrap().p_hat;
            assert_eq!(p_hat.len(), k, "{}", case.name);
            p_hat.resize(p.len(), 0.0);
            let ours = objective(&Alpha::new(case.alpha()), case.mode, lambda, &p_hat, &p);
            let scale = cost.abs().max(1.0);
            assert!((ours - cost).abs() <= F64_CORE * scale, "{}, k {k}: {ours} {cost}", case.name);
            rows += 1;
        }
    }
    assert!(rows > 1500, "{rows} costs were compared");
}
