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

/// The program fails by itself where the match rule changed a text, or a share of accepted drafts is not what theory says.
#[test]
fn example_speculate_keeps_the_text_and_couples_gumbel_drafts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = root.join("models/kjv-1.4m/kjv-1.4m-q8_0.gguf");
    let output = Command::new(build())
        .args([&root.join("target/llama/lib"), &model, &model])
        .args(["--window", "12", "--tokens", "40", "--seeds", "6", "--positions", "80"])
        .args(["--chain", "penalties(1.1) | top_k(40)", "--chain", "temperature(0.8) | top_k(40)"])
        .output()
        .unwrap();
    let tables = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{tables}{}", String::from_utf8_lossy(&output.stderr));
    // Of each chain the mean number of accepted tokens, of four.
    let accepted = |way: &str| -> Vec<f64> {
        let lines = tables.lines().filter(|line| line.starts_with(&format!("| {way} |")));
        let means = lines.map(|line| line.split(['|', '±']).nth(2).unwrap().trim().parse());
        means.collect::<Result<_, _>>().unwrap_or_else(|_| panic!("{tables}"))
    };
    let [greedy, gumbel, token, block] =
        ["greedy draft, match", "gumbel draft, match", "token rule", "block rule"].map(accepted);
    for mean in [&greedy, &gumbel, &token, &block] {
        assert_eq!(mean.len(), 2, "{tables}");
    }
    // Coupled draws agree more often than the most likely token does.
    assert!((0..2).all(|c| gumbel[c] > greedy[c] && token[c] > 1.0 && block[c] > 1.0), "{tables}");
    // llama.cpp's own samplers have the second chain only.
    assert_eq!(accepted("greedy draft, llama.cpp's samplers").len(), 1, "{tables}");
}
