//! `docs/stages.md` is the catalogue's: the text of a chain, every stage with its parameters, definition, source and
//! agreement, and the macros.

use crate::check_generated;
use bregman::{
    Kind, LONGEST_CHAIN, MOST_READING_STAGES, MOST_STAGES, MacroInfo, ParameterInfo, Sampler, StageInfo, macros, stages,
};
use std::fmt::Write;

fn introduction() -> String {
    let bytes = in_thousands(LONGEST_CHAIN);
    format!(
        "# Stages\n\n\
         Every stage and macro that a chain can name. This page is generated from the library's own catalogue (`make \
         documents`); C reads the catalogue with `bregman_stage_info` and `bregman_macro_info`.\n\n\
         ## The text of a chain\n\n\
         ```text\n\
         chain  = stage (\"|\" stage)*\n\
         stage  = name [ \"(\" [value | name \"=\" value] (\",\" name \"=\" value)* \")\" ]\n\
         ```\n\n\
         Stages apply in the order in which they are written, and any order is accepted. The first parameter may be \
         given without its name. Spaces are ignored around names and values; names are case-insensitive, and `-` \
         means `_`.\n\n\
         A chain has at most {MOST_STAGES} stages (a macro counts as one), of which at most {MOST_READING_STAGES} may need the \
         row to be read; temperatures and stages that edit single logits do not need that. The C interface reads at most \
         {bytes} bytes of a chain. A chain that ends with a drawing stage returns a token; any other chain only \
         transforms.\n\n\
         Each stage works on the tokens that the stage before it kept, with their probabilities renormalised; dropped \
         tokens are not considered again. In the definitions *l* are the logits and *p* the probabilities that a stage \
         receives, in descending order, equal ones by ascending id. Every truncation keeps at least one token. A token \
         without weight (a log-probability about 680 below the largest, a masked token, a bias or a logit of -infinity) \
         is never kept.\n\n\
         Agreement with llama.cpp is tested against the real library, agreement with Hugging Face transformers against \
         recorded outputs of its processors and against the live package, agreement with entmax and mlx-lm against the \
         live packages. Statements about other engines come from reading their sources.\n\n\
         ## Overview\n\n\
         | stage | what it does | agrees with |\n|---|---|---|\n"
    )
}

fn range(kind: Kind) -> String {
    match kind {
        Kind::Number { min, .. } if min == f64::NEG_INFINITY => "number".into(),
        Kind::Number { min, max, open } => {
            let end = if max == f64::MAX { "∞)".into() } else { format!("{max}]") };
            format!("{}{min}, {end}", if open { '(' } else { '[' })
        }
        Kind::Count { min } => format!("whole, from {min}"),
        Kind::CountUpTo { min, max } => format!("whole, {min} to {max}"),
        Kind::Choice(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
        Kind::Name => "name".into(),
        Kind::Tokens => "tokens".into(),
        Kind::Sequences => "token sequences".into(),
        Kind::Biases => "token:bias pairs".into(),
        Kind::Keys { most: 1 } => "key".into(),
        Kind::Keys { most } => format!("1 to {most} keys"),
    }
}

/// Text for a table's cell, where `|` would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn capitalised(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

fn parameters(parameters: &[ParameterInfo]) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let mut t = String::from("\n| parameter | also | values | default | |\n|---|---|---|---|---|\n");
    for p in parameters {
        let default = match (p.default, p.required) {
            (_, true) => "required".into(),
            ("", _) => String::new(),
            (default, _) => format!("`{default}`"),
        };
        writeln!(t, "| `{}` | {} | {} | {default} | {} |", p.name, names(p.aliases), range(p.kind), cell(p.summary))
            .unwrap();
    }
    t
}

fn also_called(aliases: &[&str]) -> String {
    if aliases.is_empty() { String::new() } else { format!("- also called: {}\n", names(aliases)) }
}

fn stage(s: &StageInfo) -> String {
    let draws = if s.draws { " Draws: it ends a chain." } else { "" };
    format!(
        "\n## {}\n\n{}.{draws}\n\n{}- definition: `{}`\n- source: {}\n- agrees with: {}\n{}",
        s.name,
        capitalised(s.summary),
        also_called(s.aliases),
        s.definition,
        s.source,
        s.agrees,
        parameters(s.parameters)
    )
}

fn one_macro(m: &MacroInfo) -> String {
    format!(
        "\n### {}\n\n{}.\n\n{}- source: {}\n- without: {}\n{}",
        m.name,
        capitalised(m.summary),
        also_called(m.aliases),
        m.source,
        m.leaves_out,
        parameters(m.parameters)
    )
}

fn page() -> String {
    let mut page = introduction();
    for s in stages() {
        writeln!(page, "| [`{}`](#{}) | {} | {} |", s.name, s.name, cell(s.summary), cell(s.agrees)).unwrap();
    }
    page += "\n| macro | stands for |\n|---|---|\n";
    for m in macros() {
        writeln!(page, "| [`{}`](#{}) | {} |", m.name, m.name, cell(m.summary)).unwrap();
    }
    page.extend(stages().iter().map(stage));
    page += "\n## Macros\n\n\
        A macro stands for the stages of an engine's default sampler, in that engine's order and with its rules for \
        boundaries and ties. Its parameters have the engine's names and defaults. `bregman_sampler_describe` shows the \
        stages that a macro was replaced with.\n";
    page.extend(macros().iter().map(one_macro));
    page
}

#[test]
fn the_page_of_stages_is_current() {
    check_generated("docs/stages.md", &page());
}

#[test]
fn a_chain_has_at_most_as_many_stages_as_the_page_says() {
    for (stage, most) in [("temperature(0.9)", MOST_STAGES), ("top_k(5)", MOST_READING_STAGES)] {
        let chain = |stages: usize| Sampler::new(&vec![stage; stages].join(" | "), 0);
        assert!(chain(most).is_ok() && chain(most + 1).is_err(), "{most} times {stage}");
    }
}

/// A number as the documents write it.
fn in_thousands(n: usize) -> String {
    format!("{} {:03}", n / 1000, n % 1000)
}

#[test]
fn header_and_security_page_have_the_limits_of_the_code() {
    let bytes = in_thousands(LONGEST_CHAIN);
    for (path, words) in [
        (
            "include/bregman.h",
            format!("{bytes} bytes and {MOST_STAGES} stages, of which at most {MOST_READING_STAGES} may read"),
        ),
        (
            "SECURITY.md",
            format!("at most {bytes} bytes (C interface), {MOST_STAGES} stages, and {MOST_READING_STAGES} stages"),
        ),
    ] {
        let text = std::fs::read_to_string(crate::root().join(path)).unwrap();
        assert!(text.contains(&words), "{path} lacks: {words}");
    }
}

#[test]
fn every_macro_has_its_texts() {
    for m in macros() {
        for text in [m.summary, m.source, m.leaves_out] {
            assert!(text.len() > 5 && !text.contains('`') && !text.ends_with('.'), "{}: {text}", m.name);
        }
    }
}

#[test]
fn every_stage_has_its_texts() {
    for s in stages() {
        for text in [s.summary, s.definition, s.source, s.agrees] {
            assert!(text.len() > 5 && !text.contains('`') && !text.ends_with('.'), "{}: {text}", s.name);
        }
        assert!(s.parameters.iter().all(|p| !p.summary.is_empty()), "{}", s.name);
    }
}
