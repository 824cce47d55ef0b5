//! Chains the plain way: every token's weight in f64, everything sorted, each stage by its definition. What the
//! library's passes, bounds and lazy heads must not differ from. (The decoder itself is the library's; `exhaustive.rs`
//! holds it to account.)

use super::plain_stages::Stage;
use super::rows::Random;
use bregman::bregman::{Decoder, Family, Limits, Mode, Size};

/// A stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Temperature(f64),
    TopK(Size, Limits),
    TopP { p: f64, min_keep: usize },
    MinP { p: f64, min_keep: usize },
    Bregman(Mode, f64, Size, Limits),
    Other(Stage),
    Draw,
    Greedy,
}

impl Step {
    /// As the chain spells it.
    pub fn text(&self) -> String {
        let sized = |size: &Size, limits: &Limits| {
            let size = match size {
                Size::Lambda(lambda) => format!("lambda={lambda}"),
                Size::Floor(floor) => format!("floor={floor}"),
                Size::Fixed(k) => format!("k={k}"),
            };
            let most = if limits.k_max == usize::MAX { String::new() } else { format!(", k_max={}", limits.k_max) };
            format!("{size}, k_min={}{most}", limits.k_min)
        };
        match self {
            Step::Temperature(t) => format!("temperature({t})"),
            Step::TopK(size, limits) => format!("top_k({})", sized(size, limits)),
            Step::TopP { p, min_keep } => format!("top_p({p}, min_keep={min_keep})"),
            Step::MinP { p, min_keep } => format!("min_p({p}, min_keep={min_keep})"),
            Step::Bregman(mode, alpha, size, limits) => {
                let mode = if *mode == Mode::Primal { "primal" } else { "dual" };
                format!("bregman(alpha={alpha}, mode={mode}, {})", sized(size, limits))
            }
            Step::Other(stage) => stage.text(),
            Step::Draw => "draw".into(),
            Step::Greedy => "greedy".into(),
        }
    }

    /// Whether the stage is sure to leave the law as it is.
    fn is_off(&self) -> bool {
        match self {
            Step::TopP { p, .. } => *p >= 1.0,
            Step::MinP { p, .. } => *p <= 0.0,
            Step::TopK(Size::Lambda(0.0), l) | Step::Bregman(_, _, Size::Lambda(0.0), l) => l.k_max == usize::MAX,
            Step::Temperature(t) => *t > 0.0,
            Step::Other(stage) => stage.is_off() || stage.is_shaping(),
            Step::Draw => true,
            _ => false,
        }
    }
}

/// The chain's text.
pub fn chain(steps: &[Step]) -> String {
    let texts: Vec<_> = steps.iter().map(Step::text).collect();
    if texts.is_empty() { "temperature(1)".into() } else { texts.join(" | ") }
}

/// How far a probability may be off: what f32 leaves of the mass beyond the head is seen only by a decoder that is
/// the first to drop tokens. A temperature after it makes more of that.
pub fn tolerance(steps: &[Step]) -> f64 {
    let mut dropping = steps.iter().skip_while(|s| s.is_off());
    let decoded = match dropping.next() {
        Some(Step::Bregman(_, alpha, ..)) if *alpha != 1.0 => sharpened(1e-6, dropping),
        _ => 1e-9,
    };
    // A row that a stage rewrites is in f32, and what it asked of the whole row was summed in f32.
    let shaping = |s: &&Step| matches!(s, Step::Other(stage) if stage.is_shaping());
    let shaped = steps.iter().position(|s| shaping(&s)).map_or(0.0, |at| sharpened(4e-6, steps[at..].iter()));
    decoded.max(shaped)
}

/// What temperatures make of a difference.
fn sharpened<'a>(tolerance: f64, steps: impl Iterator<Item = &'a Step>) -> f64 {
    steps.fold(tolerance, |tolerance, step| match step {
        Step::Temperature(t) if *t > 0.0 => tolerance / t.min(1.0),
        Step::Other(Stage::DynamicTemperature { t, delta, .. }) => tolerance / (t - delta).clamp(1e-9, 1.0),
        _ => tolerance,
    })
}

/// Whether a more likely token of the row is never less likely in the law.
pub fn is_monotone(steps: &[Step]) -> bool {
    !steps.iter().any(|s| matches!(s, Step::Other(stage) if stage.is_shaping()))
}

/// The distribution, in descending order (ties: ascending id).
pub fn run(steps: &[Step], row: &[f32]) -> Vec<(u32, f64)> {
    with_slack(steps, row, 0.0)
}

/// The same, or None if a threshold moved by 1e-4 would change the support somewhere: then f32 may differ.
pub fn run_clear(steps: &[Step], row: &[f32]) -> Option<Vec<(u32, f64)>> {
    if tolerance(steps) > 2e-5 {
        return None;
    }
    let exact = run(steps, row);
    let same = |slack| with_slack(steps, row, slack).iter().map(|e| e.0).eq(exact.iter().map(|e| e.0));
    (same(1e-4) && same(-1e-4)).then_some(exact)
}

/// A token with a smaller log-weight is not eligible: src/head.rs says why.
const LOWEST: f64 = -680.0;

