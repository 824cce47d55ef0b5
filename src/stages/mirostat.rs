//! Mirostat: draws with a truncation that learns, so that the surprise stays at a target.

use super::{Built, Context, Learnt, Stage, StageInfo, on, threshold};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Drawn, Edge, Least, Ties};
use crate::error::Result;
use crate::math::{exp, expm1, ln, pow};
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::random::{Purpose, uniform};
use crate::vocab::FirstPass;
use std::f64::consts::LN_2;

pub(super) const V1: StageInfo = StageInfo {
    name: "mirostat",
    aliases: &["mirostat_v1"],
    summary: "draws from the k largest, k from Zipf's exponent of the head and a limit that keeps the surprise at tau",
    definition: "s = sum t_i b_i / sum t_i^2 over i < m, t_i = ln((i + 1) / i), b_i = ln(p_i / p_{i+1}); e = s - 1; k = \
                 (e 2^mu / (1 - V^-e))^(1/s); draw from the max(1, floor k) largest; mu = mu - eta (-log2 p - tau), p \
                 the drawn token's renormalised probability; mu begins at 2 tau",
    source: "arXiv 2007.14966, Mirostat; llama.cpp, llama_sampler_init_mirostat",
    agrees: "llama.cpp, koboldcpp",
    draws: true,
    learns: true,
    alternatives: &[],
    parameters: &[
        TAU,
        ETA,
        ParameterInfo {
            name: "m",
            aliases: &[],
            summary: "tokens that the exponent is estimated from",
            kind: Kind::Count { min: 2 },
            default: "100",
            required: false,
        },
        ParameterInfo {
            name: "vocab",
            aliases: &["n_vocab"],
            summary: "V, the vocabulary's size; without it the number of candidates",
            kind: Kind::Count { min: 1 },
            default: "",
            required: false,
        },
    ],
    build: build_v1,
};

pub(super) const V2: StageInfo = StageInfo {
    name: "mirostat_v2",
    aliases: &["mirostat2"],
    summary: "draws from the tokens whose surprise is at most a limit that keeps the surprise at tau",
    definition: "keep -log2 p_i <= mu (at least one); draw; mu = mu - eta (-log2 p - tau), p the drawn token's \
                 renormalised probability; mu begins at 2 tau",
    source: "arXiv 2007.14966, Mirostat (the authors' second version); llama.cpp, llama_sampler_init_mirostat_v2",
    agrees: "llama.cpp, koboldcpp, ExLlamaV2",
    draws: true,
    learns: true,
    alternatives: &[],
    parameters: &[TAU, ETA],
    build: build_v2,
};

const TAU: ParameterInfo = ParameterInfo {
    name: "tau",
    aliases: &["mirostat_tau"],
    summary: "the surprise to stay at on average, in bits",
    kind: Kind::Number { min: 0.0, max: 1e3, open: false },
    default: "5",
    required: false,
};

const ETA: ParameterInfo = ParameterInfo {
    name: "eta",
    aliases: &["mirostat_eta"],
    summary: "how far the limit moves for each bit that a token was off",
    kind: Kind::Number { min: 0.0, max: 1.0, open: false },
    default: "0.1",
    required: false,
};

fn build_v1(arguments: &Arguments, _: Generators<'_>) -> Built {
    on(V1Stage { control: Control::new(arguments), m: arguments.count("m"), vocab: arguments.optional_count("vocab") })
}

fn build_v2(arguments: &Arguments, _: Generators<'_>) -> Built {
    on(V2Stage { control: Control::new(arguments) })
}

/// What both versions do after the truncation.
struct Control {
    tau: f64,
    eta: f64,
}

impl Control {
    fn new(arguments: &Arguments) -> Self {
        Self { tau: arguments.number("tau"), eta: arguments.number("eta") }
    }

    fn initial(&self) -> Learnt {
        Learnt { level: 2.0 * self.tau, ..Learnt::default() }
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        let drawn = dist.draw(uniform(context.seed, context.position, Purpose::Token));
        let surprise = -ln(drawn.p) / LN_2;
        let level = context.learnt.level - self.eta * (surprise - self.tau);
        Some((drawn, Learnt { level, ..context.learnt }))
    }
}

/// From this limit on most rows keep all tokens: of most models' rows the exponent is less than 2.8, and 2^(48 / 2.8) is
/// 144 000 tokens.
const KEEPS_ALL: f64 = 48.0;

struct V1Stage {
    control: Control,
    m: usize,
    vocab: Option<usize>,
}

impl V1Stage {
    /// Zipf's exponent of the head, by least squares.
    fn exponent(&self, dist: &mut Distribution<'_>) -> f64 {
        let n = dist.deepen(self.m).min(self.m);
        let (mut products, mut squares) = (0.0, 0.0);
        for (i, pair) in dist.entries()[..n].windows(2).enumerate() {
            let t = ln((i + 2) as f64 / (i + 1) as f64);
            products += t * (pair[0].x - pair[1].x);
            squares += t * t;
        }
        products / squares
    }

    /// k; 0 and NaN mean 1, and a flat head may give more than there are tokens.
    fn size(&self, s: f64, mu: f64, vocab: usize) -> usize {
        let (e, log_v) = (s - 1.0, ln(vocab as f64));
        // e / (1 - V^-e), which is 1 / ln V at e = 0.
        let ratio = if e == 0.0 { 1.0 / log_v } else { e / -expm1(-e * log_v) };
        let k = pow(ratio * exp(mu * LN_2), 1.0 / s);
        // A cast from what is no number is 0, and one from infinity the most.
        k as usize
    }
}

impl Stage for V1Stage {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Maxima)
    }

    fn first_pass_after(&self, learnt: Learnt) -> Option<FirstPass> {
        // The draw from all tokens needs their total.
        Some(if learnt.level >= KEEPS_ALL { FirstPass::TotalAndMin } else { FirstPass::Maxima })
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        let candidates = dist.size();
        let s = self.exponent(dist);
        let k = self.size(s, context.learnt.level, self.vocab.unwrap_or(candidates));
        // A flat head keeps all: no need to sort it.
        if k < candidates {
            dist.keep_largest(k, Ties::Exact);
        }
        Ok(())
    }

    fn initial(&self) -> Learnt {
        self.control.initial()
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        self.control.draw(dist, context)
    }
}

struct V2Stage {
    control: Control,
}

impl Stage for V2Stage {
    fn first_pass(&self) -> Option<FirstPass> {
        // Often nothing is dropped, and then all are counted.
        Some(FirstPass::TotalAndMin)
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        let total = dist.total();
        let x = ln(total * threshold::EQUAL) - context.learnt.level * LN_2;
        dist.keep_down_to(x, Edge::Inside, Least { tokens: 1, ties: Ties::Exact });
        Ok(())
    }

    fn initial(&self) -> Learnt {
        self.control.initial()
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        self.control.draw(dist, context)
    }
}
