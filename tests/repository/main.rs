//! The documents hold: what is generated is current, citations and links resolve, and the code that they show runs.

mod citations;
mod conformance;
mod decoders;
mod header;
mod layers;
mod links;
mod map;
mod mathematics;
mod once;
mod picture;
mod readme;
mod reference;
mod security;
mod setup;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Compares a generated file with the tree's; with `BREGMAN_WRITE_DOCUMENTS=1`, which `make documents` sets, writes it.
fn check_generated(path: &str, current: &str) {
    if std::env::var_os("BREGMAN_WRITE_DOCUMENTS").is_some() {
        std::fs::write(root().join(path), current).unwrap_or_else(|e| panic!("{path}: {e}"));
        return;
    }
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(text == current, "{path} is not what the library computes: run `make documents` and commit it");
}

/// Every text file of the tree, with its path from the root.
fn text_files() -> Vec<(PathBuf, String)> {
    /// Folders of build products and environments.
    const SKIPPED: [&str; 6] = ["target", "node_modules", "__pycache__", "bin", "obj", "venv"];
    let (mut folders, mut files) = (vec![root().to_owned()], vec![]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
            if path.is_dir() {
                let hidden = name.starts_with('.') && name != ".ci";
                if !hidden && !SKIPPED.contains(&name) {
                    folders.push(path);
                }
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                files.push((path.strip_prefix(root()).expect("below the root").to_owned(), text));
            }
        }
    }
    assert!(files.len() > 200, "only {} text files were found", files.len());
    files
}

/// The Markdown files of the tree.
fn pages() -> Vec<(PathBuf, String)> {
    let pages: Vec<_> =
        text_files().into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "md")).collect();
    assert!(pages.len() >= 9, "only {} pages were found", pages.len());
    pages
}
