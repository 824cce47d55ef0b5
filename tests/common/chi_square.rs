//! The chi-square test: counts against expectations.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// A correct sampler fails for one in 10 000 seeds; the seeds in the tests are fixed.
pub const LEAST_P_VALUE: f64 = 1e-4;

/// The p-value of counts against expectations; small expectations are pooled until they are large enough for a
/// chi-square to hold.
pub fn p_value(observed: &[u64], expected: &[f64]) -> f64 {
    assert_eq!(observed.len(), expected.len());
    let (mut statistic, mut cells, mut pool) = (0.0, 0, (0.0, 0.0));
    let mut add = |o: f64, e: f64| {
        statistic += (o - e) * (o - e) / e;
        cells += 1;
    };
    for (&o, &e) in observed.iter().zip(expected) {
        if e >= 10.0 {
            add(o as f64, e);
            continue;
        }
        pool = (pool.0 + o as f64, pool.1 + e);
        if pool.1 >= 10.0 {
            add(pool.0, pool.1);
            pool = (0.0, 0.0);
        }
    }
    if pool.1 > 0.0 {
        add(pool.0, pool.1);
    }
    assert!(cells > 1, "one cell tests nothing");
    let chi_square = ChiSquared::new(f64::from(cells - 1)).expect("at least one degree of freedom");
    chi_square.sf(statistic)
}
