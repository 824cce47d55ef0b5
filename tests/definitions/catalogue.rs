//! Every stage of the catalogue has a plain definition, and all its parameters are generated: otherwise a wrong
//! stage or a wrong use of a parameter would fail no test.

use crate::common::definitions::{Given, Step, all, find};
use crate::common::random_cases;
use crate::common::random_chains::step_of;
use bregman::{Kind, StageInfo, stages};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// The file in which a definition is to be added.
fn file(info: &StageInfo) -> &'static str {
    if info.draws { "draws.rs" } else { "edits.rs, shapes.rs, truncations.rs or decoders.rs" }
}

/// The stage 400 times, with random parameters.
fn generated(info: &StageInfo) -> Vec<Step> {
    let definition = find(info.name).unwrap_or_else(|| {
        panic!("`{}` has no plain definition in tests/common/definitions/{}", info.name, file(info))
    });
    let mut runner = TestRunner::new(random_cases::config(1));
    let strategy = step_of(definition);
    (0..400).map(|_| strategy.new_tree(&mut runner).expect("a strategy without filters").current()).collect()
}

#[test]
fn every_stage_has_a_plain_definition() {
    let missing: Vec<_> = stages().iter().filter(|info| find(info.name).is_none()).collect();
    for info in &missing {
        println!("`{}`: add a Definition to tests/common/definitions/{}", info.name, file(info));
    }
    assert!(missing.is_empty(), "{} stages have no plain definition", missing.len());
    for definition in all() {
        let info = stages().iter().find(|info| info.name == definition.stage);
        let info = info.unwrap_or_else(|| panic!("`{}` is defined, but no stage of the catalogue", definition.stage));
        assert_eq!(definition.draws.is_some(), info.draws, "`{}` draws or not", info.name);
        let definitions = all().filter(|other| other.stage == definition.stage).count();
        assert_eq!(definitions, 1, "`{}` is defined twice", info.name);
    }
}

/// Numbers: two different ones at least. Words: each of them.
#[test]
fn every_parameter_is_generated() {
    for info in stages() {
        let steps = generated(info);
        let edit = format!("edit `parameters` of `{}` in tests/common/definitions/{}", info.name, file(info));
        for parameter in info.parameters {
            let mut values: Vec<&str> = steps.iter().filter_map(|step| step.given.given(parameter.name)).collect();
            values.sort_unstable();
            values.dedup();
            match parameter.kind {
                Kind::Choice(words) => {
                    for word in words {
                        let is_default = *word == parameter.default;
                        assert!(
                            is_default || values.contains(word),
                            "`{}={word}` never occurs: {edit}",
                            parameter.name
                        );
                    }
                }
                Kind::Name => assert!(!values.is_empty(), "`{}` never occurs: {edit}", parameter.name),
                _ => assert!(values.len() >= 2, "`{}` is always the same: {edit}", parameter.name),
            }
            if !parameter.required && parameter.default.is_empty() {
                let without = steps.iter().any(|step| step.given.given(parameter.name).is_none());
                assert!(without, "`{}` is always given: {edit}", parameter.name);
            }
        }
    }
}

/// The values are read from the catalogue's summaries ("0 switches the stage off").
#[test]
fn every_value_that_switches_a_stage_off_is_generated() {
    let mut found = 0;
    for info in stages() {
        let steps = generated(info);
        for parameter in info.parameters {
            let summary = parameter.summary.replace(" to", "");
            let Some((before, _)) = summary.split_once(" switches the stage off") else { continue };
            let off: f64 = before.split_whitespace().last().and_then(|word| word.parse().ok()).expect("a number");
            let is_off = |step: &&Step| step.given.given(parameter.name).is_some_and(|value| value.parse() == Ok(off));
            let with_value: Vec<_> = steps.iter().filter(is_off).collect();
            let what = format!("`{}` with {}={off}", info.name, parameter.name);
            assert!(!with_value.is_empty(), "{what} is never generated: tests/common/definitions/{}", file(info));
            for step in with_value {
                assert!(step.is_off(), "{step} is not off by its definition: {what}");
            }
            assert!(steps.iter().any(|step| !step.is_off()), "`{}` is always off", info.name);
            found += 1;
        }
    }
    assert!(found >= 15, "the catalogue names {found} values that switch a stage off");
}

/// Definitions parse parameters themselves: they must read the canonical form as the library does.
#[test]
fn definitions_read_the_canonical_form() {
    for info in stages() {
        for step in generated(info) {
            let text = step.to_string();
            let canonical = crate::common::plain::sampler(&text, 0).to_string();
            let parsed = Given::parse(&canonical);
            // Keys are hidden in it.
            for parameter in info.parameters.iter().filter(|p| !matches!(p.kind, Kind::Keys { .. })) {
                assert_eq!(parsed.text(parameter.name), step.given.text(parameter.name), "{text}: {}", parameter.name);
            }
        }
    }
}
