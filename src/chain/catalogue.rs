//! What there is to say of a stage: the one source of the parser, the error messages and the host's catalogue.

use super::Generators;
use super::arguments::Arguments;
use crate::error::Result;
use crate::stages::{self, Stage};

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A number in `[min, max]`, or in `(min, max]` if `open`.
    Number {
        /// Smallest value, or the bound below it.
        min: f64,
        /// Largest value.
        max: f64,
        /// Whether `min` itself is excluded.
        open: bool,
    },
    /// A whole number, at least `min`.
    Count {
        /// Smallest value.
        min: u64,
    },
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A name that the host gave to something.
    Name,
    /// Token ids, separated by spaces: `2 32000`.
    Tokens,
    /// Token sequences, separated by semicolons: `13; 25 11`.
    Sequences,
    /// Tokens with a bias each, separated by spaces: `15:-2.5 30:-inf`.
    Biases,
}

/// A parameter of a stage.
#[derive(Debug, Clone, Copy)]
pub struct ParameterInfo {
    /// The field's name for it.
    pub name: &'static str,
    /// Other names that are accepted.
    pub aliases: &'static [&'static str],
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Its values.
    pub kind: Kind,
    /// What it is if it is not given, as text; empty if there is no default.
    pub default: &'static str,
    /// Whether it must be given.
    pub required: bool,
}

/// A stage that a chain can name.
#[derive(Clone, Copy)]
pub struct StageInfo {
    /// The field's name for it.
    pub name: &'static str,
    /// Other names that are accepted: those of llama.cpp, Hugging Face and vLLM among them.
    pub aliases: &'static [&'static str],
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// What it does, exactly: p are the probabilities that are left, in descending order, l the logits.
    pub definition: &'static str,
    /// The paper or the project that defines it.
    pub source: &'static str,
    /// The engines that do the same, and how to say what some of them do otherwise.
    pub agrees: &'static str,
    /// Whether it takes a token; such a stage ends a chain.
    pub draws: bool,
    /// Its parameters; the first may be given without its name.
    pub parameters: &'static [ParameterInfo],
    pub(crate) build: fn(&Arguments, Generators<'_>) -> Result<Box<dyn Stage>>,
}

impl StageInfo {
    /// Groups of parameters that exclude each other; one of each must be given, unless one of it has a default.
    pub fn alternatives(&self) -> impl Iterator<Item = &'static [&'static str]> {
        stages::ALTERNATIVES.iter().filter(|(stage, _)| *stage == self.name).map(|(_, parameters)| *parameters)
    }
}

/// All stages, in the order in which a chain usually has them.
pub fn stages() -> &'static [StageInfo] {
    &stages::ALL
}

/// The stage of this name or alias, which are compared in lower case with `-` as `_`.
pub(crate) fn find(name: &str) -> Option<&'static StageInfo> {
    stages().iter().find(|s| s.name == name || s.aliases.contains(&name))
}

/// The known name nearest to a word, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, name)| distance <= name.len().max(word.len()) / 2)
        .map(|(_, name)| name)
}
