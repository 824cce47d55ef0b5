//! `include/bregman_decisions.h`: its table and layouts, bad arguments, and C programs that use it.

use crate::header::{DECISIONS, fields_of, functions_of, table_of};
use crate::toolchain::{compiler, figure, has, library_dir, root, run, scratch, soname_dir, supports, under_valgrind};
use bregman::decisions;
use bregman::ffi::*;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::fmt::Write;
use std::mem::{align_of, offset_of};
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Bad {
    Null,
    Misaligned,
}

/// A call with one bad pointer; with the parameter "" a valid one.
struct Call<'a> {
    parameter: &'a str,
    bad: Bad,
    asked: Cell<usize>,
}

impl Call<'_> {
    fn p<T>(&self, parameter: &str, good: *const T) -> *mut T {
        if parameter != self.parameter {
            return good.cast_mut();
        }
        self.asked.set(self.asked.get() + 1);
        match self.bad {
            Bad::Null => null_mut(),
            Bad::Misaligned => good.cast_mut().wrapping_byte_add(1),
        }
    }
}

/// Everything that a call can write to.
#[derive(Clone, Debug, PartialEq)]
struct World {
    numbers: [f64; 8],
    more: [f64; 8],
    ids: [i32; 8],
    index: [usize; 2],
    bytes: [u8; 8],
    verdict: (u32, u32, usize),
    text: [c_char; 200],
}

const P: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
const MINUS: [f64; 4] = [-0.4, -0.3, -0.2, -0.1];

impl World {
    fn new() -> Self {
        let text = [b'?' as c_char; 200];
        Self {
            numbers: [7.5; 8],
            more: [7.5; 8],
            ids: [-7; 8],
            index: [99; 2],
            bytes: [9; 8],
            verdict: (0, 77, 99),
            text,
        }
    }

    fn message(&self) -> &str {
        // SAFETY: a failed call leaves a terminated message.
        unsafe { CStr::from_ptr(self.text.as_ptr()) }.to_str().expect("messages are UTF-8")
    }

