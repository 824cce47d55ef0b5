#!/bin/sh
# Builds the example of speculative decoding, and the program that makes a draft model of a model.
# usage: examples/speculate/build.sh OUT [SHORTEN]
# Needs libbregman.a (cargo build --release) and llama.cpp (ci/llama.sh), in target/ or in BREGMAN_LIB_DIR and LLAMA_DIR.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?usage: examples/speculate/build.sh OUT [SHORTEN]}
shorten=${2:-}
llama=${LLAMA_DIR:-$root/target/llama}
lib=${BREGMAN_LIB_DIR:-${CARGO_TARGET_DIR:-$root/target}/release}
for needed in "$llama/include/llama.h" "$lib/libbregman.a"; do
    if [ ! -f "$needed" ]; then
        echo "examples/speculate/build.sh: no $needed: run ci/llama.sh and cargo build --release first" >&2
        exit 1
    fi
done

# -isystem, so that llama.cpp's headers give no warnings.
compile() {
    ${CC:-cc} -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror ${CFLAGS:-} -I"$root/include" -isystem "$llama/include" "$@" \
        -L"$llama/lib" -Xlinker -rpath -Xlinker "$llama/lib" -lllama -lggml -lggml-base -lpthread -ldl -lm
}

source=$root/examples/speculate
compile "$source/speculate.c" "$source/texts.c" "$source/acceptance.c" "$source/pair.c" -o "$out" "$lib/libbregman.a"
if [ -n "$shorten" ]; then
    compile "$source/shorten.c" -o "$shorten"
fi
