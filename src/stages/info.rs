//! The description of a stage: the one source of the parser, the error messages and the host's catalogue.

use super::Built;
use crate::bregman::Generators;
use crate::parameters::{Arguments, ParameterInfo};

/// A stage that a chain can name.
#[derive(Clone, Copy)]
#[non_exhaustive]
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
    /// The engines that do the same, and the parameters for those that differ.
    pub agrees: &'static str,
    /// Whether it takes a token; such a stage ends a chain.
    pub draws: bool,
    /// Whether a draw depends on the tokens that the stage has drawn before: such a stage needs its own draws, so it
    /// cannot work where the host draws. A saved state resumes it; seed and position do not.
    pub learns: bool,
    /// Its parameters; the first may be given without its name.
    pub parameters: &'static [ParameterInfo],
    /// Groups of parameters that exclude each other; see [`StageInfo::alternatives`].
    pub(crate) alternatives: &'static [&'static [&'static str]],
    pub(crate) build: fn(&Arguments, Generators<'_>) -> Built,
}

impl StageInfo {
    /// Groups of parameters that exclude each other; one of each must be given, unless one of it has a default.
    pub fn alternatives(&self) -> impl Iterator<Item = &'static [&'static str]> {
        self.alternatives.iter().copied()
    }
}

/// All stages, in the order in which a chain usually has them.
pub fn stages() -> &'static [StageInfo] {
    super::all::ALL
}

/// The stage of this name or alias, which are compared in lower case with `-` as `_`.
pub(crate) fn find(name: &str) -> Option<&'static StageInfo> {
    stages().iter().find(|s| s.name == name || s.aliases.contains(&name))
}
