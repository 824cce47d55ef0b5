//! Finds the C compilers and what cargo built of the library, and runs what they make.
#![allow(dead_code, reason = "each test uses its part")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The directory that has `libbregman.so` and `libbregman.a`.
///
/// `cargo test` builds all crate types of the library in one go, for the tests' sake: they lie beside the test itself
/// (not one directory further up, where only `cargo build` puts a copy).
pub fn library_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let dir = test.parent().expect("it lies in a directory").to_path_buf();
    assert!(dir.join("libbregman.so").is_file(), "no libbregman.so beside the test in {}", dir.display());
    dir
}

/// An empty directory for a test's own files, inside the target directory.
pub fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("the target directory can be written");
    dir
}

/// A directory in which the loader finds the library under its SONAME.
pub fn soname_dir(scratch: &Path) -> PathBuf {
    let dir = scratch.join("lib");
    std::fs::create_dir_all(&dir).expect("the target directory can be written");
    let link = dir.join(format!("libbregman.so.{}", bregman::ffi::BREGMAN_ABI_VERSION));
    std::os::unix::fs::symlink(library_dir().join("libbregman.so"), link).expect("a link can be made");
    dir
}

/// The C or C++ compiler with every warning an error.
pub fn compiler(standard: &str) -> Command {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cc::Build::new();
    build.cpp(standard.contains("++")).target(&target).host(&target).opt_level(1).cargo_metadata(false);
    let mut command = build.get_compiler().to_command();
    command.arg(format!("-std={standard}")).args(["-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
    command.arg("-I").arg(root().join("include"));
    command
}

/// Whether the compiler knows a standard at all.
pub fn supports(standard: &str) -> bool {
    let language = if standard.contains("++") { "c++" } else { "c" };
    compiler(standard).args(["-E", "-x", language, "/dev/null"]).output().is_ok_and(|o| o.status.success())
}

/// A command with its environment, run under valgrind's memcheck: an error or a leak fails it.
pub fn under_valgrind(plain: &Command) -> Command {
    let mut valgrind = Command::new("valgrind");
    // The pool of threads and the catalogue live as long as the process.
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"]);
    valgrind.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        valgrind.env(name, value.expect("a value"));
    }
    valgrind
}

/// What a script in ci/ fetches into a directory of target/; nothing is fetched if it is there.
pub fn fetched(script: &str, name: &str) -> PathBuf {
    let dir = root().join("target").join(name);
    print!("{}", run(Command::new(root().join("ci").join(script)).arg(&dir)));
    dir
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a command to its end and returns what it wrote to stdout; panics with all it said if it failed.
pub fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// Whether a program can be run at all.
pub fn has(program: impl AsRef<OsStr>) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success())
}

/// The figure after the words in a report of lines such as "checks 123".
pub fn figure(report: &str, name: &str) -> u64 {
    let value = report.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no figure `{name}` in the report:\n{report}"))
}