    /// A call with good arguments, but for the parameter of `call`.
    fn call(&mut self, function: &str, call: &Call<'_>) -> u32 {
        let mut verdict = bregman_verdict {
            struct_size: size_of::<bregman_verdict>() as u32,
            stop: self.verdict.1,
            best: self.verdict.2,
            statistic: 0.0,
            threshold: 0.0,
        };
        let mut calibration = bregman_calibration {
            struct_size: size_of::<bregman_calibration>() as u32,
            reserved: 0,
            cells: self.verdict.2,
            squared_error: 0.0,
            variance: 0.0,
            lower: 0.0,
            upper: 0.0,
            p_value: 0.0,
        };
        let (numbers, more) = (self.numbers.as_mut_ptr(), self.more.as_mut_ptr());
        let (error, size) = (call.p("error", self.text.as_mut_ptr()), self.text.len());
        let (p, minus, pulls, ranks) = (P.as_ptr(), MINUS.as_ptr(), [20u64, 15, 12, 10], [1u32, 0, 1, 1]);
        let (gate, rule) = (gate(), rule());
        // SAFETY: valid arrays of these lengths, or the bad pointer, which must be refused.
        let status = unsafe {
            match function {
                "bregman_best_of_n" => {
                    let (law, kl) = (call.p("law", numbers), call.p("kl", more));
                    let win_rate = call.p("win_rate", more.add(1));
                    bregman_best_of_n(call.p("p", p), call.p("rewards", p), 4, 3, law, kl, win_rate, error, size)
                }
                "bregman_best_of_n_bounds" => {
                    bregman_best_of_n_bounds(3, call.p("kl", numbers), call.p("win_rate", more), error, size)
                }
                "bregman_best_of_n_kl_estimates" => {
                    let (epsilons, estimates) = (call.p("log_epsilons", minus), call.p("estimates", numbers));
                    bregman_best_of_n_kl_estimates(epsilons, 4, 3, estimates, error, size)
                }
                "bregman_soft_values" => {
                    let (values, ratios) = (call.p("values", p), call.p("log_ratios", minus));
                    let (weights, soft) = (call.p("weights", numbers), call.p("soft_values", more));
                    bregman_soft_values(values, ratios, 2, 2, 0.5, weights, soft, error, size)
                }
                "bregman_route" => {
                    let (options, bias) = (call.p("options", &raw const gate), call.p("bias", minus));
                    let (ids, weights) = (call.p("ids", self.ids.as_mut_ptr()), call.p("weights", numbers));
                    bregman_route(options, bias, call.p("logits", p), 1, ids, weights, error, size)
                }
                "bregman_next_arm" => {
                    let (options, pulls) = (call.p("options", &raw const rule), call.p("pulls", pulls.as_ptr()));
                    let index = self.index.as_mut_ptr();
                    let (arm, leader) = (call.p("arm", index), call.p("leader", index.add(1)));
                    bregman_next_arm(options, call.p("means", p), pulls, 4, 1, 2, arm, leader, error, size)
                }
                "bregman_best_arm" => {
                    let (means, pulls) = (call.p("means", p), call.p("pulls", pulls.as_ptr()));
                    let out = call.p("out", &raw mut verdict);
                    bregman_best_arm(BREGMAN_REWARDS_GAUSSIAN, 1.0, means, pulls, 4, 0.1, out, error, size)
                }
                "bregman_abstain" => {
                    let rejects = call.p("rejects", self.bytes.as_mut_ptr());
                    bregman_abstain(call.p("max_p", p), call.p("ratios", p), 4, 0.2, 0.3, rejects, error, size)
                }
                "bregman_calibration_error" => {
                    let (z, ranks) = (call.p("probabilities", p), call.p("ranks", ranks.as_ptr()));
                    let out = call.p("out", &raw mut calibration);
                    bregman_calibration_error(z, ranks, 4, 1, 2, 0.9, 9, 1, out, error, size)
                }
                "bregman_distortion" => {
                    bregman_distortion(call.p("log_kept", minus), 4, call.p("distortion", numbers), error, size)
                }
                "bregman_distortion_of_logprobs" => {
                    let (decoded, model) = (call.p("decoded", minus), call.p("model", minus));
                    bregman_distortion_of_logprobs(decoded, model, 4, call.p("distortion", numbers), error, size)
                }
                "bregman_get_decisions" => {
                    assert!(bregman_get_decisions(BREGMAN_ABI_VERSION + 1).is_null());
                    u32::from(bregman_get_decisions(BREGMAN_ABI_VERSION).is_null())
                }
                other => panic!("{other} is in the header and not in this table"),
            }
        };
        self.verdict = (status, verdict.stop, verdict.best.min(calibration.cells));
        status
    }
}

fn gate() -> bregman_gate_options {
    bregman_gate_options {
        struct_size: size_of::<bregman_gate_options>() as u32,
        convention: BREGMAN_GATE_DEEPSEEK_V3,
        experts: 4,
        top_k: 2,
        groups: 0,
        top_groups: 0,
        scale: 0.0,
    }
}

fn rule() -> bregman_arm_options {
    bregman_arm_options {
        struct_size: size_of::<bregman_arm_options>() as u32,
        rule: BREGMAN_ARMS_T3C,
        rewards: BREGMAN_REWARDS_GAUSSIAN,
        redraws: 0,
        sigma: 1.0,
        beta: 0.5,
    }
}

/// Where NULL is fine.
const MAY_BE_NULL: [&str; 3] = ["log_ratios", "bias", "error"];
/// Bytes are never misaligned.
const OF_BYTES: [&str; 2] = ["rejects", "error"];

