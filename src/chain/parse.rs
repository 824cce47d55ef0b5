//! The chain's grammar:
//!
//! ```text
//! chain  = stage ("|" stage)*
//! stage  = name [ "(" [value | name "=" value] ("," name "=" value)* ")" ]
//! ```
//!
//! Space is free. Names are compared in lower case with `-` read as `_`.

use super::arguments::Arguments;
use super::catalogue::{find, nearest, stages};
use crate::error::{Error, Result};

/// More stages than this are a mistake, not a chain.
pub(crate) const MOST_STAGES: usize = 64;

pub(super) fn parse(text: &str) -> Result<Vec<Arguments>> {
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
    parts.iter().enumerate().map(|(at, part)| stage(at, part.trim())).collect()
}

fn stage(at: usize, text: &str) -> Result<Arguments> {
    let refuse = |what: String| Error::InvalidChain(format!("stage {}: {what}", at + 1));
    let (name, rest) = match text.find('(') {
        Some(open) => (text[..open].trim(), Some(&text[open + 1..])),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(refuse("a stage's name is missing".into()));
    }
    let info = find(&canonical(name)).ok_or_else(|| refuse(unknown(name)))?;
    let in_stage = |what: String| Error::InvalidChain(format!("stage {}, `{}`: {what}", at + 1, info.name));
    let mut arguments = Arguments::new(info);
    if let Some(rest) = rest {
        let inside = rest.strip_suffix(')').ok_or_else(|| in_stage("`)` is missing at its end".into()))?;
        let list = if inside.trim().is_empty() { vec![] } else { inside.split(',').collect() };
        for (i, part) in list.into_iter().enumerate() {
            match part.split_once('=') {
                Some((name, value)) => arguments.set(Some(&canonical(name.trim())), value.trim()),
                None if i == 0 => arguments.set(None, part.trim()),
                None => Err(format!("`{}` needs a name: only the first parameter goes without", part.trim())),
            }
            .map_err(in_stage)?;
        }
    }
    arguments.check_required().map_err(in_stage)?;
    Ok(arguments)
}

fn canonical(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn unknown(name: &str) -> String {
    let names = stages().iter().flat_map(|s| [s.name].into_iter().chain(s.aliases.iter().copied()));
    match nearest(&canonical(name), names) {
        Some(near) => format!("no stage `{name}`: did you mean `{near}`?"),
        None => {
            let all: Vec<_> = stages().iter().map(|s| s.name).collect();
            format!("no stage `{name}`: there are {}", all.join(", "))
        }
    }
}
