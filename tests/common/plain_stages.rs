//! The stages that engines have, the plain way: by their definitions, over a sorted list of everything that is left.

/// Tokens with their log-weights, in descending order, the first one's 0.
pub type Law = Vec<(u32, f64)>;

/// A stage other than those of [`super::plain::Step`].
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    Epsilon {
        p: f64,
        min_keep: usize,
    },
    Eta {
        p: f64,
        min_keep: usize,
    },
    TopA {
        a: f64,
        min_keep: usize,
    },
    PLess {
        norm: bool,
        min_keep: usize,
    },
    TopNSigma {
        n: f64,
        ddof: usize,
        min_keep: usize,
    },
    Typical {
        p: f64,
        rule: &'static str,
        min_keep: usize,
    },
    TailFree {
        z: f64,
        rule: &'static str,
        min_keep: usize,
    },
    TopH {
        h: f64,
        top_n: usize,
        min_keep: usize,
    },
    TopKTies {
        k: usize,
    },
    TopPRule {
        p: f64,
        rule: &'static str,
        min_keep: usize,
    },
    MinPAbove {
        p: f64,
        min_keep: usize,
    },
    /// In average mode, or with the coin's probability 1.
    Xtc {
        p: f64,
        t: f64,
        average: bool,
        min_keep: usize,
    },
    DynamicTemperature {
        t: f64,
        delta: f64,
        exponent: f64,
    },
    Smoothing {
        factor: f64,
        curve: f64,
    },
    Mirostat {
        tau: f64,
    },
    MirostatV2 {
        tau: f64,
    },
    AdaptiveP {
        target: f64,
    },
}

use Stage::*;

impl Stage {
    /// As the chain spells it.
    pub fn text(&self) -> String {
        match self {
            Epsilon { p, min_keep } => format!("epsilon({p}, min_keep={min_keep})"),
            Eta { p, min_keep } => format!("eta({p}, min_keep={min_keep})"),
            TopA { a, min_keep } => format!("top_a({a}, min_keep={min_keep})"),
            PLess { norm, min_keep } => {
                format!("p_less({}, min_keep={min_keep})", if *norm { "norm" } else { "plain" })
            }
            TopNSigma { n, ddof, min_keep } => format!("top_n_sigma({n}, ddof={ddof}, min_keep={min_keep})"),
            Typical { p, rule, min_keep } => format!("typical({p}, rule={rule}, min_keep={min_keep})"),
            TailFree { z, rule, min_keep } => format!("tail_free({z}, rule={rule}, min_keep={min_keep})"),
            TopH { h, top_n, min_keep } => format!("top_h({h}, top_n={top_n}, min_keep={min_keep})"),
            TopKTies { k } => format!("top_k({k}, ties=keep)"),
            TopPRule { p, rule, min_keep } => format!("top_p({p}, rule={rule}, min_keep={min_keep})"),
            MinPAbove { p, min_keep } => format!("min_p({p}, rule=above, min_keep={min_keep})"),
            Xtc { p, t, average, min_keep } => {
                let mode = if *average { "average" } else { "coin" };
                format!("xtc({p}, threshold={t}, mode={mode}, min_keep={min_keep})")
            }
            DynamicTemperature { t, delta, exponent } => {
                format!("dynamic_temperature({t}, delta={delta}, exponent={exponent})")
            }
            Smoothing { factor, curve } => format!("smoothing({factor}, curve={curve})"),
            Mirostat { tau } => format!("mirostat({tau})"),
            MirostatV2 { tau } => format!("mirostat_v2({tau})"),
            AdaptiveP { target } => format!("adaptive_p({target})"),
        }
    }

    /// Whether the stage is sure to leave the law as it is.
    pub fn is_off(&self) -> bool {
        match self {
            Epsilon { p, .. } | Eta { p, .. } | MinPAbove { p, .. } => *p <= 0.0,
            TopA { a, .. } => *a <= 0.0,
            TopNSigma { n, .. } => *n <= 0.0,
            Typical { p, .. } | TopPRule { p, .. } => *p >= 1.0,
            TailFree { z, .. } => *z >= 1.0,
            TopKTies { k } => *k == 0,
            Xtc { p, t, .. } => *p <= 0.0 || *t > 0.5,
            Smoothing { factor, .. } => *factor == 0.0,
            AdaptiveP { target } => *target < 0.0,
            _ => false,
        }
    }

    /// Whether it changes the weights, and not only which tokens have some.
    pub fn is_shaping(&self) -> bool {
        matches!(self, Xtc { .. } | DynamicTemperature { .. } | Smoothing { .. } | AdaptiveP { .. })
    }

    /// Whether less likely tokens may overtake more likely ones.
    pub fn reorders(&self) -> bool {
        matches!(self, Xtc { average: true, .. } | AdaptiveP { .. })
    }

