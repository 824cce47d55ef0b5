//! Parameters of stages and macros: their descriptions, and the values that a chain gives them.
//!
//! | file | what it is |
//! |---|---|
//! | `arguments.rs` | the values given to one stage, checked against its parameters; their canonical form |
//! | `lists.rs` | values that are lists of tokens or of keys |

mod arguments;
mod lists;

pub(crate) use arguments::{Arguments, has_keys};
pub(crate) use lists::joined;

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
        min: i64,
    },
    /// A whole number in `[min, max]`.
    CountUpTo {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
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
    /// Secret keys of 64 bits, separated by spaces: `0x9d3c55aa10f2e671 42`. They are shown nowhere: not in the canonical
    /// form of a chain, in messages or in debug output.
    Keys {
        /// The most that are taken; at least one must be given.
        most: usize,
    },
}

/// A parameter of a stage.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
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

/// A user's text as a message shows it: control characters escaped, cut after some.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 64;
    let start: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    format!("`{start}{}`", if text.chars().nth(MOST).is_some() { "..." } else { "" })
}

/// The known name nearest to a word, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// The distance takes quadratic time, and no name is as long.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    known
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, name)| distance <= name.len().max(word.len()) / 2)
        .map(|(_, name)| name)
}
