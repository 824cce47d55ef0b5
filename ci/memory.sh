#!/bin/sh
# What idle sequences cost in memory.
# usage: ci/memory.sh [SEQUENCES [VOCAB [HISTORY]]]        (default: 10000 262144 1000)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}

cargo build --release --quiet
cc -std=c11 -O2 -D_DEFAULT_SOURCE -Iinclude benches/memory/idle.c -o "$target/idle" "$target/release/libbregman.a" \
    -lpthread -ldl -lm
"$target/idle" "$@"