#[test]
fn decisions_accept_valid_pointers_and_refuse_others() {
    let mut refused = 0;
    for function in functions_of(DECISIONS) {
        let valid = Call { parameter: "", bad: Bad::Null, asked: Cell::new(0) };
        assert_eq!(World::new().call(&function.name, &valid), BREGMAN_OK, "{}", function.name);
        for parameter in function.pointers() {
            for bad in [Bad::Null, Bad::Misaligned] {
                // The table's own function returns a pointer.
                if bad == Bad::Misaligned && OF_BYTES.contains(&parameter) || parameter == function.name {
                    continue;
                }
                let call = Call { parameter, bad, asked: Cell::new(0) };
                let mut world = World::new();
                let status = world.call(&function.name, &call);
                let name = format!("{}.{parameter} {bad:?}", function.name);
                assert_eq!(call.asked.get(), 1, "{name}");
                if bad == Bad::Null && MAY_BE_NULL.contains(&parameter) {
                    assert_eq!(status, BREGMAN_OK, "{name}");
                    continue;
                }
                assert_eq!(status, BREGMAN_INVALID_ARGUMENT, "{name}");
                let why = if bad == Bad::Null { "is NULL" } else { "is not aligned to" };
                assert!(world.message().starts_with(&format!("{parameter} {why}")), "{name}: {}", world.message());
                let untouched = World { text: world.text, verdict: (status, 77, 99), ..World::new() };
                assert_eq!(world, untouched, "{name} wrote something");
                refused += 1;
            }
        }
    }
    assert!(refused > 60, "only {refused}");
}

/// The bits of Rust's own functions, a row after the other.
#[test]
fn decisions_from_c_are_those_from_rust() {
    let (mut numbers, mut more, mut ids) = ([0.0; 8], [0.0; 8], [0; 8]);
    let (error, size) = (null_mut(), 0);
    // SAFETY: arrays of these lengths.
    unsafe {
        let status = bregman_best_of_n(
            P.as_ptr(),
            MINUS.as_ptr(),
            4,
            5,
            numbers.as_mut_ptr(),
            &mut more[0],
            &mut more[1],
            error,
            size,
        );
        let best = decisions::best_of_n(&P, &MINUS, 5).unwrap();
        assert_eq!((status, &numbers[..4], more[0], more[1]), (BREGMAN_OK, &best.law[..], best.kl, best.win_rate));
        let (values, ratios) = ([P, MINUS].concat(), [MINUS, P].concat());
        let (weights, soft_values) = (numbers.as_mut_ptr(), more.as_mut_ptr());
        for ratios in [None, Some(&ratios[..])] {
            let pointer = ratios.map_or(null(), <[f64]>::as_ptr);
            bregman_soft_values(values.as_ptr(), pointer, 2, 4, 0.5, weights, soft_values, error, size);
            let soft = decisions::soft_values(&values, ratios, 4, 0.5).unwrap();
            assert_eq!((&numbers[..], &more[..2]), (&soft.weights[..], &soft.values[..]));
        }
        let options = gate();
        bregman_route(&options, null(), values.as_ptr(), 2, ids.as_mut_ptr(), weights, error, size);
        assert_eq!(ids[..4], [0, 1, 3, 2], "the largest of each row first");
    }
}

