#!/bin/sh
# Writes rows of logits of the real models in target/models (ci/models.sh) into target/rows, for ci/bench.sh: 4 rows after each
# of 8 prompts, along text that the model draws at temperature 1.
# usage: ci/rows.sh [smollm2|gemma3]...      (default: smollm2, which is fetched)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
rows=$root/target/rows

[ $# -gt 0 ] || set -- smollm2
"$root/ci/setup.sh" demo-real
"$root/ci/llama.sh"
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
"$root/examples/generate/build.sh" "$root/target/generate"
mkdir -p "$rows"
for model in "$@"; do
    case $model in
        smollm2) vocab=49152 ;;
        gemma3) vocab=262144 ;;
        *)
            echo "ci/rows.sh: no model $model: there are smollm2 and gemma3" >&2
            exit 1
            ;;
    esac
    file=$("$root/ci/models.sh" "$model")
    rm -f "$rows/new"
    while read -r prompt; do
        "$root/target/generate" --model "$file" --chain draw --seed 1 --tokens 4 --rows "$rows/new" --prompt "$prompt" >"$rows/log"
    done <<END
The old lighthouse keeper opened the door and saw
The capital of France is
In this paper we show that the number of
def add(a, b): return
To make bread, first mix the flour with
The company reported that its revenue in the third quarter
Q: What is the largest planet? A:
{"name": "Anna", "age":
END
    mv "$rows/new" "$rows/$vocab.f32"
    echo "$rows/$vocab.f32"
done
