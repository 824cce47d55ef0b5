//! examples/generate in a real llama.cpp: raw logits and a sampler chain give the same text.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where `cargo test` leaves the libraries: beside the test binaries (only `cargo build` puts a copy further up).
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().expect("a binary is in a directory").to_path_buf()
}

/// Built once for all tests.
fn build() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build_once);
    &BUILT
}

fn build_once() -> PathBuf {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("generate");
    let fetched = Command::new(root().join("ci/llama.sh")).status().unwrap();
    assert!(fetched.success(), "ci/llama.sh could not fetch llama.cpp");
    let built = Command::new(root().join("examples/generate/build.sh"))
        .arg(&out)
        .env("BREGMAN_LIB_DIR", libraries())
        .status()
        .unwrap();
    assert!(built.success(), "examples/generate does not build");
    out
}

fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).env("COLUMNS", "100").output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout.clone()).expect("the host writes UTF-8");
    // Lines are wrapped to the terminal: only the words are compared.
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What comes before the summary, whose times differ from run to run.
fn story(said: &str) -> &str {
    &said[..said.find(" tokens (as many as asked for)").unwrap_or_else(|| panic!("no summary in:\n{said}"))]
}

#[test]
fn example_generate_writes_the_same_text_both_ways() {
    let generate = build();
    let prompt = "And it came to pass";
    for chain in [
        "temperature(0.8) | top_k(floor=0.02) | draw",
        "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw",
        "temperature(1.2) | bregman(alpha=2, mode=dual, floor=0.01) | draw",
        "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
        "temperature(0.9) | draw",
        "greedy",
    ] {
        let write = |face| {
            text(&run(
                generate,
                &["--face", face, "--chain", chain, "--prompt", prompt, "--tokens", "40", "--seed", "7"],
            ))
        };
        let (raw, stage) = (write("raw"), write("stage"));
        assert_eq!(story(&raw), story(&stage), "`{chain}`");
        assert!(story(&raw).split_whitespace().count() > 15, "`{chain}` wrote next to nothing:\n{raw}");
        for figure in ["support: mean", "median", "max", "kept mass: mean", "µs in the model", "µs in the sampler"] {
            assert!(raw.contains(figure) && stage.contains(figure), "no {figure} in the summary:\n{raw}\n{stage}");
        }
    }

    // A chain that only transforms leaves the draw to llama.cpp; three chains stand side by side.
    let transform = ["--face", "stage", "--chain", "bregman(alpha=2, k=5)", "--tokens", "10", "--show-support"];
    assert!(text(&run(generate, &transform)).contains('5'));
    let columns = ["--columns", "--chain", "greedy", "--chain", "top_k(3) | draw", "--tokens", "8"];
    assert!(text(&run(generate, &columns)).contains('│'));

    // Wrong arguments are explained.
    for (arguments, why) in [
        (&["--chain", "topk(3) | drow"][..], "did you mean `draw`"),
        (&["--chain", "top_k(3)"][..], "draw"),
        (&["--model", "/nowhere.gguf"][..], "nowhere"),
        (&["--face", "side"][..], "--face"),
    ] {
        let output = run(generate, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{arguments:?}: {said}");
    }
}

/// The text of a real model: its mark is found with the key, and not with another one, nor in a text without a mark.
#[test]
fn example_generate_finds_watermarks_in_the_text_of_a_real_model() {
    let said = text(&run(build(), &["--watermark", "--seed", "6"]));
    for scheme in ["watermark", "synthid", "green_list"] {
        let (_, table) = said.split_once("What detectors find").unwrap_or_else(|| panic!("no table in:\n{said}"));
        let (_, row) = table.split_once(&format!(" {scheme} ")).unwrap_or_else(|| panic!("no {scheme} in:\n{table}"));
        let figures: Vec<f64> = row.split(' ').take(5).map(|word| word.parse().expect("a number")).collect();
        let [counted, right, wrong, unmarked, _] = figures[..] else { panic!("{scheme}: {row}") };
        println!("{scheme}: {figures:?}");
        assert!(counted > 100.0 && right < 1e-6 && wrong > 1e-3 && unmarked > 1e-3, "{scheme}: {figures:?}");
    }
}
