//! Links between pages, and paths of the tree that pages name, lead somewhere.

use crate::{pages, root};

/// The anchor that a heading gets: lower case, spaces as hyphens, nothing else but letters, digits, `-` and `_`.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

/// The lines that are not code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut found = 0;
    for (path, text) in pages() {
        let text = prose(&text).collect::<Vec<_>>().join("\n");
        for (link, _) in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            if link.starts_with("http://") || link.starts_with("https://") {
                continue;
            }
            found += 1;
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(&path) } else { root().join(&path).with_file_name(file) };
            assert!(target.exists(), "{}: {link} leads to nothing", path.display());
            if !fragment.is_empty() {
                let page = std::fs::read_to_string(&target).expect("a page");
                let mut headings = prose(&page).filter_map(|line| line.strip_prefix('#'));
                let has = headings.any(|heading| anchor(heading.trim_start_matches('#').trim()) == fragment);
                assert!(has, "{}: {link}: no such heading", path.display());
            }
        }
    }
    assert!(found > 20, "only {found} links were found");
}

#[test]
fn paths_in_backticks_exist() {
    const FOLDERS: [&str; 10] =
        ["src/", "tests/", "docs/", "ci/", "benches/", "examples/", "include/", "bindings/", "models/", "cmake/"];
    let mut found = 0;
    for (path, text) in pages() {
        let folder = root().join(&path);
        let folder = folder.parent().expect("a folder");
        let text = prose(&text).collect::<Vec<_>>().join("\n");
        for code in text.split('`').skip(1).step_by(2) {
            let word = code.split_whitespace().next().unwrap_or_default().trim_end_matches(',');
            if !FOLDERS.iter().any(|folder| word.starts_with(folder)) || word.contains(['*', '<', '$', '{']) {
                continue;
            }
            found += 1;
            let exists = [root(), folder].iter().any(|folder| folder.join(word).exists());
            assert!(exists, "{}: there is no `{word}`", path.display());
        }
    }
    assert!(found > 30, "only {found} paths were found");
}
