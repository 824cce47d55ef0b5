//! The map of the sources in CONTRIBUTING.md, and those at the top of modules, name what is there.

use crate::{read, root};
use std::collections::BTreeSet;
use std::path::Path;

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

#[test]
fn commands_that_are_named_exist() {
    let makefile = read("Makefile");
    let mut found = 0;
    for (path, page) in crate::pages() {
        for code in in_backticks(&page) {
            let Some(rest) = code.strip_prefix("make ") else { continue };
            let target = rest.split_whitespace().next().unwrap_or_default();
            if !target.contains('=') {
                assert!(makefile.contains(&format!("\n{target}:")), "{}: no `make {target}`", path.display());
                found += 1;
            }
        }
    }
    assert!(found > 10 && Path::new("Makefile").exists(), "only {found} commands were found");
}