    /// Does it, thresholds multiplied by `moved`. `size` is the number of candidates. Returns whether the law is a list
    /// of survivors from now on.
    pub fn apply(&self, law: &mut Law, size: usize, moved: f64) -> bool {
        let total: f64 = law.iter().rev().map(|e| e.1.exp()).sum();
        let p: Vec<f64> = law.iter().map(|e| e.1.exp() / total).collect();
        let entropy: f64 = p.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
        match *self {
            Epsilon { p, min_keep } => threshold(law, (p * moved * total).ln(), min_keep, true),
            Eta { p, min_keep } => {
                let eta = p.min(p.sqrt() * (-entropy).exp());
                threshold(law, (eta * moved * total).ln(), min_keep, true)
            }
            TopA { a, min_keep } => threshold(law, (a * p[0] * moved).ln(), min_keep, false),
            PLess { norm, min_keep } => {
                let (s, v) = (p.iter().map(|p| p * p).sum::<f64>(), size as f64);
                let s = if norm && size > 1 { (v * s - 1.0) / (v - 1.0) } else { s };
                threshold(law, (s.max(0.0) * total * moved * (1.0 - 1e-6)).ln(), min_keep, false)
            }
            TopNSigma { n, ddof, min_keep } => threshold(law, -n * deviation(law, ddof) * moved, min_keep, false),
            MinPAbove { p, min_keep } => {
                let x = (p * moved).ln();
                cut(law, law.iter().filter(|e| e.1 > x).count(), min_keep)
            }
            Typical { p: mass, rule, min_keep } => typical(law, &p, entropy, mass, rule, min_keep, moved),
            TailFree { z, rule, min_keep } => tail_free(law, &p, z * moved, rule, min_keep, moved),
            TopH { h, top_n, min_keep } => top_h(law, h * moved, top_n, min_keep),
            TopKTies { k } => {
                let last = law[k.min(law.len()) - 1].1;
                law.retain(|e| e.1 >= last);
                true
            }
            TopPRule { p: mass, rule, min_keep } => top_p(law, &p, mass * moved, rule, min_keep),
            Xtc { p: chance, t, average, min_keep } => xtc(law, &p, chance, t * moved, average, min_keep),
            DynamicTemperature { t, delta, exponent } => {
                let share = (entropy / (size as f64).ln()).min(1.0);
                let (low, high) = ((t - delta).max(0.0), t + delta);
                let t = if size > 1 && delta > 0.0 { low + (high - low) * share.powf(exponent) } else { t };
                law.iter_mut().for_each(|e| e.1 /= t);
                false
            }
            Smoothing { factor, curve } => {
                let shape = |d: f64| (curve - 1.0) / 2.0 * factor * d.powi(3) - (3.0 - curve) / 2.0 * factor * d * d;
                law.iter_mut().for_each(|e| e.1 = shape(e.1));
                false
            }
            Mirostat { tau } => mirostat(law, 2.0 * tau, size, moved),
            MirostatV2 { tau } => threshold(law, (2f64.powf(-2.0 * tau) * total * moved).ln(), 1, false),
            AdaptiveP { target } => {
                for (e, p) in law.iter_mut().zip(&p) {
                    let d = (p - target).abs() / 0.3;
                    e.1 = 5.0 - 10.0 * d * d / (1.0 + d);
                }
                reorder(law);
                false
            }
        }
    }
}

/// Nothing below this log-weight is eligible: a lower threshold drops nothing.
const LOWEST: f64 = -680.0;

fn threshold(law: &mut Law, x: f64, min_keep: usize, ties: bool) -> bool {
    if x <= LOWEST {
        return false;
    }
    let k = law.iter().take_while(|e| e.1 >= x).count();
    let least = min_keep.min(law.len());
    if ties && k < least {
        let last = law[least - 1].1;
        law.retain(|e| e.1 >= last);
    } else {
        law.truncate(k.max(least));
    }
    true
}

fn cut(law: &mut Law, k: usize, min_keep: usize) -> bool {
    law.truncate(k.max(min_keep));
    true
}

fn reorder(law: &mut Law) {
    law.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let first = law[0].1;
    law.iter_mut().for_each(|e| e.1 -= first);
}

fn deviation(law: &Law, ddof: usize) -> f64 {
    let n = law.len() as f64;
    if law.len() <= ddof {
        return 0.0;
    }
    let mean = law.iter().map(|e| e.1 / n).sum::<f64>();
    (law.iter().map(|e| (e.1 - mean).powi(2) / (n - ddof as f64)).sum::<f64>()).sqrt()
}

