//! Bregman decoders: *Foundations of Top-k Decoding for Language Models*, arXiv 2505.19371.
//!
//! Given the model's distribution p over V tokens, choose the sparse distribution p̂ nearest to it, where every token of the
//! support costs λ:
//!
//! ```text
//!   primal   minimise over p̂ in the simplex   Σ_i d(p̂_i, p_i) + λ · #{i : p̂_i > 0}
//!   dual     minimise over p̂ in the simplex   Σ_i d(p_i, p̂_i) + λ · #{i : p̂_i > 0}
//!
//!   d(x, y) = φ(x) - φ(y) - φ'(y) (x - y)       the Bregman divergence of a convex φ
//!   φ_α(x)  = x^α / (α (α - 1)),  x ln x at 1   the α family
//! ```
//!
//! The best support of size k is the k largest tokens (greedy), and its cost is discretely convex in k, so a search finds
//! k*. On the support p̂ is p shifted by one multiplier ν: φ'(p̂_i) = φ'(p_i) + ν. α = 1 is the Kullback-Leibler divergence
//! and gives ordinary top-k with an adaptive k; α > 1 flattens the head, α < 1 sharpens it, α = ∞ is water-filling,
//! max(p_i, w).
//!
//! | file | what it is |
//! |---|---|
//! | `generator.rs` | φ: the α family, and the trait for a user's own |
//! | `objective.rs` | the objective above, term by term, to check answers against |
//! | `problem.rs` | the candidates with their prefix and suffix sums |
//! | `runs.rs` | lists with one number for each run of equal tokens |
//! | `solver.rs` | the interface between the search and a decoder |
//! | `closed_form.rs` | k* from the gains that have closed forms |
//! | `a_test.rs` | whether a token is kept, from sums alone |
//! | `mass.rs` | k by a budget of divergence, given as top-p's mass |
//! | `estimate.rs` | divergences by list functions, for the search in `mass.rs` |
//! | `support.rs` | k*: bounds, scan, bisection |
//! | `primal.rs`, `dual.rs`, `custom.rs` | p̂ and gains for each kind of decoder |
//! | `entmax.rs` | the other family of sparse laws, over logits |
//! | `root.rs` | safeguarded Newton, false position, bisection |

mod a_test;
mod closed_form;
mod custom;
mod dual;
mod entmax;
mod estimate;
mod generator;
mod mass;
mod objective;
mod primal;
mod problem;
mod root;
mod runs;
mod solver;
mod support;

pub(crate) use entmax::Entmax;
pub(crate) use generator::Generators;
pub use generator::{Alpha, Generator};
pub(crate) use mass::{EQUAL_MASS, is_below};
pub use objective::{Divergence, objective};
pub(crate) use problem::{F32_SLACK, Problem, size_bound};

use crate::error::{Error, Result};
use crate::math::ListMath;
use custom::Custom;
use dual::Dual;
use primal::Primal;
use solver::{Solver, prepare};
use std::sync::Arc;

/// Which argument of the divergence is the decoded distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// d(p̂, p).
    Primal,
    /// d(p, p̂).
    Dual,
}

/// How the number of kept tokens is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// The paper's penalty λ >= 0 per token; not comparable across α.
    Lambda(f64),
    /// The same penalty expressed as a probability in (0, 1]: a token is kept if its renormalised probability would exceed
    /// about this. Comparable across α; at most ⌈1/floor⌉ tokens are kept.
    Floor(f64),
    /// Exactly this many tokens, at least 1 (fewer if fewer are eligible).
    Fixed(usize),
    /// A budget in the words of top-p, in (0, 1]: the fewest tokens whose optimum is no farther from p, in the decoder's
    /// own divergence, than top-p's tokens of this mass renormalised. At α = 1 that is top-p.
    Mass(f64),
    /// The tokens that top-p keeps for this mass, in (0, 1].
    TopP(f64),
}

