//! The command line.

use std::path::PathBuf;

pub struct Options {
    /// Figures are taken; else answers are only checked.
    pub timed: bool,
    /// The headline's rows, and those of real models that are there, on the highest level alone, with fewer rounds.
    pub quick: bool,
    /// Only these levels; empty: all.
    pub levels: Vec<String>,
    /// Only these faces; empty: all.
    pub faces: Vec<String>,
    /// Words that a name must have.
    pub filter: Vec<String>,
    pub csv: Option<PathBuf>,
    /// Makes the README's table of a record, and measures nothing.
    pub table: Option<PathBuf>,
    /// Decodes a few rows by this work on this level for an instruction counter, and measures nothing.
    pub count: Option<(String, String)>,
    /// Says how the rows of each kind are spread, and measures nothing.
    pub shape: bool,
    /// The files that have a table between two marks.
    pub into: Vec<PathBuf>,
}

impl Options {
    pub fn from_arguments() -> Result<Self, String> {
        let words = |text: String| text.split([',', ' ']).filter(|w| !w.is_empty()).map(str::to_owned).collect();
        let mut options = Self {
            timed: false,
            quick: false,
            levels: vec![],
            faces: vec![],
            filter: std::env::var("BENCH_FILTER").map(words).unwrap_or_default(),
            csv: None,
            table: None,
            count: None,
            shape: false,
            into: vec![],
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match &*argument {
                "--bench" => options.timed = true,
                "--quick" => options.quick = true,
                "--levels" => options.levels = words(value()?),
                "--faces" => options.faces = value()?.split(',').map(str::to_owned).collect(),
                "--csv" => options.csv = Some(value()?.into()),
                "--table" => options.table = Some(value()?.into()),
                "--count" => options.count = Some((value()?, value()?)),
                "--shape" => options.shape = true,
                "--into" => options.into.push(value()?.into()),
                // What `cargo test` says to every test program.
                "--quiet" | "-q" | "--nocapture" => {}
                other => return Err(format!("unknown argument {other}")),
            }
        }
        let known = bregman::simd_levels();
        match options.levels.iter().find(|level| !known.contains(&&***level)) {
            Some(level) => Err(format!("no level {level}: this machine has {}", known.join(", "))),
            None => Ok(options),
        }
    }

    pub fn levels(&self) -> Vec<&'static str> {
        let all = bregman::simd_levels();
        let highest = all.len() - 1;
        let asked = |(at, level): (usize, &&'static str)| match &self.levels[..] {
            [] => !self.quick || at == highest,
            some => some.iter().any(|s| s == level),
        };
        all.iter().enumerate().filter(|&(at, level)| asked((at, level))).map(|(_, level)| *level).collect()
    }

    pub fn has_face(&self, name: &str) -> bool {
        self.faces.is_empty() || self.faces.iter().any(|f| f == name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.filter.iter().all(|word| name.contains(&**word))
    }
}
