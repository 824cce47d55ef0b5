//! tests/conformance/vectors.json is what its generator writes.

use crate::root;
use serde_json::Value;
use std::process::Command;

/// Whether they are equal, but for the last places of numbers, in which elementary functions differ between machines.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((m, a), (n, b))| m == n && is_same(a, b))
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
            (a - b).abs() <= 1e-9 * a.abs()
        }
        _ => a == b,
    }
}

#[test]
fn the_conformance_vectors_are_current() {
    let folder = root().join("tests/conformance");
    let output = match Command::new("python3").arg(folder.join("generate.py")).output() {
        Ok(output) => output,
        Err(e) => {
            // The generator needs Python; CI has it.
            assert!(std::env::var_os("CI").is_none(), "python3: {e}");
            println!("skipped: python3: {e}");
            return;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(folder.join("vectors.json")).expect("the file");
    let parsed = |text: &[u8]| serde_json::from_slice::<Value>(text).expect("JSON");
    assert!(
        is_same(&parsed(text.as_bytes()), &parsed(&output.stdout)),
        "tests/conformance/vectors.json is not what its generator writes: run `make conformance` and commit it"
    );
    assert!(text.len() < 300_000, "{} bytes", text.len());
}