impl Size {
    /// The size a little larger or smaller: what it is said in, times a factor near 1.
    pub(crate) fn times(self, factor: f64) -> Self {
        match self {
            Size::Lambda(lambda) => Size::Lambda((lambda * factor).min(f64::MAX)),
            Size::Floor(t) => Size::Floor((t * factor).min(1.0)),
            Size::Fixed(k) => Size::Fixed(k),
            Size::Mass(p) => Size::Mass((p * factor).min(1.0)),
            Size::TopP(p) => Size::TopP((p * factor).min(1.0)),
        }
    }
}

/// The convex function behind the divergence.
#[derive(Clone)]
pub enum Family {
    /// The α family: α from 0.05 to 64 or infinity for the primal, from 1.0001 to 16 for the dual.
    Alpha(f64),
    /// A user's generator, with its name for error messages.
    Custom(Arc<str>, Arc<dyn Generator>),
}

/// Smallest and largest support; by discrete convexity k* is clamped to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At least 1.
    pub k_min: usize,
    /// At least `k_min`; `usize::MAX` for none.
    pub k_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { k_min: 1, k_max: usize::MAX }
    }
}

/// A Bregman decoder for distributions.
pub struct Decoder {
    solver: Box<dyn Solver>,
    size: Size,
    limits: Limits,
}

/// The result of [`Decoder::decode`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Decoded {
    /// p̂ on the support, in the order of the input: the support is its first `p_hat.len()` tokens.
    pub p_hat: Vec<f64>,
    /// The multiplier ν (the water level at α = ∞).
    pub nu: f64,
}

impl Decoder {
    /// Checks the parameters (docs/mathematics.md, 11) and computes the thresholds.
    pub fn new(family: Family, mode: Mode, size: Size, limits: Limits) -> Result<Self> {
        check_size(size, limits)?;
        let lambda = if let Size::Lambda(lambda) = size { lambda } else { 0.0 };
        let solver: Box<dyn Solver> = match &family {
            Family::Alpha(alpha) => {
                check_alpha(*alpha, mode, size)?;
                // For α = 2 the divergence is symmetric.
                match (mode, size) {
                    (Mode::Dual, Size::Floor(t)) if *alpha != 2.0 => Box::new(Dual::with_floor(*alpha, t)),
                    (Mode::Dual, _) if *alpha != 2.0 => Box::new(Dual::new(*alpha, lambda)),
                    (_, Size::Floor(t)) => Box::new(Primal::with_floor(*alpha, t)),
                    _ => Box::new(Primal::new(*alpha, lambda)),
                }
            }
            Family::Custom(name, generator) => Box::new(Custom::new(name, generator.clone(), mode, size)?),
        };
        Ok(Self { solver, size, limits })
    }

    /// Decodes a whole distribution. `p` has the probabilities of all tokens, or weights, which are divided by their sum, in
    /// descending order. Weights of zero are not eligible.
    pub fn decode(&self, p: &[f64]) -> Result<Decoded> {
        if p.iter().any(|p| !(p.is_finite() && *p >= 0.0)) || p.windows(2).any(|w| w[0] < w[1]) {
            return Err(Error::InvalidArgument("p must be finite, non-negative and in descending order".into()));
        }
        if p.first().is_none_or(|&p| p == 0.0) {
            return Err(Error::EmptySupport);
        }
        let mut problem = Problem::default();
        problem.set(&ListMath::PORTABLE, p, 0.0, self.takes_runs());
        let (_, nu) = self.solve(&mut problem, None)?;
        Ok(Decoded { p_hat: problem.x, nu })
    }

    /// λ: as given, derived from the floor, or 0 for a fixed size and for α = ∞.
    pub fn lambda(&self) -> f64 {
        self.solver.lambda()
    }

