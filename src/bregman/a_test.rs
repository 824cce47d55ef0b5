//! The A-test: whether a token is kept, from sums alone (docs/mathematics.md, 6.2).

use crate::math::exp;

/// What the A-test finds for token k + 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// The token is kept: k* is at least k + 1, and at most `at_most`. `steps` is as in `Exclude`.
    Include { at_most: usize, steps: f64 },
    /// The token is dropped: k* is at most k. `steps` estimates k* - k as if every further token had the mass x_t; they
    /// have more. It guides the search; NaN if there is no estimate.
    Exclude { steps: f64 },
    /// k* is k or k + 1; only the exact gain can tell.
    Ambiguous,
    /// This is k*.
    Exactly(usize),
}

impl Verdict {
    /// From A_k, the mass of the first k tokens at the ν that puts token k + 1 at the threshold, and `x_t`, the mass of
    /// that token there. Every further token adds at least x_t.
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

    /// The same where x_t differs from token to token, so that it gives no upper bound on k*.
    pub(super) fn without_bound(mass: f64, x_t: f64, k: usize) -> Self {
        match Self::of(mass, x_t, k) {
            Verdict::Include { steps, .. } => Verdict::Include { at_most: usize::MAX, steps },
            other => other,
        }
    }

    /// Decides what the A-test leaves ambiguous, if the derivatives do: those of the mass of the first k tokens and of
    /// token k + 1's share, by a parameter that increases with ν, at this ν.
    ///
    /// G is the maximum over ν of a function with the derivative 1 - M(ν). The functions for k and k + 1 differ by λ at
    /// the ν that puts token k + 1 at its threshold. So the gain exceeds λ iff the first has farther to rise from there
    /// than the second has on the other side: for a constant M', (1 - A_k)² / 2 M' against (A_k + x_t - 1)² / 2 M'. The
    /// logarithms of both derivatives change by at most `curvature` per unit of the parameter: the answer is certain if
    /// that cannot make up for the difference.
    pub(super) fn by_derivatives(mass: f64, x_t: f64, k: usize, [slope, own]: [f64; 2], curvature: f64) -> Self {
        let (before, after) = (1.0 - mass, mass + x_t - 1.0);
        // Twice the distance for a constant derivative, plus the rounding error of the mass.
        let distance = 2.0 * (before / slope).max(after / (slope + own));
        let unsure = curvature * distance + 1e-12 / x_t;
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
