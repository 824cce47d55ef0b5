//! Gives the shared library its SONAME and keeps it loaded; it generates nothing.

/// Follows `BREGMAN_ABI_VERSION` in `src/ffi/types.rs`; a test holds the two equal.
const ABI_VERSION: u32 = 1;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match os.as_str() {
        "linux" | "android" | "freebsd" => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libbregman.so.{ABI_VERSION}");
            // The pool's threads, and what threads do when they end, run code of the library: a host that closes it
            // must not unmap that.
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "macos" | "ios" => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libbregman.{ABI_VERSION}.dylib");
        }
        _ => {}
    }
}
