#!/bin/sh
# The demo: one prompt, one model, three chains side by side.
# usage: ci/demo.sh [--real] [options of examples/generate]
#   --real   real English: by SmolLM2-135M, which ci/models.sh fetches (98 MB), with the size of the support under each token
# e.g. ci/demo.sh --real --prompt "Once upon a time" --seed 2
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

real=
if [ "${1:-}" = --real ]; then
    real=1
    shift
fi
"$root/ci/setup.sh" "demo${real:+-real}"
"$root/ci/llama.sh"
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
mkdir -p "$root/target"
"$root/examples/generate/build.sh" "$root/target/generate"
if [ -n "$real" ]; then
    model=$("$root/ci/models.sh" smollm2)
    # What the command line names comes later, and counts. One thread is enough: several wait for each other on a busy machine.
    set -- --model "$model" --prompt "The old lighthouse keeper opened the door and saw" --seed 1 --threads 1 "$@"
fi
echo

case " $* " in
    # With chains of its own.
    *" --watermark "*) exec "$root/target/generate" --seed 6 "$@" ;;
esac
if [ -n "$real" ]; then
    echo "Writing three texts with SmolLM2-135M ..."
    # The usual sampler, and two Bregman decoders at the same temperature: adaptive top-k (alpha = 1), and alpha = 2.
    exec "$root/target/generate" --columns --show-support --tokens 70 \
        --chain 'temperature(0.8) | top_p(0.95) | draw' \
        --chain 'temperature(0.8) | top_k(floor=0.02) | draw' \
        --chain 'temperature(0.8) | bregman(alpha=2, floor=0.02) | draw' \
        "$@"
fi
# The three differ in alpha only: adaptive top-k (alpha = 1), and two other members of the family.
exec "$root/target/generate" --columns --seed 6 \
    --chain 'temperature(0.8) | top_k(floor=0.02) | draw' \
    --chain 'temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw' \
    --chain 'temperature(0.8) | bregman(alpha=2, floor=0.02) | draw' \
    "$@"
