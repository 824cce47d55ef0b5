#!/bin/sh
# All tests, as run by `make test` and CI. Installs missing tools first (ci/setup.sh).
# usage: ci/test.sh [rust|c|go|csharp|python|agreement|evidence]...        (default: all)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

# Formatting and lints, if the toolchain has them; required in CI.
lint() {
    if cargo "$1" --version >/dev/null 2>&1; then
        echo "== cargo $*"
        cargo "$@"
    elif [ -n "${CI:-}" ]; then
        echo "ci/test.sh: cargo $1 is missing" >&2
        exit 1
    else
        echo "skipped: cargo $1 is not installed (rustup component add rustfmt clippy)"
    fi
}

# The library, and the C and C++ programs that the tests compile and run, some of them with a real llama.cpp.
rust() {
    for manifest in Cargo.toml fuzz/Cargo.toml benches/peers/Cargo.toml; do
        lint fmt --check --manifest-path "$manifest"
    done
    lint clippy --quiet --all-targets -- -D warnings
    echo "== cargo test"
    cargo test
    echo "== benchmarks: checked, not timed"
    cargo test --quiet --bench decode --bench compare --bench verify --bench batch --bench server --bench worst
    echo "== documentation"
    RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps
}

# The machine code of the kernels, the ABI, and the installed library in C and C++ projects.
c() {
    echo "== kernels"
    ci/inlined.sh
    echo "== ABI"
    ci/abi.sh
    ci/abi_test.sh
    echo "== installation"
    ci/install_test.sh
}

[ $# -gt 0 ] || set -- rust c go csharp python agreement evidence
ci/setup.sh
ci/llama.sh
ci/llama_headers.sh
ci/llama_server.sh
echo "== cargo build --release"
cargo build --release
for part in "$@"; do
    case $part in
        rust | c) $part ;;
        go | csharp | python | agreement)
            echo "== $part"
            "ci/$part.sh"
            ;;
        evidence)
            echo "== evidence"
            ci/evidence.sh --small
            ;;
        *)
            echo "ci/test.sh: no part $part: there are rust, c, go, csharp, python, agreement, evidence" >&2
            exit 1
            ;;
    esac
done
