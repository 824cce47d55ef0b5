//! The command line.

use std::path::PathBuf;

#[derive(Default)]
pub struct Options {
    /// Figures are taken; else answers are only checked.
    pub timed: bool,
    /// Few cases with few rounds.
    pub quick: bool,
    /// Words that a name must have.
    pub filter: Vec<String>,
    pub csv: Option<PathBuf>,
    /// Makes the tables of a record, and measures nothing.
    pub table: Option<PathBuf>,
    /// The files that have a table between two marks.
    pub into: Vec<PathBuf>,
}

impl Options {
    pub fn from_arguments() -> Result<Self, String> {
        let filter = std::env::var("BENCH_FILTER").unwrap_or_default();
        let mut options = Self { filter: filter.split_whitespace().map(str::to_owned).collect(), ..Self::default() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match &*argument {
                "--bench" => options.timed = true,
                "--quick" => options.quick = true,
                "--csv" => options.csv = Some(value()?.into()),
                "--table" => options.table = Some(value()?.into()),
                "--into" => options.into.push(value()?.into()),
                // What `cargo test` says to every test program.
                "--quiet" | "-q" | "--nocapture" => {}
                other => return Err(format!("unknown argument {other}")),
            }
        }
        Ok(options)
    }

    pub fn has(&self, name: &str) -> bool {
        self.filter.iter().all(|word| name.contains(&**word))
    }
}
