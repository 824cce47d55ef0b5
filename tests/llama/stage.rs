//! Our stage inside a real, prebuilt llama.cpp, driven by a C program in tests/c.
//!
//! The prebuilt library is for x86-64 Linux; elsewhere there is nothing to run.

use crate::toolchain::{compiler, fetched, figure, has, library_dir, root, run, scratch, soname_dir, under_valgrind};
use std::path::Path;
use std::process::Command;

const UNITS: [&str; 9] = [
    "llama_stage",
    "llama_arrays",
    "llama_compare",
    "llama_stages",
    "llama_history",
    "llama_generate",
    "llama_truncate",
    "llama_speculate",
    "llama_threads",
];

fn program(name: &str, llama: &Path) -> Command {
    let dir = scratch(name);
    let (program, lib) = (dir.join("llama_stage"), llama.join("lib"));
    let mut build = compiler("c11");
    build.args(["-O2", "-o"]).arg(&program).args(UNITS.map(|unit| root().join(format!("tests/c/{unit}.c"))));
    // Their headers are not ours to keep free of warnings.
    build.arg("-isystem").arg(llama.join("include")).arg(library_dir().join("libbregman.so")).arg("-L").arg(&lib);
    run(build.args(["-lllama", "-lggml", "-lggml-base", "-lpthread", "-lm"]));
    let mut command = Command::new(program);
    let path = std::env::join_paths([soname_dir(&dir), lib]).expect("paths without colons");
    command.env("LD_LIBRARY_PATH", path);
    command
}

#[test]
fn stages_match_llama_cpp_samplers() {
    let llama = fetched("llama.sh", "llama");
    let model = root().join("models/kjv-1.4m/kjv-1.4m-q8_0.gguf");
    let report = run(program("llama", &llama).arg("all").arg(llama.join("lib")).arg(model));
    println!("{report}");
    for (kind, truncating) in [("top_k", true), ("top_p", true), ("min_p", true), ("temp", false), ("defaults", true)] {
        let (equal, near) = (figure(&report, &format!("{kind} equal")), figure(&report, &format!("{kind} near")));
        assert!(equal > 2400, "{kind}: only {equal} arrays were compared");
        // Arrays in which rounding to single precision decides the cut are left out; there must be few of them.
        assert!(near * 10 < equal, "{kind}: {near} arrays were left out, {equal} compared");
        assert!(!truncating || figure(&report, &format!("{kind} truncated")) > 1000, "{kind} had too little to do");
    }
    for kind in ["typical", "top_n_sigma", "xtc", "temp_ext", "mirostat", "mirostat_v2", "adaptive_p", "everything"] {
        let all = |what| figure(&report, &format!("{kind} {what}"));
        assert!(all("equal") > 1500, "{kind}: only {} arrays were compared", all("equal"));
        assert!(all("near") * 3 < all("equal"), "{kind}: {} arrays were left out", all("near"));
        let cuts = !["xtc", "temp_ext", "adaptive_p"].contains(&kind);
        assert!(!cuts || all("truncated") > 500, "{kind} had too little to do");
    }
    for kind in ["mirostat_v2", "adaptive_p"] {
        let drawn = figure(&report, &format!("{kind} drawn alike"));
        assert!(drawn > 10_000, "{kind}: only {drawn} draws were alike");
    }
    for kind in ["penalties", "dry", "breakers", "default_breakers", "logit_bias", "mixed", "after_temp", "after_top_k"]
    {
        let figures = ["equal", "moved"].map(|what| figure(&report, &format!("{kind} history {what}")));
        assert!(figures[0] > 1800 && figures[1] > 300, "{kind}: {figures:?}");
    }
    assert!(figure(&report, "breakers found") > 20 && figure(&report, "breakers with a tail") > 5);
    assert!(figure(&report, "mixed") > 900 && figure(&report, "ordered") > 450);
    assert_eq!((figure(&report, "generated"), figure(&report, "penalised")), (200, 200));
    for truncation in ["top_k", "top_p", "min_p", "typical", "top_n_sigma", "xtc"] {
        assert_eq!(figure(&report, &format!("{truncation} tokens")), 1000);
    }
    assert_eq!((figure(&report, "speculated"), figure(&report, "threads")), (120, 8));
    assert!(figure(&report, "checks") > 1_000_000);
}

#[test]
fn stage_lifetime_is_clean_under_valgrind() {
    let plain = program("llama-life", &fetched("llama.sh", "llama"));
    if !has("valgrind") {
        println!("skipped: valgrind is not installed: the stage's life was not run under it");
        return;
    }
    let mut valgrind = under_valgrind(&plain);
    assert!(figure(&run(valgrind.arg("life")), "checks") > 1000);
}
