#!/bin/sh
# All tests: what `make test` and CI run. Installs what is missing first (ci/setup.sh says what).
# usage: ci/test.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

ci/setup.sh
ci/llama.sh

# Formatting and lints, where the toolchain has them; CI's must.
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
lint fmt --check
lint clippy --quiet --all-targets -- -D warnings

echo "== cargo build --release"
cargo build --release
echo "== cargo test"
cargo test
echo "== benchmarks: checked, not timed"
cargo test --quiet --bench decode
echo "== documentation"
RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps
