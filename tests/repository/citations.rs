//! Citations of `docs/mathematics.md`, and of any other page, lead somewhere.

use crate::{read, text_files};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/mathematics.md";

/// Kept byte for byte, with the name that the page had when it was made; the page says so.
const GOLDEN: &str = "tests/golden/public.json";

/// The numbers of a page's headings, such as "6.2" and "T1".
fn headings(page: &str) -> BTreeSet<String> {
    let titles = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    titles.filter_map(|title| number(title).map(|(id, _)| id.to_owned())).collect()
}

/// "6.2" or "T1" at the beginning of a text, and what follows it.
fn number(text: &str) -> Option<(&str, &str)> {
    let digits = text.strip_prefix('T').unwrap_or(text);
    let length = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    let id = &text[..text.len() - digits.len() + length];
    let id = id.trim_end_matches('.');
    let rest = &text[id.len()..];
    let whole = id.ends_with(|c: char| c.is_ascii_digit()) && !rest.starts_with(|c: char| c.is_alphanumeric());
    whole.then_some((id, rest))
}

/// The sections and theorems that a citation lists, from right after the page's name: ", 2, T4 and 5".
fn listed(mut rest: &str) -> Vec<&str> {
    let mut ids = vec![];
    loop {
        // A remark in parentheses belongs to the number before it.
        let remark = rest.strip_prefix(" (").and_then(|r| r.split_once(')'));
        let next = if ids.is_empty() { rest } else { remark.map_or(rest, |(_, after)| after) };
        let next = [", and ", ", ", " and "].iter().find_map(|separator| next.strip_prefix(separator));
        match next.map(|next| next.strip_prefix("section ").unwrap_or(next)).and_then(number) {
            Some((id, after)) => {
                ids.push(id);
                rest = after;
            }
            None => return ids,
        }
    }
}

/// A text as one line, without the marks of comments, so that a citation may go over a line's end.
fn unwrapped(text: &str) -> String {
    let words = text.lines().map(|line| line.trim_start().trim_start_matches(['/', '!', '#', '*']).trim());
    words.collect::<Vec<_>>().join(" ")
}

/// What each file cites of the page.
fn citations() -> Vec<(PathBuf, Vec<String>)> {
    let cited = |text: &str| -> Vec<String> {
        let text = unwrapped(text);
        text.split(PAGE)
            .skip(1)
            .flat_map(|rest| listed(rest).into_iter().map(String::from).collect::<Vec<_>>())
            .collect()
    };
    text_files().iter().map(|(path, text)| (path.clone(), cited(text))).filter(|(_, cited)| !cited.is_empty()).collect()
}

#[test]
fn citations_of_the_mathematics_name_its_sections_and_theorems() {
    assert_eq!(listed(", 2, T4 and 5): checked"), ["2", "T4", "5"]);
    assert_eq!(listed(", 3 (closed forms), 4 (gains) and 6.2, bound 3"), ["3", "4", "6.2"]);
    assert_eq!(listed(", T2)\""), ["T2"]);
    let headings = headings(&read(PAGE));
    for id in ["1", "6.3", "14", "T1", "T4"] {
        assert!(headings.contains(id), "no heading {id} in {headings:?}");
    }
    let mut found = 0;
    for (path, cited) in citations() {
        for id in cited {
            assert!(headings.contains(&id), "{}: {PAGE} has no {id}", path.display());
            found += 1;
        }
    }
    assert!(found > 15, "only {found} citations were found");
    // The page's references to itself.
    let page = unwrapped(&read(PAGE));
    for rest in page.split("section ").skip(1).chain(page.split("sections ").skip(1)) {
        for id in number(rest).map(|(id, rest)| [vec![id], listed(rest)].concat()).unwrap_or_default() {
            assert!(headings.contains(id), "{PAGE} refers to section {id}, which it does not have");
        }
    }
}

/// Section 14 of the page: the tests that it names for a claim cite that claim.
#[test]
fn the_tests_named_in_the_mathematics_cite_what_they_test() {
    let (page, citations) = (read(PAGE), citations());
    let (_, section) = page.split_once("## 14.").expect("section 14");
    let section = section.split("\n## ").next().expect("a section");
    let mut rows = 0;
    for row in section.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [claims, _, tests] = cells[..] else { panic!("not three cells: {row}") };
        for test in tests.split('`').skip(1).step_by(2) {
            let cited = citations.iter().find(|(path, _)| path == Path::new(test)).map(|(_, cited)| cited);
            let cited = cited.unwrap_or_else(|| panic!("{test} cites nothing of {PAGE}, or does not exist"));
            for claim in claims.split(", ") {
                assert!(cited.iter().any(|id| id == claim), "{test} does not cite {PAGE}, {claim}: {cited:?}");
            }
            rows += 1;
        }
    }
    assert!(rows >= 12, "only {rows} rows were found");
    for theorem in ["T1", "T2", "T3", "T4"] {
        assert!(section.contains(&format!("\n| {theorem} |")), "section 14 names no test for {theorem}");
    }
}

/// The names of Markdown files in a text; addresses aside, and without a shell variable that stands for their folder.
fn pages_named(text: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let mut names = vec![];
    for (at, extension) in text.match_indices(".md") {
        let (before, after) = (&text[..at], &text[at + extension.len()..]);
        let stem = &before[before.trim_end_matches(is_name).len()..];
        let variable = before[..before.len() - stem.len()].ends_with('$');
        let start = if variable { stem.find('/').map_or(stem.len(), |slash| slash + 1) } else { 0 };
        let is_longer = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if !is_longer && !stem.starts_with("//") && start < stem.len() {
            names.push(&text[at - stem.len() + start..at + extension.len()]);
        }
    }
    names
}

#[test]
fn pages_that_are_named_exist() {
    let (mut found, mut missing) = (0, vec![]);
    for (path, text) in text_files() {
        if path == Path::new(GOLDEN) {
            continue;
        }
        for name in pages_named(&text) {
            found += 1;
            // From the file's own folder, or one above it.
            let exists = path.ancestors().skip(1).any(|folder| crate::root().join(folder).join(name).is_file());
            if !exists {
                missing.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "pages that do not exist are named:\n{}", missing.join("\n"));
    assert!(found > 60, "only {found} names were found");
}
