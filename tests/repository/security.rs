//! What SECURITY.md promises has tests, and what the tests download is pinned.

use crate::{read, root, text_files};

/// The rows of the table of tests: the promise, and the tests with their files.
fn promises(page: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let (_, table) = page.split_once("\n| promise | tests |\n").expect("the table of tests");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ");
        let promise = cells.next().expect("a promise").trim();
        let tests = cells.next().unwrap_or_else(|| panic!("{promise}: no tests")).trim();
        let named = tests.split("; ").flat_map(|part| {
            let (file, names) = part.trim_start_matches('`').split_once("` ").unwrap_or_else(|| panic!("{part}"));
            names.split(", ").map(move |name| (file, name.trim()))
        });
        (promise, named.collect())
    })
    .collect()
}

#[test]
fn tests_that_security_names_exist() {
    let page = read("SECURITY.md");
    let promises = promises(&page);
    assert!(promises.len() >= 15, "only {} promises have tests", promises.len());
    for (promise, tests) in promises {
        assert!(!tests.is_empty(), "{promise}");
        for (file, name) in tests {
            let is_test = |line: &str| line.trim_start().starts_with(&format!("fn {name}("));
            let text = read(file);
            let at = text.lines().position(is_test).unwrap_or_else(|| panic!("{promise}: {file} has no {name}"));
            let before = text.lines().take(at).collect::<Vec<_>>();
            let marked = before.iter().rev().take_while(|line| line.trim_start().starts_with(['#', '/']));
            assert!(marked.into_iter().any(|line| line.contains("#[test]")), "{promise}: {name} is no test");
        }
    }
}

/// Every input of the first table is in the table of tests.
#[test]
fn inputs_that_security_names_have_tests() {
    let page = read("SECURITY.md");
    let (_, inputs) = page.split_once("\n| input | what is checked |\n").expect("the table of inputs");
    let inputs = inputs.lines().skip(1).take_while(|line| line.starts_with('|'));
    let tested: Vec<String> = promises(&page).iter().map(|(promise, _)| promise.to_lowercase()).collect();
    for input in inputs {
        let name = input.trim_matches('|').split('|').next().expect("a name").trim().to_lowercase();
        let words: Vec<&str> = name.split([' ', '(']).filter(|word| word.len() > 4).collect();
        assert!(tested.iter().any(|promise| words.iter().any(|word| promise.contains(word))), "no test for: {name}");
    }
}

/// A package that a script installs by pip is checked against a hash: by `--require-hashes` or by the script, or it was built
/// here. (pip-tools writes the files with the hashes, and is no part of a test.)
#[test]
fn scripts_install_nothing_without_a_hash() {
    let mut found = 0;
    for (path, text) in text_files().iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "sh")) {
        let text = text.replace("\\\n", " ");
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let installs = line.contains("pip") && (line.contains(" install ") || line.contains(" download "));
            if installs {
                found += 1;
                let is_pinned =
                    line.contains("--require-hashes") || line.contains("--no-deps") || line.contains("--no-index");
                let is_pinned = is_pinned || line.contains("pip-tools");
                assert!(is_pinned, "{}: {line}", path.display());
            }
        }
    }
    assert!(found > 5, "only {found} installations were found in {}", root().display());
}

/// The texts in quotes of the line of deny.toml that begins so.
fn quoted(deny: &str, line: &str) -> Vec<String> {
    let line = deny.lines().find(|l| l.starts_with(line)).unwrap_or_else(|| panic!("deny.toml: no `{line}`"));
    line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an expression of licences allows one that is on the list. (Few use brackets, and none within others.)
fn is_allowed(expression: &str, list: &[String]) -> bool {
    expression.split(" AND ").all(|part| {
        let part = part.trim_matches(['(', ')']).replace('/', " OR ");
        part.split(" OR ").any(|licence| list.iter().any(|allowed| allowed == licence))
    })
}

/// What cargo-deny checks too, so that it is also checked where that is not installed.
#[test]
fn dependencies_have_the_licences_and_sources_that_deny_toml_allows() {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let arguments = ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", &target];
    let output = std::process::Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let deny = read("deny.toml");
    let (allowed, exceptions) = (quoted(&deny, "allow ="), quoted(&deny, "exceptions ="));
    let mut checked = 0;
    for package in metadata["packages"].as_array().expect("packages") {
        let (name, source) = (package["name"].as_str().expect("a name"), package["source"].as_str());
        let Some(source) = source else { continue };
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        let is_exception = exceptions.iter().any(|e| e == name) && exceptions.iter().any(|e| e == licence);
        assert!(is_allowed(licence, &allowed) || is_exception, "{name}: {licence}");
        assert!(source.starts_with("registry+"), "{name} is from {source}");
        checked += 1;
    }
    assert!(checked > 50, "only {checked} packages");
    assert!(!is_allowed("GPL-3.0", &allowed) && !is_allowed("MIT AND GPL-3.0", &allowed));
}

/// A dependency's reason stands in a comment before it.
#[test]
fn every_dependency_has_its_reason() {
    for file in ["Cargo.toml", "fuzz/Cargo.toml", "tests/loom/Cargo.toml"] {
        let text = read(file);
        let (mut is_dependency, mut has_reason, mut found) = (false, false, 0);
        for line in text.lines() {
            if line.starts_with('[') {
                is_dependency = line.ends_with("dependencies]");
            } else if line.starts_with('#') {
                has_reason = true;
                continue;
            } else if is_dependency && line.contains(" = ") && !line.contains("path = \"..\"") {
                assert!(has_reason, "{file}: no reason for `{line}`");
                found += 1;
                // Several may share one.
                continue;
            }
            has_reason = false;
        }
        assert!(found >= 2, "{file}: {found} dependencies");
    }
}
