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

use common::facts::Facts;
use common::llama::{self, Llama};
use common::{floor, rows};
use options::Options;
use std::process::exit;

fn main() {
    if let Err(why) = run() {
        eprintln!("compare: {why}");
        exit(1)
    }
}

fn run() -> Result<(), String> {
    let options = Options::from_arguments()?;
    if let Some(csv) = &options.common.table {
        return table::write(csv, &options.common.into);
    }
    if options.shape {
        return shape::write(&options.common.into);
    }
    if let Some((key, level)) = &options.count {
        return count::run(key, level);
    }
    let llama = Llama::fetched()?;
    let facts = Facts::of_now(llama.as_ref());
    println!("{facts}\nlevels: {}; the floor is a sum on {}", bregman::simd_levels().join(", "), floor::level());
    let cases = plan::cases(&options.common);
    let lines: Vec<_> = cases.iter().flat_map(|case| plan::run(case, &options, llama.as_ref())).collect();
    common::record::write(&options.common, "target/bench.csv", &facts, &lines)
}
