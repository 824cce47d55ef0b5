//! `docs/stages.md` is the catalogue's own: every stage with its parameters, definition, source and who agrees.

use bregman::{Kind, ParameterInfo, StageInfo, stages};
use std::fmt::Write;
use std::path::Path;

const TITLE: &str = "# Stages\n\n\
    Every stage that a chain can name, in the order in which chains usually have them. This page is generated from the \
    library's own catalogue (`make reference`), which C reads with `bregman_stage_info`.\n\n\
    A chain is stages separated by `|`, in any order; the first parameter goes without its name. Each stage works on \
    what the one before it left, renormalised, and never looks at what was dropped. In the definitions *l* are the \
    logits and *p* the probabilities that a stage finds, in descending order, equals by ascending id. Every truncation \
    keeps at least one token. A token without weight (a log-probability some 680 below the first one's, a mask, a bias \
    or a logit of -infinity) is never kept.\n\n\
    What is said of llama.cpp and of Hugging Face transformers is tested against them; what is said of other engines \
    was read in their sources.\n";

fn range(kind: Kind) -> String {
    match kind {
        Kind::Number { min, .. } if min == f64::NEG_INFINITY => "number".into(),
        Kind::Number { min, max, open } => {
            let end = if max == f64::MAX { "∞)".into() } else { format!("{max}]") };
            format!("{}{min}, {end}", if open { '(' } else { '[' })
        }
        Kind::Count { min } => format!("whole, from {min}"),
        Kind::Choice(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
        Kind::Name => "name".into(),
        Kind::Tokens => "tokens".into(),
        Kind::Sequences => "token sequences".into(),
        Kind::Biases => "token:bias pairs".into(),
    }
}

/// Text for a table's cell, where `|` would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn parameter(p: &ParameterInfo) -> String {
    let default = match (p.default, p.required) {
        (_, true) => "required".into(),
        ("", _) => String::new(),
        (default, _) => format!("`{default}`"),
    };
    format!("| `{}` | {} | {} | {default} | {} |", p.name, names(p.aliases), range(p.kind), cell(p.summary))
}

fn section(s: &StageInfo) -> String {
    let mut t = format!("\n## {}\n\n", s.name);
    let (first, rest) = s.summary.split_at(1);
    writeln!(t, "{}{rest}.{}\n", first.to_uppercase(), if s.draws { " Draws: it ends a chain." } else { "" }).unwrap();
    if !s.aliases.is_empty() {
        writeln!(t, "- also called: {}", names(s.aliases)).unwrap();
    }
    writeln!(t, "- definition: `{}`", s.definition).unwrap();
    writeln!(t, "- source: {}\n- agrees with: {}", s.source, s.agrees).unwrap();
    if !s.parameters.is_empty() {
        t += "\n| parameter | also | values | default | |\n|---|---|---|---|---|\n";
        s.parameters.iter().for_each(|p| writeln!(t, "{}", parameter(p)).unwrap());
    }
    t
}

/// Fails when the page drifts; `BREGMAN_WRITE_REFERENCE=1` (`make reference`) writes it instead.
#[test]
fn the_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/stages.md");
    let current: String = std::iter::once(TITLE.to_owned()).chain(stages().iter().map(section)).collect();
    if std::env::var_os("BREGMAN_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, current).unwrap();
        return;
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == current, "docs/stages.md drifted: run `make reference` and commit it");
}

#[test]
fn nothing_is_left_unsaid() {
    for s in stages() {
        for text in [s.summary, s.definition, s.source, s.agrees] {
            assert!(text.len() > 5 && !text.contains('`') && !text.ends_with('.'), "{}: {text}", s.name);
        }
        assert!(s.parameters.iter().all(|p| !p.summary.is_empty()), "{}", s.name);
    }
}
