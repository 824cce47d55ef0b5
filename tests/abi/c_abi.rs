//! The header and the library in C and C++ programs.

use crate::toolchain::{compiler, figure, has, library_dir, root, run, scratch, soname_dir, under_valgrind};
use bregman::ffi::*;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: [&str; 4] = ["check", "layout", "state", "rows"];

/// Compiles each translation unit on its own; all include the header.
fn objects(standard: &str, dir: &Path) -> Vec<PathBuf> {
    let unit = |name: &&str| {
        let object = dir.join(format!("{name}.o"));
        // The same text is C and C++.
        let language = if standard.contains("++") { "c++" } else { "c" };
        let source = root().join(format!("tests/c/{name}.c"));
        run(compiler(standard).args(["-x", language, "-c"]).arg(source).arg("-o").arg(&object));
        object
    };
    UNITS.iter().map(unit).collect()
}

/// Links the consumer with the shared library; the path of its SONAME is given at run time, as for any installed one.
fn consumer(standard: &str) -> (PathBuf, PathBuf) {
    let dir = scratch(&format!("c_abi-{standard}"));
    let (lib, program) = (soname_dir(&dir), dir.join("consumer"));
    let mut link = compiler(standard);
    run(link.args(objects(standard, &dir)).arg("-o").arg(&program).arg(library_dir().join("libbregman.so")).arg("-lm"));
    (program, lib)
}

fn answers(standard: &str) {
    let (program, lib) = consumer(standard);
    let report = run(Command::new(program).env("LD_LIBRARY_PATH", lib));
    check_layout(&report);
    assert!(figure(&report, "checks") > 3000, "{report}");
}

#[test]
fn c99_program_runs() {
    answers("c99");
}

#[test]
fn c11_program_runs() {
    answers("c11");
}

#[test]
fn cpp11_program_runs() {
    answers("c++11");
}

#[test]
fn cpp17_program_runs() {
    answers("c++17");
}

#[test]
fn static_library_links_and_runs() {
    let dir = scratch("c_abi-static");
    let program = dir.join("consumer");
    let archive = library_dir().join("libbregman.a");
    let mut link = compiler("c11");
    // What `rustc --print native-static-libs` asks for on Linux.
    run(link.args(objects("c11", &dir)).arg("-o").arg(&program).arg(archive).args(["-lpthread", "-ldl", "-lm"]));
    assert!(figure(&run(&mut Command::new(program)), "checks") > 3000);
}

#[test]
fn c_program_is_clean_under_valgrind() {
    if !has("valgrind") {
        println!("skipped: valgrind is not installed: the C program was not run under it");
        return;
    }
    let (program, lib) = consumer("gnu11");
    let report = run(&mut under_valgrind(Command::new(program).env("LD_LIBRARY_PATH", lib)));
    assert!(figure(&report, "checks") > 3000, "{report}");
}

#[test]
fn unknown_simd_level_is_refused() {
    let (program, lib) = consumer("c17");
    let report =
        run(Command::new(program).arg("--refused-level").env("LD_LIBRARY_PATH", lib).env("BREGMAN_SIMD", "mmx"));
    assert!(report.contains("refused: "), "{report}");
}

#[test]
fn library_exports_are_the_header_declarations() {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library_dir().join("libbregman.so")));
    let exported: BTreeSet<String> =
        symbols.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect();
    let all = crate::header::functions().into_iter().chain(crate::header::functions_of(crate::header::DECISIONS));
    let declared: BTreeSet<String> = all.map(|f| f.name).collect();
    assert!(declared.len() > 20, "the header was not understood: {declared:?}");
    assert_eq!(exported, declared);
}

#[test]
fn soname_follows_the_abi_version() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(library_dir().join("libbregman.so")));
    let soname = dynamic.lines().find(|line| line.contains("(SONAME)")).expect("the library has a SONAME");
    assert!(soname.contains(&format!("[libbregman.so.{BREGMAN_ABI_VERSION}]")), "{soname}");
}

/// Compares what the C program printed with Rust's own numbers, and both with the header's text.
fn check_layout(report: &str) {
    let said = |kind: &str| -> BTreeMap<String, String> {
        let lines = report.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')?.split_once(' '));
        lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    };
    let constants: BTreeMap<_, _> = constants().iter().map(|&(name, v)| (name.to_owned(), v.to_string())).collect();
    assert_eq!(said("constant"), constants, "constants: C on the left, Rust on the right");
    let declared: BTreeMap<_, _> =
        crate::header::defines().into_iter().map(|(name, v)| (name, v.to_string())).collect();
    assert_eq!(declared, constants, "constants: the header's text on the left, Rust on the right");

    let (structs, fields) = layout();
    assert_eq!(said("struct"), structs, "sizes of structs: C on the left, Rust on the right");
    assert_eq!(said("field"), fields, "offsets and sizes of fields: C on the left, Rust on the right");
    let names: BTreeSet<_> = fields.into_keys().collect();
    assert_eq!(crate::header::fields(), names, "fields: the header's text on the left, Rust on the right");
}

