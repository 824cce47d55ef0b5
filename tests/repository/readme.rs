//! The README's C program is the example, compiles and runs; its figures are the record's.

use crate::{read, root};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 155, "the README has {lines} lines: move something to docs/");
}

/// Every time in the table at the top of the README is a median of the record that they name.
#[test]
fn the_times_are_those_of_the_record() {
    let readme = read("README.md");
    let record = readme.split("All figures: `").nth(1).and_then(|rest| rest.split('`').next()).expect("the record");
    let mut lines = csv::Reader::from_path(root().join(record)).expect("the record");
    let column = |name: &str, headers: &csv::StringRecord| headers.iter().position(|h| h == name).expect("a column");
    let headers = lines.headers().unwrap().clone();
    let columns = ["vocab", "rows", "heat", "chain", "face", "level", "median_ns"].map(|name| column(name, &headers));
    let lines: Vec<_> = lines.records().map(|line| columns.map(|c| line.as_ref().unwrap()[c].to_owned())).collect();
    let median = |chain: &str, face: &str| {
        let shown = |l: &[String; 7]| {
            let level = if face == "raw" { "avx512" } else { "" };
            [&l[0], &l[1], &l[2], &l[3], &l[4], &l[5]] == ["128256", "synth-1.5", "hot", chain, face, level]
        };
        lines.iter().find(|l| shown(l)).map(|l| l[6].parse::<f64>().unwrap() / 1000.0)
    };
    let mut compared = 0;
    for row in readme.lines().filter(|line| line.starts_with("| `") && line.contains(" µs |")) {
        let row = row.replace("\\|", "/");
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let chain = cells[0].trim_matches('`').replace('/', "|");
        for (face, cell) in ["raw", "llama.cpp"].into_iter().zip(&cells[1..]) {
            let Some(said) = cell.strip_suffix(" µs") else { continue };
            let measured = median(&chain, face).unwrap_or_else(|| panic!("{record} has no {chain} of {face}"));
            let said: f64 = said.parse().expect("a number");
            assert!((said / measured - 1.0).abs() < 0.006, "{chain}, {face}: {said} µs, {measured} in {record}");
            compared += 1;
        }
    }
    assert!(compared >= 5, "only {compared} times were compared");
}

#[test]
fn the_c_program_is_the_example_and_runs() {
    let source = root().join("examples/hello.c");
    let program = read("examples/hello.c");
    assert!(
        read("README.md").contains(&format!("```c\n{program}```")),
        "the README shows another program than {source:?}"
    );

    // `cargo test` leaves the libraries beside the test binaries.
    let exe = std::env::current_exe().unwrap();
    let libraries = exe.parent().unwrap();
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hello");
    let built = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .arg("-I")
        .arg(root().join("include"))
        .arg(&source)
        .arg(libraries.join("libbregman.a"))
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&out)
        .status()
        .unwrap();
    assert!(built.success());
    let run = Command::new(&out).output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success() && said.contains("from a support of "), "{said}");
}
