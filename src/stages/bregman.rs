//! The Bregman decoder as a stage: finds the candidates in the distribution, lets the decoder choose, writes p̂ back.

use super::{Built, Context, OFF, Stage, StageInfo, on};
use crate::bregman::{Decoder, F32_SLACK, Family, Generators, Limits, Mode, Problem, Size, is_below, size_bound};
use crate::distribution::{Distribution, Doubt, Least, Ties};
use crate::error::{Error, Result};
use crate::math::ln;
use crate::parameters::{Arguments, Kind, ParameterInfo, nearest, quoted};
use crate::vocab::FirstPass;

pub(super) const INFO: StageInfo = StageInfo {
    name: "bregman",
    aliases: &[],
    summary: "the sparse distribution nearest to the model's in a Bregman divergence, each token at a price",
    definition: "minimise over k and p̂ on the k largest tokens: sum of d(p̂_i, p_i) + lambda k (mode=primal) or \
                 d(p_i, p̂_i) (mode=dual), d the Bregman divergence of x^alpha / (alpha (alpha - 1))",
    source: "arXiv 2505.19371, Foundations of Top-k Decoding for Language Models",
    agrees: "no engine has it, but for alpha = 1 with a fixed k",
    draws: false,
    learns: false,
    alternatives: &[&SIZES, &["alpha", "generator"]],
    parameters: &[
        ParameterInfo {
            name: "alpha",
            aliases: &[],
            summary: "the divergence: 1 is top-k, above 1 flattens the head, below 1 sharpens it, inf is water-filling; \
                      primal 0.05 to 64 or inf, dual 1.0001 to 16",
            kind: Kind::Number { min: f64::NEG_INFINITY, max: f64::INFINITY, open: false },
            default: "1",
            required: false,
        },
        ParameterInfo {
            name: "mode",
            aliases: &[],
            summary: "which argument of the divergence is the decoded distribution: primal the first, dual the second",
            kind: Kind::Choice(&["primal", "dual"]),
            default: "primal",
            required: false,
        },
        LAMBDA,
        FLOOR,
        ParameterInfo {
            name: "k",
            aliases: &[],
            summary: "keep exactly this many tokens",
            kind: Kind::Count { min: 1 },
            default: "",
            required: false,
        },
        ParameterInfo {
            name: "mass",
            aliases: &[],
            summary: "the same penalty said as top-p's mass: the fewest tokens whose optimum is no farther from the model, in \
                      this divergence, than top-p's tokens renormalised; 1 keeps all",
            kind: Kind::Number { min: 0.0, max: 1.0, open: true },
            default: "",
            required: false,
        },
        ParameterInfo {
            name: "top_p",
            aliases: &[],
            summary: "the tokens that top-p keeps for this mass; 1 keeps all",
            kind: Kind::Number { min: 0.0, max: 1.0, open: true },
            default: "",
            required: false,
        },
        K_MIN,
        K_MAX,
        ParameterInfo {
            name: "generator",
            aliases: &[],
            summary: "the name of a generator given at creation, in the place of alpha",
            kind: Kind::Name,
            default: "",
            required: false,
        },
    ],
    build,
};

pub(super) const LAMBDA: ParameterInfo = ParameterInfo {
    name: "lambda",
    aliases: &[],
    summary: "the paper's penalty for every token kept; not comparable across alpha; 0 keeps all",
    kind: Kind::Number { min: 0.0, max: f64::MAX, open: false },
    default: "",
    required: false,
};

pub(super) const FLOOR: ParameterInfo = ParameterInfo {
    name: "floor",
    aliases: &[],
    summary: "the same penalty said as a probability: keep a token if its renormalised probability would exceed about \
              this; comparable across alpha",
    kind: Kind::Number { min: 0.0, max: 1.0, open: true },
    default: "",
    required: false,
};

pub(super) const K_MIN: ParameterInfo = ParameterInfo {
    name: "k_min",
    aliases: &["min_keep"],
    summary: "keep at least this many tokens, if there are as many",
    kind: Kind::Count { min: 1 },
    default: "1",
    required: false,
};

pub(super) const K_MAX: ParameterInfo = ParameterInfo {
    name: "k_max",
    aliases: &[],
    summary: "keep at most this many tokens; without it there is no limit",
    kind: Kind::Count { min: 1 },
    default: "",
    required: false,
};

/// Exactly one of these decides the size of the support.
const SIZES: [&str; 5] = ["lambda", "floor", "k", "mass", "top_p"];

