//! `include/bregman_llama.h` with headers llama.h of several years, in C and C++, and its stages inside libllama of two
//! generations.

use crate::toolchain::{
    compiler, fetched, figure, has, library_dir, root, run, scratch, soname_dir, supports, under_valgrind,
};
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: [&str; 3] = ["llama_include", "llama_include_other", "llama_include_rules"];
const STANDARDS: [&str; 8] = ["c99", "c11", "c17", "c++11", "c++14", "c++17", "c++20", "c++23"];

/// Folders with a llama.h, the oldest first; the last belongs to the prebuilt libllama.
fn headers() -> Vec<PathBuf> {
    let pinned = fetched("llama_headers.sh", "llama-headers");
    let entries = std::fs::read_dir(pinned).expect("the headers were fetched").map(|e| e.expect("an entry").path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.push(fetched("llama.sh", "llama").join("include"));
    assert!(folders.len() >= 5, "{folders:?}");
    folders
}

/// A unit as a program that includes `headers` compiles it. Their headers are not ours to keep free of warnings.
fn unit(standard: &str, headers: &Path, name: &str) -> Command {
    let mut compile = compiler(standard);
    let language = if standard.contains("++") { "c++" } else { "c" };
    compile.args(["-x", language, "-isystem"]).arg(headers).arg(root().join(format!("tests/c/{name}.c")));
    compile
}

fn program(standard: &str, headers: &Path, name: &str, libraries: &Path) -> Command {
    let dir = scratch(name);
    let object = |unit_name: &&str| {
        let object = dir.join(format!("{unit_name}.o"));
        run(unit(standard, headers, unit_name).arg("-c").arg("-o").arg(&object));
        object
    };
    let objects: Vec<_> = UNITS.iter().map(object).collect();
    let program = dir.join("program");
    let mut link = compiler(standard);
    link.args(objects).arg("-o").arg(&program).arg(library_dir().join("libbregman.so"));
    link.arg("-L").arg(libraries).arg("-lllama").arg(format!("-Wl,-rpath-link,{}", libraries.display()));
    run(link.args(["-ldl", "-lm"]));
    let mut command = Command::new(program);
    let path = std::env::join_paths([soname_dir(&dir), libraries.to_owned()]).expect("paths without colons");
    command.env("LD_LIBRARY_PATH", path);
    command
}

#[test]
fn header_compiles_with_every_llama_h_in_every_standard() {
    let standards: Vec<_> = STANDARDS.into_iter().filter(|standard| supports(standard)).collect();
    assert!(standards.len() >= 7, "the compilers know only {standards:?}");
    let mut compiled = 0;
    for headers in headers() {
        for standard in &standards {
            run(unit(standard, &headers, UNITS[0]).args(["-fsyntax-only", "-Wconversion"]));
            compiled += 1;
        }
    }
    println!("{compiled} combinations of llama.h and language compiled");
}

#[test]
fn header_refuses_a_llama_h_with_another_layout() {
    let headers = headers();
    let dir = scratch("llama_include-foreign");
    let text = std::fs::read_to_string(headers[0].join("llama.h")).expect("llama.h");
    for (what, from, to) in [
        ("candidate", "float logit;", "double logit;"),
        ("array", "int64_t selected;", "int32_t selected, other;"),
        ("table", "(*name)  (const struct llama_sampler * smpl);", "(*name)  (void); void (*before_accept)(void);"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text, "llama.h no longer says `{from}`");
        std::fs::write(dir.join("llama.h"), other).expect("the target directory can be written");
        let mut compile = compiler("c11");
        compile.args(["-fsyntax-only", "-isystem"]).arg(&dir).arg("-isystem").arg(&headers[0]);
        let output = compile.arg(root().join("tests/c/llama_include_other.c")).output().expect("a compiler");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(&format!("bregman_llama_has_its_{what}_layout")), "{said}");
    }
}

#[test]
fn header_stages_work_in_libraries_of_two_generations() {
    let (newer, older) = (fetched("llama.sh", "llama").join("lib"), fetched("llama_server.sh", "llama-server"));
    for (h, headers) in headers().iter().enumerate() {
        for standard in ["c99", "c++20"] {
            let name = format!("llama_include-{h}-{standard}");
            let report = run(&mut program(standard, headers, &name, &newer));
            assert!(report.contains("copied 1") && figure(&report, "checks") > 450, "{report}");
        }
        let report = run(&mut program("c11", headers, &format!("llama_include-{h}-older"), &older));
        assert!(!report.contains("copied") && figure(&report, "checks") > 400, "{report}");
    }
}

#[test]
fn header_program_is_clean_under_valgrind() {
    if !has("valgrind") {
        println!("skipped: valgrind is not installed, the program with bregman_llama.h was not run under it");
        return;
    }
    let lib = fetched("llama.sh", "llama").join("lib");
    let plain = program("c11", headers().last().expect("some"), "llama_include-valgrind", &lib);
    assert!(figure(&run(&mut under_valgrind(&plain)), "checks") > 450);
}
