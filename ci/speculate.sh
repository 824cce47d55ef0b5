#!/bin/sh
# Speculative decoding in llama.cpp: one model as target and, seeing less of the text, as draft; or two models.
# usage: ci/speculate.sh [--models TARGET.gguf DRAFT.gguf] [options of examples/speculate]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
target=$root/models/kjv-1.4m/kjv-1.4m-q8_0.gguf
draft=$target
if [ "${1:-}" = --models ]; then
    target=${2:?usage: ci/speculate.sh --models TARGET.gguf DRAFT.gguf}
    draft=${3:?usage: ci/speculate.sh --models TARGET.gguf DRAFT.gguf}
    shift 3
elif [ $# -eq 0 ]; then
    set -- --window 24
fi

"$root/ci/setup.sh"
"$root/ci/llama.sh"
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
"$root/examples/speculate/build.sh" "$root/target/speculate"
exec "$root/target/speculate" "$root/target/llama/lib" "$target" "$draft" "$@"
