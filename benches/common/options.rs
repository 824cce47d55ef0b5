//! What the command lines of the comparisons share.

use std::path::PathBuf;

#[derive(Default)]
pub struct Options {
    /// Figures are taken; else answers are only checked.
    pub timed: bool,
    /// Few cases with few rounds.
    pub quick: bool,
    /// Words that a name must have.
    filter: Vec<String>,
    /// Where the record goes.
    pub csv: Option<PathBuf>,
    /// Makes the tables of a record, and measures nothing.
    pub table: Option<PathBuf>,
    /// The files that have a table between two marks.
    pub into: Vec<PathBuf>,
}

/// The next argument, which is the value of the one before.
pub type Value<'a> = &'a mut dyn FnMut() -> Result<String, String>;

impl Options {
    /// Reads the command line. `own` is asked about every other argument, and says whether the program has it.
    pub fn from_arguments(mut own: impl FnMut(&str, Value<'_>) -> Result<bool, String>) -> Result<Self, String> {
        let filter = std::env::var("BENCH_FILTER").unwrap_or_default();
        let mut options = Self { filter: words(&filter), ..Self::default() };
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
                other if own(other, &mut value)? => {}
                other => return Err(format!("unknown argument {other}")),
            }
        }
        Ok(options)
    }

    pub fn has(&self, name: &str) -> bool {
        self.filter.iter().all(|word| name.contains(&**word))
    }
}

/// The words of a list.
pub fn words(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
