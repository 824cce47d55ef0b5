//! Stages that drop tokens.

use super::parameters::{maybe, min_keep, of, power_of_ten, share, value, word};
use super::{Definition, Distribution, Given, never};
use proptest::prelude::*;

/// A probability that truncations of the tail usually have, or 0.
fn small() -> impl Strategy<Value = f64> {
    prop_oneof![8 => power_of_ten(-5.0, -0.3), 1 => Just(0.0), 1 => Just(1.0)]
}

pub static TRUNCATIONS: &[Definition] = &[
    Definition {
        stage: "top_p",
        parameters: || of("top_p", [value("p", share()), word("top_p", "rule"), min_keep()]),
        is_off: |given| given.number("p") >= 1.0,
        apply: |given, distribution, moment| {
            let (x, p, target) = (distribution.x(), distribution.p(), given.number("p") * moment.moved);
            let (mut before, mut greater, mut k) = (0.0, 0.0, 0);
            for (i, p) in p.iter().enumerate() {
                if i > 0 && x[i] < x[i - 1] {
                    greater = before;
                }
                let keeps = match given.text("rule") {
                    "below" => before < target,
                    "reach" => before <= target,
                    "within" => before + p <= target,
                    "ties" => greater < target,
                    other => panic!("no rule {other}"),
                };
                if !keeps {
                    break;
                }
                before += p;
                k += 1;
            }
            let min_keep = given.count("min_keep");
            if given.text("rule") == "ties" && k < min_keep {
                distribution.keep_first_with_equals(min_keep);
            } else {
                distribution.keep_first(k.max(min_keep));
            }
        },
        draws: None,
    },
    Definition {
        stage: "min_p",
        parameters: || of("min_p", [value("p", share()), word("min_p", "rule"), min_keep()]),
        is_off: |given| given.number("p") == 0.0,
        apply: |given, distribution, moment| {
            let (x, min_keep) = ((given.number("p") * moment.moved).ln(), given.count("min_keep"));
            if given.text("rule") == "above" {
                let k = distribution.x().iter().filter(|own| **own > x).count();
                distribution.keep_first(k.max(min_keep));
            } else {
                distribution.keep_down_to(x, min_keep);
            }
        },
        draws: None,
    },
    Definition {
        stage: "top_a",
        parameters: || of("top_a", [value("a", share()), min_keep()]),
        is_off: |given| given.number("a") == 0.0,
        apply: |given, distribution, moment| {
            let p = distribution.p();
            let threshold = given.number("a") * moment.moved * p[0] * p[0];
            distribution.keep_down_to((threshold / p[0]).ln(), given.count("min_keep"));
        },
        draws: None,
    },
    Definition {
        stage: "epsilon",
        parameters: || of("epsilon", [value("epsilon", small()), min_keep()]),
        is_off: |given| given.number("epsilon") == 0.0,
        apply: |given, distribution, moment| {
            let threshold = given.number("epsilon") * moment.moved;
            keep_p_down_to(distribution, threshold, given);
        },
        draws: None,
    },
    Definition {
        stage: "eta",
        parameters: || of("eta", [value("epsilon", small()), min_keep()]),
        is_off: |given| given.number("epsilon") == 0.0,
        apply: |given, distribution, moment| {
            let epsilon = given.number("epsilon");
            let eta = epsilon.min(epsilon.sqrt() * (-distribution.entropy()).exp());
            keep_p_down_to(distribution, eta * moment.moved, given);
        },
        draws: None,
    },
    Definition {
        stage: "p_less",
        parameters: || of("p_less", [word("p_less", "form"), min_keep()]),
        is_off: never,
        apply: |given, distribution, moment| {
            let (collision, v) =
                (distribution.p().iter().map(|p| p * p).sum::<f64>(), distribution.candidates() as f64);
            let is_norm = given.text("form") == "norm" && v > 1.0;
            let s = if is_norm { (v * collision - 1.0) / (v - 1.0) } else { collision };
            // Of equal tokens it is 0, and nothing is dropped.
            distribution.undecided_if(is_norm && s.abs() < 1e-9);
            let threshold = s.max(0.0) * (1.0 - 1e-6) * moment.moved;
            distribution.keep_down_to((threshold * distribution.total()).ln(), given.count("min_keep"));
        },
        draws: None,
    },
    Definition {
        stage: "top_n_sigma",
        parameters: || {
            let n = prop_oneof![8 => 0.01..4.0f64, 1 => Just(0.0)];
            of("top_n_sigma", [value("n", n), word("top_n_sigma", "ddof"), min_keep()])
        },
        is_off: |given| given.number("n") == 0.0,
        apply: |given, distribution, moment| {
            let logits: Vec<f64> = distribution.all_x().collect();
            let (n, ddof) = (logits.len() as f64, given.number("ddof"));
            let mean = logits.iter().map(|l| l / n).sum::<f64>();
            let variance = logits.iter().map(|l| (l - mean).powi(2) / (n - ddof)).sum::<f64>();
            let sigma = if n > ddof { variance.sqrt() } else { 0.0 };
            distribution.keep_down_to(-given.number("n") * sigma * moment.moved, given.count("min_keep"));
        },
        draws: None,
    },
    Definition {
        stage: "typical",
        parameters: || of("typical", [value("p", share()), word("typical", "rule"), min_keep()]),
        is_off: |given| given.number("p") >= 1.0,
        apply: |given, distribution, moment| {
            let (ids, p, mass) = (distribution.ids(), distribution.p(), given.number("p") * moment.moved);
            // The entropy itself decides which token is nearer: it is moved, too.
            let slack = (moment.moved - 1.0) * 0.1;
            let entropy = distribution.entropy() * (1.0 + slack) + slack;
            let total = distribution.total();
            let score: Vec<f64> = distribution.x().iter().map(|x| (total.ln() - x - entropy).abs()).collect();
            let mut order: Vec<usize> = (0..p.len()).collect();
            order.sort_by(|&a, &b| score[a].total_cmp(&score[b]).then(ids[a].cmp(&ids[b])));
            let mut sum = 0.0;
            let end = order.iter().position(|&i| {
                sum += p[i];
                if given.text("rule") == "reach" { sum >= mass } else { sum > mass }
            });
            let mut kept = match (given.text("rule"), end) {
                (_, None) => order.clone(),
                ("within", Some(end)) => order[..end].to_vec(),
                ("exceed", Some(end)) => order[..=end].to_vec(),
                ("reach", Some(end)) => order.iter().copied().filter(|&i| score[i] <= score[order[end]]).collect(),
                (other, _) => panic!("no rule {other}"),
            };
            let min_keep = given.count("min_keep").min(p.len());
            if kept.len() < min_keep {
                kept = order[..min_keep].to_vec();
            }
            distribution.keep(&kept);
        },
        draws: None,
    },
    Definition {
        stage: "tail_free",
        parameters: || of("tail_free", [value("z", share()), word("tail_free", "rule"), min_keep()]),
        is_off: |given| given.number("z") >= 1.0,
        apply: |given, distribution, moment| {
            let p = distribution.p();
            if p.len() <= 2 {
                return;
            }
            let mut bends: Vec<f64> = p.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).collect();
            let (sum, n) = (bends.iter().sum::<f64>(), bends.len() as f64);
            let is_straight = sum <= 1e-6 * moment.moved;
            bends.iter_mut().for_each(|d| *d = if is_straight { 1.0 / n } else { *d / sum });
            let mut so_far = 0.0;
            let last = bends.iter().position(|d| {
                so_far += d;
                so_far > given.number("z") * moment.moved
            });
            if let Some(last) = last {
                let k = last.max(given.count("min_keep"));
                distribution.keep_first(k + usize::from(given.text("rule") == "after"));
            }
        },
        draws: None,
    },
    // docs/mathematics.md, 17.
    Definition {
        stage: "entmax",
        parameters: || {
            let alpha =
                prop_oneof![1 => Just(1.0), 2 => Just(2.0), 2 => Just(1.5), 8 => 1.01..4.0f64, 1 => 4.0..64.0f64];
            of("entmax", [value("alpha", alpha)])
        },
        is_off: |given| given.number("alpha") == 1.0,
        apply: |given, distribution, moment| {
            let (x, b) = (distribution.x(), given.number("alpha") - 1.0);
            let shares = |tau: f64| -> Vec<f64> {
                x.iter().map(|x| (b * moment.moved * x - tau).max(0.0).powf(1.0 / b)).collect()
            };
            let (mut low, mut high) = (-1.0, 0.0);
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if shares(middle).iter().sum::<f64>() > 1.0 { low = middle } else { high = middle }
            }
            let mut p = shares(low);
            p.retain(|&p| p > 1e-290);
            let total: f64 = p.iter().sum();
            p.iter_mut().for_each(|p| *p /= total);
            // How far the last share moves with the last digit of tau.
            let last = p.last().copied().unwrap_or(0.0);
            distribution.undecided_if(last < 1e-9 || 2e-16 * last.powf(1.0 - b) / b > 1e-10);
            distribution.give(&p);
        },
        draws: None,
    },
    Definition {
        stage: "top_h",
        parameters: || {
            let h = prop_oneof![8 => 0.01..1.0f64, 1 => Just(1.0)];
            of("top_h", [value("h", h), maybe("top_n", 1usize..300), min_keep()])
        },
        is_off: never,
        apply: |given, distribution, moment| {
            let head: Vec<f64> = distribution.x().into_iter().take(given.count("top_n")).collect();
            let total: f64 = head.iter().map(|x| x.exp()).sum();
            let terms: Vec<f64> = head.iter().map(|x| x.exp() / total * (total.ln() - x)).collect();
            let most = given.number("h") * moment.moved * terms.iter().sum::<f64>();
            let mut sum = 0.0;
            let kept = terms.iter().take_while(|term| {
                sum += *term;
                sum <= most
            });
            distribution.keep_first(kept.count().max(given.count("min_keep").min(head.len())));
        },
        draws: None,
    },
];

/// Keeps probabilities of at least `threshold`; of fewer than `min_keep`, `min_keep` and the equals of the last of them.
fn keep_p_down_to(distribution: &mut Distribution, threshold: f64, given: &Given) {
    distribution.keep_down_to_with_equals((threshold * distribution.total()).ln(), given.count("min_keep"));
}
