//! The parameters of a stage as the chain spells them, and random ones.

use bregman::{ParameterInfo, StageInfo, stages};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt;

/// A stage's parameters: names and texts, in the order in which a chain gives them.
#[derive(Clone)]
pub struct Given {
    info: &'static StageInfo,
    values: Vec<(&'static str, String)>,
}

impl Given {
    pub fn new(stage: &str, values: Vec<(&'static str, String)>) -> Self {
        Self { info: stages().iter().find(|info| info.name == stage).expect("a stage of the catalogue"), values }
    }

    /// Reads the canonical form of a stage.
    pub fn parse(text: &str) -> Self {
        let (stage, list) = text.strip_suffix(')').and_then(|t| t.split_once('(')).unwrap_or((text, ""));
        let mut given = Self::new(stage, vec![]);
        for part in list.split(", ").filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((given.info.parameters[0].name, part));
            given.values.push((given.parameter(name).name, value.to_owned()));
        }
        given
    }

    pub fn stage(&self) -> &'static str {
        self.info.name
    }

    fn parameter(&self, name: &str) -> &'static ParameterInfo {
        let found = self.info.parameters.iter().find(|p| p.name == name);
        found.unwrap_or_else(|| panic!("`{}` has no parameter `{name}`", self.info.name))
    }

    /// The value as it was given.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// The value, or the catalogue's default.
    pub fn text(&self, name: &str) -> &str {
        self.given(name).unwrap_or(self.parameter(name).default)
    }

    pub fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap_or_else(|_| panic!("{self}: `{name}` is no number"))
    }

    pub fn count(&self, name: &str) -> usize {
        self.maybe_count(name).unwrap_or_else(|| panic!("{self}: `{name}` is no whole number"))
    }

    /// None without a value and a default.
    pub fn maybe_count(&self, name: &str) -> Option<usize> {
        self.text(name).parse().ok()
    }

    pub fn tokens(&self, name: &str) -> Vec<i32> {
        tokens(self.text(name))
    }

    pub fn sequences(&self, name: &str) -> Vec<Vec<i32>> {
        self.text(name).split(';').map(tokens).filter(|sequence| !sequence.is_empty()).collect()
    }

    /// The names that were given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.values.iter().map(|(name, _)| *name)
    }
}

fn tokens(text: &str) -> Vec<i32> {
    text.split_whitespace().map(|token| token.parse().expect("a token id")).collect()
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<_> = self.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        write!(f, "{}({})", self.info.name, list.join(", "))
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Some names with their values.
pub type Values = BoxedStrategy<Vec<(&'static str, String)>>;

/// A parameter that is given.
pub fn value<T: ToString + fmt::Debug + 'static>(
    name: &'static str,
    strategy: impl Strategy<Value = T> + 'static,
) -> Values {
    strategy.prop_map(move |value| vec![(name, value.to_string())]).boxed()
}

/// A parameter that is given in a third of the cases, and has its default in the others.
pub fn maybe<T: ToString + fmt::Debug + 'static>(
    name: &'static str,
    strategy: impl Strategy<Value = T> + 'static,
) -> Values {
    prop_oneof![2 => Just(vec![]), 1 => value(name, strategy)].boxed()
}

/// One of the catalogue's words.
pub fn word(stage: &str, name: &'static str) -> Values {
    let bregman::Kind::Choice(words) = Given::new(stage, vec![]).parameter(name).kind else {
        panic!("`{name}` of `{stage}` is no choice");
    };
    value(name, select(words))
}

pub fn min_keep() -> Values {
    maybe("min_keep", 1usize..20)
}

/// All of them together, as the parameters of a stage.
pub fn of(stage: &'static str, parameters: impl IntoIterator<Item = Values>) -> BoxedStrategy<Given> {
    let all: Vec<_> = parameters.into_iter().collect();
    all.prop_map(move |lists| Given::new(stage, lists.concat())).boxed()
}

/// Without parameters.
pub fn none(stage: &'static str) -> BoxedStrategy<Given> {
    of(stage, [])
}

/// A share, with both ends now and then.
pub fn share() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.001..0.999f64, 1 => Just(0.0), 1 => Just(1.0)]
}

/// A number between two powers of ten, evenly in its logarithm.
pub fn power_of_ten(low: f64, high: f64) -> impl Strategy<Value = f64> {
    (low..high).prop_map(|e| 10f64.powf(e))
}

/// A token that a history of `random_chains.rs` probably has; they have few, so that tokens repeat.
pub fn token() -> impl Strategy<Value = i32> {
    prop_oneof![6 => 0..5i32, 1 => 0..12i32, 1 => 0..80i32]
}

/// Token ids as a chain spells them.
pub fn token_list() -> impl Strategy<Value = String> {
    vec(token(), 1..4).prop_map(|list| joined(&list, " "))
}

/// Token sequences as a chain spells them.
pub fn sequence_list() -> impl Strategy<Value = String> {
    vec(token_list(), 1..5).prop_map(|list| joined(&list, "; "))
}

pub fn joined<T: ToString>(list: &[T], separator: &str) -> String {
    list.iter().map(T::to_string).collect::<Vec<_>>().join(separator)
}
