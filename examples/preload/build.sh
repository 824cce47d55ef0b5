#!/bin/sh
# Builds the preload library: one file, with bregman inside.
# usage: examples/preload/build.sh OUT.so
# Needs libbregman.a (cargo build --release); BREGMAN_LIB_DIR says where, if not in target/release.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?usage: examples/preload/build.sh OUT.so}
lib=${BREGMAN_LIB_DIR:-${CARGO_TARGET_DIR:-$root/target}/release}
if [ ! -f "$lib/libbregman.a" ]; then
    echo "examples/preload/build.sh: no libbregman.a in $lib: run cargo build --release first" >&2
    exit 1
fi

# Only what takes llama.cpp's place is seen from outside: a program with a bregman of its own keeps it.
${CC:-cc} -std=c11 -O2 -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wpedantic -Werror ${CFLAGS:-} \
    -I"$root/include" "$root/examples/preload/preload.c" -o "$out" \
    "$lib/libbregman.a" -Wl,--exclude-libs,ALL -lpthread -ldl -lm
