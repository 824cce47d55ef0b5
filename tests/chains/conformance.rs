//! The macros against tests/conformance/vectors.json, which an independent program computes (README.md there).

use bregman::{Error, Row, Sampler, macros};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Of the passes over the row, which are f32.
const TOLERANCE: f64 = 1e-6;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../conformance/vectors.json")).expect("the file is JSON")
}

fn logit(value: &Value) -> f32 {
    match value.as_str() {
        Some(word) => word.parse().expect("a number that JSON lacks"),
        None => value.as_f64().expect("a logit") as f32,
    }
}

/// A parameter's value as a chain writes it.
fn text(value: &Value) -> String {
    let joined = |list: &[Value], by: &str| list.iter().map(text).collect::<Vec<_>>().join(by);
    match value {
        Value::String(word) => word.clone(),
        Value::Array(list) if list.iter().any(Value::is_array) => joined(list, "; "),
        Value::Array(list) => joined(list, " "),
        Value::Object(pairs) => {
            pairs.iter().map(|(token, bias)| format!("{token}:{}", text(bias))).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

fn chain(engine: &str, parameters: &Map<String, Value>) -> String {
    let list: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    format!("{engine}({})", list.join(", "))
}

fn tokens(value: Option<&Value>) -> Vec<i32> {
    let list = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().map(|token| token.as_i64().expect("a token") as i32).collect()
}

/// The decoded distribution by ascending token.
fn decoded(case: &Value, row: &[f32]) -> Result<Vec<(u32, f64)>, Error> {
    let engine = case["engine"].as_str().expect("an engine");
    let mut sampler = Sampler::new(&chain(engine, case["parameters"].as_object().expect("parameters")), 3)?;
    let (prompt, output) = (tokens(case.get("prompt")), tokens(case.get("output")));
    sampler.accept(&prompt)?;
    sampler.accept(&output)?;
    sampler.set_prompt_length(prompt.len())?;
    let mut law = sampler.distribution(Row::from_f32(row)?)?;
    law.sort_by_key(|e| e.0);
    Ok(law)
}

fn check(case: &Value, row: &[f32]) -> Result<(), String> {
    let law = decoded(case, row);
    if case.get("refused").is_some() {
        return match law {
            Err(Error::InvalidLogits { .. } | Error::EmptySupport) => Ok(()),
            other => Err(format!("not refused: {other:?}")),
        };
    }
    let law = law.map_err(|e| e.to_string())?;
    let kept: Vec<_> = law.iter().map(|e| e.0 as i32).collect();
    if kept != tokens(case.get("kept")) {
        return Err(format!("keeps {kept:?}"));
    }
    let expected = case["p"].as_array().expect("probabilities").iter().map(|p| p.as_f64().expect("a probability"));
    match law.iter().zip(expected).find(|((_, p), q)| (p - q).abs() > TOLERANCE * q.max(1e-3)) {
        Some(((id, p), q)) => Err(format!("token {id} has {p}, not {q}")),
        None => Ok(()),
    }
}

/// koboldcpp's tail-free sampling leaves three tokens as they are, of which the stage keeps one. In this case typical
/// sampling before it leaves three.
fn differs(case: &Value) -> bool {
    let parameters = &case["parameters"];
    parameters.get("tfs").is_some() && parameters.get("typical").is_some() && tokens(case.get("kept")).len() == 3
}

#[test]
fn conformance_vectors_are_what_the_macros_decode() {
    let file = vectors();
    assert_eq!(file["format"], "sampler-conformance/1");
    let rows = file["rows"].as_object().expect("rows");
    let cases = file["cases"].as_array().expect("cases");
    let mut wrong = vec![];
    for case in cases {
        let row: Vec<_> =
            rows[case["row"].as_str().expect("a row")].as_array().expect("logits").iter().map(logit).collect();
        let found = check(case, &row);
        if differs(case) {
            assert!(found.is_err(), "no difference: {case}");
            continue;
        }
        if let Err(why) = found {
            wrong.push(format!("{why}: {case}"));
        }
    }
    let shown = wrong.len().min(20);
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong[..shown].join("\n"));
}

#[test]
fn conformance_vectors_have_every_macro_parameter_and_edge() {
    let file = vectors();
    let cases = file["cases"].as_array().expect("cases");
    /// What needs a chance, a learning rate or a text, and so is no case.
    const NO_CASE: [&str; 10] = [
        "mirostat_eta",
        "adaptive_decay",
        "dry_base",
        "dry_sequence_breakers",
        "presence_context_size",
        "dry_allowed_length",
        "token_repetition_range",
        "dynatemp_exponent",
        "xtc_threshold",
        "smoothing_curve",
    ];
    for m in macros() {
        let own: Vec<_> = cases.iter().filter(|case| case["engine"] == m.name).collect();
        let given: BTreeSet<_> =
            own.iter().flat_map(|case| case["parameters"].as_object().expect("parameters").keys()).collect();
        for p in m.parameters {
            assert!(
                given.iter().any(|name| *name == p.name) || NO_CASE.contains(&p.name),
                "{}: no case of `{}`",
                m.name,
                p.name
            );
        }
        for edge in ["threshold", "ties"] {
            let has = |case: &&&Value| case["edge"].as_array().is_some_and(|list| list.iter().any(|word| word == edge));
            assert!(own.iter().any(|case| has(&case)), "{}: no case with {edge}", m.name);
        }
        assert!(own.iter().filter(|case| case.get("refused").is_some()).count() == 3, "{}", m.name);
    }
    assert!(macros().len() == cases.iter().map(|case| case["engine"].as_str()).collect::<BTreeSet<_>>().len());
}
