//! The values given to one stage, checked against its parameters.

use super::{Kind, ParameterInfo, lists, nearest, quoted};
use crate::error::{Error, Result};
use std::fmt;

/// A parameter's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Count(i64),
    Choice(&'static str),
    Name(String),
    Tokens(Vec<u32>),
    Sequences(Vec<Vec<u32>>),
    Biases(Vec<(u32, f32)>),
    Keys(Keys),
}

/// Keys, which no text shows but [`Arguments::with_keys`].
#[derive(Clone, PartialEq)]
pub(crate) struct Keys(Vec<u64>);

impl Keys {
    /// As a chain gives them.
    fn revealed(&self) -> String {
        lists::joined(self.0.iter().map(|key| format!("{key:#x}")), " ")
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What stands in the place of a key.
const HIDDEN: &str = "hidden";

impl Value {
    fn parse(text: &str, kind: Kind) -> std::result::Result<Self, String> {
        match kind {
            Kind::Number { min, max, open } => match text.parse::<f64>() {
                Ok(v) if v <= max && (v > min || (!open && v == min)) => Ok(Value::Number(v)),
                Ok(_) | Err(_) => Err(format!("must be a number in {}{min}, {max}]", if open { '(' } else { '[' })),
            },
            Kind::Count { min } => match text.parse::<i64>() {
                Ok(v) if v >= min && v <= i64::from(u32::MAX) => Ok(Value::Count(v)),
                Ok(_) | Err(_) => Err(format!("must be a whole number from {min} to {}", u32::MAX)),
            },
            Kind::CountUpTo { min, max } => match text.parse::<i64>() {
                Ok(v) if (min..=max).contains(&v) => Ok(Value::Count(v)),
                Ok(_) | Err(_) => Err(format!("must be a whole number from {min} to {max}")),
            },
            Kind::Choice(words) => match words.iter().find(|w| **w == text) {
                Some(word) => Ok(Value::Choice(word)),
                None => Err(format!("must be one of {}", words.join(", "))),
            },
            Kind::Name if text.is_empty() => Err("must be a name".into()),
            Kind::Name => Ok(Value::Name(text.into())),
            Kind::Tokens => lists::tokens(text).map(Value::Tokens),
            Kind::Sequences => lists::sequences(text).map(Value::Sequences),
            Kind::Biases => lists::biases(text).map(Value::Biases),
            Kind::Keys { most } => lists::keys(text, most).map(|keys| Value::Keys(Keys(keys))),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The shortest text that parses to the same number.
            Value::Number(v) => write!(f, "{v}"),
            Value::Count(v) => write!(f, "{v}"),
            Value::Choice(word) => f.write_str(word),
            Value::Name(name) => f.write_str(name),
            Value::Tokens(list) => f.write_str(&lists::joined(list, " ")),
            Value::Sequences(list) => f.write_str(&lists::joined(list.iter().map(|s| lists::joined(s, " ")), "; ")),
            Value::Keys(keys) => write!(f, "{keys}"),
            Value::Biases(list) => f.write_str(&lists::joined(list.iter().map(|(t, b)| format!("{t}:{b}")), " ")),
        }
    }
}

/// The name of a stage (or of a macro) and the values that were given to it.
pub(crate) struct Arguments {
    name: &'static str,
    parameters: &'static [ParameterInfo],
    given: Vec<Option<Value>>,
}

impl Arguments {
    pub(crate) fn new(name: &'static str, parameters: &'static [ParameterInfo]) -> Self {
        Self { name, parameters, given: vec![None; parameters.len()] }
    }

    /// Takes one `name=value`, or the first parameter's value if there is no name.
    pub(crate) fn set(&mut self, name: Option<&str>, text: &str) -> std::result::Result<(), String> {
        let parameters = self.parameters;
        let at = match name {
            None if parameters.is_empty() => return Err("takes no parameters".into()),
            None => 0,
            Some(name) => parameters
                .iter()
                .position(|p| p.name == name || p.aliases.contains(&name))
                .ok_or_else(|| self.unknown(name))?,
        };
        let parameter = &parameters[at];
        if self.given[at].is_some() {
            return Err(format!("parameter `{}` is given twice", parameter.name));
        }
        let value = Value::parse(text, parameter.kind).map_err(|why| match parameter.kind {
            Kind::Keys { .. } => format!("parameter `{}` {why} ({})", parameter.name, parameter.summary),
            _ => format!("parameter `{}` {why}, got {} ({})", parameter.name, quoted(text), parameter.summary),
        })?;
        self.given[at] = Some(value);
        Ok(())
    }

    /// Checks, once everything was set, that no required parameter is missing.
    pub(crate) fn check_required(&self) -> std::result::Result<(), String> {
        match self.parameters.iter().zip(&self.given).find(|(p, v)| p.required && v.is_none()) {
            Some((p, _)) => Err(format!("parameter `{}` is missing: {}", p.name, p.summary)),
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let names = || self.parameters.iter().map(|p| p.name);
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.parameters.is_empty() => "it takes none".into(),
            None => format!("it takes {}", names().collect::<Vec<_>>().join(", ")),
        };
        // What stands before a `=` may be a key that was meant to stand behind it.
        let is_secret = has_keys(self.parameters) && !name.starts_with(|c: char| c.is_ascii_alphabetic());
        let shown = if is_secret { "of that name".into() } else { quoted(name) };
        format!("no parameter {shown}: {hint}")
    }

    fn position(&self, name: &str) -> usize {
        self.parameters.iter().position(|p| p.name == name).expect("the parameter is in the stage's own list")
    }

    /// The value that was given, or the default.
    fn value(&self, name: &str) -> Option<Value> {
        let at = self.position(name);
        self.given[at].clone().or_else(|| default(&self.parameters[at]))
    }

    /// The value of a parameter that is required, has a default, or is known to be given.
    fn present(&self, name: &str) -> Value {
        self.value(name).unwrap_or_else(|| panic!("`{name}` of `{}` has a value", self.name))
    }

    /// A number that is required, has a default, or is known to be given.
    pub(crate) fn number(&self, name: &str) -> f64 {
        match self.present(name) {
            Value::Number(v) => v,
            other => panic!("`{name}` of `{}` is no number: {other}", self.name),
        }
    }

    /// A whole number that is required, has a default, or is known to be given.
    pub(crate) fn count(&self, name: &str) -> usize {
        match self.present(name) {
            Value::Count(v) => v as usize,
            other => panic!("`{name}` of `{}` is no whole number: {other}", self.name),
        }
    }

    /// A number, whole or not, that is required or has a default.
    pub(crate) fn as_number(&self, name: &str) -> f64 {
        if let Value::Count(v) = self.present(name) { v as f64 } else { self.number(name) }
    }

    /// A whole number, if it is given.
    pub(crate) fn optional_count(&self, name: &str) -> Option<usize> {
        self.value(name).map(|_| self.count(name))
    }

    /// A word that is required or has a default.
    pub(crate) fn word(&self, name: &str) -> &'static str {
        match self.present(name) {
            Value::Choice(word) => word,
            other => panic!("`{name}` of `{}` is no choice: {other}", self.name),
        }
    }

    /// Whether a word that is required or has a default is this one.
    pub(crate) fn is(&self, name: &str, word: &str) -> bool {
        self.word(name) == word
    }

    /// A name that the host gave to something, if it is given.
    pub(crate) fn name(&self, name: &str) -> Option<&str> {
        match &self.given[self.position(name)] {
            Some(Value::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Token ids; none without a value.
    pub(crate) fn tokens(&self, name: &str) -> Vec<u32> {
        if let Some(Value::Tokens(list)) = self.value(name) { list } else { vec![] }
    }

    /// Token sequences; none without a value.
    pub(crate) fn sequences(&self, name: &str) -> Vec<Vec<u32>> {
        if let Some(Value::Sequences(list)) = self.value(name) { list } else { vec![] }
    }

    /// Tokens with their bias; none without a value.
    pub(crate) fn biases(&self, name: &str) -> Vec<(u32, f32)> {
        if let Some(Value::Biases(list)) = self.value(name) { list } else { vec![] }
    }

    /// Keys; none without a value.
    pub(crate) fn keys(&self, name: &str) -> Vec<u64> {
        if let Some(Value::Keys(Keys(list))) = self.value(name) { list } else { vec![] }
    }

    /// The value as text, given or by default.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.to_string())
    }

    /// Whether it is given, and not left to its default.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.given[self.position(name)].is_some()
    }

    /// The one of these parameters that was given; an error if none or several were.
    pub(crate) fn exactly_one(&self, names: &[&'static str]) -> Result<&'static str> {
        let given: Vec<_> = names.iter().filter(|name| self.is_given(name)).collect();
        let all = names.join(", ");
        match given[..] {
            [name] => Ok(name),
            [] => Err(Error::InvalidChain(format!("one of {all} must be given"))),
            _ => Err(Error::InvalidChain(format!("only one of {all} may be given"))),
        }
    }
}

/// Whether one of the parameters is a secret.
pub(crate) fn has_keys(parameters: &[ParameterInfo]) -> bool {
    parameters.iter().any(|p| matches!(p.kind, Kind::Keys { .. }))
}

fn default(parameter: &ParameterInfo) -> Option<Value> {
    if parameter.default.is_empty() {
        return None;
    }
    Some(Value::parse(parameter.default, parameter.kind).expect("the catalogue's defaults are within their ranges"))
}

impl Arguments {
    /// Whether a given value that is the default means something else than none: with scope=output, `last_n` does.
    fn overrides_default(&self, parameter: &ParameterInfo) -> bool {
        let scope = self.parameters.iter().position(|p| p.name == "scope");
        parameter.name == "last_n" && scope.is_some_and(|at| self.given[at] == Some(Value::Choice("output")))
    }

    /// `name`, `name(value)` if only the first parameter differs from its default, else `name(parameter=value, ...)`.
    fn canonical(&self, text: impl Fn(&Value) -> String) -> String {
        let said: Vec<_> = self
            .parameters
            .iter()
            .zip(&self.given)
            .enumerate()
            .filter_map(|(at, (p, v))| {
                let is_said = |v: &&Value| Some(*v) != default(p).as_ref() || self.overrides_default(p);
                v.as_ref().filter(is_said).map(|v| (at, p.name, v))
            })
            .collect();
        let list: Vec<_> = said.iter().map(|(_, name, value)| format!("{name}={}", text(value))).collect();
        match said[..] {
            [] => self.name.into(),
            [(0, _, value)] => format!("{}({})", self.name, text(value)),
            _ => format!("{}({})", self.name, list.join(", ")),
        }
    }

    /// The canonical form with the keys, which are a secret.
    pub(crate) fn with_keys(&self) -> String {
        self.canonical(|value| if let Value::Keys(keys) = value { keys.revealed() } else { value.to_string() })
    }
}

/// The canonical form, `hidden` in the place of keys.
impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical(Value::to_string))
    }
}
