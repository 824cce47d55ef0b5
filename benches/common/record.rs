//! The record of a run as CSV: one line for each figure, which begins with the facts of the run.

use super::facts::Facts;
use super::options::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Writes the figures of a timed run, to `usual` if the command line names no file.
pub fn write<Line: Serialize>(options: &Options, usual: &str, facts: &Facts, lines: &[Line]) -> Result<(), String> {
    if !options.timed {
        return Ok(());
    }
    if lines.is_empty() {
        return Err("nothing has that name".into());
    }
    let path = options.csv.clone().unwrap_or_else(|| PathBuf::from(usual));
    let write = || {
        let mut writer = csv::Writer::from_path(&path)?;
        lines.iter().try_for_each(|line| writer.serialize((facts, line)))?;
        Ok(writer.flush()?)
    };
    write().map_err(|e: csv::Error| format!("{}: {e}", path.display()))?;
    println!("\n{} figures in {}", lines.len(), path.display());
    Ok(())
}

/// The facts and the figures of a record, which must be of one run.
pub fn read<Line: DeserializeOwned>(path: &Path) -> Result<(Facts, Vec<Line>), String> {
    let read = || -> csv::Result<Vec<(Facts, Line)>> {
        let mut reader = csv::Reader::from_path(path)?;
        let headers = reader.headers()?.clone();
        let both = |line: csv::StringRecord| Ok((line.deserialize(Some(&headers))?, line.deserialize(Some(&headers))?));
        reader.records().map(|line| both(line?)).collect()
    };
    let of_path = |why: String| format!("{}: {why}", path.display());
    let (mut facts, lines): (Vec<Facts>, Vec<Line>) = read().map_err(|e| of_path(e.to_string()))?.into_iter().unzip();
    facts.dedup();
    match <[Facts; 1]>::try_from(facts) {
        Ok([facts]) => Ok((facts, lines)),
        Err(facts) => Err(of_path(format!("it has the figures of {} runs, not of one", facts.len()))),
    }
}