#[test]
fn sizes_and_constants_that_are_not_known_are_refused() {
    /// Larger than this version's, with a field that it does not know.
    #[repr(C)]
    struct Later<T>(T, u64);
    let mut text = [0 as c_char; 200];
    let mut ids = [0; 2];
    let mut weights = [0.0; 2];
    let mut route = |options: *const bregman_gate_options| {
        // SAFETY: the caller's struct, and arrays of these lengths.
        let status = unsafe {
            let (ids, weights) = (ids.as_mut_ptr(), weights.as_mut_ptr());
            bregman_route(options, null(), P.as_ptr(), 1, ids, weights, text.as_mut_ptr(), text.len())
        };
        // SAFETY: terminated by the call, or by the array.
        (status, unsafe { CStr::from_ptr(text.as_ptr()) }.to_str().unwrap().to_owned())
    };
    let larger = size_of::<Later<bregman_gate_options>>() as u32;
    for (later, expected) in [(0, BREGMAN_OK), (1, BREGMAN_UNSUPPORTED)] {
        let options = Later(bregman_gate_options { struct_size: larger, ..gate() }, later);
        assert_eq!(route((&raw const options).cast()).0, expected);
    }
    let (status, message) = route(&bregman_gate_options { struct_size: 8, ..gate() });
    assert_eq!(status, BREGMAN_INVALID_ARGUMENT);
    assert!(message.starts_with("options->struct_size is 8"), "{message}");
    let (status, message) = route(&bregman_gate_options { convention: 6, ..gate() });
    assert_eq!((status, &*message), (1, "options->convention is 6: must be one of BREGMAN_GATE_"));
    let (status, message) = route(&bregman_gate_options { experts: usize::MAX, ..gate() });
    assert_eq!(status, BREGMAN_INVALID_ARGUMENT, "{message}");
    for options in [
        bregman_arm_options { rule: 2, ..rule() },
        bregman_arm_options { rewards: 2, ..rule() },
        bregman_arm_options { rewards: BREGMAN_REWARDS_BERNOULLI, ..rule() },
    ] {
        let (mut arm, mut leader) = (9, 9);
        // SAFETY: arrays of one element.
        let status = unsafe {
            bregman_next_arm(&options, &0.5, &3, 1, 1, 1, &raw mut arm, &raw mut leader, text.as_mut_ptr(), text.len())
        };
        assert_eq!((status, arm, leader), (BREGMAN_INVALID_ARGUMENT, 9, 9));
    }
    let mut verdict = bregman_verdict { struct_size: 16, stop: 9, best: 9, statistic: 9.0, threshold: 9.0 };
    // SAFETY: arrays of one element, and a buffer that cuts the message.
    let status = unsafe {
        bregman_best_arm(BREGMAN_REWARDS_GAUSSIAN, 1.0, &0.5, &3, 1, 0.1, &raw mut verdict, text.as_mut_ptr(), 20)
    };
    assert_eq!((status, verdict.stop), (BREGMAN_INVALID_ARGUMENT, 9));
    // SAFETY: terminated by the call.
    assert_eq!(unsafe { CStr::from_ptr(text.as_ptr()) }, c"out->struct_size is");
    assert!(align_of::<bregman_verdict>() == 8);
}

/// Name of each struct and field with its size, as Rust has it.
fn layout() -> BTreeMap<String, String> {
    let mut layout = BTreeMap::new();
    macro_rules! layout {
        ($($struct:ident { $($field:ident),* })*) => {$(
            layout.insert(stringify!($struct).to_owned(), size_of::<$struct>().to_string());
            $(layout.insert(
                concat!(stringify!($struct), ".", stringify!($field)).to_owned(),
                offset_of!($struct, $field).to_string(),
            );)*
        )*};
    }
    layout! {
        bregman_gate_options { struct_size, convention, experts, top_k, groups, top_groups, scale }
        bregman_arm_options { struct_size, rule, rewards, redraws, sigma, beta }
        bregman_verdict { struct_size, stop, best, statistic, threshold }
        bregman_calibration { struct_size, reserved, cells, squared_error, variance, lower, upper, p_value }
        bregman_decisions { struct_size, abi }
    }
    layout
}

