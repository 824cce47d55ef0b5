//! Generators φ that the user supplies, through the C ABI: equal to the built-in family where they are of it, to an
//! exhaustive search where they are not; refused when they are wrong; and a row's own failure when they return NaN.

mod common;

use bregman::bregman::Mode;
use bregman::ffi::{BREGMAN_INVALID_CHAIN, BREGMAN_NO_CONVERGENCE, BREGMAN_OK, bregman_generator};
use common::abi::{Abi, Failure, Rows, batch};
use common::rows::{Random, logits};
use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

/// A generator as four functions of one number.
struct Functions {
    phi: fn(f64) -> f64,
    f: fn(f64) -> f64,
    f_inverse: fn(f64) -> f64,
    f_prime: Option<fn(f64) -> f64>,
}

/// # Safety
/// `user` is a [`Functions`]; `x` and `out` have `n` elements.
unsafe fn map(f: fn(f64) -> f64, x: *const f64, out: *mut f64, n: usize) {
    for i in 0..n {
        // SAFETY: below n.
        unsafe { *out.add(i) = f(*x.add(i)) };
    }
}

unsafe extern "C" fn phi(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    // SAFETY: as the library promises.
    unsafe { map((*user.cast::<Functions>()).phi, x, out, n) };
}

unsafe extern "C" fn f(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    // SAFETY: as the library promises.
    unsafe { map((*user.cast::<Functions>()).f, x, out, n) };
}

unsafe extern "C" fn f_inverse(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    // SAFETY: as the library promises.
    unsafe { map((*user.cast::<Functions>()).f_inverse, x, out, n) };
}

unsafe extern "C" fn f_prime(user: *mut c_void, x: *const f64, out: *mut f64, n: usize) {
    // SAFETY: as the library promises; the slot is filled only if there is such a function.
    unsafe { map((*user.cast::<Functions>()).f_prime.unwrap(), x, out, n) };
}

fn generator(name: &'static CStr, functions: &'static Functions) -> bregman_generator {
    bregman_generator {
        struct_size: size_of::<bregman_generator>() as u32,
        reserved: 0,
        name: name.as_ptr(),
        user: std::ptr::from_ref(functions).cast_mut().cast(),
        phi: Some(phi),
        f: Some(f),
        f_inverse: Some(f_inverse),
        f_prime: functions.f_prime.map(|_| f_prime as _),
    }
}

fn sampler(chain: &str, functions: &'static Functions) -> Result<Abi, Failure> {
    Abi::try_new(chain, 1, &[generator(c"mine", functions)])
}

/// The α family at α: φ = x^α / (α b), f = x^b / b, f' = x^(b-1).
macro_rules! power {
    ($alpha:literal) => {{
        const A: f64 = $alpha;
        const B: f64 = A - 1.0;
        &Functions {
            phi: |x| x.powf(A) / (A * B),
            f: |x| x.powf(B) / B,
            f_inverse: |y| (B * y).powf(1.0 / B),
            f_prime: Some(|x| x.powf(B - 1.0)),
        }
    }};
}

/// φ = x ln x, whose f(0) is infinite: for the primal only.
static ENTROPY: Functions = Functions {
    phi: |x| if x == 0.0 { 0.0 } else { x * x.ln() },
    f: |x| x.ln() + 1.0,
    f_inverse: |y| (y - 1.0).exp(),
    f_prime: Some(|x| 1.0 / x),
};

/// φ = -ln(x + 0.1): not of the family; fine for the primal, not discretely convex for the dual (MATH.md, T2).
static BARRIER: Functions = Functions {
    phi: |x| -(x + 0.1).ln(),
    f: |x| -1.0 / (x + 0.1),
    f_inverse: |y| -1.0 / y - 0.1,
    f_prime: Some(|x| (x + 0.1).powi(-2)),
};

/// φ = x²/2 + x⁴/12, a sum of two powers: f = x + x³/3 has no inverse but by iteration.
static MIXED: Functions = Functions {
    phi: |x| x * x / 2.0 + x.powi(4) / 12.0,
    f: |x| x + x.powi(3) / 3.0,
    f_inverse: |y| (0..60).fold(y, |x, _| x - (x + x.powi(3) / 3.0 - y) / (1.0 + x * x)),
    f_prime: Some(|x| 1.0 + x * x),
};

