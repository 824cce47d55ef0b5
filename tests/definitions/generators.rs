//! A user's φ, through C callbacks and through the Rust trait: against the built-in family, against an exhaustive scan
//! for functions outside it, and errors at creation and while decoding. docs/mathematics.md, 9.

use crate::common::handle::{Handle, Rows, batch, bits};
use crate::common::oracle::{bisect, literal, optimum, spread};
use crate::common::rows::{DISTRIBUTIONS, Random, distribution, logits};
use crate::common::shape::{SHAPE, Shape};
use bregman::bregman::{Decoder, Family, Generator, Limits, Mode, Size};
use bregman::ffi::*;
use bregman::{Row, Sampler};
use std::sync::Arc;

/// A sampler whose chain calls the shape `mine`.
fn through_c(shape: &Shape, chain: &str, seed: u64) -> Result<Handle, (u32, String)> {
    Handle::try_new(chain, seed, &[shape.for_c()])
}

macro_rules! power {
    ($alpha:expr) => {
        (
            $alpha,
            Shape {
                phi: |x| x.powf($alpha) / ($alpha * ($alpha - 1.0)),
                f: |x| x.powf($alpha - 1.0) / ($alpha - 1.0),
                inverse: |y| (($alpha - 1.0) * y).powf(1.0 / ($alpha - 1.0)),
                prime: Some(|x| x.powf($alpha - 2.0)),
            },
        )
    };
}

const KL: Shape = Shape {
    phi: |x| if x > 0.0 { x * x.ln() } else { 0.0 },
    f: |x| x.ln() + 1.0,
    inverse: |y| (y - 1.0).exp(),
    prime: Some(|x| 1.0 / x),
};

fn family() -> Vec<(f64, Shape)> {
    vec![
        power!(0.25),
        power!(0.5),
        power!(0.9),
        (1.0, KL),
        power!(1.25),
        power!(1.5),
        power!(2.0),
        power!(3.0),
        power!(5.0),
    ]
}

#[test]
fn generator_callbacks_match_the_built_in_family() {
    let mut random = Random(8);
    let rows: Vec<Vec<f32>> =
        ["model", "normal", "ties", "banned"].iter().map(|k| logits(k, 300, &mut random)).collect();
    for (alpha, shape) in family() {
        for mode in ["primal", "dual"].into_iter().filter(|mode| *mode == "primal" || alpha > 1.0) {
            for size in ["floor=0.05", "floor=0.003", "lambda=0.01", "lambda=0.0001, k_max=30", "k=7", "lambda=0"] {
                let built_in = format!("bregman(alpha={alpha}, mode={mode}, {size})");
                let own = format!("bregman(generator=mine, mode={mode}, {size})");
                let mut expected = Sampler::new(&built_in, 0).unwrap();
                let generator: Arc<dyn Generator> = Arc::new(shape);
                let mut ours = Sampler::with_generators(&own, 0, &[("mine", generator)]).unwrap();
                let from_c = through_c(&shape, &own, 0).unwrap();
                for row in &rows {
                    let expected = expected.distribution(Row::from_f32(row).unwrap()).unwrap();
                    let ours = ours.distribution(Row::from_f32(row).unwrap()).unwrap();
                    assert_eq!(ours.len(), expected.len(), "{built_in}");
                    for (a, b) in ours.iter().zip(&expected) {
                        assert!(a.0 == b.0 && (a.1 - b.1).abs() <= 2e-8, "{built_in}: {a:?} {b:?}");
                    }
                    // The same code behind the C callbacks: the same numbers, as f32.
                    let as_f32: Vec<_> = ours.iter().map(|e| (e.0, e.1 as f32)).collect();
                    assert_eq!(from_c.distribution(row).unwrap(), as_f32, "{own}");
                }
            }
        }
    }
}

const LOGARITHM: Shape = Shape {
    phi: |x| -(x + 0.1).ln(),
    f: |x| -1.0 / (x + 0.1),
    inverse: |y| -1.0 / y - 0.1,
    prime: Some(|x| (x + 0.1).powi(-2)),
};

const TWO_POWERS: Shape = Shape {
    phi: |x| x.powf(1.5) / 0.75 + x.powi(3) / 6.0,
    f: |x| 2.0 * x.sqrt() + x * x / 2.0,
    inverse: |y| bisect(0.0, 2.0, |x| 2.0 * x.sqrt() + x * x / 2.0 >= y),
    prime: Some(|x| 1.0 / x.sqrt() + x),
};

