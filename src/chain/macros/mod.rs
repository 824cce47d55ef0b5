//! Macros: the conventions of whole engines as one name, which stands for explicit stages in that engine's order with
//! its boundary rules, ties and defaults. The canonical form shows the stages, and none that is switched off.
//!
//! | file | what it is |
//! |---|---|
//! | `engines.rs` | the table of engines |
//! | `parameters.rs` | their parameters |

mod engines;
mod parameters;

use crate::parameters::{Arguments, ParameterInfo};
use crate::stages;

/// A name that stands for several stages.
#[derive(Clone, Copy)]
pub struct MacroInfo {
    /// Its name in a chain.
    pub name: &'static str,
    /// Other names that are accepted.
    pub aliases: &'static [&'static str],
    /// What it stands for, in a sentence.
    pub summary: &'static str,
    /// The project whose conventions these are, and where they stand there.
    pub source: &'static str,
    /// Its parameters, by the engine's names; the first may be given without its name.
    pub parameters: &'static [ParameterInfo],
    /// The stages, in the engine's order.
    parts: &'static [Part],
}

/// A stage that a macro may stand for.
#[derive(Clone, Copy)]
struct Part {
    stage: &'static str,
    /// Whether these parameters switch it on.
    is_on: fn(&Arguments) -> bool,
    /// The stage's parameters, and whence their values.
    values: &'static [(&'static str, Given)],
}

#[derive(Clone, Copy)]
enum Given {
    /// A parameter of the macro; left out if that has no value.
    Parameter(&'static str),
    /// The engine's convention.
    Always(&'static str),
}

/// All macros.
pub fn macros() -> &'static [MacroInfo] {
    &engines::ALL
}

/// The macro of this name or alias.
pub(super) fn find(name: &str) -> Option<&'static MacroInfo> {
    macros().iter().find(|m| m.name == name || m.aliases.contains(&name))
}

impl MacroInfo {
    /// Whether one of the stages that it can stand for learns from its draws: [`StageInfo::learns`](stages::StageInfo).
    pub fn learns(&self) -> bool {
        self.parts.iter().any(|part| stages::find(part.stage).is_some_and(|stage| stage.learns))
    }

    /// The stages as texts. An error if one of them, or a convention of the engine's, is not in the catalogue.
    pub(super) fn expand(&self, arguments: &Arguments) -> Result<Vec<String>, String> {
        self.parts.iter().filter(|part| (part.is_on)(arguments)).map(|part| part.text(arguments)).collect()
    }
}

impl Part {
    fn text(&self, arguments: &Arguments) -> Result<String, String> {
        let stage = stages::find(self.stage).ok_or_else(|| {
            format!("needs the stage `{}`, which this version does not have{}", self.stage, self.because())
        })?;
        let mut parsed = Vec::new();
        for (name, from) in self.values {
            if !stage.parameters.iter().any(|p| p.name == *name) {
                return Err(format!(
                    "needs the parameter `{name}` of the stage `{}`, which this version does not have{}",
                    stage.name,
                    self.because()
                ));
            }
            let value = match from {
                Given::Always(word) => Some((*word).to_owned()),
                Given::Parameter(parameter) => arguments.text(parameter),
            };
            parsed.extend(value.map(|value| format!("{name}={value}")));
        }
        Ok(if parsed.is_empty() { stage.name.into() } else { format!("{}({})", stage.name, parsed.join(", ")) })
    }

    /// The parameters that asked for the stage, for an error message.
    fn because(&self) -> String {
        let asked = self.values.iter().filter_map(|(_, from)| match from {
            Given::Parameter(name) => Some(format!("`{name}`")),
            Given::Always(_) => None,
        });
        let asked: Vec<_> = asked.collect();
        if asked.is_empty() { String::new() } else { format!(" (asked for by {})", asked.join(", ")) }
    }
}