    /// Finds k* among the candidates; returns k* and ν. [`Self::solution`] is p̂. `nucleus` is the number of tokens that
    /// top-p keeps, if that is known.
    pub(crate) fn solve(&self, problem: &mut Problem, nucleus: Option<usize>) -> Result<(usize, f64)> {
        let n = problem.len();
        let (k, nu) = match self.size {
            Size::Fixed(k) => (k, None),
            Size::Lambda(0.0) => (n, None),
            // As the stage top_p, which 1 switches off.
            Size::TopP(p) | Size::Mass(p) if p >= 1.0 => (n, None),
            Size::TopP(p) => (nucleus.unwrap_or_else(|| mass::nucleus(problem, p)), None),
            Size::Mass(p) => {
                let nucleus = nucleus.unwrap_or_else(|| mass::nucleus(problem, p));
                prepare(&*self.solver, problem)?;
                (mass::best_size(&*self.solver, problem, nucleus, self.limits.k_max)?, None)
            }
            _ => support::best_size(&*self.solver, problem)?,
        };
        let clamped = k.clamp(self.limits.k_min, self.limits.k_max).min(n);
        if let (Some(nu), true) = (nu, clamped == k) {
            problem.spread_solution(k);
            return Ok((k, nu));
        }
        if self.solver.needs_powers(problem, clamped) {
            prepare(&*self.solver, problem)?;
        }
        let mut x = std::mem::take(&mut problem.x);
        let nu = self.solver.solve(problem, clamped, &mut x);
        problem.x = x;
        problem.spread_solution(clamped);
        Ok((clamped, nu?))
    }

    /// Whether [`Problem::set`] may look for runs of equal tokens.
    pub(crate) fn takes_runs(&self) -> bool {
        self.solver.takes_runs(matches!(self.size, Size::Lambda(_) | Size::Floor(_)))
    }

    /// p̂ of the last [`Self::solve`].
    pub(crate) fn solution(problem: &Problem) -> &[f64] {
        &problem.x
    }

    /// For α = 1 with λ > 0: token k + 1 is kept iff its weight exceeds this multiple of the sum of the first k weights.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.solver.ratio().filter(|_| self.fixed_size().is_none() && self.mass().is_none())
    }

    /// Whether p̂ is p renormalised on the support (α = 1).
    pub(crate) fn keeps_ratios(&self) -> bool {
        self.solver.ratio().is_some()
    }

    /// The size, if it does not depend on the probabilities.
    pub(crate) fn fixed_size(&self) -> Option<usize> {
        match self.size {
            Size::Fixed(k) => Some(k),
            Size::Lambda(0.0) => Some(self.limits.k_max),
            Size::Mass(p) | Size::TopP(p) if p >= 1.0 => Some(self.limits.k_max),
            _ => None,
        }
        .map(|k| k.clamp(self.limits.k_min, self.limits.k_max))
    }

    /// The mass of top-p's tokens, if it bounds the size.
    pub(crate) fn mass(&self) -> Option<f64> {
        if let Size::Mass(p) | Size::TopP(p) = self.size { Some(p) } else { None }
    }

    /// The limits on the size of the support.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The threshold t of the bound K(p), if the decoder has that bound: see [`size_bound`].
    pub(crate) fn floor(&self) -> Option<f64> {
        self.solver.t_floor()
    }

    /// The share of the tokens below that threshold that K(p) allows for which is rarely exceeded: all for α > 2.5, few
    /// near 1.
    pub(crate) fn usual_share(&self) -> f64 {
        (1.65 * self.solver.fraction()).min(1.0)
    }

    /// For α < 1: the probability that every kept token but the first exceeds (docs/mathematics.md, 5, bound 4).
    pub(crate) fn kept_floor(&self, p_1: f64) -> Option<f64> {
        self.solver.kept_floor(p_1)
    }
}

fn check_size(size: Size, limits: Limits) -> Result<()> {
    let refuse = |what: String| Err(Error::InvalidArgument(what));
    match size {
        Size::Lambda(l) if !(l.is_finite() && l >= 0.0) => {
            return refuse(format!("lambda must be finite and >= 0, got {l}"));
        }
        Size::Floor(t) if !(t > 0.0 && t <= 1.0) => return refuse(format!("floor must be in (0, 1], got {t}")),
        Size::Mass(p) if !(p > 0.0 && p <= 1.0) => return refuse(format!("mass must be in (0, 1], got {p}")),
        Size::TopP(p) if !(p > 0.0 && p <= 1.0) => return refuse(format!("top_p must be in (0, 1], got {p}")),
        Size::Fixed(0) => return refuse("k must be at least 1".into()),
        _ => {}
    }
    if limits.k_min == 0 || limits.k_min > limits.k_max {
        return refuse(format!("1 <= k_min <= k_max must hold, got k_min {} and k_max {}", limits.k_min, limits.k_max));
    }
    Ok(())
}

