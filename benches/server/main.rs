//! What a server's step costs: a model has written a row for each slot, and every slot needs its token. llama.cpp's
//! sampler chains as its server calls them, bregman as a stage in those chains, and `bregman_decode_batch` with one and two
//! threads, in turn in one run, each after a model step of its own.
//!
//! ```text
//! ci/bench_server.sh [--quick] [--csv FILE]
//! ci/bench_server.sh --table FILE.csv [--into docs/performance.md] [--into README.md]
//! ```
//! `BENCH_FILTER="default_64 V=128256"` runs what has all these words in its name. Without `--bench` (`cargo test`) the
//! answers of a small vocabulary are checked and nothing is timed.

mod check;
mod contest;
mod contestants;
mod model;
mod options;
mod plan;
mod record;
mod slots;
mod table;

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "the comparison uses more of it")]
mod common;

use common::llama::Llama;
use options::Options;
use std::process::exit;

fn main() {
    let options = Options::from_arguments().unwrap_or_else(|why| fail(&why));
    if let Some(csv) = &options.table {
        table::write(csv, &options.into).unwrap_or_else(|why| fail(&why));
        return;
    }
    let llama = Llama::fetched().unwrap_or_else(|why| fail(&why));
    let run = record::Line::of_now(llama.as_ref().map(|l| &*l.version));
    println!("{}, {}, {}, bregman {} ({}), {}", run.machine, run.level, run.date, run.bregman, run.commit, run.llama);
    let mut lines = vec![];
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
    eprintln!("server: {why}");
    exit(1)
}
