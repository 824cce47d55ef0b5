//! examples/plugin_host, an engine that loads the library at run time: it needs nothing but a header, offers every
//! stage and parameter under its own names, refuses what is wrong, and draws what the Rust API draws.

use crate::toolchain::{compiler, has, library_dir, root, run, scratch};
use bregman::{Row, Sampler, Want, stages};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

static HOST: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = scratch("plugin_host").join("plugin_host");
    run(Command::new(root().join("examples/plugin_host/build.sh")).arg(&program));
    program
});

fn host(plugin: &Path, arguments: &[&str]) -> Output {
    Command::new(&*HOST).arg("--plugin").arg(plugin).args(arguments).output().expect("the host can be run")
}

/// The host's output on success.
fn writes(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = host(&library_dir().join("libbregman.so"), arguments);
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("the host writes UTF-8")
}

/// Its exit status and message on failure.
fn complains(plugin: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = host(plugin, arguments);
    assert!(!status.success() && stdout.is_empty(), "{arguments:?} was taken");
    (status.code(), String::from_utf8(stderr).expect("the host writes UTF-8"))
}

#[test]
fn plugin_host_does_not_link_the_library() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(&*HOST));
    assert!(dynamic.contains("(NEEDED)") && !dynamic.contains("bregman"), "{dynamic}");
    let undefined = run(Command::new("nm").args(["-D", "--undefined-only"]).arg(&*HOST));
    assert!(undefined.contains("dlsym") && !undefined.contains("bregman_"), "{undefined}");
}

#[test]
fn plugin_host_help_lists_every_stage_and_parameter() {
    let help = writes(&["--help"]);
    let has = |line: &str| help.lines().any(|l| l == line || l.starts_with(&format!("{line} ")));
    let own = |name: &str| name.replace('_', "-");
    for stage in stages() {
        let name = format!("br-{}", own(stage.name));
        let at = help.find(&format!("\n  {name}")).unwrap_or_else(|| panic!("{name} is not offered"));
        assert!(help[at..].contains(stage.summary) && help[at..].contains(stage.source), "{name}");
        for alias in stage.aliases {
            assert!(help[at..].lines().nth(1).is_some_and(|l| l.contains(&format!("br-{}", own(alias)))), "{alias}");
        }
        for p in stage.parameters {
            let option = format!("      --{name}-{}", own(p.name));
            assert!(has(&option) && help[at..].contains(p.summary), "{option} is not offered");
        }
    }
    assert!(has("      --br-bregman-floor <(0, 1]>") && has("      --br-bregman-mode <primal|dual>"), "{help}");
    assert!(has("  no-repeat"), "the engine's own sampler: {help}");
}

#[test]
fn plugin_host_refuses_invalid_options() {
    let library = library_dir().join("libbregman.so");
    #[rustfmt::skip]
    let cases = [
        ("", "--samplers must be given"),
        ("--samplers br-nonsense", "there is no sampler 'br-nonsense'"),
        ("--samplers br-draw,br-dist", "the sampler br-dist is named twice"),
        ("--samplers br-top-k --br-top-k-k 3", "the last sampler must be one that takes the token"),
        ("--samplers br-draw,br-top-k --br-top-k-k 3", "the last sampler must be one that takes the token"),
        ("--samplers br-greedy,no-repeat", "no-repeat must come before the samplers of the plug-in"),
        ("--samplers br-top-p,br-draw", "--br-top-p-p must be given: the mass to reach"),
        ("--samplers br-top-p,br-draw --br-top-p-p 1.01", "--br-top-p-p takes [0, 1], not '1.01'"),
        ("--samplers br-top-p,br-draw --br-top-p-p nan", "--br-top-p-p takes [0, 1], not 'nan'"),
        ("--samplers br-top-p,br-draw --br-top-p-p=0.9x", "--br-top-p-p takes [0, 1], not '0.9x'"),
        ("--samplers br-top-k,br-draw", "one of --br-top-k-k, --br-top-k-lambda, --br-top-k-floor must be given"),
        ("--samplers br-top-k,br-draw --br-top-k-floor 0", "--br-top-k-floor takes (0, 1], not '0'"),
        ("--samplers br-top-k,br-draw --br-top-k-k 2.5", "--br-top-k-k takes whole number from 0, not '2.5'"),
        ("--samplers br-top-k,br-draw --br-top-k-k 3 --br-top-k-k 3", "--br-top-k-k is given twice"),
        ("--samplers br-top-k,br-draw --br-top-k-k 3 --br-top-k-floor 0.1",
         "only one of --br-top-k-k, --br-top-k-lambda, --br-top-k-floor may be given"),
        ("--samplers br-bregman,br-draw --br-bregman-k 3 --br-bregman-mode triple",
         "--br-bregman-mode takes primal|dual, not 'triple'"),
        ("--samplers br-draw --br-top-k-k 3", "--br-top-k-k is not an option of this engine or of the samplers"),
        ("--samplers br-draw --tokens", "--tokens needs a value"),
        ("--samplers br-draw --tokens 0", "--tokens takes a whole number from 1"),
        // Errors that only the library can find.
        ("--samplers br-bregman,br-draw --br-bregman-k 3 --br-bregman-alpha 100", "the primal takes 0.05 to 64, or inf"),
        ("--samplers br-temperature,br-draw --br-temperature-t 1e-9", "must be 0 or at least 1e-6"),
    ];
    for (arguments, message) in cases {
        let (status, said) = complains(&library, &arguments.split_whitespace().collect::<Vec<_>>());
        assert!(status == Some(2) && said.contains(message), "{arguments}: {said}");
    }
}