fn constants() -> Vec<(&'static str, u32)> {
    macro_rules! list {
        ($($name:ident),* $(,)?) => { vec![$((stringify!($name), $name)),*] };
    }
    list![
        BREGMAN_ABI_VERSION,
        BREGMAN_KIND_NUMBER,
        BREGMAN_KIND_COUNT,
        BREGMAN_KIND_CHOICE,
        BREGMAN_KIND_NAME,
        BREGMAN_KIND_TOKENS,
        BREGMAN_KIND_SEQUENCES,
        BREGMAN_KIND_BIASES,
        BREGMAN_KIND_KEYS,
        BREGMAN_OF_MODEL,
        BREGMAN_OF_DECODED,
        BREGMAN_LLAMA_ABORT,
        BREGMAN_LLAMA_FALLBACK,
        BREGMAN_OK,
        BREGMAN_INVALID_ARGUMENT,
        BREGMAN_INVALID_CHAIN,
        BREGMAN_INVALID_LOGITS,
        BREGMAN_EMPTY_SUPPORT,
        BREGMAN_NO_CONVERGENCE,
        BREGMAN_BUFFER_TOO_SMALL,
        BREGMAN_UNSUPPORTED,
        BREGMAN_INTERNAL,
        BREGMAN_INCOMPLETE,
        BREGMAN_OUT_OF_MEMORY,
        BREGMAN_F32,
        BREGMAN_F16,
        BREGMAN_BF16,
        BREGMAN_WANT_KEPT_MASS,
        BREGMAN_WANT_MODEL_LOGPROB,
        BREGMAN_WANT_ENTROPY,
        BREGMAN_ACCEPT,
        BREGMAN_WANT_LN_KEPT,
        BREGMAN_STAY,
        BREGMAN_RULE_MATCH,
        BREGMAN_RULE_TOKEN,
        BREGMAN_RULE_BLOCK,
    ]
}

type Texts = BTreeMap<String, String>;

/// Sizes of structs, and "offset size" of fields.
fn layout() -> (Texts, Texts) {
    fn size<T, F>(_: fn(&T) -> &F) -> usize {
        size_of::<F>()
    }
    let (mut structs, mut fields) = (Texts::new(), Texts::new());
    macro_rules! layout {
        ($name:literal = $type:ty { $($field:ident),* }) => {
            structs.insert($name.into(), size_of::<$type>().to_string());
            $(
                let place = format!("{} {}", offset_of!($type, $field), size(|s: &$type| &s.$field));
                fields.insert(format!("{}.{}", $name, stringify!($field)), place);
            )*
        };
    }
    layout!("bregman_candidate" = bregman::Candidate { id, logit, p });
    layout!("bregman_candidates" = bregman_candidates { data, size, selected, sorted });
    layout!("bregman_draft" = bregman_draft { struct_size, rule, tokens, n, parents, q_offsets, q_ids, q_probs });
    layout!(
        "bregman_parameter" = bregman_parameter {
            name,
            aliases,
            summary,
            default_value,
            choices,
            min,
            max,
            kind,
            min_excluded,
            required,
            group
        }
    );
    layout!(
        "bregman_stage" = bregman_stage {
            struct_size,
            draws,
            learns,
            reserved,
            name,
            aliases,
            summary,
            source,
            parameters,
            parameter_count,
            parameter_size
        }
    );
    layout!(
        "bregman_result" =
            bregman_result { token, status, support, p, kept_mass, model_logprob, entropy, ln_kept_mass }
    );
    layout!(
        "bregman_batch" = bregman_batch {
            struct_size,
            dtype,
            logits,
            rows,
            vocab,
            row_stride,
            mask,
            mask_stride,
            flags,
            threads,
            ids,
            lengths,
            log_rest,
            bound,
            rest_temperature,
            row_index
        }
    );
    layout!(
        "bregman_answers" = bregman_answers {
            struct_size,
            source,
            logprobs,
            ranks,
            top,
            top_stride,
            top_ids,
            top_logprobs,
            kept,
            kept_stride,
            kept_ids,
            kept_mask,
            kept_mask_stride,
            given,
            given_stride,
            given_ids,
            given_logprobs,
            given_ranks,
            other_logprobs,
            other_top_logprobs,
            kept_offsets
        }
    );
    layout!("bregman_generator" = bregman_generator { struct_size, reserved, name, user, phi, f, f_inverse, f_prime });
    layout!("bregman_watermark" = bregman_watermark { struct_size, reserved, score, p_value, counted });
    layout!("bregman_api" = bregman_api { struct_size, abi });
    (structs, fields)
}
