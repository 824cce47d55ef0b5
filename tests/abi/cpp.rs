//! `include/bregman.hpp` in C++ programs.

use crate::toolchain::{compiler, figure, has, library_dir, root, run, scratch, soname_dir, supports, under_valgrind};
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: [&str; 9] = ["main", "ownership", "results", "decode", "batch", "answers", "state", "verify", "catalogue"];
const WARNINGS: [&str; 5] = ["-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wold-style-cast", "-Wnon-virtual-dtor"];

fn build(standard: &str, units: &[&str], more: &[&str]) -> Command {
    let dir = scratch(&format!("cpp-{standard}-{}", units[0]));
    let program = dir.join("program");
    let mut build = compiler(standard);
    build.args(WARNINGS).args(more).args(units.iter().map(|unit| source(unit)));
    run(build.arg("-o").arg(&program).arg(library_dir().join("libbregman.so")));
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", soname_dir(&dir));
    command
}

fn source(unit: &str) -> PathBuf {
    root().join(format!("tests/cpp/{unit}.cpp"))
}

fn answers(program: &mut Command) {
    let report = run(program);
    assert!(figure(&report, "checks") > 1500, "{report}");
}

#[test]
fn cpp17_program_runs_and_is_clean_under_valgrind() {
    let mut program = build("c++17", &UNITS, &[]);
    answers(&mut program);
    if has("valgrind") {
        answers(&mut under_valgrind(&program));
    } else {
        println!("skipped: valgrind is not installed, the C++ program was not run under it");
    }
}

#[test]
fn cpp20_program_runs() {
    answers(&mut build("c++20", &UNITS, &["-O0"]));
}

#[test]
fn cpp23_accepts_the_header() {
    if !supports("c++23") {
        println!("skipped: the compiler does not know C++23");
        return;
    }
    for unit in UNITS {
        run(compiler("c++23").args(WARNINGS).arg("-fsyntax-only").arg(source(unit)));
    }
}

#[test]
fn cpp_without_exceptions_returns_values() {
    let mut plain = build("c++17", &["no_exceptions"], &["-fno-exceptions", "-fno-rtti"]);
    assert!(run(&mut plain).contains("values"));
    let output = plain.arg("insist").output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.signal() == Some(libc::SIGABRT) && said.contains("bregman: stage 1: no stage `nonsense`"),
        "{said}"
    );
}

/// The macros that a file leaves behind, those of the compiler and the standard library aside.
fn macros(text: &str, dir: &Path) -> BTreeSet<String> {
    let file = dir.join("macros.cpp");
    std::fs::write(&file, text).expect("the target directory can be written");
    let all = run(compiler("c++17").args(["-dM", "-E"]).arg(&file));
    let names = all.lines().filter_map(|line| line.strip_prefix("#define ")?.split([' ', '(']).next());
    names.filter(|name| !name.starts_with('_')).map(str::to_owned).collect()
}

#[test]
fn cpp_header_defines_only_its_include_guard() {
    let dir = scratch("cpp-macros");
    // The headers that it includes, so that theirs are not counted as its own.
    let header = std::fs::read_to_string(root().join("include/bregman.hpp")).expect("the header");
    let includes: String =
        header.lines().filter(|line| line.starts_with("#include")).map(|l| format!("{l}\n")).collect();
    let (before, after) = (macros(&includes, &dir), macros("#include \"bregman.hpp\"\n", &dir));
    assert!(before.contains("BREGMAN_OK"), "{before:?}");
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), ["BREGMAN_HPP"]);
}