/// Refuses an α outside the domain or the tested range (docs/mathematics.md, 11).
fn check_alpha(alpha: f64, mode: Mode, size: Size) -> Result<()> {
    let refuse = |why: &str| Err(Error::InvalidArgument(format!("alpha={alpha}: {why}")));
    let untested = |why: &str| Err(Error::Unsupported(format!("alpha={alpha}: {why}")));
    match mode {
        _ if alpha.is_nan() => refuse("not a number"),
        Mode::Primal if alpha <= 0.0 => refuse(
            "phi(0) is infinite for alpha <= 0, so no token could ever be dropped; the primal takes 0.05 to 64, or inf",
        ),
        Mode::Primal if alpha == f64::INFINITY => match size {
            Size::Lambda(_) => refuse("the limit (water-filling) has no lambda; give floor, k or top_p"),
            Size::Mass(_) => refuse("the limit (water-filling) has no divergence; give floor, k or top_p"),
            _ => Ok(()),
        },
        Mode::Primal if !(0.05..=64.0).contains(&alpha) => untested(
            "outside the range in which the solver is proven to be accurate; the primal takes 0.05 to 64, or inf",
        ),
        Mode::Dual if alpha <= 1.0 => {
            refuse("phi'(0) is infinite for alpha <= 1, so no token could ever be dropped; the dual takes 1.0001 to 16")
        }
        Mode::Dual if !(1.0001..=16.0).contains(&alpha) => {
            untested("outside the range in which the solver is proven to be accurate; the dual takes 1.0001 to 16")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::problem::adversarial_weights;
    use super::*;

    /// Lists with one number for each run of equal tokens give the bits of lists with one for each token.
    #[test]
    fn runs_of_equal_tokens_change_no_bit() {
        let primals = [0.3, 0.95, 1.25, 1.5, 2.0, 3.0, 12.0, f64::INFINITY].map(|alpha| (alpha, Mode::Primal));
        let duals = [1.25, 1.5, 2.5, 3.0, 6.0].map(|alpha| (alpha, Mode::Dual));
        let sizes = [0.3, 0.9, 0.99].map(Size::Mass).into_iter().chain([1e-3, 2.7e-4].map(Size::Floor)).chain([
            Size::Lambda(1e-6),
            Size::Lambda(1e-9),
            Size::TopP(0.7),
            Size::Fixed(1001),
        ]);
        let (mut cases, mut with_runs) = (0, 0);
        for (weights, beyond) in adversarial_weights(1500).into_iter().flat_map(|w| [(w.clone(), 0.0), (w, 0.4)]) {
            for ((alpha, mode), size) in
                primals.into_iter().chain(duals).flat_map(|a| sizes.clone().map(move |s| (a, s)))
            {
                let Ok(decoder) = Decoder::new(Family::Alpha(alpha), mode, size, Limits::default()) else { continue };
                let [by_runs, plain] = [decoder.takes_runs(), false].map(|by_runs| {
                    let mut problem = Problem::default();
                    problem.set(&ListMath::PORTABLE, &weights, beyond, by_runs);
                    with_runs += usize::from(!problem.runs.is_plain());
                    let solved = decoder.solve(&mut problem, None);
                    (solved.map(|(k, nu)| (k, nu.to_bits())), problem.x)
                });
                assert!(by_runs == plain, "α {alpha}, {mode:?}, {size:?}: {:?} {:?}", by_runs.0, plain.0);
                cases += 1;
            }
        }
        assert!(3 * with_runs > cases && cases > 1500, "{with_runs} of {cases}");
    }
}
