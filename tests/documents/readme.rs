//! The README's C program is the example, compiles and runs; its figures are the record's.

use crate::{read, root};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 160, "the README has {lines} lines: move something to docs/");
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
