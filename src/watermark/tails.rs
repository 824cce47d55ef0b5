//! p-values: the probability of at least a score under the null hypothesis, right relative to itself however small.

use crate::math::{exp, ln, ln_gamma};

/// P[G >= s] for the sum G of `n` standard exponentials: e^-s times the sum of s^i / i! over i < n.
pub(crate) fn gamma_tail(n: usize, s: f64) -> f64 {
    if n == 0 || s <= 0.0 {
        return 1.0;
    }
    // The sum of the terms relative to the largest so far, which keeps them finite.
    let (log_s, mut log_term, mut largest, mut sum) = (ln(s), 0.0, 0.0, 1.0);
    for i in 1..n {
        log_term += log_s - ln(i as f64);
        if log_term > largest {
            sum = sum * exp(largest - log_term) + 1.0;
            largest = log_term;
        } else {
            sum += exp(log_term - largest);
        }
    }
    exp((largest + ln(sum) - s).min(0.0))
}

/// P[X >= k] for X successes in `n` trials of probability `p`, in (0, 1).
pub(crate) fn binomial_tail(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    // From the side on which the terms fall.
    if k as f64 <= n as f64 * p {
        return 1.0 - binomial_tail(n - k + 1, n, 1.0 - p);
    }
    let (n_f, k_f) = (n as f64, k as f64);
    let choose = ln_gamma(n_f + 1.0) - ln_gamma(k_f + 1.0) - ln_gamma(n_f - k_f + 1.0);
    let (mut term, mut sum) = (1.0, 1.0);
    for i in k..n {
        term *= (n - i) as f64 / (i + 1) as f64 * (p / (1.0 - p));
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    exp((choose + k_f * ln(p) + (n_f - k_f) * ln(1.0 - p) + ln(sum)).min(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Gamma};

    fn near(ours: f64, theirs: f64, relative: f64) -> bool {
        (ours - theirs).abs() <= relative * theirs + 1e-300
    }

    #[test]
    fn gamma_tail_matches_an_independent_implementation() {
        for n in [1, 2, 5, 60, 200, 3000] {
            for factor in [0.1, 0.5, 0.9, 1.0, 1.1, 1.5, 2.5] {
                let s = factor * n as f64;
                let theirs = Gamma::new(n as f64, 1.0).unwrap().sf(s);
                assert!(near(gamma_tail(n, s), theirs, 1e-8), "{n} {s}: {} {theirs}", gamma_tail(n, s));
            }
        }
        assert_eq!((gamma_tail(0, 3.0), gamma_tail(4, 0.0)), (1.0, 1.0));
        // e^-s for one exponential, far out.
        assert!(near(gamma_tail(1, 700.0), (-700f64).exp(), 1e-12));
    }

    #[test]
    fn binomial_tail_matches_an_independent_implementation() {
        for (n, p) in [(1u64, 0.5), (10, 0.25), (199, 0.25), (6000, 0.5), (6000, 0.01)] {
            for share in [0.0, 0.3, 0.9, 1.0, 1.1, 1.4, 2.0, 1.0 / p] {
                let k = ((n as f64 * p * share).round() as u64).min(n);
                let theirs = if k == 0 { 1.0 } else { Binomial::new(p, n).unwrap().sf(k - 1) };
                assert!(near(binomial_tail(k, n, p), theirs, 1e-7), "{n} {p} {k}: {} {theirs}", binomial_tail(k, n, p));
            }
        }
        assert_eq!((binomial_tail(0, 5, 0.5), binomial_tail(6, 5, 0.5)), (1.0, 0.0));
    }
}
