//! The decoders against exhaustive search over supports: the optimum on each support by plain bisection and the cost
//! by the literal objective, both written in `common/oracle.rs` without the library's help: docs/mathematics.md, T1, T2
//! and 6.

use crate::common::oracle::{Phi, Power, literal, optimum, spread};
use crate::common::rows::{DISTRIBUTIONS, Random, distribution};
use bregman::bregman::{Decoder, Family, Limits, Mode, Size};

const PRIMAL: [f64; 24] = [
    0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999, 1.0, 1.001, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 8.0, 8.5, 12.0,
    16.0, 32.0, 64.0,
];
const DUAL: [f64; 15] = [1.0001, 1.001, 1.01, 1.05, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 8.0, 16.0];

/// Costs closer than this, relative to the numbers that they were summed from, are the same.
const SAME: f64 = 1e-12;

/// How far a probability may be from the bisection's.
const OFF: f64 = 1e-12;

/// The best distribution on a support.
struct Best {
    x: Vec<f64>,
    /// Its cost at λ = 0, and the size of the numbers that the cost was summed from.
    at_zero: f64,
    size: f64,
}

impl Best {
    fn on(phi: &dyn Phi, mode: Mode, p: &[f64], support: u32) -> Self {
        let kept: Vec<f64> = (0..p.len()).filter(|i| support >> i & 1 == 1).map(|i| p[i]).collect();
        let x = optimum(phi, mode, &kept);
        let (at_zero, size) = literal(phi, mode, 0.0, &spread(&x, support, p.len()), p);
        Self { x, at_zero, size }
    }

    fn on_first(phi: &dyn Phi, mode: Mode, p: &[f64], k: usize) -> Self {
        let x = optimum(phi, mode, &p[..k]);
        let (at_zero, size) = literal(phi, mode, 0.0, &padded(&x, p.len()), p);
        Self { x, at_zero, size }
    }

    fn k(&self) -> usize {
        self.x.len()
    }

    fn at(&self, lambda: f64) -> f64 {
        self.at_zero + lambda * self.k() as f64
    }
}

fn padded(x: &[f64], vocab: usize) -> Vec<f64> {
    x.iter().copied().chain(std::iter::repeat(0.0)).take(vocab).collect()
}

/// Penalties around every change of k*: between two gains, just beside each, and beyond all of them. `first` are the
/// costs of the first 1, 2, ... tokens.
fn penalties(first: &[&Best]) -> Vec<f64> {
    let gains: Vec<f64> = first
        .windows(2)
        .map(|w| (w[0].at_zero - w[1].at_zero, w[0].size))
        // Gains that are lost in rounding, or are no normal numbers, decide nothing.
        .take_while(|(gain, size)| *gain > (1e-9 * size).max(1e-290))
        .map(|(gain, _)| gain)
        .collect();
    let mut lambdas = vec![1.5 * gains.first().copied().unwrap_or(0.1)];
    lambdas.extend(gains.iter().flat_map(|g| [g * 0.999, g * 1.001]));
    lambdas.extend(gains.windows(2).map(|w| (w[0] * w[1]).sqrt()));
    lambdas
}

/// Compares the decoder's answer for one λ with the best of all supports that were searched; `first` are those on the
/// first 1, 2, ... tokens.
fn check(phi: &dyn Phi, alpha: f64, mode: Mode, p: &[f64], lambda: f64, all: &[Best], first: &[&Best]) {
    let what = || format!("α {alpha} {mode:?}, λ {lambda:e}, p {p:?}");
    let decoder = Decoder::new(Family::Alpha(alpha), mode, Size::Lambda(lambda), Limits::default()).unwrap();
    let p_hat = decoder.decode(p).unwrap().p_hat;
    let k = p_hat.len();
    let mut x = padded(&p_hat, p.len());
    let (ours, size) = literal(phi, mode, lambda, &x, p);
    let best = all.iter().min_by(|a, b| a.at(lambda).total_cmp(&b.at(lambda))).expect("one support at least");
    // The probabilities sum to 1 up to rounding: how much the cost changes by that.
    x[k - 1] += 4.0 * f64::EPSILON;
    let shift = (literal(phi, mode, lambda, &x, p).0 - ours).abs();
    let slack = SAME * size.max(best.size) + shift;
    let (theirs, theirs_k) = (best.at(lambda), best.k());
    assert!(ours <= theirs + slack, "{}: k {k} costs {ours:e}, {theirs_k} {theirs:e}, slack {slack:e}", what());
    assert!(ours >= theirs - slack, "{}: the oracle is beaten: {k} {ours:e}, {theirs_k} {theirs:e}", what());
    assert!(k == theirs_k || first[k - 1].at(lambda) <= theirs + slack, "{}: k {k} for {theirs_k}", what());
    // The cost is flat at its minimum; the solution itself is not.
    let off = first[k - 1].x.iter().zip(&p_hat).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off <= OFF, "{}: p̂ is off by {off:e}", what());
}