#[test]
fn generators_outside_the_family_find_the_optimum() {
    let mut random = Random(15);
    let shapes = [
        (Mode::Primal, LOGARITHM),
        (Mode::Primal, TWO_POWERS),
        (Mode::Primal, SHAPE),
        (Mode::Dual, TWO_POWERS),
        (Mode::Dual, SHAPE),
    ];
    let mut sizes = std::collections::BTreeSet::new();
    for (mode, shape) in shapes {
        for (kind, vocab) in DISTRIBUTIONS.iter().flat_map(|kind| [(kind, 6), (kind, 24)]) {
            let p = distribution(kind, vocab, &mut random);
            // All supports where there are few, else all sizes (greedy for every convex φ: docs/mathematics.md, T1 and T2).
            let supports: Vec<u32> =
                if vocab < 8 { (1..1 << p.len()).collect() } else { (1..=p.len()).map(|k| (1 << k) - 1).collect() };
            let cost_of = |support: u32| {
                let kept: Vec<f64> = (0..p.len()).filter(|i| support >> i & 1 == 1).map(|i| p[i]).collect();
                let x = optimum(&shape, mode, &kept);
                (literal(&shape, mode, 0.0, &spread(&x, support, p.len()), &p), x)
            };
            let costs: Vec<_> = supports.iter().map(|&s| cost_of(s)).collect();
            for lambda in [0.3, 0.05, 0.01, 0.002, 3e-4, 1e-5] {
                let custom = Family::Custom("mine".into(), Arc::new(shape));
                let decoder = Decoder::new(custom, mode, Size::Lambda(lambda), Limits::default()).unwrap();
                let p_hat = decoder.decode(&p).unwrap().p_hat;
                sizes.insert(p_hat.len());
                let mut x = p_hat.clone();
                x.resize(p.len(), 0.0);
                let (ours, size) = literal(&shape, mode, lambda, &x, &p);
                let at = |((cost, _), x): &((f64, f64), Vec<f64>)| cost + lambda * x.len() as f64;
                let best = costs.iter().min_by(|a, b| at(a).total_cmp(&at(b))).expect("one at least");
                assert!(
                    (ours - at(best)).abs() <= 1e-12 * size.max(1.0),
                    "{mode:?} λ {lambda} {p:?}: {x:?} {:?}",
                    best.1
                );
                if p_hat.len() == best.1.len() {
                    assert!(p_hat.iter().zip(&best.1).all(|(a, b)| (a - b).abs() <= 1e-9), "{p_hat:?} {:?}", best.1);
                }
            }
        }
    }
    assert!(sizes.len() > 15, "the penalties reach all sizes: {sizes:?}");
}

/// The message of a refusal at creation; it names the stage and the generator.
fn refusal(shape: Shape, mode: &str) -> String {
    let chain = format!("temperature(0.8) | bregman(generator=mine, mode={mode}, lambda=0.01) | draw");
    let (status, message) = through_c(&shape, &chain, 0).err().expect("refused");
    assert_eq!(status, BREGMAN_INVALID_CHAIN, "{message}");
    assert!(message.starts_with("stage 2, `bregman`: generator `mine`: "), "{message}");
    message
}

#[test]
fn generator_that_is_not_convex_is_refused() {
    let (_, two) = power!(2.0);
    let has = |message: String, what: &str| assert!(message.contains(what), "{message}: {what}");
    for mode in ["primal", "dual"] {
        let concave = Shape { phi: |x| -x * x / 2.0, f: |x| -x, inverse: |y| -y, prime: Some(|_| -1.0) };
        has(refusal(concave, mode), "f does not increase");
        let flat = Shape { phi: |x| x, f: |_| 1.0, inverse: |_| 0.5, prime: Some(|_| 0.0) };
        has(refusal(flat, mode), "f_inverse(f(");
        has(refusal(Shape { inverse: |y| y * 1.00001, ..two }, mode), "f_inverse(f(");
        has(refusal(Shape { phi: |x| x * x, ..two }, mode), "f is not the derivative of phi");
        has(refusal(Shape { phi: |x| x * x / 2.0 + 1e-3 * x, ..two }, mode), "f is not the derivative of phi");
        has(refusal(Shape { phi: |x| if x > 0.3 { f64::NAN } else { x * x / 2.0 }, ..two }, mode), "not finite");
        has(refusal(Shape { f: |x| if x == 1.0 { f64::NAN } else { x }, ..two }, mode), "f returned NaN");
    }
    let steep = Shape { phi: |x| -x.ln(), f: |x| -1.0 / x, inverse: |y| -1.0 / y, prime: Some(|x| 1.0 / (x * x)) };
    has(refusal(steep, "primal"), "phi(0) is not finite");
    has(refusal(KL, "dual"), "the dual needs f(0) finite");
    has(refusal(Shape { prime: None, ..two }, "dual"), "the dual needs f_prime");
    // The counterexample of docs/mathematics.md, T2: fine as a primal, not convex in k as a dual.
    has(refusal(LOGARITHM, "dual"), "x f'(x) decreases");
    assert!(through_c(&LOGARITHM, "bregman(generator=mine, floor=0.1)", 0).is_ok());
    // A linear term of φ does not matter, nor does a constant.
    let tilted = Shape { phi: |x| x * x / 2.0 + 3.0 * x - 7.0, f: |x| x + 3.0, inverse: |y| y - 3.0, ..two };
    assert!(through_c(&tilted, "bregman(generator=mine, floor=0.1)", 0).is_ok());
}

