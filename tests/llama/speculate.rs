//! examples/speculate with a real model of llama.cpp as target and, seeing less of the text, as draft.

use std::path::{Path, PathBuf};
use std::process::Command;

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("speculate");
    assert!(Command::new(root.join("ci/llama.sh")).status().unwrap().success(), "no llama.cpp");
    // `cargo test` leaves the libraries beside the test binaries.
    let libraries = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let built = Command::new(root.join("examples/speculate/build.sh"))
        .arg(&out)
        .env("BREGMAN_LIB_DIR", libraries)
        .status()
        .unwrap();
    assert!(built.success(), "examples/speculate does not build");
    out
}

/// The share of drafted tokens that each way accepts; the program fails by itself where the match rule changed a text.
#[test]
fn example_speculate_keeps_the_text_and_couples_gumbel_drafts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = root.join("models/kjv-1.4m/kjv-1.4m-q8_0.gguf");
    let output = Command::new(build())
        .args([&root.join("target/llama/lib"), &model, &model])
        .args(["--window", "12", "--tokens", "40", "--seeds", "6", "--chain", "penalties(1.1) | top_k(40)"])
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}{}", String::from_utf8_lossy(&output.stderr));
    let share = |way: &str| -> f64 {
        let line =
            table.lines().find(|line| line.starts_with(&format!("| {way} |"))).unwrap_or_else(|| panic!("{table}"));
        line.split('|').nth(2).unwrap().trim().parse().unwrap_or_else(|_| panic!("{line}"))
    };
    // Some 200 drafted tokens: coupled draws agree more often than the most likely token does.
    assert!(share("gumbel draft, match") > share("greedy draft, match"), "{table}");
    assert!(share("token rule") > 0.5 && share("block rule") > 0.5, "{table}");
}
