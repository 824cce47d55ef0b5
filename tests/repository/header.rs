//! The header in include/ is what the sources generate.

use std::path::Path;

fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    let mut text = Vec::new();
    cbindgen::Builder::new()
        .with_crate(root)
        .with_config(config)
        .generate()
        .expect("the sources make a header")
        .write(&mut text);
    String::from_utf8(text).expect("the header is UTF-8")
}

/// Fails when the header drifts; `BREGMAN_WRITE_HEADER=1` (`make header`) writes it instead.
#[test]
fn the_header_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/bregman.h");
    let generated = generated();
    if std::env::var_os("BREGMAN_WRITE_HEADER").is_some() {
        std::fs::write(&path, generated).expect("include/ can be written");
        return;
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(generated == checked_in, "include/bregman.h drifted from src/ffi: run `make header` and commit it");
}