#[test]
fn generator_names_in_chains_are_checked() {
    let (_, two) = power!(2.0);
    let refused = |chain: &str| through_c(&two, chain, 0).err().expect(chain).1;
    assert!(refused("bregman(generator=mime, k=3)").contains("did you mean `mine`?"));
    assert!(refused("bregman(generator=something, k=3)").contains("no generator `something`"));
    assert!(refused("bregman(generator=mine, alpha=2, k=3)").contains("alpha and generator exclude each other"));
    assert!(refused("bregman(generator=mine)").contains("one of lambda, floor, k, mass, top_p must be given"));
    let canonical = through_c(&two, "bregman(k=3,generator=mine)", 0).unwrap().describe();
    assert_eq!(canonical, "bregman(k=3, generator=mine)");
    // Generators that the chain does not use are not called.
    let never = Shape { phi: |_| panic!(), f: |_| panic!(), inverse: |_| panic!(), prime: None };
    assert!(through_c(&never, "top_k(3)", 0).is_ok());
}

/// Valid on the grid of the checks, but NaN between its points, for probabilities of 0.9 to 0.99.
const HOLE: Shape =
    Shape { phi: |x| x * x / 2.0, f: |x| if x > 0.9 && x < 0.99 { f64::NAN } else { x }, inverse: |y| y, prime: None };

#[test]
fn generator_nan_fails_one_row_of_a_batch() {
    const BAD: usize = 2;
    let shape = HOLE;
    let chain = "bregman(generator=mine, lambda=0.0003) | draw";
    let new = || -> Vec<Handle> { (0..5).map(|r| through_c(&shape, chain, r).unwrap()).collect() };
    let good: Vec<f32> = (0..5).flat_map(|r| logits("normal", 50, &mut Random(r))).collect();
    let mut bad = good.clone();
    // One token with a probability of 0.95.
    let row = &mut bad[BAD * 50..][..50];
    row.fill(0.0);
    row[3] = (0.95 / 0.05 * 49.0f32).ln();
    for threads in [0, 3] {
        let (samplers, fresh) = (new(), new());
        let decode =
            |s: &[Handle], rows: &[f32]| batch(s, &Rows::F32(rows), (50, 50), None, (BREGMAN_WANT_ENTROPY, threads));
        let (status, results) = decode(&samplers, &bad);
        assert_eq!(status, BREGMAN_NO_CONVERGENCE);
        let alone = decode(&fresh, &good).1;
        for r in (0..5).filter(|r| *r != BAD) {
            assert_eq!(bits(&results[r]), bits(&alone[r]), "row {r} is none the worse");
        }
        assert_eq!((results[BAD].status, results[BAD].token), (BREGMAN_NO_CONVERGENCE, -1));
        assert_eq!(samplers[BAD].error(), "generator `mine`: f returned NaN or an infinite value");
        // Its sampler is where it was: the next row gets the first random number.
        assert_eq!(bits(&decode(&samplers, &good).1[BAD]), bits(&alone[BAD]));
        // `process` and `distribution` fail alike, and leave their arguments.
        let mut row = bad[BAD * 50..][..50].to_vec();
        let before = row.clone();
        assert_eq!(samplers[BAD].process(&mut row).unwrap_err().0, BREGMAN_NO_CONVERGENCE);
        assert_eq!(samplers[BAD].distribution(&row).unwrap_err().0, BREGMAN_NO_CONVERGENCE);
        assert_eq!(row, before);
    }
}