/// A C program prints what the header declares, and its compiler compares the types of the table's fields.
#[test]
fn decisions_header_has_the_layouts_of_the_library() {
    let dir = scratch("decisions-layout");
    let ours = layout();
    assert_eq!(
        fields_of(DECISIONS).into_iter().collect::<Vec<_>>(),
        ours.keys().filter(|name| name.contains('.')).cloned().collect::<Vec<_>>()
    );
    let mut source = String::from("#include \"bregman_decisions.h\"\n#include <stdio.h>\nint main(void)\n{\n");
    for name in ours.keys() {
        let number = match name.split_once('.') {
            Some((of, field)) => format!("offsetof({of}, {field})"),
            None => format!("sizeof({name})"),
        };
        writeln!(source, "    printf(\"{name} %lu\\n\", (unsigned long){number});").unwrap();
    }
    source += "    const bregman_decisions *table = bregman_get_decisions(BREGMAN_ABI_VERSION);\n    bregman_decisions own;\n";
    let names = table_of(DECISIONS, "bregman_decisions");
    assert!(names.len() > 10);
    for name in &names {
        writeln!(source, "    own.{name} = bregman_{name};\n    if (table->{name} != own.{name}) return 1;").unwrap();
    }
    source += "    bregman_get_decisions_fn get = bregman_get_decisions;\n    return get == 0;\n}\n";
    for (standard, extension) in [("c99", "c"), ("c++11", "cpp")] {
        let (file, program) = (dir.join(format!("layout.{extension}")), dir.join(format!("layout-{standard}")));
        std::fs::write(&file, &source).expect("the target directory can be written");
        run(compiler(standard).arg(&file).arg("-o").arg(&program).arg(library_dir().join("libbregman.so")));
        let said = run(Command::new(program).env("LD_LIBRARY_PATH", soname_dir(&dir.join(standard))));
        let theirs: BTreeMap<String, String> =
            said.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        assert_eq!(theirs, ours, "{standard}");
    }
}

/// The library's table has as many functions as the header's.
#[test]
fn decisions_table_has_its_size() {
    // SAFETY: a table begins with its size and version.
    let table = unsafe { &*bregman_get_decisions(BREGMAN_ABI_VERSION) };
    let functions = table_of(DECISIONS, "bregman_decisions").len();
    assert_eq!(table.struct_size as usize, 8 + functions * size_of::<usize>());
    assert_eq!((table.struct_size as usize, table.abi), (size_of::<bregman_decisions>(), BREGMAN_ABI_VERSION));
}

/// C++ and Python call every function of the table; Go's and C#'s own tests say so of theirs.
#[test]
fn bindings_call_every_decision() {
    for (path, call) in
        [("include/bregman_decisions.hpp", "bregman_"), ("bindings/python/src/bregman/decisions.py", "lib.bregman_")]
    {
        let source = std::fs::read_to_string(root().join(path)).expect("a binding");
        for name in table_of(DECISIONS, "bregman_decisions") {
            let is_called =
                [format!("{call}{name}("), format!("{call}{name},")].iter().any(|call| source.contains(call));
            assert!(is_called, "{path} does not call bregman_{name}");
        }
    }
}

/// Builds a C or C++ program from the tree with the library; `more` are arguments of the compiler.
fn build(source: &str, standard: &str, more: &[&str]) -> Command {
    let dir = scratch(&format!("decisions-{}", source.replace(['/', '.'], "-")));
    let program = dir.join("program");
    let mut build = compiler(standard);
    build.args(["-Wconversion", "-Wshadow", "-o"]).arg(&program).arg(root().join(source));
    run(build.arg(library_dir().join("libbregman.so")).args(more).arg("-lm"));
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", soname_dir(&dir));
    command
}

/// What a program says; under valgrind as well.
fn program(source: &str, standard: &str) -> String {
    let mut command = build(source, standard, &[]);
    let said = run(&mut command);
    if has("valgrind") {
        assert_eq!(run(&mut under_valgrind(&command)), said);
    } else {
        println!("skipped: valgrind is not installed, {source} was not run under it");
    }
    said
}

#[test]
fn c_program_decides_and_is_clean_under_valgrind() {
    let said = program("tests/c/decisions.c", "c11");
    assert!(figure(&said, "checks") > 40, "{said}");
}

