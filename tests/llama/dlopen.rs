//! A host without llama.h, which opens libllama at run time; and a stage in the chain of libllama-common.

use crate::toolchain::{compiler, fetched, figure, library_dir, root, run, scratch, soname_dir};
use std::process::Command;

#[test]
fn stage_without_llama_h_works_in_two_generations() {
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
fn libllama_common_chain_takes_a_stage() {
    let report = run(&mut crate::llama_common::program("stage"));
    assert_eq!(figure(&report, "done"), 1);
}