/// Libraries that are no such plug-in, or have another version.
#[test]
fn plugin_host_refuses_other_libraries() {
    let dir = scratch("plugin_host-libraries");
    let library = |name: &str, body: &str| {
        let (source, library) = (dir.join(name).with_extension("c"), dir.join(name).with_extension("so"));
        std::fs::write(&source, format!("#include \"bregman.h\"\n{body}\n"))
            .expect("the target directory can be written");
        run(compiler("c11").args(["-shared", "-fPIC"]).arg(&source).arg("-o").arg(&library));
        library
    };
    let other = library("other", "int other(void);\nint other(void) { return 0; }");
    let refusing = library("refusing", "const bregman_api *bregman_get_api(uint32_t abi) { (void)abi; return NULL; }");
    // Its table ends before a function that the host calls.
    let old = library(
        "old",
        "static const bregman_api table = {.struct_size = offsetof(bregman_api, decode_batch)};\n\
         const bregman_api *bregman_get_api(uint32_t abi) { (void)abi; return &table; }",
    );
    for (library, message) in [
        (dir.join("none.so"), "cannot open shared object file"),
        (other, "is not a bregman library: it has no bregman_get_api"),
        (refusing, "does not serve version 1 of the interface"),
        (old, "is too old for this engine"),
    ] {
        let (status, said) = complains(&library, &["--help"]);
        assert!(status == Some(1) && said.contains(message), "{}: {said}", library.display());
    }
}

const VOCAB: usize = 5000;

/// The host's stand-in for a model.
fn logits(sequence: usize, tokens: &[i32]) -> Vec<f32> {
    let last = tokens.last().map_or(0, |&t| t as u64 + 1);
    let mut state = ((sequence as u64) << 40) ^ ((tokens.len() as u64) << 20) ^ last;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / 1_048_576.0 - 8.0
    };
    (0..VOCAB).map(|_| next()).collect()
}

/// The expected output for a chain: the same loop through the Rust API, row by row.
fn expected(chain: &str, sequences: usize, tokens: usize, seed: u64, window: usize) -> String {
    let mut text = format!("chain: {chain}\n");
    for s in 0..sequences {
        let mut sampler = Sampler::new(chain, seed + s as u64).expect("a good chain");
        let mut drawn: Vec<i32> = Vec::new();
        for _ in 0..tokens {
            let mut row = logits(s, &drawn);
            drawn.iter().rev().take(window).for_each(|&t| row[t as usize] = f32::NEG_INFINITY);
            let row = Row::from_f32(&row).expect("a good row");
            drawn.push(sampler.decode(row, Want::default()).expect("a token").token as i32);
        }
        let list: Vec<_> = drawn.iter().map(i32::to_string).collect();
        text += &format!("sequence {s}: {}\n", list.join(" "));
    }
    text
}

#[test]
fn plugin_host_is_clean_under_valgrind() {
    if !has("valgrind") {
        assert!(std::env::var_os("CI").is_none(), "CI must have valgrind");
        println!("valgrind is not installed: the host was not run under it");
        return;
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"]);
    valgrind.arg(&*HOST).arg("--plugin").arg(library_dir().join("libbregman.so"));
    let chain = ["--samplers", "no-repeat,br-top-k,br-draw", "--br-top-k-k", "40"];
    let said = run(valgrind.args(chain).args(["--vocab", "500", "--tokens", "30", "--sequences", "3"]));
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn plugin_host_draws_the_rust_api_tokens() {
    let vocab = VOCAB.to_string();
    for (arguments, chain, window) in [
        (
            "--samplers no-repeat,br-temp,br-bregman,br-draw --br-temperature-t 0.8 --br-bregman-floor=0.002 \
             --br-bregman-alpha 1.5 --no-repeat-window 3",
            "temperature(t=0.8) | bregman(alpha=1.5, floor=0.002) | draw",
            3,
        ),
        ("--samplers br-top-k,br-multinomial --br-top-k-k 40 --threads 2", "top_k(k=40) | draw", 0),
        ("--samplers no-repeat,br-greedy", "greedy", 1),
    ] {
        let mut list: Vec<_> = arguments.split_whitespace().collect();
        list.extend(["--vocab", &vocab, "--sequences", "3", "--tokens", "20", "--seed", "7"]);
        assert_eq!(writes(&list), expected(chain, 3, 20, 7, window), "{arguments}");
    }
}
