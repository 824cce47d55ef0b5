//! The values and properties that other projects' sampler tests state, as data (README.md), against this library: every
//! case through the distribution, processing, candidate arrays and decoding. A case agrees, or differences.json names
//! it with the reason why it does not.

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod check;
mod drafts;
mod faces;
mod plain;

use cases::{Difference, Project};
use std::collections::BTreeSet;

/// The fewest cases that a project's file must expand to, and the file.
const PROJECTS: [(&str, usize, &str); 7] = [
    ("llama.cpp", 100, include_str!("llama_cpp.json")),
    ("transformers", 100, include_str!("transformers.json")),
    ("vllm", 600, include_str!("vllm.json")),
    ("flashinfer", 700, include_str!("flashinfer.json")),
    ("exllamav3", 100, include_str!("exllamav3.json")),
    ("mlx-lm", 20, include_str!("mlx_lm.json")),
    ("ollama", 60, include_str!("ollama.json")),
];

/// Tries every case of a project: it differs if, and only if, it is listed, and in the way that is listed.
fn try_all(name: &str) {
    let (_, least, text) = *PROJECTS.iter().find(|project| project.0 == name).expect("a project of the list");
    let project = Project::parse(text);
    assert_eq!(project.name, name);
    let differences = Difference::of(name);
    let (mut wrong, mut used, mut ids) = (vec![], BTreeSet::new(), BTreeSet::new());
    for case in &project.cases {
        assert!(ids.insert(&case.id), "two cases are called `{}`", case.id);
        let listed = differences.iter().position(|difference| difference.names(&case.id));
        match (check::agrees(case), listed) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => wrong.push(format!("`{}` agrees, but differences.json lists it", case.id)),
            (Err(why), None) => wrong.push(format!("`{}`: {why}", case.id)),
            (Err(why), Some(at)) if why.contains(&differences[at].ours) => {
                used.insert(at);
            }
            (Err(why), Some(at)) => {
                wrong.push(format!("`{}` differs otherwise than listed ({}): {why}", case.id, differences[at].ours));
            }
        }
    }
    let unused = differences.iter().enumerate().filter(|(at, _)| !used.contains(at));
    wrong.extend(
        unused.map(|(_, difference)| format!("differences.json lists `{}`: no such case differs", difference.case)),
    );
    println!("{name}: {} cases", project.cases.len());
    let shown = wrong.len().min(20);
    assert!(wrong.is_empty(), "{} of {} cases of {name}:\n{}", wrong.len(), ids.len(), wrong[..shown].join("\n"));
    assert!(project.cases.len() >= least, "{name} has {} cases", project.cases.len());
}

#[test]
fn llama_cpp_cases_agree_or_are_listed() {
    try_all("llama.cpp");
}

#[test]
fn transformers_cases_agree_or_are_listed() {
    try_all("transformers");
}

#[test]
fn vllm_cases_agree_or_are_listed() {
    try_all("vllm");
}

#[test]
fn flashinfer_cases_agree_or_are_listed() {
    try_all("flashinfer");
}

#[test]
fn exllamav3_cases_agree_or_are_listed() {
    try_all("exllamav3");
}

#[test]
fn mlx_lm_cases_agree_or_are_listed() {
    try_all("mlx-lm");
}

#[test]
fn ollama_cases_agree_or_are_listed() {
    try_all("ollama");
}

#[test]
fn differences_name_a_project_and_a_reason() {
    for difference in Difference::all() {
        assert!(PROJECTS.iter().any(|project| project.0 == difference.project), "no project {}", difference.project);
        assert!(difference.reason.len() > 20 && !difference.ours.is_empty(), "{}: no reason", difference.case);
    }
}
