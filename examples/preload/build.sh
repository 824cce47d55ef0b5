#!/bin/sh
# Builds the preload library: one file that contains bregman.
# usage: examples/preload/build.sh OUT.so
# Needs libbregman.a (cargo build --release), in target/release or in BREGMAN_LIB_DIR.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?usage: examples/preload/build.sh OUT.so}
lib=${BREGMAN_LIB_DIR:-${CARGO_TARGET_DIR:-$root/target}/release}
if [ ! -f "$lib/libbregman.a" ]; then
    echo "examples/preload/build.sh: no libbregman.a in $lib: run cargo build --release first" >&2
    exit 1
fi

# Exports only the function that replaces llama.cpp's, so that a program with its own bregman keeps using that.
${CC:-cc} -std=c11 -O2 -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wpedantic -Werror ${CFLAGS:-} \
    -I"$root/include" "$root/examples/preload/preload.c" -o "$out" \
    "$lib/libbregman.a" -Wl,--exclude-libs,ALL -lpthread -ldl -lm
