//! What a decode costs: against the memory floor (one read of the row) and against llama.cpp's own samplers, all of
//! them measured in turn in the same run, on the same rows, after their answers were checked.
//!
//! ```text
//! ci/bench.sh [--quick] [--levels a,b] [--faces "raw,chain,llama.cpp,read,read back"] [--csv FILE]
//! ci/bench.sh --table FILE.csv [--into README.md] [--into docs/performance.md]
//! ci/bench.sh --shape [--into docs/performance.md]
//! ci/instructions.sh                                  (which calls this with --count WORK LEVEL)
//! ```
//! `BENCH_FILTER="top_p 128256 hot"` runs what has all these words in its name. Without `--bench` (`cargo test`) every
//! answer of the small vocabulary is checked and nothing is timed.

mod check;
mod contest;
mod count;
mod options;
mod plan;
mod record;
mod shape;
mod table;
mod work;

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "the server's step uses more of it")]
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

use common::llama::{self, Llama};
use common::{floor, rows};
use options::Options;
use std::process::exit;

fn main() {
    let options = Options::from_arguments().unwrap_or_else(|why| fail(&why));
    if let Some(csv) = &options.table {
        table::write(csv, &options.into).unwrap_or_else(|why| fail(&why));
        return;
    }
    if options.shape {
        shape::write(&options.into).unwrap_or_else(|why| fail(&why));
        return;
    }
    if let Some((key, level)) = &options.count {
        count::run(key, level).unwrap_or_else(|why| fail(&why));
        return;
    }
    let llama = Llama::fetched().unwrap_or_else(|why| fail(&why));
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

fn fail(why: &str) -> ! {
    eprintln!("compare: {why}");
    exit(1)
}
