//! Stages that draw a token: the distribution that they draw from, and what they learn.

use super::parameters::{Values, maybe, none, of, value};
use super::{Definition, Given, Learning, Moment, State, never};
use proptest::prelude::*;

const NOTHING: Learning = Learning { initial: |_| [0.0; 2], next: |_, state, _| state };

/// The limit on the surprise, which moves by eta for each bit that the drawn token's surprise was off tau.
const SURPRISE: Learning = Learning {
    initial: |given| [2.0 * given.number("tau"), 0.0],
    next: |given, [mu, _], drawn| [mu - given.number("eta") * (-drawn.p.log2() - given.number("tau")), 0.0],
};

pub static DRAWS: &[Definition] = &[
    Definition { stage: "draw", parameters: || none("draw"), is_off: never, apply: |_, _, _| {}, draws: Some(NOTHING) },
    Definition {
        stage: "gumbel",
        parameters: || none("gumbel"),
        is_off: never,
        apply: |_, _, _| {},
        draws: Some(NOTHING),
    },
    Definition {
        stage: "greedy",
        parameters: || none("greedy"),
        is_off: never,
        apply: |_, distribution, _| distribution.keep_first(1),
        draws: Some(NOTHING),
    },
    Definition {
        stage: "mirostat",
        parameters: || {
            let [tau, eta] = tau_and_eta();
            of("mirostat", [tau, eta, maybe("m", 2usize..200), maybe("vocab", prop_oneof![1usize..5000, Just(32_000)])])
        },
        is_off: never,
        apply: |given, distribution, moment| {
            let [mu, _] = state(&SURPRISE, given, moment);
            let v = given.maybe_count("vocab").unwrap_or(distribution.candidates()) as f64;
            let x: Vec<f64> = distribution.x().into_iter().take(given.count("m")).collect();
            let (mut products, mut squares) = (0.0, 0.0);
            for (i, pair) in x.windows(2).enumerate() {
                let t = ((i + 2) as f64 / (i + 1) as f64).ln();
                (products, squares) = (products + t * (pair[0] - pair[1]), squares + t * t);
            }
            let s: f64 = products / squares;
            let e = s - 1.0;
            let ratio = if e == 0.0 { 1.0 / v.ln() } else { e / (1.0 - v.powf(-e)) };
            // What is no number keeps one token.
            let k = (ratio * mu.exp2()).powf(1.0 / s) * moment.moved;
            if (k as usize) < distribution.candidates() {
                distribution.keep_first(k as usize);
            }
        },
        draws: Some(SURPRISE),
    },
    Definition {
        stage: "mirostat_v2",
        parameters: || of("mirostat_v2", tau_and_eta()),
        is_off: never,
        apply: |given, distribution, moment| {
            let [mu, _] = state(&SURPRISE, given, moment);
            distribution.keep_down_to(((-mu).exp2() * distribution.total() * moment.moved).ln(), 1);
        },
        draws: Some(SURPRISE),
    },
    Definition {
        stage: "adaptive_p",
        parameters: || of("adaptive_p", [value("target", -0.2..1.0f64), maybe("decay", 0.0..0.99f64)]),
        is_off: |given| given.number("target") < 0.0,
        apply: |given, distribution, moment| {
            let [sum, weight] = state(&ADAPTIVE, given, moment);
            let target = (2.0 * given.number("target") - sum / weight).clamp(0.0, 1.0);
            distribution.reshape(|_, p| {
                let d = (p - target).abs() / 0.3;
                5.0 - 10.0 * d * d / (1.0 + d)
            });
        },
        draws: Some(ADAPTIVE),
    },
];

/// The decayed sum of the probabilities of the tokens so far, and that of their weights.
const ADAPTIVE: Learning = Learning {
    initial: |given| {
        let weight = 1.0 / (1.0 - given.number("decay"));
        [given.number("target") * weight, weight]
    },
    next: |given, [sum, weight], drawn| {
        let decay = given.number("decay");
        [drawn.p_before + decay * sum, 1.0 + decay * weight]
    },
};

fn tau_and_eta() -> [Values; 2] {
    [maybe("tau", prop_oneof![6 => 0.1..8.0f64, 1 => Just(0.0)]), maybe("eta", 0.0..1.0f64)]
}

fn state(learning: &Learning, given: &Given, moment: &Moment<'_>) -> State {
    moment.state.unwrap_or_else(|| (learning.initial)(given))
}