fn typical(law: &mut Law, p: &[f64], entropy: f64, mass: f64, rule: &str, min_keep: usize, moved: f64) -> bool {
    // The entropy itself decides who is nearer: a slack for it as for the mass.
    let slack = (moved - 1.0) * 0.1;
    let entropy = entropy * (1.0 + slack) + slack;
    let total: f64 = law.iter().rev().map(|e| e.1.exp()).sum();
    let score = |i: usize| (total.ln() - law[i].1 - entropy).abs();
    let mut order: Vec<usize> = (0..law.len()).collect();
    order.sort_by(|&a, &b| score(a).total_cmp(&score(b)).then(law[a].0.cmp(&law[b].0)));
    let mut sum = 0.0;
    let end = order.iter().position(|&i| {
        sum += p[i];
        if rule == "reach" { sum >= mass * moved } else { sum > mass * moved }
    });
    let mut kept: Vec<usize> = match end {
        None => order.clone(),
        Some(end) if rule == "within" => order[..end].to_vec(),
        Some(end) if rule == "exceed" => order[..=end].to_vec(),
        Some(end) => order.iter().copied().filter(|&i| score(i) <= score(order[end])).collect(),
    };
    if kept.len() < min_keep.min(law.len()) {
        kept = order[..min_keep.min(law.len())].to_vec();
    }
    kept.sort_unstable();
    *law = kept.iter().map(|&i| law[i]).collect();
    let first = law[0].1;
    law.iter_mut().for_each(|e| e.1 -= first);
    true
}

fn tail_free(law: &mut Law, p: &[f64], z: f64, rule: &str, min_keep: usize, moved: f64) -> bool {
    if law.len() <= 2 {
        return false;
    }
    let mut bends: Vec<f64> = p.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).collect();
    let sum: f64 = bends.iter().sum();
    let n = bends.len() as f64;
    let is_straight = sum <= 1e-6 * moved;
    bends.iter_mut().for_each(|d| *d = if is_straight { 1.0 / n } else { *d / sum });
    let mut so_far = 0.0;
    let last = bends.iter().position(|d| {
        so_far += d;
        so_far > z
    });
    last.is_some_and(|last| cut(law, last.max(min_keep) + usize::from(rule == "after"), 1))
}

fn top_h(law: &mut Law, h: f64, top_n: usize, min_keep: usize) -> bool {
    let head: Vec<f64> = law.iter().take(top_n).map(|e| e.1.exp()).collect();
    let total: f64 = head.iter().sum();
    let terms: Vec<f64> = head.iter().zip(&*law).map(|(w, e)| w / total * (total.ln() - e.1)).collect();
    let entropy: f64 = terms.iter().sum();
    let mut sum = 0.0;
    let k = terms.iter().take_while(|t| {
        sum += *t;
        sum <= h * entropy
    });
    let k = k.count().max(min_keep.min(head.len()));
    cut(law, k, 1)
}

fn top_p(law: &mut Law, p: &[f64], mass: f64, rule: &str, min_keep: usize) -> bool {
    let (mut sum, mut greater) = (0.0, 0.0);
    let k = (0..p.len()).take_while(|&i| {
        let before = sum;
        sum += p[i];
        if i > 0 && law[i].1 < law[i - 1].1 {
            greater = before;
        }
        match rule {
            "below" => before < mass,
            "reach" => before <= mass,
            "within" => sum <= mass,
            _ => greater < mass,
        }
    });
    let (k, least) = (k.count(), min_keep.min(law.len()));
    if rule == "ties" && k < least {
        let last = law[least - 1].1;
        law.retain(|e| e.1 >= last);
        return true;
    }
    cut(law, k, min_keep)
}

fn xtc(law: &mut Law, p: &[f64], chance: f64, t: f64, average: bool, min_keep: usize) -> bool {
    let n = p.iter().filter(|&&p| p >= t).count().saturating_sub(1);
    if n == 0 || law.len() - n < min_keep {
        return false;
    }
    if average && chance < 1.0 {
        let (taken, left) = (p[..n].iter().sum::<f64>(), p[n..].iter().rev().sum::<f64>());
        let factor = (1.0 - chance) / (1.0 + chance * taken / left);
        law[..n].iter_mut().for_each(|e| e.1 += factor.ln());
    } else {
        law.drain(..n);
    }
    reorder(law);
    false
}

fn mirostat(law: &mut Law, mu: f64, vocab: usize, moved: f64) -> bool {
    let pairs = law.windows(2).take(99).enumerate();
    let (products, squares) = pairs.fold((0.0, 0.0), |(products, squares), (i, w)| {
        let t = ((i + 2) as f64 / (i + 1) as f64).ln();
        (products + t * (w[0].1 - w[1].1), squares + t * t)
    });
    let s: f64 = products / squares;
    let e = s - 1.0;
    let k = (e * 2f64.powf(mu) / (1.0 - (vocab as f64).powf(-e))).powf(1.0 / s) * moved;
    let k = (k as usize).max(1);
    law.truncate(k);
    k < vocab
}
