#!/bin/sh
# The demo: one prompt, one model, three adaptive chains side by side.
# usage: ci/demo.sh [options of examples/generate]      e.g. ci/demo.sh --model FILE.gguf --prompt "Once upon a time"
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

"$root/ci/setup.sh" demo
"$root/ci/llama.sh"
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
mkdir -p "$root/target"
"$root/examples/generate/build.sh" "$root/target/generate"
echo

case " $* " in
    # With chains of its own.
    *" --watermark "*) exec "$root/target/generate" --seed 6 "$@" ;;
esac
# The three differ in alpha only: adaptive top-k (alpha = 1), and two other members of the family.
exec "$root/target/generate" --columns --seed 6 \
    --chain 'temperature(0.8) | top_k(floor=0.02) | draw' \
    --chain 'temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw' \
    --chain 'temperature(0.8) | bregman(alpha=2, floor=0.02) | draw' \
    "$@"
