//! Builds tests/cpp/llama_common.cpp, a program around libllama-common.

use super::toolchain::{compiler, fetched, library_dir, root, run, scratch, soname_dir};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

pub fn program(mode: &str) -> Command {
    static BUILT: AtomicU32 = AtomicU32::new(0);
    let llama = fetched("llama.sh", "llama");
    // Tests of the same mode run at the same time.
    let dir = scratch(&format!("llama_common-{mode}-{}", BUILT.fetch_add(1, Ordering::Relaxed)));
    let (program, lib) = (dir.join("program"), llama.join("lib"));
    let mut build = compiler("c++17");
    build.arg(root().join("tests/cpp/llama_common.cpp")).arg("-isystem").arg(llama.join("include"));
    build.arg("-o").arg(&program).arg(library_dir().join("libbregman.so")).arg("-L").arg(&lib);
    build.args(["-l:libllama-common.so", "-lllama", "-lggml", "-lggml-base"]);
    run(build.arg(format!("-Wl,-rpath-link,{}", lib.display())));
    let mut command = Command::new(program);
    command.arg(mode).arg(&lib).arg(root().join("models/kjv-1.4m/kjv-1.4m-q8_0.gguf"));
    let path = std::env::join_paths([soname_dir(&dir), lib]).expect("paths without colons");
    command.env("LD_LIBRARY_PATH", path);
    command
}