#[test]
fn a_generator_of_the_family_decodes_as_the_family_does() {
    let pairs: [(&str, &'static Functions); 6] = [
        ("0.5", power!(0.5)),
        ("1", &ENTROPY),
        ("1.5", power!(1.5)),
        ("2", power!(2.0)),
        ("3", power!(3.0)),
        ("1.25", power!(1.25)),
    ];
    let mut random = Random(3);
    let mut compared = 0;
    for (alpha, functions) in pairs {
        for mode in ["primal", "dual"] {
            if mode == "dual" && ["0.5", "1"].contains(&alpha) {
                continue;
            }
            for size in ["lambda=0.003", "floor=0.02", "floor=0.004", "k=9", "lambda=0.001, k_min=4, k_max=12"] {
                let ours = Abi::new(&format!("bregman(alpha={alpha}, mode={mode}, {size}) | draw"), 1);
                let theirs =
                    sampler(&format!("bregman(generator=mine, mode={mode}, {size}) | draw"), functions).unwrap();
                for (kind, vocab) in [("normal", 60), ("model", 700), ("ties", 40), ("banned", 300)] {
                    let row = logits(kind, vocab, &mut random);
                    let (a, b) = (ours.distribution(&row).unwrap(), theirs.distribution(&row).unwrap());
                    assert_eq!(a.len(), b.len(), "α {alpha}, {mode}, {size}, {kind}");
                    for ((i, x), (j, y)) in a.into_iter().zip(b) {
                        assert!(i == j && (x - y).abs() <= 1e-7, "α {alpha}, {mode}, {size}, {kind}: {x} {y}");
                    }
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 10 * 5 * 4);
}

/// The best of the first k tokens by bisection on ν, and its objective less what all supports share.
fn solve(functions: &Functions, mode: Mode, p: &[f64], k: usize) -> (Vec<f64>, f64) {
    let Functions { phi, f, f_inverse, f_prime } = functions;
    let f_prime = f_prime.unwrap();
    let root = |low: f64, high: f64, below: &dyn Fn(f64) -> bool| {
        (0..200)
            .fold((low, high), |(l, h), _| if below(0.5 * (l + h)) { (0.5 * (l + h), h) } else { (l, 0.5 * (l + h)) })
            .0
    };
    let at = |nu: f64| -> Vec<f64> {
        let x = |&p: &f64| match mode {
            Mode::Primal => f_inverse((f(p) + nu).min(f(1.0))),
            Mode::Dual => root(p, 1.0, &|x| f_prime(x) * (x - p) < nu),
        };
        p[..k].iter().map(x).collect()
    };
    let most = if mode == Mode::Primal { f(1.0) - f(0.0) } else { f_prime(1.0).max(f_prime(0.0)) };
    let x = at(root(0.0, most, &|nu| at(nu).iter().sum::<f64>() < 1.0));
    let d = |x: f64, y: f64| phi(x) - phi(y) - f(y) * (x - y);
    let distance = |i: usize| {
        let x = x.get(i).copied().unwrap_or(0.0);
        if mode == Mode::Primal { d(x, p[i]) } else { d(p[i], x) }
    };
    let cost = (0..p.len()).map(distance).sum();
    (x, cost)
}

#[test]
fn a_generator_of_nobodys_family_finds_the_best_support() {
    let mut random = Random(17);
    for (functions, mode) in [(&BARRIER, Mode::Primal), (&MIXED, Mode::Primal), (&MIXED, Mode::Dual)] {
        let name = if mode == Mode::Primal { "primal" } else { "dual" };
        for lambda in [0.1, 0.01, 0.002, 2e-4] {
            let chain = format!("bregman(generator=mine, mode={name}, lambda={lambda})");
            let decoder = sampler(&chain, functions).unwrap();
            for vocab in [2, 7, 30] {
                let row = logits("normal", vocab, &mut random);
                let law = decoder.distribution(&row).unwrap();
                let mut p: Vec<f64> = row.iter().map(|&l| f64::from(l).exp()).collect();
                let total: f64 = p.iter().sum();
                p.iter_mut().for_each(|p| *p /= total);
                p.sort_by(|a, b| b.total_cmp(a));
                // Greedy supports are the best of their size (MATH.md, T1, T2), so every size is tried.
                let costs: Vec<f64> =
                    (1..=vocab).map(|k| solve(functions, mode, &p, k).1 + lambda * k as f64).collect();
                let best = costs.iter().copied().fold(f64::INFINITY, f64::min);
                let ours = costs[law.len() - 1];
                assert!(ours <= best + 1e-10, "{chain}, V = {vocab}: k* {}, cost {ours} against {best}", law.len());
                let (x, _) = solve(functions, mode, &p, law.len());
                let worst = law.iter().zip(&x).map(|(a, x)| (f64::from(a.1) - x).abs()).fold(0.0, f64::max);
                assert!(worst <= 1e-6, "{chain}, V = {vocab}: off by {worst:e}");
            }
        }
    }
}

#[test]
fn a_generator_that_is_wrong_is_refused_with_the_reason() {
    let family = power!(1.5);
    let with = |change: fn(&mut Functions)| -> &'static Functions {
        let mut changed = Functions { ..*family };
        change(&mut changed);
        Box::leak(Box::new(changed))
    };
    for (mode, functions, why) in [
        (
            "primal",
            with(|g| {
                g.f = |x| -x;
                g.f_inverse = |y| -y;
            }),
            "f does not increase",
        ),
        ("primal", with(|g| g.f_inverse = |y| y * y), "f_inverse(f("),
        ("primal", with(|g| g.phi = |x| x * x / 2.0), "f is not the derivative of phi"),
        ("primal", with(|g| g.phi = |x| x.powf(-0.5)), "phi(0) is not finite"),
        ("primal", with(|g| g.phi = |x| if x > 0.5 { f64::INFINITY } else { x.powf(1.5) / 0.75 }), "not finite"),
        ("dual", &ENTROPY, "f(0) finite"),
        ("dual", with(|g| g.f_prime = None), "needs f_prime"),
        ("dual", &BARRIER, "x f'(x) decreases"),
    ] {
        let chain = format!("bregman(generator=mine, mode={mode}, lambda=0.01)");
        match sampler(&chain, functions) {
            Ok(_) => panic!("a generator was taken: {why}"),
            Err((status, said)) => {
                assert_eq!(status, BREGMAN_INVALID_CHAIN);
                assert!(said.contains(why) && said.contains("`mine`") && said.contains("stage 1"), "{why}: {said}");
            }
        }
    }
    // What the chain does not use is not called.
    static NONE: Functions = Functions { phi: |_| panic!(), f: |_| panic!(), f_inverse: |_| panic!(), f_prime: None };
    assert!(sampler("top_k(3)", &NONE).is_ok());
}

/// Set while the generator below is to misbehave.
static BROKEN: AtomicBool = AtomicBool::new(false);

static FRAGILE: Functions = Functions {
    phi: |x| x * x / 2.0,
    f: |x| x,
    f_inverse: |y| if BROKEN.load(Ordering::Relaxed) { f64::NAN } else { y },
    f_prime: Some(|_| 1.0),
};

#[test]
fn a_nan_is_its_rows_own_failure() {
    let row = logits("normal", 50, &mut Random(8));
    let chain = "bregman(generator=mine, floor=0.01) | draw";
    let fragile = || sampler(chain, &FRAGILE).unwrap();
    let samplers = [Abi::new("top_k(9) | draw", 1), fragile(), Abi::new("bregman(alpha=2, k=5) | draw", 1)];
    let rows = row.repeat(3);
    let decode = || batch(&samplers, &Rows::F32(&rows), (50, 50), None, (0, 2));
    BROKEN.store(true, Ordering::Relaxed);
    let (status, results) = decode();
    BROKEN.store(false, Ordering::Relaxed);
    assert_eq!(status, BREGMAN_NO_CONVERGENCE);
    assert_eq!(results.iter().map(|r| r.status).collect::<Vec<_>>(), [BREGMAN_OK, BREGMAN_NO_CONVERGENCE, BREGMAN_OK]);
    assert!(results[1].token == -1 && results[1].p.is_nan());
    let said = samplers[1].error();
    assert!(said.contains("`mine`") && said.contains("f_inverse") && said.contains("NaN"), "{said}");
    // Nothing had advanced: the next good row is the first.
    assert_eq!(samplers[1].token(&row), fragile().token(&row));
}
