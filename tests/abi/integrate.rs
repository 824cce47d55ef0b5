//! docs/integrate.md: its code stands in the examples, which compile and run.

use crate::toolchain::{compiler, library_dir, root, run, scratch, soname_dir, under_valgrind};
use std::path::{Path, PathBuf};
use std::process::Command;

fn document() -> String {
    std::fs::read_to_string(root().join("docs/integrate.md")).expect("the document")
}

/// Builds an example; `more` are arguments of the compiler.
fn build(example: &str, standard: &str, more: &[&str]) -> Command {
    let dir = scratch(&format!("integrate-{example}"));
    let program = dir.join("program");
    let mut build = compiler(standard);
    build.args(["-Wconversion", "-Wshadow", "-o"]).arg(&program).arg(root().join("examples").join(example));
    run(build.arg(library_dir().join("libbregman.so")).args(more));
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", soname_dir(&dir));
    command
}

#[test]
fn integrate_md_code_stands_in_its_examples() {
    let text = document();
    let mut pieces = 0;
    let mut named = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let code: String =
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            let file = named.strip_prefix("<!-- ").and_then(|name| name.strip_suffix(" -->"));
            let file = file.unwrap_or_else(|| panic!("this {language} code names no file:\n{code}"));
            let source = std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            assert!(code.lines().count() > 2 && source.contains(&code), "{file} has no such code:\n{code}");
            pieces += 1;
        }
        line.clone_into(&mut named);
    }
    assert!(pieces >= 7, "only {pieces} pieces of code were found");
}

#[test]
fn integrate_md_links_resolve() {
    let text = document();
    let links: Vec<_> =
        text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).collect();
    assert!(links.len() >= 5, "{links:?}");
    for link in links {
        if let Some(anchor) = link.strip_prefix('#') {
            assert!(text.lines().any(|line| line.to_lowercase() == format!("## {anchor}")), "no heading {anchor}");
        } else {
            assert!(root().join("docs").join(link).exists(), "{link} leads nowhere");
        }
    }
}

#[test]
fn integrate_md_functions_are_declared() {
    let headers = ["bregman.h", "bregman_llama.h"]
        .map(|name| std::fs::read_to_string(root().join("include").join(name)).expect("a header"));
    let text = document();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: Vec<_> = words.filter(|word| word.to_lowercase().starts_with("bregman_")).collect();
    assert!(named.len() > 40);
    for word in named.into_iter().filter(|word| *word != "BREGMAN_CHAIN") {
        assert!(headers.iter().any(|header| header.contains(word)), "no header declares {word}");
    }
}

/// The program's output; valgrind, where it is installed, must give the same.
fn said(mut program: Command) -> String {
    let said = run(&mut program);
    if crate::toolchain::has("valgrind") {
        assert_eq!(run(&mut under_valgrind(&program)), said);
    } else {
        println!("skipped: valgrind is not installed, an example was not run under it");
    }
    said
}

#[test]
fn example_engine_runs() {
    let said = said(build("engine.c", "c11", &[]));
    assert!(said.contains("32 tokens; the draft, the resumed sequence and the masked rows agree"), "{said}");
}

#[test]
fn example_shards_decode_as_the_whole_rows() {
    let said = run(&mut build("shards.c", "c11", &["-lm"]));
    assert!(said.contains("50 of 50 tokens equal, 0 rows gathered; 528 bytes a row from each rank"), "{said}");
}

#[test]
fn example_replay_gives_both_log_probabilities_and_the_distribution() {
    let said = said(build("replay.c", "c11", &["-lm"]));
    assert!(said.contains("log-probabilities to 1e-6; 40 distributions the same to the bit"), "{said}");
}

/// The prebuilt library is for x86-64 Linux; elsewhere there is nothing to run.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn example_loglikelihood_in_llama_cpp_equals_double_precision() {
    let said = run(&mut in_llama("loglikelihood.c", &["-lm"]));
    assert!(said.contains("answer: heaven and the earth") && said.contains("answer: pass"), "{said}");
    assert_eq!(said.lines().count(), 13, "{said}");
    assert!(said.contains("largest difference from double precision"), "{said}");
}

#[test]
fn example_server_runs() {
    let said = said(build("server.cpp", "c++17", &[]));
    assert!(said.contains("20 requests, 20 as if alone, 1 failed"), "{said}");
    assert!(said.contains("did you mean `draw`") && said.contains("request 13: logit 7 is NaN"), "{said}");
}

/// An example that runs llama.cpp, with its arguments.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn in_llama(example: &str, more: &[&str]) -> Command {
    let llama: PathBuf = crate::toolchain::fetched("llama.sh", "llama");
    let lib = llama.join("lib");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (include, libraries) = (text(&llama.join("include")), text(&lib));
    let all = [&["-isystem", &include, "-L", &libraries, "-lllama", "-lggml", "-lggml-base"], more].concat();
    let built = build(example, "c11", &all);
    let ours = built.get_envs().find_map(|(_, value)| value).expect("a path");
    let path = std::env::join_paths([Path::new(ours), &lib]).expect("paths without colons");
    let mut command = Command::new(built.get_program());
    command.arg(&lib).arg(root().join("models/kjv-1.4m/kjv-1.4m-q8_0.gguf")).env("LD_LIBRARY_PATH", path);
    command
}

/// The prebuilt library is for x86-64 Linux; elsewhere there is nothing to run.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn example_llama_program_runs() {
    let mut command = in_llama("llama.c", &[]);
    let (said, again) = (run(&mut command), run(&mut command));
    assert!(said.split_whitespace().count() > 15 && said == again, "{said}\n{again}");
}