fn with_slack(steps: &[Step], row: &[f32], slack: f64) -> Vec<(u32, f64)> {
    let max = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let mut order: Vec<u32> = (0..row.len() as u32).filter(|&i| row[i as usize] > f32::NEG_INFINITY).collect();
    order.sort_by(|&a, &b| row[b as usize].partial_cmp(&row[a as usize]).expect("no NaN").then(a.cmp(&b)));
    // (token, log-weight), the first one's being 0. Weights that vanish are lost for good once a stage has looked.
    let mut law: Vec<(u32, f64)> = order.iter().map(|&i| (i, f64::from(row[i as usize]) - max)).collect();
    let mut closed = false;
    for step in steps {
        if let Step::Other(stage) = step {
            closed |= other(stage, &mut law, if closed { None } else { Some(row.len()) }, 1.0 + slack);
        } else if let Step::Temperature(t) = step {
            if *t == 0.0 {
                law.truncate(1);
                closed = true;
            } else {
                law.iter_mut().for_each(|e| e.1 /= t);
            }
        } else if !step.is_off() {
            law.retain(|e| e.1 >= LOWEST);
            apply(step, &mut law, slack);
            closed = true;
        }
        if closed {
            law.retain(|e| e.1 >= LOWEST);
        }
    }
    law.retain(|e| e.1 >= LOWEST);
    let weights: Vec<f64> = law.iter().map(|e| e.1.exp()).collect();
    let total: f64 = weights.iter().rev().sum();
    law.iter().zip(weights).map(|(e, w)| (e.0, w / total)).collect()
}

/// A stage on the whole vocabulary, of that size, or on survivors; returns whether it leaves survivors.
fn other(stage: &Stage, law: &mut Vec<(u32, f64)>, vocab: Option<usize>, moved: f64) -> bool {
    if stage.is_off() {
        return false;
    }
    let before = law.clone();
    // What has no weight stays in the vocabulary until a stage drops tokens or rewrites the row.
    if !matches!(stage, Stage::DynamicTemperature { .. } | Stage::Xtc { .. } | Stage::TopNSigma { .. }) {
        law.retain(|e| e.1 >= LOWEST);
    }
    let eligible = law.clone();
    let closes = stage.apply(law, vocab.unwrap_or(eligible.len()), moved);
    if !closes && *law == eligible {
        *law = before;
    }
    closes
}

fn apply(step: &Step, law: &mut Vec<(u32, f64)>, slack: f64) {
    let (n, moved) = (law.len(), 1.0 + slack);
    let weights: Vec<f64> = law.iter().map(|e| e.1.exp()).collect();
    let total: f64 = weights.iter().rev().sum();
    match step {
        Step::Temperature(_) | Step::Other(_) | Step::Draw => {}
        Step::Greedy => law.truncate(1),
        Step::MinP { p, min_keep } => {
            let k = law.iter().take_while(|e| e.1 >= (p * moved).ln()).count();
            law.truncate(k.max((*min_keep).min(n)).max(1));
        }
        Step::TopP { p, min_keep } => {
            let mut sum = 0.0;
            let before = |w: &f64| {
                sum += w;
                sum < p * moved * total
            };
            let k = 1 + weights.iter().map(before).take_while(|&more| more).count();
            law.truncate(k.max(*min_keep).min(n));
        }
        Step::TopK(size, limits) => decode(Mode::Primal, 1.0, *size, *limits, law, &weights, moved),
        Step::Bregman(mode, alpha, size, limits) => decode(*mode, *alpha, *size, *limits, law, &weights, moved),
    }
}

fn decode(mode: Mode, alpha: f64, size: Size, limits: Limits, law: &mut Vec<(u32, f64)>, weights: &[f64], moved: f64) {
    let size = match size {
        Size::Lambda(lambda) => Size::Lambda(lambda * moved),
        Size::Floor(floor) => Size::Floor((floor * moved).min(1.0)),
        fixed => fixed,
    };
    let decoder = Decoder::new(Family::Alpha(alpha), mode, size, limits).expect("the steps are valid");
    // Two probabilities an ulp apart may have logarithms and weights the other way round.
    let mut last = f64::INFINITY;
    let descending = |w: &f64| {
        last = last.min(*w);
        last
    };
    let weights: Vec<f64> = weights.iter().map(descending).collect();
    let p_hat = decoder.decode(&weights).expect("weights in descending order").p_hat;
    law.truncate(p_hat.len());
    // At α = 1 the weights stay as they are, and with them those that are all but nothing.
    if alpha != 1.0 {
        law.iter_mut().zip(&p_hat).for_each(|(e, p)| e.1 = p.ln() - p_hat[0].ln());
    }
}

/// Candidates of an engine in some order.
pub fn candidates(row: &[f32], random: Option<&mut Random>) -> Vec<bregman::Candidate> {
    let mut all: Vec<_> =
        row.iter().enumerate().map(|(i, &logit)| bregman::Candidate { id: i as i32, logit, p: 7.0 }).collect();
    if let Some(random) = random {
        random.shuffle(&mut all);
    }
    all
}
