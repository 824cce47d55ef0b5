#!/bin/sh
# Builds the host program.
# usage: examples/generate/build.sh OUT
# Needs libbregman.so (cargo build --release) and llama.cpp (ci/llama.sh), in target/ or in BREGMAN_LIB_DIR and LLAMA_DIR.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?usage: examples/generate/build.sh OUT}

absolute() {
    (cd "$1" 2>/dev/null && pwd) || {
        echo "examples/generate/build.sh: no directory $1: run $2 first" >&2
        exit 1
    }
}
llama=$(absolute "${LLAMA_DIR:-$root/target/llama}" ci/llama.sh)
lib=$(absolute "${BREGMAN_LIB_DIR:-${CARGO_TARGET_DIR:-$root/target}/release}" "cargo build --release")

# At run time the library is looked up by its SONAME, which has the version of the ABI; cargo writes only the plain name.
soname=$(readelf -d "$lib/libbregman.so" | sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')
if [ -n "$soname" ] && [ ! -e "$lib/$soname" ]; then
    ln -sf libbregman.so "$lib/$soname"
fi

# -isystem, so that llama.cpp's headers give no warnings.
${CC:-cc} -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror ${CFLAGS:-} \
    -DDEFAULT_MODEL="\"$root/models/kjv-1.4m/kjv-1.4m-q8_0.gguf\"" \
    -I"$root/include" -isystem "$llama/include" \
    "$root"/examples/generate/*.c -o "$out" \
    -L"$lib" -Xlinker -rpath -Xlinker "$lib" -lbregman \
    -L"$llama/lib" -Xlinker -rpath -Xlinker "$llama/lib" -lllama -lggml -lggml-base -lm