#[test]
fn cpp_program_decides_and_is_clean_under_valgrind() {
    let said = program("tests/cpp/decisions.cpp", "c++17");
    assert!(figure(&said, "checks") > 40, "{said}");
    if supports("c++20") {
        run(compiler("c++20").arg("-fsyntax-only").arg(root().join("tests/cpp/decisions.cpp")));
    }
    run(compiler("c++17").args(["-fno-exceptions", "-fsyntax-only"]).arg(root().join("tests/cpp/decisions.cpp")));
}

/// The recipes of docs/decisions.md: the page has the code of the programs, which run.
#[test]
fn recipes_are_the_programs_and_run() {
    let page = std::fs::read_to_string(root().join("docs/decisions.md")).expect("the page");
    let mut pieces = [0, 0];
    for (at, file) in ["examples/decisions/recipes.c", "examples/decisions/recipes.py"].into_iter().enumerate() {
        let source = std::fs::read_to_string(root().join(file)).expect("an example");
        for rest in page.split(&format!("<!-- {file} -->\n```")).skip(1) {
            let (_, rest) = rest.split_once('\n').expect("code");
            let code = rest.split("```").next().expect("code");
            assert!(code.lines().count() > 2 && source.contains(code), "{file} has no such code:\n{code}");
            pieces[at] += 1;
        }
    }
    assert!(pieces.iter().all(|&n| n >= 3), "{pieces:?}");
    let said = program("examples/decisions/recipes.c", "c11");
    // The values that shared tables and papers have for these rows.
    for line in [
        "reward softmax: 0.062039 0.375317 0.168641 0.018686 0.375317, KL 0.32681, ESS 3.18103",
        "SVDD: 0.080176 0.883798 0.036026",
        "Mixtral: 1 0.481024, 4 0.291756, 7 0.227220",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

/// The prebuilt llama.cpp is for x86-64 Linux; elsewhere there is nothing to run.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn best_of_8_on_a_real_model_reports_judges_and_abstains() {
    let llama = crate::toolchain::fetched("llama.sh", "llama");
    let (include, lib) = (llama.join("include"), llama.join("lib"));
    let [include, libraries] = [&include, &lib].map(|path| path.to_str().expect("UTF-8"));
    let more = ["-isystem", include, "-L", libraries, "-lllama", "-lggml", "-lggml-base"];
    let built = build("examples/decisions/best_of_8.c", "c11", &more);
    let ours = built.get_envs().find_map(|(_, value)| value).expect("a path");
    let path = std::env::join_paths([Path::new(ours), &lib]).expect("paths without colons");
    let mut command = Command::new(built.get_program());
    command.arg(&lib).arg(root().join("models/kjv-1.4m/kjv-1.4m-q8_0.gguf")).env("LD_LIBRARY_PATH", path);
    let said = run(&mut command);
    let number = |before: &str| -> f64 {
        let rest = said.split_once(before).unwrap_or_else(|| panic!("no `{before}`: {said}")).1;
        let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].trim_end_matches('.').parse().unwrap_or_else(|_| panic!("no number after `{before}`: {said}"))
    };
    // Of texts of 30 tokens the estimate is the bound.
    let (estimate, bound) = (number("divergence from the model: "), number("at most "));
    assert!(estimate <= bound && bound - estimate < 1e-3 && (bound - 1.2044).abs() < 1e-4, "{said}");
    let best = number("the best of 8 is ") as usize;
    let rewards: Vec<f64> = (1..=8).map(|i| number(&format!("{i}. reward "))).collect();
    assert!(rewards.iter().all(|&r| r <= rewards[best - 1]), "{said}");
    assert!(number("judged ") > 8.0, "{said}");
    assert!(said.contains("with an error probability of 0.1"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("after the prompt") && line.ends_with(": answer")), "{said}");
    assert!(said.lines().any(|line| line.starts_with("a row of noise") && line.ends_with(": abstain")), "{said}");
}
