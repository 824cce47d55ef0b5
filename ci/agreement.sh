#!/bin/sh
# The cross-language agreement test: every language decodes the same rows, and their outputs are compared byte for byte. A
# language that cannot run here is skipped with a message, or fails if CI is set. See tests/agreement/README.md.
# usage: ci/agreement.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}
dir=$target/agreement
warnings='-O2 -Wall -Wextra -Wpedantic -Werror'

cargo build --release --quiet
# With the profile of the tests, whose dependencies are built already.
cargo build --profile test --quiet --example agreement

mkdir -p "$dir/lib"
ln -sf "$target/release/libbregman.so" "$dir/lib/libbregman.so.1"
export LD_LIBRARY_PATH="$dir/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export BREGMAN_LIBRARY="$target/release/libbregman.so"
${CC:-cc} -std=c11 $warnings -Iinclude tests/agreement/drivers/agreement.c tests/agreement/drivers/cases.c \
    tests/agreement/drivers/decisions.c -o "$dir/c" \
    "$BREGMAN_LIBRARY"
${CXX:-c++} -std=c++17 $warnings -Iinclude tests/agreement/drivers/agreement.cpp -o "$dir/cpp" "$BREGMAN_LIBRARY"

# Once more on the scalar level: results do not depend on the instruction set.
set -- "c=$dir/c" "c-portable=env BREGMAN_SIMD=scalar $dir/c" "cpp=$dir/cpp"
# The drivers of the bindings are scripts.
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

# The comparison must detect a driver whose output differs.
if tests/agreement/compare.sh tests/agreement/boundary.txt "c=$dir/c" wrong=cat >"$dir/wrong" 2>&1; then
    echo "ci/agreement.sh: a driver whose output differs was not detected" >&2
    exit 1
fi
tests/agreement/compare.sh tests/agreement/cases.txt "rust=$target/debug/examples/agreement" "$@"
tests/agreement/compare.sh tests/agreement/decisions.txt "rust=$target/debug/examples/agreement" "$@"
tests/agreement/compare.sh tests/agreement/boundary.txt "$@"
