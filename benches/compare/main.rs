//! What a decode costs: against the memory floor (one read of the row) and against llama.cpp's own samplers, all of
//! them measured in turn in the same run, on the same rows, after their answers were checked.
//!
//! ```text
//! ci/bench.sh [--quick] [--levels a,b] [--faces raw,chain,llama.cpp] [--csv FILE]
//! ci/bench.sh --table FILE.csv [--into README.md]
//! ci/bench.sh --shape [--into docs/performance.md]
//! ci/instructions.sh                                  (which calls this with --count WORK LEVEL)
//! ```
//! `BENCH_FILTER="top_p 128256 hot"` runs what has all these words in its name. Without `--bench` (`cargo test`) every
//! answer of the small vocabulary is checked and nothing is timed.

mod check;
mod contest;
mod count;
mod llama;
mod options;
mod plan;
mod record;
mod shape;
mod table;
mod work;

#[path = "../common/mod.rs"]
mod common;
/// The tests' plain definitions, which sort everything and compute in f64.
#[path = "../../tests/common"]
#[allow(dead_code, reason = "the tests use more of it")]
mod reference {
    pub mod definitions;
    pub mod oracle;
    pub mod plain;
    pub mod rows;
    pub mod shape;
}

use common::{floor, rows};
use llama::Llama;
use options::Options;
use std::path::PathBuf;
use std::process::exit;

fn main() {
    let options = Options::from_arguments().unwrap_or_else(|why| fail(&why));
    if let Some(csv) = &options.table {
        table::headline(csv, options.into.as_deref()).unwrap_or_else(|why| fail(&why));
        return;
    }
    if options.shape {
        shape::write(options.into.as_deref()).unwrap_or_else(|why| fail(&why));
        return;
    }
    if let Some((key, level)) = &options.count {
        count::run(key, level).unwrap_or_else(|why| fail(&why));
        return;
    }
    let llama = match Llama::open(&llama_dir()) {
        Ok(llama) => Some(llama),
        Err(why) if std::env::var_os("CI").is_some() => fail(&format!("no llama.cpp: {why}")),
        Err(why) => {
            println!("skipped: llama.cpp's samplers, which ci/llama.sh fetches ({why})");
            None
        }
    };
    let mut lines = vec![];
    let run = record::Line::of_now(llama.as_ref().map(|l| &*l.version));
    println!("{}, {}, bregman {} ({}), {}", run.machine, run.date, run.bregman, run.commit, run.llama);
    println!("levels: {}; the floor is a sum on {}", bregman::simd_levels().join(", "), floor::level());
    for case in plan::cases(&options) {
        lines.extend(plan::run(&case, &options, llama.as_ref(), &run));
    }
    if let Some(csv) = &options.csv {
        record::write(csv, &lines).unwrap_or_else(|e| fail(&format!("{}: {e}", csv.display())));
        println!("\n{} figures in {}", lines.len(), csv.display());
    }
    if lines.is_empty() && options.timed {
        fail("nothing has that name");
    }
}

fn llama_dir() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/llama");
    std::env::var_os("BREGMAN_LLAMA_DIR").map_or(target, PathBuf::from)
}

fn fail(why: &str) -> ! {
    eprintln!("compare: {why}");
    exit(1)
}
