//! What the search for the support asks of a decoder: one trait for primal and dual, closed form or user's generator.

use super::problem::Problem;
use crate::error::Result;
use crate::math::exp;

/// What the A-test says of token k + 1 (docs/mathematics.md, 6.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// It is kept: k* is at least k + 1, and at most `at_most`.
    Include { at_most: usize, steps: f64 },
    /// It is dropped: k* is at most k. `steps` is about how much further k* is, as if every step took x_t of the mass;
    /// in truth it takes more. It is a guess for the search, and NaN where there is none.
    Exclude { steps: f64 },
    /// Only the gain itself can tell between k and k + 1.
    Ambiguous,
    /// This is k*.
    Exactly(usize),
}

impl Verdict {
    /// From A_k, the mass of the first k tokens at the ν that puts token k + 1 at the threshold, and `x_t`, what that
    /// token would get there. Every further step adds at least x_t.
    pub(super) fn of(mass: f64, x_t: f64, k: usize) -> Self {
        let room = (1.0 - mass) / x_t;
        let steps = room - 0.5;
        if mass >= 1.0 {
            Verdict::Exclude { steps }
        } else if mass + x_t < 1.0 {
            let at_most = if room < 1e15 { k + 2 + room as usize } else { usize::MAX };
            Verdict::Include { at_most, steps }
        } else {
            Verdict::Ambiguous
        }
    }

    /// The same without a bound, where x_t differs from token to token.
    pub(super) fn of_this_step(mass: f64, x_t: f64, k: usize) -> Self {
        match Self::of(mass, x_t, k) {
            Verdict::Include { steps, .. } => Verdict::Include { at_most: usize::MAX, steps },
            other => other,
        }
    }

    /// What the A-test leaves open, where the slopes tell it: of the mass of the first k tokens and of token k + 1's
    /// share, by a parameter that rises with ν, here.
    ///
    /// G is the maximum over ν of a function with the slope 1 - M(ν); those for k and for k + 1 differ by λ where token
    /// k + 1 is at its threshold. So the gain exceeds λ iff the first still has farther to rise from there than the
    /// second has on the other side: with a slope that is straight, (1 - A_k)² / 2 M' against (A_k + x_t - 1)² / 2 M'.
    /// No logarithm of a slope changes by more than `bend` while the parameter changes by 1: it is clear if that cannot
    /// make up for the difference.
    pub(super) fn by_slopes(mass: f64, x_t: f64, k: usize, [slope, own]: [f64; 2], bend: f64) -> Self {
        let (before, after) = (1.0 - mass, mass + x_t - 1.0);
        // Twice as far as a straight slope has to go; and what may have been lost in the mass.
        let reach = 2.0 * (before / slope).max(after / (slope + own));
        let unsure = bend * reach + 1e-12 / x_t;
        if unsure.is_nan() || unsure > 0.5 {
            return Verdict::Ambiguous;
        }
        let (first, second) = (before * before * (slope + own), after * after * slope);
        let factor = exp(2.0 * unsure);
        if first > second * factor {
            Verdict::Exactly(k + 1)
        } else if first * factor < second {
            Verdict::Exactly(k)
        } else {
            Verdict::Ambiguous
        }
    }
}

/// The solution for some k, as `solve` left it.
#[derive(Clone, Copy)]
pub(super) struct Optimum<'a> {
    pub(super) x: &'a [f64],
    /// It tells how far x is from p where the difference would be lost in the rounding of x: the gain at a large α is
    /// far smaller than the square of that rounding.
    pub(super) nu: f64,
}

/// A decoder for one divergence, one direction and one λ.
pub(super) trait Method: Send + Sync {
    /// Fills the problem's powers.
    fn prepare(&self, problem: &mut Problem) -> Result<()>;

    /// The penalty a token.
    fn lambda(&self) -> f64;

    /// A token with a probability above this is certainly kept (t_sure).
    fn sure(&self) -> f64;

    /// The threshold behind the bound K(p) (t_floor); None where there is no bound.
    fn floor(&self) -> Option<f64>;

    /// How far between n_sure and K(p) k* usually is.
    fn fraction(&self) -> f64 {
        0.5
    }

    /// The probability that every kept token but the first exceeds, given the first's; None where that says nothing.
    fn kept_floor(&self, p_1: f64) -> Option<f64> {
        let _ = p_1;
        None
    }

    /// The optimum on the first k tokens, into `x`; returns ν.
    fn solve(&self, problem: &mut Problem, k: usize, x: &mut Vec<f64>) -> Result<f64>;

    /// The A-test for token k + 1.
    fn verdict(&self, problem: &mut Problem, k: usize) -> Result<Verdict>;

    /// The gain of token k + 1, G(k) - G(k + 1), from the optima for k and k + 1.
    fn gain(&self, problem: &mut Problem, k: usize, x: Optimum<'_>, y: Optimum<'_>) -> Result<f64>;

    /// k*, where gains have a closed form and a scan is cheaper than a search.
    fn closed_form(&self, problem: &Problem) -> Option<usize> {
        let _ = problem;
        None
    }
}
