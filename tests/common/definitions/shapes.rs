//! Stages that change the weights of all tokens.

use super::Definition;
use super::parameters::{maybe, min_keep, of, power_of_ten, token_list, value, word};
use proptest::prelude::*;
use proptest::sample::select;

pub static SHAPES: &[Definition] = &[
    Definition {
        stage: "temperature",
        parameters: || {
            let special = select(vec![0.0, 1.0, 1e-6, 1e6]);
            let t = prop_oneof![12 => power_of_ten(-1.5, 1.5), 1 => power_of_ten(-6.0, 6.0), 2 => special];
            of("temperature", [value("t", t)])
        },
        is_off: |given| given.number("t") == 1.0,
        apply: |given, distribution, _| distribution.divide_by(given.number("t")),
        draws: None,
    },
    Definition {
        stage: "dynamic_temperature",
        parameters: || {
            // The share of t that delta is: from 1 on the range begins at 0, where only the first token is left.
            let delta = prop_oneof![8 => 0.0..0.9f64, 1 => Just(0.0), 1 => 1.0..2.0f64];
            let exponent = maybe("exponent", prop_oneof![4 => 0.3..3.0f64, 1 => Just(0.0)]);
            (0.5..2.0f64, delta, exponent)
                .prop_map(|(t, share, exponent)| {
                    let mut values = vec![("t", t.to_string()), ("delta", (t * share).to_string())];
                    values.extend(exponent);
                    super::Given::new("dynamic_temperature", values)
                })
                .boxed()
        },
        is_off: |given| (given.number("t"), given.number("delta")) == (1.0, 0.0),
        apply: |given, distribution, _| {
            let (t, delta, n) = (given.number("t"), given.number("delta"), distribution.candidates());
            let (low, high) = ((t - delta).max(0.0), t + delta);
            let t = if n > 1 && delta > 0.0 {
                let share = (distribution.entropy() / (n as f64).ln()).min(1.0);
                distribution.sum_in_f32();
                low + (high - low) * share.powf(given.number("exponent"))
            } else {
                t
            };
            distribution.divide_by(t);
        },
        draws: None,
    },
    Definition {
        stage: "smoothing",
        parameters: || {
            let factor = prop_oneof![1 => Just(0.0), 8 => 0.01..2.0f64];
            of("smoothing", [value("factor", factor), maybe("curve", prop_oneof![1.0..3.0f64, Just(3.0)])])
        },
        is_off: |given| given.number("factor") == 0.0,
        apply: |given, distribution, _| {
            let (factor, curve) = (given.number("factor"), given.number("curve"));
            distribution
                .reshape(|d, _| (curve - 1.0) / 2.0 * factor * d.powi(3) - (3.0 - curve) / 2.0 * factor * d * d);
        },
        draws: None,
    },
    Definition {
        stage: "xtc",
        parameters: || {
            let probability = prop_oneof![1 => Just(0.0), 2 => Just(1.0), 4 => 0.01..0.99f64];
            let threshold = prop_oneof![4 => 0.001..0.6f64, 1 => Just(0.0)];
            of(
                "xtc",
                [
                    value("probability", probability),
                    value("threshold", threshold),
                    word("xtc", "mode"),
                    min_keep(),
                    maybe("exempt", token_list()),
                    word("xtc", "rule"),
                ],
            )
        },
        is_off: |given| given.number("probability") == 0.0 || given.number("threshold") > 0.5,
        apply: |given, distribution, moment| {
            let (probability, threshold) = (given.number("probability"), given.number("threshold") * moment.moved);
            let (p, is_average) = (distribution.p(), given.text("mode") == "average");
            if !is_average && probability < 1.0 && !moment.coin() {
                return;
            }
            let n = p.iter().filter(|&&p| p >= threshold).count().saturating_sub(1);
            let exempt = given.tokens("exempt");
            let going: Vec<i32> = distribution.ids()[..n].iter().copied().filter(|id| !exempt.contains(id)).collect();
            let is_spared = going.len() < n && given.text("rule") == "none";
            if going.is_empty() || is_spared || p.len() - going.len() < given.count("min_keep") {
                return;
            }
            if is_average && probability < 1.0 {
                let entries = distribution.entries();
                let sum = |goes: bool| {
                    let of = entries.iter().rev().filter(|(id, _)| going.contains(id) == goes);
                    of.map(|entry| entry.1).sum::<f64>()
                };
                let (taken, left) = (sum(true), sum(false));
                // The row's sums are in f32, which has no weight so small.
                distribution.undecided_if(distribution.is_whole() && left < 1e-35);
                let less = ((1.0 - probability) / (1.0 + probability * taken / left)).ln();
                distribution.demote(|id| going.contains(&id), less);
            } else {
                distribution.take_away(|id| going.contains(&id));
            }
        },
        draws: None,
    },
];
