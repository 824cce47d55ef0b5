//! The way in without llama.h: a host that opens libllama by name; and a stage in libllama-common's own chain.

use crate::toolchain::{compiler, fetched, figure, library_dir, root, run, scratch, soname_dir};
use std::process::Command;

#[test]
fn a_host_without_llama_h_gets_a_stage_in_two_generations() {
    let dir = scratch("llama_dlopen");
    let program = dir.join("program");
    let mut build = compiler("c11");
    build.arg(root().join("tests/c/llama_dlopen.c")).arg("-o").arg(&program);
    run(build.arg(library_dir().join("libbregman.so")).arg("-ldl"));
    let lib = soname_dir(&dir);
    for llama in [fetched("llama.sh", "llama").join("lib"), fetched("llama_server.sh", "llama-server")] {
        let path = std::env::join_paths([&lib, &llama]).expect("paths without colons");
        let report = run(Command::new(&program).arg(llama.join("libllama.so")).env("LD_LIBRARY_PATH", path));
        assert_eq!(figure(&report, "checks"), 606, "{report}");
    }
}

#[test]
fn libllama_commons_chain_takes_a_stage() {
    let report = run(&mut crate::llama_common::program("stage"));
    assert_eq!(figure(&report, "done"), 1);
}
