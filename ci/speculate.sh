#!/bin/sh
# Speculative decoding in llama.cpp: a target and a draft model in every way, as tables.
# usage: ci/speculate.sh [options of examples/speculate]             the committed model, as target and, seeing less, as draft
#        ci/speculate.sh --models TARGET.gguf DRAFT.gguf [options]   two models
#        ci/speculate.sh --real [options]                            SmolLM2-135M and two drafts of it: the tables of
#                                                                    docs/integrate.md; 3 minutes of one core
#        ci/speculate.sh --gemma [options]                           Gemma 3 270M and a draft of it; half a minute
# Both models come from ci/models.sh.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
target=$root/models/kjv-1.4m/kjv-1.4m-q8_0.gguf
draft=$target
mode=${1:-}
case $mode in
    --models)
        target=${2:?usage: ci/speculate.sh --models TARGET.gguf DRAFT.gguf}
        draft=${3:?usage: ci/speculate.sh --models TARGET.gguf DRAFT.gguf}
        shift 3
        ;;
    --real | --gemma) shift ;;
    '') set -- --window 24 ;;
esac

"$root/ci/setup.sh"
"$root/ci/llama.sh"
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
"$root/examples/speculate/build.sh" "$root/target/speculate" "$root/target/shorten"

# One pair of models; the other arguments are options.
run() {
    pair_target=$1
    pair_draft=$2
    shift 2
    "$root/target/speculate" "$root/target/llama/lib" "$pair_target" "$pair_draft" "$@"
}

# Beginnings that are longer than the draft's window.
real() {
    run "$@" \
        --prompt "The old lighthouse keeper opened the door, looked out at the grey sea for a long time, and then said to the boy who had walked all the way from the village:" \
        --prompt "There are three things that everyone should know about how bread is made. The first is that flour, water and salt are not enough. The second" \
        --prompt "In the summer of 1862 the river rose higher than anyone in the town could remember, and the people who lived on the lower streets" \
        --prompt "To measure how fast a program is, run it several times on a machine that does nothing else. If the times differ by more than a few percent,"
}

# Shares of accepted drafts at many positions. The options of the command line come last, and win.
positions() {
    name=$1
    shift
    echo "$name"
    echo
    real "$@" --chain 'temperature(0.8) | top_k(40)' --chain 'top_k(40)' --chain 'min_p(0.05)' \
        --chain 'bregman(alpha=1.5, floor=0.02)' --chain 'top_p(0.95)'
}

# The blocks left out are those that change the next token least, of those that are not neighbours.
case $mode in
    --real)
        target=$("$root/ci/models.sh" smollm2)
        draft=$root/target/models/SmolLM2-135M-26-blocks.gguf
        "$root/target/shorten" "$target" "$draft" 4 7 13 17
        many="--seeds 0 --positions 240 --draws 60 --tokens 60"
        positions "SmolLM2-135M and, as draft, the same model that sees 24 tokens" "$target" "$target" $many --window 24 "$@"
        positions "SmolLM2-135M and, as draft, 26 of its 30 blocks" "$target" "$draft" $many "$@"
        real "$target" "$draft" --seeds 4 --tokens 60 "$@"
        ;;
    --gemma)
        target=$("$root/ci/models.sh" gemma3)
        draft=$root/target/models/gemma-3-270m-16-blocks.gguf
        "$root/target/shorten" "$target" "$draft" 9 13
        positions "Gemma 3 270M and, as draft, 16 of its 18 blocks" "$target" "$draft" \
            --seeds 0 --positions 120 --draws 30 --tokens 30 "$@"
        ;;
    *) run "$target" "$draft" "$@" ;;
esac
