//! The README's C program is the example, compiles and runs; its figures are the record's.

use crate::{read, root};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 155, "the README has {lines} lines: move something to docs/");
}

/// Every time in the table at the top of the README is a median of the record that docs/performance.md names.
#[test]
fn the_times_are_those_of_the_record() {
    let page = read("docs/performance.md");
    let (_, section) = page.split_once("<!-- steps by `make bench-server-table` -->").expect("the table of steps");
    let record = section.split("All figures: `").nth(1).and_then(|rest| rest.split('`').next()).expect("the record");
    let mut lines = csv::Reader::from_path(root().join(record)).expect("the record");
    let headers = lines.headers().unwrap().clone();
    let lines: Vec<_> = lines.records().map(|line| line.unwrap()).collect();
    let cell = |line: &csv::StringRecord, name: &str| {
        let at = headers.iter().position(|h| h == name).expect("a column");
        line[at].to_owned()
    };
    let median = |slots: &str, vocab: &str, (who, threads): (&str, &str)| {
        let names = ["slots", "vocab", "who", "threads", "rows", "work", "when"];
        let shown = [slots, vocab, who, threads, "synth-1.5", "default_64", "after the model"];
        let line = lines.iter().find(|l| names.map(|name| cell(l, name)) == shown);
        let line = line.unwrap_or_else(|| panic!("{record} has no {slots} rows of {vocab} by {who}"));
        cell(line, "step_us").parse::<f64>().expect("a number") / 1000.0
    };
    let readme = read("README.md");
    let mut compared = 0;
    let is_step = |line: &&str| line.contains(" logits | ") && line[2..].starts_with(|c: char| c.is_ascii_digit());
    for row in readme.lines().filter(is_step) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let words: Vec<&str> = cells[0].split(' ').collect();
        let columns = [("llama.cpp", "1"), ("stage", "1"), ("batch", "1"), ("batch", "2"), ("touch", "1")];
        for (who, said) in columns.into_iter().zip(&cells[1..]) {
            let measured = median(words[0], words[3], who);
            let said: f64 = said.parse().expect("a number");
            assert!((said / measured - 1.0).abs() < 0.006, "{row}: {who:?} is {measured} in {record}");
            compared += 1;
        }
    }
    assert!(compared >= 15, "only {compared} times were compared");
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
