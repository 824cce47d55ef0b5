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
use super::macros;
use crate::error::{Error, Result};
use crate::parameters::{Arguments, nearest, quoted};
use crate::stages::{find, stages};

/// More stages than this are a mistake, not a chain.
const MOST_STAGES: usize = 64;

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
        stage(at, part.trim(), &mut parsed)?;
    }
    if parsed.is_empty() {
        return Err(Error::InvalidChain("the chain's macros leave no stage: it needs at least one".into()));
    }
    Ok(parsed)
}

/// One stage; or those that a macro stands for.
fn stage(at: usize, text: &str, parsed: &mut Vec<ParsedStage>) -> Result<()> {
    let refuse = |what: String| Error::InvalidChain(format!("stage {}: {what}", at + 1));
    let (name, rest) = match text.find('(') {
        Some(open) => (text[..open].trim(), Some(&text[open + 1..])),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(refuse("a stage's name is missing".into()));
    }
    let (info, stands_for) = (find(&canonical(name)), macros::find(&canonical(name)));
    let (name, parameters) = match (info, stands_for) {
        (Some(stage), _) => (stage.name, stage.parameters),
        (None, Some(stands_for)) => (stands_for.name, stands_for.parameters),
        (None, None) => return Err(refuse(unknown(name))),
    };
    let in_stage = |what: String| Error::InvalidChain(format!("stage {}, `{name}`: {what}", at + 1));
    let mut arguments = Arguments::new(name, parameters);
    if let Some(rest) = rest {
        let inside = rest.strip_suffix(')').ok_or_else(|| in_stage("`)` is missing at its end".into()))?;
        if inside.contains(')') {
            return Err(in_stage("`)` is followed by more: stages are separated by `|`".into()));
        }
        let list = if inside.trim().is_empty() { vec![] } else { inside.split(',').collect() };
        for (i, part) in list.into_iter().enumerate() {
            match part.split_once('=') {
                Some((name, value)) => arguments.set(Some(&canonical(name.trim())), value.trim()),
                None if i == 0 => arguments.set(None, part.trim()),
                None => Err(format!("{} needs a name: only the first parameter goes without", quoted(part.trim()))),
            }
            .map_err(in_stage)?;
        }
    }
    arguments.check_required().map_err(in_stage)?;
    match (info, stands_for) {
        (Some(info), _) => parsed.push(ParsedStage { info, arguments }),
        (None, Some(stands_for)) => {
            for text in stands_for.expand(&arguments) {
                stage(at, &text, parsed)?;
            }
        }
        (None, None) => {}
    }
    Ok(())
}

fn canonical(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn unknown(name: &str) -> String {
    let names = stages().iter().flat_map(|s| [s.name].into_iter().chain(s.aliases.iter().copied()));
    let names = names.chain(macros::macros().iter().map(|m| m.name));
    match nearest(&canonical(name), names) {
        Some(near) => format!("no stage {}: did you mean `{near}`?", quoted(name)),
        None => {
            let all: Vec<_> = stages().iter().map(|s| s.name).collect();
            format!("no stage {}: there are {}", quoted(name), all.join(", "))
        }
    }
}
