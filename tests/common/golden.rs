//! The golden vectors: exact answers, computed from the definitions in 50-digit arithmetic.

use super::rows::Random;
use bregman::bregman::{Decoder, Family, Limits, Mode, Size};
use serde_json::Value;

/// One case of `tests/golden/public.json`.
pub struct Case {
    pub name: String,
    pub mode: Mode,
    /// As the chain spells it: `1.5`, `inf`.
    pub alpha: String,
    pub temperature: f64,
    /// `lambda=…, k_min=…` and so on, as the chain spells it.
    pub size: String,
    pub sizing: Size,
    pub limits: Limits,
    pub input: Input,
    pub k_star: usize,
    pub ids: Vec<u32>,
    pub p_hat: Vec<f64>,
    /// The multiplier; the water level at α = ∞.
    pub nu: Option<f64>,
    /// The model's mass on the support.
    pub head_mass: Option<f64>,
    pub margin: Option<f64>,
    /// (k, cost(k)) of the full objective, for lambda cases.
    pub cost: Vec<(usize, f64)>,
}

pub enum Input {
    Logits(Vec<f32>),
    Weights(Vec<f64>),
}

impl Case {
    /// The case as a chain that draws nothing.
    pub fn chain(&self) -> String {
        let mode = if self.mode == Mode::Primal { "primal" } else { "dual" };
        format!("temperature({}) | bregman(alpha={}, mode={mode}, {})", self.temperature, self.alpha, self.size)
    }

    pub fn alpha(&self) -> f64 {
        self.alpha.parse().expect("alpha is a number or inf")
    }

    /// The case's decoder with another size and no limits, or its own.
    pub fn decoder(&self, size: Option<Size>) -> Decoder {
        let limits = if size.is_some() { Limits::default() } else { self.limits };
        Decoder::new(Family::Alpha(self.alpha()), self.mode, size.unwrap_or(self.sizing), limits)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// Whether another k* may be accepted: the gain is too near to lambda for the arithmetic.
    pub fn is_near_tie(&self, below: f64) -> bool {
        self.margin.is_some_and(|margin| margin < below && margin > 0.0)
    }
}

pub fn cases() -> Vec<Case> {
    let text = include_str!("../golden/public.json");
    let file: Value = serde_json::from_str(text).expect("the golden file is JSON");
    let cases: Vec<Case> = file["cases"].as_array().expect("cases").iter().map(case).collect();
    assert_eq!(cases.len() as u64, file["n_cases"].as_u64().unwrap());
    cases
}

fn case(c: &Value) -> Case {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let expect = &c["expect"];
    let size = ["lambda", "floor", "k", "k_min", "k_max"]
        .iter()
        .filter_map(|name| c.get(*name).map(|v| format!("{name}={v}")))
        .collect::<Vec<_>>()
        .join(", ");
    let count = |name: &str| c.get(name).map(|v| v.as_u64().unwrap() as usize);
    let sizing = match (c["lambda"].as_f64(), c["floor"].as_f64(), count("k")) {
        (Some(lambda), None, None) => Size::Lambda(lambda),
        (None, Some(floor), None) => Size::Floor(floor),
        (None, None, Some(k)) => Size::Fixed(k),
        _ => panic!("exactly one size in {c}"),
    };
    Case {
        name: text(&c["name"]),
        mode: match c["mode"].as_str() {
            Some("primal") => Mode::Primal,
            Some("dual") => Mode::Dual,
            other => panic!("mode {other:?}"),
        },
        alpha: c["alpha"].as_str().map_or_else(|| c["alpha"].to_string(), str::to_owned),
        temperature: c["temperature"].as_f64().unwrap(),
        size,
        sizing,
        limits: Limits { k_min: count("k_min").unwrap_or(1), k_max: count("k_max").unwrap_or(usize::MAX) },
        input: input(&c["input"], expect),
        k_star: expect["k_star"].as_u64().unwrap() as usize,
        ids: expect["ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect(),
        p_hat: expect["phat"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect(),
        nu: expect["nu"].as_f64().or(expect["level"].as_f64()),
        head_mass: expect["head_mass"].as_f64(),
        margin: expect["margin"].as_f64(),
        cost: expect["cost"].as_array().map_or(vec![], |rows| {
            rows.iter().map(|r| (r[0].as_u64().unwrap() as usize, r[1].as_f64().unwrap())).collect()
        }),
    }
}

fn input(input: &Value, expect: &Value) -> Input {
    if let Some(logits) = input.get("logits") {
        let logit = |v: &Value| v.as_f64().map_or(f32::NEG_INFINITY, |l| l as f32);
        return Input::Logits(logits.as_array().unwrap().iter().map(logit).collect());
    }
    if let Some(weights) = input.get("weights") {
        return Input::Weights(weights.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect());
    }
    let logits = generate(&input["gen"]);
    let head = expect["gen_head"].as_array().unwrap();
    assert!(
        head.iter().zip(&logits).all(|(v, &l)| v.as_f64().map_or(f32::NEG_INFINITY, |v| v as f32) == l),
        "the generator drifted"
    );
    Input::Logits(logits)
}

/// docs/mathematics.md, 12: integers from splitmix64, scaled by a power of two.
fn generate(g: &Value) -> Vec<f32> {
    let int = |name: &str| g[name].as_i64().unwrap_or_else(|| panic!("{name} in {g}"));
    let vocab = int("V") as usize;
    let mut random = Random(g["seed"].as_str().unwrap().parse().unwrap());
    let mut n: Vec<i64> = (0..vocab as u64)
        .map(|i| {
            let z = random.next();
            match g["kind"].as_str().unwrap() {
                "uniform" => (z >> 40) as i64 - 8_388_608,
                "gauss4" => (0..4).map(|field| (z >> (16 * field) & 0xFFFF) as i64).sum::<i64>() - 131_070,
                "zipf" => {
                    let r = (i * int("mult") as u64 + int("add") as u64) % vocab as u64 + 1;
                    let e2 = r.ilog2();
                    let log = i64::from(e2) * 65536 + (((r << 16) >> e2) as i64 - 65536);
                    -((log * int("num")) >> 4) - (z >> 48 & int("noise_mask") as u64) as i64
                }
                kind => panic!("unknown generator {kind}"),
            }
        })
        .collect();
    for boost in g.get("boost").and_then(Value::as_array).into_iter().flatten() {
        n[boost[0].as_u64().unwrap() as usize] += boost[1].as_i64().unwrap();
    }
    let scale = 2f64.powi(-(int("e") as i32));
    let mut logits: Vec<f32> = n.iter().map(|&n| (n as f64 * scale) as f32).collect();
    if let Some(every) = g.get("mask_every").and_then(Value::as_u64) {
        logits.iter_mut().skip(every as usize - 1).step_by(every as usize).for_each(|l| *l = f32::NEG_INFINITY);
    }
    logits
}
