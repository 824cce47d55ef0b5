//! The optimum on a given support by plain bisection, and the objective by its definition: the reference for the
//! library's solvers and its search. Shares no code with the library.

use bregman::bregman::Mode;

/// A convex function on [0, 1] with its derivatives.
pub trait Phi {
    fn phi(&self, x: f64) -> f64;
    fn f(&self, x: f64) -> f64;
    /// The solution for a token of probability `p`, non-decreasing in the level `w` in [0, 1]; `top` is the largest p of the
    /// support. Primal: f(x) - f(p) is the same for all tokens; dual: f'(x) (x - p) is.
    fn at_level(&self, mode: Mode, p: f64, top: f64, w: f64) -> f64;
}

/// The α family, with the linear term that makes it x ln x at α = 1 without a limit.
pub struct Power {
    alpha: f64,
    b: f64,
}

impl Power {
    pub fn new(alpha: f64) -> Self {
        Self { alpha, b: alpha - 1.0 }
    }

    /// (x^b - 1) / b, or x^b / b where the 1 would only cost digits.
    fn log(&self, x: f64) -> f64 {
        if self.b == 0.0 {
            x.ln()
        } else if self.b < 1.0 {
            (self.b * x.ln()).exp_m1() / self.b
        } else {
            x.powf(self.b) / self.b
        }
    }
}

impl Phi for Power {
    fn phi(&self, x: f64) -> f64 {
        if x == 0.0 { 0.0 } else { x * self.log(x) / self.alpha }
    }

    fn f(&self, x: f64) -> f64 {
        self.log(x) + if self.b < 1.0 { 1.0 / self.alpha } else { 0.0 }
    }

    fn at_level(&self, mode: Mode, p: f64, top: f64, w: f64) -> f64 {
        let b = self.b;
        match mode {
            Mode::Primal if b == 0.0 => p * (1.0 + w * (1.0 / top - 1.0)),
            // x^b = p^b + w^b, with the larger one in front so that no power underflows.
            Mode::Primal if b > 1.0 => {
                let (large, small) = (p.max(w), p.min(w));
                if large == 0.0 { 0.0 } else { large * (1.0 + (small / large).powf(b)).powf(1.0 / b) }
            }
            // x^b = p^b + w.
            Mode::Primal if b > 0.0 => p * ((w * p.powf(-b)).ln_1p() / b).exp(),
            // x^b = z^b + p^b - top^b: z, the top token's share, goes from top to 1.
            Mode::Primal => {
                let z = top + w * (1.0 - top);
                (z.powf(b) + (p.powf(b) - top.powf(b))).powf(1.0 / b)
            }
            Mode::Dual => {
                let nu = w.powf(b.max(1.0));
                bisect(p, 1.0, |x| x.powf(b - 1.0) * (x - p) >= nu)
            }
        }
    }
}

/// Where a condition that is false on the left becomes true, by halving the bits of a positive number: to the last
/// bit, however small it is.
pub fn bisect(low: f64, high: f64, mut holds: impl FnMut(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low.to_bits(), high.to_bits());
    while low + 1 < high {
        let mid = low + (high - low) / 2;
        if holds(f64::from_bits(mid)) { high = mid } else { low = mid }
    }
    f64::from_bits(high)
}

/// The best distribution on a support with probabilities `p` in descending order.
pub fn optimum(phi: &dyn Phi, mode: Mode, p: &[f64]) -> Vec<f64> {
    if p.len() == 1 {
        return vec![1.0];
    }
    let at = |w: f64| p.iter().map(move |&p_i| phi.at_level(mode, p_i, p[0], w));
    let w = bisect(0.0, 1.0, |w| at(w).sum::<f64>() >= 1.0);
    let x: Vec<f64> = at(w).collect();
    let sum: f64 = x.iter().sum();
    assert!((sum - 1.0).abs() < 1e-8, "the bisection found no distribution: {sum}, {mode:?}, {p:?}");
    x.iter().map(|x| x / sum).collect()
}

/// The objective by its definition, over all tokens, and the size of the numbers that it was summed from: the f64
/// rounding of this very function is some ulp of that.
pub fn literal(phi: &dyn Phi, mode: Mode, lambda: f64, x: &[f64], p: &[f64]) -> (f64, f64) {
    assert_eq!(x.len(), p.len());
    let (mut value, mut size) = (0.0, 0.0);
    for (&x, &p) in x.iter().zip(p) {
        let (to, from) = if mode == Mode::Primal { (x, p) } else { (p, x) };
        if x > 0.0 {
            value += lambda;
            size += lambda;
        }
        if to != from {
            let terms = [phi.phi(to), -phi.phi(from), -phi.f(from) * (to - from)];
            value += terms[0] + terms[1] + terms[2];
            size += terms.iter().map(|t| t.abs()).sum::<f64>();
        }
    }
    (value, size)
}

/// `x` on the tokens whose bit is set, 0 elsewhere.
pub fn spread(x: &[f64], support: u32, vocab: usize) -> Vec<f64> {
    let mut next = x.iter();
    (0..vocab).map(|i| if support >> i & 1 == 1 { *next.next().expect("one x for each") } else { 0.0 }).collect()
}
