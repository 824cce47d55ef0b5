//! Every exported function catches panics: in the sources each calls `guard`, or `with_sampler` or
//! `answer`, which do.
//!
//! No input causes a panic, so the source text is checked instead.

use std::path::Path;

/// How many `extern "C" fn` have a body, and how many of these call one of these; `source` as far as its
/// tests.
fn count(source: &str) -> (usize, usize) {
    let code: Vec<_> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    // Types of function pointers (`fn(`) and declarations without a body are no entry points.
    let has_body = |rest: &&str| rest.find('{') < rest.find(';').or(Some(usize::MAX));
    let functions: Vec<_> = code.split("extern \"C\" fn ").skip(1).filter(has_body).collect();
    let is_guarded = |body: &&&str| {
        let body = body.split("\n}\n").next().unwrap_or_default();
        [" guard(", " with_sampler(", " answer("].iter().any(|call| body.contains(call))
    };
    (functions.len(), functions.iter().filter(is_guarded).count())
}

#[test]
fn every_exported_function_has_a_panic_guard() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ffi");
    let files =
        [dir.clone(), dir.join("decisions")].into_iter().flat_map(|dir| std::fs::read_dir(dir).expect("a folder"));
    let mut functions = 0;
    for path in files.map(|entry| entry.expect("it can be listed").path()).filter(|path| path.is_file()) {
        let source = std::fs::read_to_string(&path).expect("it can be read");
        let (found, guards) = count(&source);
        assert_eq!(found, guards, "{}: entry points and guards", path.display());
        functions += found;
    }
    let decisions = crate::header::functions_of(crate::header::DECISIONS).len();
    let exported = crate::header::functions().len() + decisions;
    assert!(exported > 30, "the header was not understood");
    // The callbacks of the llama.cpp stage are entry points that no header declares.
    assert!(functions >= exported + 6, "{functions} entry points found, {exported} are declared");
}

#[test]
fn guard_count_finds_a_missing_guard() {
    let good = "pub extern \"C\" fn f() -> u32 {\n    guard(0, || 1)\n}\n";
    assert_eq!(count(good), (1, 1));
    assert_eq!(count("unsafe extern \"C\" fn f() {\n    g();\n}\n"), (1, 0));
    let in_another = "extern \"C\" fn f() {\n    g();\n}\n\nfn g() {\n    guard(0, || 1)\n}\n";
    assert_eq!(count(in_another), (1, 0));
    assert_eq!(count("type F = unsafe extern \"C\" fn(u32) -> u32;\nfn guard(f: F) {}\n"), (0, 0));
    assert_eq!(count("// extern \"C\" fn in_a_comment() {}\nunsafe extern \"C\" { fn declared(); }\n"), (0, 0));
}
