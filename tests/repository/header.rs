//! The headers in include/ are what the sources generate.

use crate::{read, root};

/// The sources of include/bregman_decisions.h, in the order of their text.
const DECISIONS: [&str; 5] = ["candidates", "gates", "arms", "trust", "table"];

fn decisions() -> impl Iterator<Item = String> {
    DECISIONS.iter().map(|name| format!("src/ffi/decisions/{name}.rs"))
}

/// The names of the public items of a source.
fn public_items(path: &str) -> Vec<String> {
    let file = syn::parse_file(&read(path)).expect("Rust");
    let public = |visibility: &syn::Visibility| matches!(visibility, syn::Visibility::Public(_));
    let name = |item: syn::Item| match item {
        syn::Item::Const(item) => public(&item.vis).then(|| item.ident.to_string()),
        syn::Item::Fn(item) => public(&item.vis).then(|| item.sig.ident.to_string()),
        syn::Item::Struct(item) => public(&item.vis).then(|| item.ident.to_string()),
        syn::Item::Type(item) => public(&item.vis).then(|| item.ident.to_string()),
        _ => None,
    };
    file.items.into_iter().filter_map(name).collect()
}

fn config(path: &str) -> cbindgen::Config {
    cbindgen::Config::from_file(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn text(builder: cbindgen::Builder) -> String {
    let mut text = Vec::new();
    builder.generate().expect("the sources make a header").write(&mut text);
    String::from_utf8(text).expect("the header is UTF-8")
}

/// Everything but what has a header of its own.
fn main_header() -> String {
    let mut config = config("cbindgen.toml");
    config.export.exclude.extend(decisions().flat_map(|path| public_items(&path)));
    assert!(config.export.exclude.len() > 20, "the sources were not understood");
    text(cbindgen::Builder::new().with_crate(root()).with_config(config))
}

fn decisions_header() -> String {
    let builder = cbindgen::Builder::new().with_config(config("cbindgen-decisions.toml"));
    text(decisions().fold(builder, |builder, path| builder.with_src(root().join(path))))
}

/// Fails when a header drifts; `BREGMAN_WRITE_HEADER=1` (`make header`) writes it instead.
#[test]
fn the_headers_are_current() {
    for (name, generated) in [("bregman.h", main_header()), ("bregman_decisions.h", decisions_header())] {
        let path = root().join("include").join(name);
        if std::env::var_os("BREGMAN_WRITE_HEADER").is_some() {
            std::fs::write(&path, generated).expect("include/ can be written");
            continue;
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(generated == checked_in, "include/{name} drifted from src/ffi: run `make header` and commit it");
    }
}