fn build(arguments: &Arguments, generators: Generators<'_>) -> Built {
    let mode = if arguments.is("mode", "dual") { Mode::Dual } else { Mode::Primal };
    let family = match arguments.name("generator") {
        None => Family::Alpha(arguments.number("alpha")),
        Some(_) if arguments.is_given("alpha") => {
            return Err(Error::InvalidChain("alpha and generator exclude each other".into()));
        }
        Some(name) => match generators.iter().find(|(known, _)| *known == name) {
            Some((_, generator)) => Family::Custom(name.into(), generator.clone()),
            None => {
                let hint = match nearest(name, generators.iter().map(|(name, _)| *name)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "generators are given when the sampler is created".into(),
                };
                return Err(Error::InvalidChain(format!("no generator {}: {hint}", quoted(name))));
            }
        },
    };
    stage(family, mode, arguments, &SIZES)
}

/// The decoder of a family, of the size that the arguments say.
pub(super) fn stage(family: Family, mode: Mode, arguments: &Arguments, sizes: &[&'static str]) -> Built {
    let size = match arguments.exactly_one(sizes)? {
        "lambda" => Size::Lambda(arguments.number("lambda")),
        "floor" => Size::Floor(arguments.number("floor")),
        "mass" => Size::Mass(arguments.number("mass")),
        "top_p" => Size::TopP(arguments.number("top_p")),
        _ => Size::Fixed(arguments.count("k")),
    };
    let limits =
        Limits { k_min: arguments.count("k_min"), k_max: arguments.optional_count("k_max").unwrap_or(usize::MAX) };
    let decoder = Decoder::new(family.clone(), mode, size, limits)?;
    // λ = 0 without a limit: p̂ = p.
    if decoder.fixed_size() == Some(usize::MAX) {
        return OFF;
    }
    let mut near = None;
    if decoder.fixed_size().is_none() && !decoder.keeps_ratios() {
        let beside = |factor: f64| Decoder::new(family.clone(), mode, size.times(factor), limits);
        near = Some([beside(1.0 - TIE)?, beside(1.0 + TIE)?]);
    }
    on(Bregman { decoder, near })
}

/// Equal tokens are often exactly at the edge of the support, and rounding decides: a support is certain if a size that
/// differs by this has the same.
const TIE: f64 = 1e-9;

/// A decoder in a chain.
struct Bregman {
    decoder: Decoder,
    /// The same of a slightly smaller and a slightly larger size, for sums that are not known exactly.
    near: Option<[Decoder; 2]>,
}

impl Bregman {
    /// The decoder for a distribution's sums.
    fn decoder(&self, dist: &Distribution<'_>) -> &Decoder {
        match (&self.near, dist.doubt()) {
            (Some([low, _]), Doubt::Low) => low,
            (Some([_, high]), Doubt::High) => high,
            _ => &self.decoder,
        }
    }

    /// α = 1: token k + 1 stays iff its weight exceeds a multiple of the first k weights' sum. No normaliser, and the
    /// distribution is read no deeper than k* + 1.
    fn keep_by_ratio(&self, dist: &mut Distribution<'_>, ratio: f64) {
        /// Times as many are fetched at once; beyond that a few at a time are cheaper.
        const FEW: f64 = 4.0;
        let Limits { k_min, k_max } = self.decoder.limits();
        // The first weight is 1: what does not exceed the multiple itself is dropped, whatever the sum. No weight exceeds
        // those before it, so that at most 1 + 1 / ratio tokens stay: on a flat row many more may exceed the multiple.
        let known = dist.fetch_to(ln(ratio) - 1e-12, (FEW * (1.0 + 1.0 / ratio)) as usize);
        let most = known.max(k_min).min(k_max);
        let (mut k, mut sum) = (0, 0.0);
        while k < most && (k < dist.entries().len() || k < dist.deepen(k + 1)) {
            let weight = dist.weights()[k];
            if k >= k_min && weight <= ratio * sum {
                break;
            }
            sum += weight;
            k += 1;
        }
        dist.truncate(k);
    }

    /// How many candidates the bounds of docs/mathematics.md, 5 allow, from a total that is right to f32's precision;
    /// and with how many to begin, because usually fewer are kept.
    fn candidates(&self, dist: &mut Distribution<'_>) -> (usize, usize) {
        /// How much further down than the threshold candidates are fetched, in nats: most of the kept ones lie there.
        const FURTHER: f64 = 2.25;
        /// Begun with at the least.
        const LEAST: usize = 8;
        let Limits { k_min, k_max } = self.decoder.limits();
        let total = dist.rough_total();
        let (mut most, mut usual) = (usize::MAX, LEAST);
        if let Some(p) = self.decoder.kept_floor(1.0 / total).filter(|p| dist.reaches(ln(p * total * F32_SLACK))) {
            most = dist.deepen_to(ln(p * total * F32_SLACK)) + 1;
            usual = most;
        } else if let Some(t) = self.decoder.floor().filter(|t| dist.reaches(ln(t * total * F32_SLACK))) {
            let x = ln(t * total * F32_SLACK);
            dist.fetch_to(x - FURTHER, usize::MAX);
            let above = dist.deepen_to(x);
            let rest = (1.0 - dist.weights()[..above].iter().sum::<f64>() / total).max(0.0);
            let t = t * F32_SLACK;
            most = size_bound(above, rest, t);
            usual = above + LEAST + ((rest / t).min(1e15) * self.decoder.usual_share()) as usize;
        }
        // One more than can be kept, so that a support that ends before it is known to be complete.
        let limited = |n: usize| n.max(k_min).min(k_max).saturating_add(1);
        (limited(most), limited(usual))
    }

    /// α = 1: top-p's tokens with their ratios.
    fn keep_nucleus(&self, dist: &mut Distribution<'_>, mass: f64) {
        let Limits { k_min, k_max } = self.decoder.limits();
        dist.keep_while(mass, Least { tokens: k_min, ties: Ties::Exact }, |before, _, target| is_below(before, target));
        if dist.support() > k_max {
            dist.keep_largest(k_max, Ties::Exact);
        }
    }

    /// A budget of mass: only top-p's tokens are candidates.
    fn solve_nucleus(&self, dist: &mut Distribution<'_>, problem: &mut Problem, mass: f64) -> Result<()> {
        let one = Least { tokens: 1, ties: Ties::Exact };
        let prefix = dist.prefix(mass, one, |before, _, target| is_below(before, target), false);
        let nucleus = prefix.unwrap_or(1);
        let most = nucleus.max(self.decoder.limits().k_min);
        let n = dist.deepen(most).min(most);
        let beyond = dist.beyond(n);
        problem.make_room(n)?;
        problem.set(dist.math(), &dist.weights()[..n], beyond, self.decoder.takes_runs());
        self.decoder(dist).solve(problem, Some(nucleus))?;
        dist.renormalise(Decoder::solution(problem));
        Ok(())
    }

    fn solve(&self, dist: &mut Distribution<'_>, problem: &mut Problem) -> Result<()> {
        let k_max = self.decoder.limits().k_max;
        let (most, usual) = match self.decoder.fixed_size() {
            Some(k) => (k, k),
            None => self.candidates(dist),
        };
        let mut wanted = usual.min(most);
        loop {
            let n = dist.deepen_if_listed(wanted).min(wanted);
            let beyond = dist.beyond(n);
            problem.make_room(n)?;
            problem.set(dist.math(), &dist.weights()[..n], beyond, self.decoder.takes_runs());
            let (k, _) = self.decoder(dist).solve(problem, None)?;
            if k < n || n < wanted || n >= most || k >= k_max {
                // Any of the next could be kept, too.
                if k == n && n < wanted && k < k_max {
                    dist.lack_tokens();
                }
                dist.renormalise(Decoder::solution(problem));
                return Ok(());
            }
            wanted = most.min(2 * n);
        }
    }
}

impl Stage for Bregman {
    fn first_pass(&self) -> Option<FirstPass> {
        let needs_total =
            !(self.decoder.keeps_ratios() && self.decoder.fixed_size().is_some() || self.decoder.ratio().is_some());
        Some(if needs_total { FirstPass::Total } else { FirstPass::Maxima })
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        match (self.decoder.fixed_size(), self.decoder.ratio(), self.decoder.mass()) {
            (Some(k), ..) if self.decoder.keeps_ratios() => dist.keep_largest(k, Ties::Exact),
            (_, Some(ratio), _) => self.keep_by_ratio(dist, ratio),
            (None, _, Some(mass)) if self.decoder.keeps_ratios() => self.keep_nucleus(dist, mass),
            (None, _, Some(mass)) => self.solve_nucleus(dist, context.problem, mass)?,
            _ => self.solve(dist, context.problem)?,
        }
        Ok(())
    }
}
