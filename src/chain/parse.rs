//! The chain's grammar:
//!
//! ```text
//! chain  = stage ("|" stage)*
//! stage  = name [ "(" [value | name "=" value] ("," name "=" value)* ")" ]
//! ```
//!
//! A stage may be a macro's name; it then stands for several. Space is free. Names are compared in lower case with `-`
//! read as `_`.

use super::ParsedStage;
use super::limits::MOST_STAGES;
use super::macros;
use crate::error::{Error, Result};
use crate::parameters::{Arguments, ParameterInfo, has_keys, nearest, quoted};
use crate::stages::{find, stages};

pub(super) fn parse(text: &str) -> Result<Vec<ParsedStage>> {
    if text.trim().is_empty() {
        return Err(Error::InvalidChain("the chain is empty: it needs at least one stage, such as `draw`".into()));
    }
    let parts: Vec<_> = text.split('|').collect();
    if parts.len() > MOST_STAGES {
        return Err(Error::InvalidChain(format!(
            "the chain has {} stages, at most {MOST_STAGES} are taken",
            parts.len()
        )));
    }
    let mut parsed = Vec::with_capacity(parts.len());
    for (at, part) in parts.iter().enumerate() {
        stage(Place { at, within: None }, part.trim(), &mut parsed)?;
    }
    if parsed.is_empty() {
        return Err(Error::InvalidChain("the chain's macros leave no stage: it needs at least one".into()));
    }
    Ok(parsed)
}

/// Where a stage stands in the text.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// From 0, macros counted as one.
    at: usize,
    /// The macro that stands for it.
    within: Option<&'static str>,
}

impl Place {
    /// A failure of the stage `name`, as an error that names what the user wrote.
    pub(super) fn error(self, name: &str, what: &str) -> Error {
        Error::InvalidChain(format!("{}: {what}", self.named(name)))
    }

    /// The stage `name` by its place and what the user wrote there.
    pub(super) fn named(self, name: &str) -> String {
        let at = self.at + 1;
        match self.within {
            None => format!("stage {at}, `{name}`"),
            Some(within) => format!("stage {at}, `{within}`: its stage `{name}`"),
        }
    }
}

/// Appends one stage, or those that a macro stands for.
fn stage(place: Place, text: &str, parsed: &mut Vec<ParsedStage>) -> Result<()> {
    let refuse = |what: String| Error::InvalidChain(format!("stage {}: {what}", place.at + 1));
    let (name, values) = match text.split_once('(') {
        Some((name, values)) => (name.trim(), Some(values)),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(refuse("a stage's name is missing".into()));
    }
    let key = canonical(name);
    if let Some(info) = find(&key) {
        let arguments = arguments(info.name, info.parameters, values).map_err(|why| place.error(info.name, &why))?;
        parsed.push(ParsedStage { info, arguments, place });
        return Ok(());
    }
    let Some(stands_for) = macros::find(&key) else { return Err(refuse(unknown(name))) };
    let given = arguments(stands_for.name, stands_for.parameters, values);
    let given = given.map_err(|why| place.error(stands_for.name, &why))?;
    let expanded = stands_for.expand(&given).map_err(|why| place.error(stands_for.name, &why))?;
    let place = Place { within: Some(stands_for.name), ..place };
    expanded.iter().try_for_each(|text| stage(place, text, parsed))
}

/// The values between a stage's parentheses. A failure is the end of a message that names the stage.
fn arguments(
    name: &'static str,
    parameters: &'static [ParameterInfo],
    values: Option<&str>,
) -> std::result::Result<Arguments, String> {
    let mut arguments = Arguments::new(name, parameters);
    if let Some(values) = values {
        let inside = values.strip_suffix(')').ok_or("`)` is missing at its end")?;
        if inside.contains(')') {
            return Err("`)` is followed by more: stages are separated by `|`".into());
        }
        let list = if inside.trim().is_empty() { vec![] } else { inside.split(',').collect() };
        for (i, part) in list.into_iter().enumerate() {
            match part.split_once('=') {
                Some((name, value)) => arguments.set(Some(&canonical(name.trim())), value.trim())?,
                None if i == 0 => arguments.set(None, part.trim())?,
                None => {
                    let part = if has_keys(parameters) { format!("value {}", i + 1) } else { quoted(part.trim()) };
                    return Err(format!("{part} needs a name: only the first parameter goes without"));
                }
            }
        }
    }
    arguments.check_required()?;
    Ok(arguments)
}

fn canonical(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// A name that is no stage's. What follows the name in its text may be a key that was meant to stand in parentheses.
fn unknown(text: &str) -> String {
    let name = text.split('=').next().unwrap_or(text);
    let is_key = |at: &usize| name[*at..].trim_start().starts_with(|c: char| c.is_ascii_digit());
    let end =
        name.char_indices().map(|(at, _)| at).find(|&at| name[at..].starts_with(char::is_whitespace) && is_key(&at));
    let name = &name[..end.unwrap_or(name.len())];
    let names = stages().iter().flat_map(|s| [s.name].into_iter().chain(s.aliases.iter().copied()));
    let names = names.chain(macros::macros().iter().map(|m| m.name));
    match nearest(&canonical(text), names) {
        Some(near) => format!("no stage {}: did you mean `{near}`?", quoted(name)),
        None => {
            let all: Vec<_> = stages().iter().map(|s| s.name).collect();
            format!("no stage {}: there are {}", quoted(name), all.join(", "))
        }
    }
}
