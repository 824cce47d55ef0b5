//! What a server's step costs: a model has written a row for each slot, and every slot needs its token. llama.cpp's
//! sampler chains as its server calls them, bregman as a stage in those chains, and `bregman_decode_batch` with one and two
//! threads, in turn in one run, each after a model step of its own.
//!
//! ```text
//! ci/bench.sh server [--quick] [--csv FILE]
//! ci/bench.sh server --table FILE.csv [--into docs/performance.md] [--into README.md]
//! ```
//! `BENCH_FILTER="default_64 V=128256"` runs what has all these words in its name. Without `--bench` (`cargo test`) the
//! answers of a small vocabulary are checked and nothing is timed.

mod check;
mod contest;
mod contestants;
mod model;
mod plan;
mod record;
mod slots;
mod table;

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "the comparison uses more of it")]
mod common;

use common::facts::Facts;
use common::llama::Llama;
use common::options::Options;
use std::process::exit;

fn main() {
    if let Err(why) = run() {
        eprintln!("server: {why}");
        exit(1)
    }
}

fn run() -> Result<(), String> {
    let options = Options::from_arguments(|_, _| Ok(false))?;
    if let Some(csv) = &options.table {
        return table::write(csv, &options.into);
    }
    let llama = Llama::fetched()?;
    let facts = Facts::of_now(llama.as_ref());
    let level = bregman::simd_levels().pop().expect("there is one");
    println!("{facts}, {level}");
    let cases = plan::cases(&options);
    let lines: Vec<_> = cases.iter().flat_map(|case| plan::run(case, &options, llama.as_ref(), level)).collect();
    common::record::write(&options, "target/server.csv", &facts, &lines)
}
