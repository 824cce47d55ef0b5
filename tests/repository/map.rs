//! The map of the sources in CONTRIBUTING.md, and those at the top of modules, name what is there.

use crate::{read, root};
use std::collections::BTreeSet;

/// The files and folders in a folder of the tree.
fn entries(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// All folders below and including one, as paths from the root.
fn folders(folder: &str) -> Vec<String> {
    let below = entries(folder).into_iter().map(|name| format!("{folder}/{name}"));
    let below = below.filter(|path| root().join(path).is_dir()).flat_map(|path| folders(&path));
    std::iter::once(folder.to_owned()).chain(below).collect()
}

/// The texts in backticks.
fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_map_names_every_folder_and_top_level_file_of_src() {
    let page = read("CONTRIBUTING.md");
    let (_, map) = page.split_once("\n## The map\n").expect("the map");
    let map = map.split("\n## ").next().unwrap();
    let named: BTreeSet<&str> = in_backticks(map).map(|path| path.trim_end_matches('/')).collect();
    let files = entries("src").into_iter().map(|name| format!("src/{name}"));
    for path in files.chain(folders("src").into_iter().skip(1)) {
        assert!(named.contains(&*path), "the map in CONTRIBUTING.md lacks `{path}`");
    }
    for path in named.iter().filter(|path| path.starts_with("src/")) {
        assert!(root().join(path).exists(), "the map in CONTRIBUTING.md names `{path}`, which does not exist");
    }
}

#[test]
fn tables_of_files_in_modules_are_complete() {
    let mut found = 0;
    for folder in folders("src") {
        let path = format!("{folder}/mod.rs");
        let Ok(module) = std::fs::read_to_string(root().join(&path)) else { continue };
        let rows = module.lines().filter_map(|line| line.strip_prefix("//! | `"));
        let first_cells = rows.map(|row| row.split(" | ").next().unwrap()).collect::<Vec<_>>();
        if first_cells.is_empty() {
            continue;
        }
        let cells = format!("`{}", first_cells.join(" `"));
        let named: BTreeSet<&str> = in_backticks(&cells).map(|name| name.trim_end_matches('/')).collect();
        // Unit tests in a file of their own need no place in the table.
        let is_listed = |name: &String| name != "mod.rs" && !name.ends_with("tests.rs");
        let there: BTreeSet<_> = entries(&folder).into_iter().filter(is_listed).collect();
        assert!(
            named.iter().copied().eq(there.iter().map(String::as_str)),
            "{path} lists {named:?}, there are {there:?}"
        );
        found += 1;
    }
    assert!(found >= 5, "only {found} modules have a table of their files");
}

/// What follows a word in a text: `b` of each `a b`.
fn after<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).filter(|pair| pair[0] == word).map(|pair| pair[1]).collect()
}

#[test]
fn commands_that_are_named_exist() {
    let makefile = read("Makefile");
    let is_made = |target: &str| target.contains('=') || makefile.contains(&format!("\n{target}:"));
    let is_in = |folder: &str, name: &str| {
        [format!("{folder}/{name}.rs"), format!("{folder}/{name}/main.rs")]
            .iter()
            .any(|path| root().join(path).exists())
    };
    let mut found = [0; 3];
    for (path, page) in crate::pages() {
        // A block of code is one of them.
        for code in in_backticks(&page) {
            let [made, benches, tests] = ["make", "--bench", "--test"].map(|word| after(code, word));
            for (n, named) in found.iter_mut().zip([&made, &benches, &tests]) {
                *n += named.len();
            }
            let wrong = made.iter().find(|target| !is_made(target));
            let wrong = wrong.or(benches.iter().find(|name| !is_in("benches", name)));
            let wrong = wrong.or(tests.iter().find(|name| !is_in("tests", name)));
            assert!(wrong.is_none(), "{}: `{code}` names {wrong:?}, which does not exist", path.display());
        }
    }
    assert!(found[0] > 20 && found[1] > 3 && found[2] > 10, "only {found:?} commands were found");
}

#[test]
fn every_benchmark_is_checked_in_ci() {
    let manifest = read("Cargo.toml");
    let tables = manifest.split("[[bench]]\nname = \"").skip(1);
    let benchmarks: BTreeSet<&str> = tables.map(|table| table.split('"').next().unwrap()).collect();
    assert!(benchmarks.len() >= 6, "only {benchmarks:?} were found");
    let checked = read("ci/test.sh");
    assert_eq!(BTreeSet::from_iter(after(&checked, "--bench")), benchmarks, "ci/test.sh, and Cargo.toml");
}