/// Every support of V tokens. Returns the number of (p, λ) that were checked.
fn every_support(mode: Mode, alphas: &[f64], vocabs: std::ops::RangeInclusive<usize>) -> usize {
    let (mut random, mut checked) = (Random(20_250_519), 0);
    for &alpha in alphas {
        let phi = Power::new(alpha);
        for vocab in vocabs.clone() {
            for kind in DISTRIBUTIONS {
                let p = distribution(kind, vocab, &mut random);
                let all: Vec<Best> = (1..1u32 << p.len()).map(|s| Best::on(&phi, mode, &p, s)).collect();
                let first: Vec<&Best> = (1..=p.len()).map(|k| &all[(1 << k) - 2]).collect();
                for lambda in penalties(&first) {
                    check(&phi, alpha, mode, &p, lambda, &all, &first);
                    checked += 1;
                }
            }
        }
    }
    checked
}

/// Every size with the largest tokens (greedy: docs/mathematics.md, T1 and T2), where there are too many supports.
fn every_size(mode: Mode, alphas: &[f64], vocabs: &[usize]) -> usize {
    let (mut random, mut checked) = (Random(1_971), 0);
    for &alpha in alphas {
        let phi = Power::new(alpha);
        for &vocab in vocabs {
            for kind in DISTRIBUTIONS {
                let p = distribution(kind, vocab, &mut random);
                let all: Vec<Best> = (1..=p.len()).map(|k| Best::on_first(&phi, mode, &p, k)).collect();
                let first: Vec<&Best> = all.iter().collect();
                for lambda in penalties(&first) {
                    check(&phi, alpha, mode, &p, lambda, &all, &first);
                    checked += 1;
                }
            }
        }
    }
    checked
}

#[test]
fn primal_beats_every_support() {
    assert!(every_support(Mode::Primal, &PRIMAL, 4..=8) > 10_000);
}

#[test]
fn dual_beats_every_support() {
    assert!(every_support(Mode::Dual, &DUAL, 4..=7) > 3_000);
}

#[test]
fn primal_beats_every_size() {
    assert!(every_size(Mode::Primal, &PRIMAL, &[20, 50, 120]) > 10_000);
}

#[test]
fn dual_beats_every_size() {
    assert!(every_size(Mode::Dual, &DUAL, &[20, 40]) > 5_000);
}

/// Without any theory of what an optimum looks like: no point of a lattice on the simplex is better.
#[test]
fn decoders_beat_every_lattice_point() {
    const N: u32 = 60;
    let mut random = Random(4);
    for (mode, alphas) in [(Mode::Primal, &PRIMAL[..]), (Mode::Dual, &DUAL[..])] {
        for &alpha in alphas {
            let phi = Power::new(alpha);
            for kind in ["dirichlet", "peaked", "tied"] {
                let p = distribution(kind, 3, &mut random);
                for floor in [0.02, 0.1, 0.3] {
                    let size = Size::Floor(floor);
                    let decoder = Decoder::new(Family::Alpha(alpha), mode, size, Limits::default()).unwrap();
                    let mut x = decoder.decode(&p).unwrap().p_hat;
                    x.resize(3, 0.0);
                    let (ours, size) = literal(&phi, mode, decoder.lambda(), &x, &p);
                    for (a, b) in (0..=N).flat_map(|a| (0..=N - a).map(move |b| (a, b))) {
                        let point = [a, b, N - a - b].map(|n| f64::from(n) / f64::from(N));
                        let (theirs, _) = literal(&phi, mode, decoder.lambda(), &point, &p);
                        assert!(
                            ours <= theirs + SAME * size,
                            "α {alpha} {mode:?} {p:?}: {point:?} is better than {x:?}"
                        );
                    }
                }
            }
        }
    }
}
