#!/bin/sh
# The cross-language agreement test: every language decodes the same rows, and what they write is compared byte for byte.
# A language that cannot run here is skipped with a line, and an error if CI is set. tests/agreement/README.md has the rules.
# usage: ci/agreement.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}
dir=$target/agreement
warnings='-O2 -Wall -Wextra -Wpedantic -Werror'

cargo build --release --quiet
# With the profile of the tests, for which its dependencies are built anyway.
cargo build --profile test --quiet --example agreement

mkdir -p "$dir/lib"
ln -sf "$target/release/libbregman.so" "$dir/lib/libbregman.so.1"
export LD_LIBRARY_PATH="$dir/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export BREGMAN_LIBRARY="$target/release/libbregman.so"
${CC:-cc} -std=c11 $warnings -Iinclude tests/agreement/drivers/agreement.c tests/agreement/drivers/cases.c -o "$dir/c" \
    "$BREGMAN_LIBRARY"
${CXX:-c++} -std=c++17 $warnings -Iinclude tests/agreement/drivers/agreement.cpp -o "$dir/cpp" "$BREGMAN_LIBRARY"

# The portable passes run too: the instruction set changes nothing either.
set -- "c=$dir/c" "c-portable=env BREGMAN_SIMD=scalar $dir/c" "cpp=$dir/cpp"
# The bindings bring their drivers as scripts.
for driver in go csharp-mono csharp-coreclr python; do
    folder=${driver%%-*}
    script=bindings/$folder/agreement${driver#"$folder"}.sh
    if [ -x "$script" ]; then
        set -- "$@" "$driver=$script"
    elif [ -n "${CI:-}" ]; then
        echo "ci/agreement.sh: $script is missing" >&2
        exit 1
    else
        echo "skipped: the $driver driver: there is no $script"
    fi
done

# A comparison that finds nothing wrong with a driver that writes anything else would be worth nothing.
if tests/agreement/compare.sh tests/agreement/boundary.txt "c=$dir/c" wrong=cat >"$dir/wrong" 2>&1; then
    echo "ci/agreement.sh: a driver that differs was not noticed" >&2
    exit 1
fi
tests/agreement/compare.sh tests/agreement/cases.txt "rust=$target/debug/examples/agreement" "$@"
tests/agreement/compare.sh tests/agreement/boundary.txt "$@"
