//! The command line.

use crate::common::options::{self, words};

pub struct Options {
    /// Of which `quick` takes the headline's rows, and those of real models that are there, on the highest level alone.
    pub common: options::Options,
    /// Only these levels; empty: all.
    levels: Vec<String>,
    /// Only these faces; empty: all.
    faces: Vec<String>,
    /// Decodes a few rows by this work on this level for an instruction counter, and measures nothing.
    pub count: Option<(String, String)>,
    /// Says how the rows of each kind are spread, and measures nothing.
    pub shape: bool,
}

impl Options {
    pub fn from_arguments() -> Result<Self, String> {
        let (mut levels, mut faces, mut count, mut shape) = (vec![], vec![], None, false);
        let common = options::Options::from_arguments(|argument, value| {
            match argument {
                "--levels" => levels = words(&value()?),
                "--faces" => faces = value()?.split(',').map(str::to_owned).collect(),
                "--count" => count = Some((value()?, value()?)),
                "--shape" => shape = true,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let known = bregman::simd_levels();
        match levels.iter().find(|level| !known.contains(&&***level)) {
            Some(level) => Err(format!("no level {level}: this machine has {}", known.join(", "))),
            None => Ok(Self { common, levels, faces, count, shape }),
        }
    }

    pub fn levels(&self) -> Vec<&'static str> {
        let all = bregman::simd_levels();
        match &self.levels[..] {
            [] if self.common.quick => all[all.len() - 1..].to_vec(),
            [] => all.to_vec(),
            some => all.iter().filter(|level| some.iter().any(|s| s == *level)).copied().collect(),
        }
    }

    pub fn has_face(&self, name: &str) -> bool {
        self.faces.is_empty() || self.faces.iter().any(|f| f == name)
    }
}
