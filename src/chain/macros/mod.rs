//! Macros: one name for the conventions of a whole engine. It stands for explicit stages in that engine's order, with
//! its boundary rules, ties and defaults. The canonical form of a chain shows the stages that are switched on.
//!
//! | file | what it is |
//! |---|---|
//! | `engines.rs` | the table of engines; llama.cpp, transformers and vLLM |
//! | `parameters.rs` | their parameters |
//! | `exllama.rs`, `koboldcpp.rs`, `mlx_lm.rs`, `sglang.rs` | the other engines, with their parameters |

mod engines;
mod exllama;
mod koboldcpp;
mod mlx_lm;
mod parameters;
mod sglang;

use crate::parameters::{Arguments, ParameterInfo, joined};
use crate::stages::{self, LOWEST_TEMPERATURE};

/// A name that stands for several stages.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct MacroInfo {
    /// Its name in a chain.
    pub name: &'static str,
    /// Other names that are accepted.
    pub aliases: &'static [&'static str],
    /// What it stands for, in a sentence.
    pub summary: &'static str,
    /// The project whose conventions these are, and where they stand there.
    pub source: &'static str,
    /// What the engine has and the macro has not.
    pub leaves_out: &'static str,
    /// Its parameters, by the engine's names; the first may be given without its name.
    pub parameters: &'static [ParameterInfo],
    /// Why these values cannot be had together, if they cannot.
    refuses: fn(&Arguments) -> Option<String>,
    /// The stages, in the engine's order.
    parts: &'static [Part],
    /// The stages after those, where the engine's user chooses their order.
    ordered: Option<Ordered>,
}

/// Stages in an order that a parameter gives.
#[derive(Clone, Copy)]
struct Ordered {
    /// Places in `steps`.
    order: fn(&Arguments) -> Vec<u32>,
    steps: &'static [&'static [Part]],
    /// What follows them in any order.
    end: &'static [Part],
}

/// A stage that a macro may stand for.
#[derive(Clone, Copy)]
struct Part {
    stage: &'static str,
    /// Whether these parameters switch it on.
    is_on: fn(&Arguments) -> bool,
    /// The stage's parameters, and where their values come from.
    values: &'static [(&'static str, ValueSource)],
}

#[derive(Clone, Copy)]
enum ValueSource {
    /// A parameter of the macro; left out if that has no value.
    Parameter(&'static str),
    /// The same, but at least this number, as the engine takes it.
    AtLeast(&'static str, f64),
    /// The same for a temperature: those too low to divide by are 0.
    Temperature(&'static str),
    /// A number that follows from several parameters.
    Computed(fn(&Arguments) -> f64),
    /// The token sequences of a parameter, but for single tokens that are among those of another.
    Without(&'static str, &'static str),
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
        self.all_parts().any(|part| stages::find(part.stage).is_some_and(|stage| stage.learns))
    }

    /// All stages that it may stand for.
    fn all_parts(&self) -> impl Iterator<Item = &'static Part> {
        let ordered = self.ordered.into_iter().flat_map(|o| o.steps.iter().copied().flatten().chain(o.end));
        self.parts.iter().chain(ordered)
    }

    /// The stages as texts, or why there are none.
    pub(super) fn expand(&self, arguments: &Arguments) -> Result<Vec<String>, String> {
        if let Some(why) = (self.refuses)(arguments) {
            return Err(why);
        }
        let ordered = self.ordered.into_iter().flat_map(|o| {
            let steps = (o.order)(arguments).into_iter().filter_map(|at| o.steps.get(at as usize).copied());
            steps.flatten().chain(o.end).collect::<Vec<_>>()
        });
        let parts = self.parts.iter().chain(ordered).filter(|part| (part.is_on)(arguments));
        Ok(parts.map(|part| part.text(arguments)).collect())
    }
}

impl Part {
    fn text(&self, arguments: &Arguments) -> String {
        let values = self.values.iter().filter_map(|(name, source)| {
            let value = match source {
                ValueSource::Always(word) => Some((*word).to_owned()),
                ValueSource::Parameter(parameter) => arguments.text(parameter),
                ValueSource::Computed(number) => Some(number(arguments).to_string()),
                ValueSource::Without(sequences, tokens) => Some(without(arguments, sequences, tokens)),
                ValueSource::AtLeast(parameter, least) => Some(arguments.as_number(parameter).max(*least).to_string()),
                ValueSource::Temperature(parameter) => match arguments.as_number(parameter) {
                    t if t < LOWEST_TEMPERATURE => Some("0".into()),
                    t => Some(t.to_string()),
                },
            };
            value.map(|value| format!("{name}={value}"))
        });
        let values: Vec<_> = values.collect();
        if values.is_empty() { self.stage.into() } else { format!("{}({})", self.stage, values.join(", ")) }
    }
}

/// The value of [`ValueSource::Without`]; empty if no sequence is left.
fn without(arguments: &Arguments, sequences: &str, tokens: &str) -> String {
    let tokens = arguments.tokens(tokens);
    let stays = |sequence: &&Vec<u32>| sequence.len() > 1 || !tokens.contains(&sequence[0]);
    let sequences = arguments.sequences(sequences);
    joined(sequences.iter().filter(stays).map(|sequence| joined(sequence, " ")), "; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_name_stages_and_parameters_of_the_catalogue() {
        for m in macros() {
            let known = |name: &str| m.parameters.iter().any(|p| p.name == name);
            for part in m.all_parts() {
                let stage = stages::find(part.stage).unwrap_or_else(|| panic!("{}: no stage `{}`", m.name, part.stage));
                for (name, source) in part.values {
                    assert!(stage.parameters.iter().any(|p| p.name == *name), "{}: `{name}` of {}", m.name, part.stage);
                    let parameter = match source {
                        // Panics if it asks for a parameter that there is not.
                        ValueSource::Computed(number) => {
                            number(&Arguments::new(m.name, m.parameters));
                            continue;
                        }
                        ValueSource::Always(_) => continue,
                        ValueSource::Without(p, other) if known(other) => p,
                        ValueSource::Without(_, other) => other,
                        ValueSource::Parameter(p) | ValueSource::AtLeast(p, _) | ValueSource::Temperature(p) => p,
                    };
                    assert!(known(parameter), "{}: no parameter `{parameter}`", m.name);
                }
            }
        }
    }
}
