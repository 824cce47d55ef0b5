//! Imports in `src/` go down only: a module may use those above it in [`LAYERS`], which stand from low to high.

use crate::root;
use proc_macro2::{Ident, TokenStream, TokenTree};
use std::path::Path;
use syn::visit::{self, Visit};

/// Folders and files of `src/`, the lowest first. One that is not listed fails.
const LAYERS: [&str; 27] = [
    "error",
    "memory",
    "order",
    "math",
    "parameters",
    "logits",
    "random",
    "decisions",
    "process",
    "watermark",
    "batch",
    "history",
    "bregman",
    "vocab/kernels",
    "vocab/levels",
    "vocab/dispatch",
    "vocab",
    "distribution",
    "gumbel",
    "diagnostics",
    "answers",
    "speculation",
    "stages",
    "chain",
    "sampler",
    "lib",
    "ffi",
];

/// Modules for unit tests alone.
const TEST_MODULES: [&str; 3] = ["testing", "vocab/guard_tests", "vocab/level_tests"];

/// A module by its path from the crate's root; its layer is that of the longest beginning that is listed.
fn layer(module: &[String]) -> Option<usize> {
    let path = if module.is_empty() { "lib".to_owned() } else { module.join("/") };
    let listed = LAYERS.iter().enumerate().filter(|(_, l)| path == **l || path.starts_with(&format!("{l}/")));
    listed.max_by_key(|(_, l)| l.len()).map(|(at, _)| at)
}

/// A module that a file uses, by its path from the crate's root, and the line of the use.
struct Use {
    line: usize,
    module: Vec<String>,
}

/// The modules that a file uses.
struct Uses {
    module: Vec<String>,
    found: Vec<Use>,
}

impl Uses {
    /// Notes a path that begins with `crate`, `self` or `super`.
    fn path(&mut self, segments: &[String], line: usize) {
        let mut module = match segments.first().map(String::as_str) {
            Some("crate") => vec![],
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        for segment in segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    module.pop();
                }
                name => module.push(name.to_owned()),
            }
        }
        self.found.push(Use { line, module });
    }

    fn tree(&mut self, before: &mut Vec<String>, tree: &syn::UseTree, line: usize) {
        let mut last = |name: &Ident, this: &mut Self| {
            before.push(name.to_string());
            this.path(before, name.span().start().line);
            before.pop();
        };
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(before, &path.tree, path.ident.span().start().line);
                before.pop();
            }
            syn::UseTree::Name(name) => last(&name.ident, self),
            syn::UseTree::Rename(name) => last(&name.ident, self),
            syn::UseTree::Glob(_) => self.path(before, line),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree, line)),
        }
    }

    /// Paths from the crate's root in what a macro is given, which is no syntax yet: what `super` is there is not known.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut line, mut continues) = (vec![], 0, false);
        for token in tokens {
            let is_colon = matches!(&token, TokenTree::Punct(p) if p.as_char() == ':');
            match token {
                TokenTree::Ident(name) => {
                    if !continues {
                        self.path_from_root(&std::mem::take(&mut path), line);
                        line = name.span().start().line;
                    }
                    path.push(name.to_string());
                }
                TokenTree::Group(group) => {
                    let is_root = path.first().is_some_and(|first| first == "crate");
                    match syn::parse2::<syn::UseTree>(TokenTree::from(group.clone()).into()) {
                        Ok(tree) if continues && is_root => self.tree(&mut path, &tree, line),
                        _ => self.tokens(group.stream()),
                    }
                }
                _ => {}
            }
            continues = is_colon;
        }
        self.path_from_root(&path, line);
    }

    fn path_from_root(&mut self, path: &[String], line: usize) {
        if path.first().is_some_and(|first| first == "crate") {
            self.path(path, line);
        }
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Path>().is_ok_and(|p| p.is_ident("test")))
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&mut vec![], &item.tree, item.use_token.span.start().line);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.path(&segments, path.segments.first().map_or(0, |first| first.ident.span().start().line));
        visit::visit_path(self, path);
    }

    /// `pub(super)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
    }
}

/// The imports of a source that go up, as "line: what it uses"; `module` is the source's own.
fn upward(module: &[String], source: &str) -> Vec<String> {
    let file = syn::parse_file(source).expect("Rust");
    let mut uses = Uses { module: module.to_vec(), found: vec![] };
    uses.visit_file(&file);
    let own = layer(module).unwrap_or_else(|| panic!("{} is not in LAYERS", module.join("/")));
    let up = uses.found.into_iter().filter(|used| {
        let is_module = |name: &String| LAYERS.iter().any(|l| l.split('/').next() == Some(name));
        // An item of the crate's root, such as `crate::Sampler`, is exported by lib.rs.
        let used = if used.module.first().is_some_and(is_module) { &used.module[..] } else { &[] };
        layer(used).is_some_and(|layer| layer > own)
    });
    up.map(|used| format!("{}: {}", used.line, used.module.join("::"))).collect()
}

fn sources(folder: &Path, module: &[String], visit: &mut impl FnMut(&Path, &[String])) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|s| s.to_str()).expect("a name in UTF-8").to_owned();
        let mut inner = module.to_vec();
        if !["mod", "lib"].contains(&stem.as_str()) {
            inner.push(stem);
        }
        if TEST_MODULES.contains(&inner.join("/").as_str()) {
            continue;
        }
        if path.is_dir() {
            sources(&path, &inner, visit);
        } else {
            visit(&path, &inner);
        }
    }
}

#[test]
fn imports_go_down_only() {
    let (mut wrong, mut files) = (vec![], 0);
    sources(&root().join("src"), &[], &mut |path, module| {
        let source = std::fs::read_to_string(path).expect("a source");
        files += 1;
        wrong.extend(upward(module, &source).into_iter().map(|used| format!("{}:{used}", path.display())));
    });
    assert!(files > 80, "only {files} sources were found");
    assert!(wrong.is_empty(), "imports that go up (see LAYERS):\n{}", wrong.join("\n"));
}

#[test]
fn an_import_that_goes_up_is_found_however_it_is_written() {
    let module = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    for (place, source) in [
        ("vocab/sums", "use crate::distribution::Distribution;"),
        ("vocab/sums", "use crate::{error::Result, distribution::{self, head}};"),
        ("vocab/kernels/collect", "use super::super::dispatch::Kernels;"),
        ("vocab/kernels/mod", "use super::super::Vocabulary; use crate::vocab::Scratch;"),
        ("stages/top_p", "fn f() { crate::chain::parse(); }"),
        ("stages/top_p", "struct S(Option<crate::sampler::Sampler>);"),
        ("math/list", "macro_rules! m { () => { crate::vocab::kernels() } }"),
        ("history/mod", "mod inner { use crate::stages::Context; }"),
        ("history/counts", "use crate::Sampler;"),
        ("math/list", "macro_rules! m { () => { use crate::{error, vocab}; } }"),
        ("math/list", "fn f() { m!(&mut crate::vocab::Scratch) }"),
    ] {
        assert!(!upward(&module(place), source).is_empty(), "{place}: {source}");
    }
    for (place, source) in [
        ("distribution/bulk", "use crate::vocab::Vocabulary; use super::head::Head;"),
        ("vocab/kernels/collect", "#[cfg(test)] mod tests { use crate::vocab::levels; }"),
        ("ffi/decode", "use crate::sampler::Sampler; use super::types::*;"),
        ("chain/parse", "use crate::error::Error; use std::fmt;"),
    ] {
        assert!(upward(&module(place), source).is_empty(), "{place}: {source}");
    }
}
