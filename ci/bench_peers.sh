#!/bin/sh
# The time of a token by the samplers of other projects, beside bregman's, in turn in one run: candle's LogitsProcessor, the
# crate llm-samplers, torch, transformers' warpers and onnxruntime-genai; 5 minutes, in the environment of ci/transformers.sh (6 GB, once).
# usage: ci/bench_peers.sh [--vllm] [--quick] [--csv FILE]
#        ci/bench_peers.sh [--vllm] --check       whether they build without warnings and draw from the right distribution
#        ci/bench_peers.sh --table RECORD.csv... [--into docs/performance.md]
# --vllm takes the environment that ci/vllm.sh made instead, which has vLLM's sampler and torch; without it there is nothing
# to do. A table of two records has vLLM from the second. Without --csv the record is target/peers.csv; records to keep go to benches/record/peers-MACHINE-DATE.csv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
bench=benches/peers/bench.py

case " $* " in
    *" --table "*) exec python3 "$bench" "$@" ;;
esac
venv=$root/target/transformers/venv
if [ "${1:-}" = --vllm ]; then
    shift
    venv=$root/target/vllm/venv
    if [ ! -x "$venv/bin/python" ]; then
        echo "bench_peers: skipped, there is no vLLM: ci/vllm.sh installs it into target/vllm"
        exit 0
    fi
else
    ci/transformers.sh install
    # Beside that environment, whose tests do not need it.
    packages=$root/target/peers/python
    stamp=$("$venv/bin/python" --version; sha256sum <benches/peers/requirements.txt)
    if [ "$(cat "$packages/stamp" 2>/dev/null)" != "$stamp" ]; then
        rm -rf "$packages"
        "$venv/bin/pip" --disable-pip-version-check install --quiet --no-deps --require-hashes --only-binary :all: \
            --target "$packages" -r benches/peers/requirements.txt
        echo "$stamp" >"$packages/stamp"
    fi
    export PYTHONPATH="$packages"
fi
crate='--quiet --locked --manifest-path benches/peers/Cargo.toml --target-dir target/peers' # a list of words
case " $* " in
    *" --check "*)
        cargo clippy $crate -- -D warnings
        cargo build $crate
        profile=debug
        ;;
    *)
        cargo build $crate --release
        profile=release
        ;;
esac
# One thread for each, as for bregman.
export OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1 HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 VLLM_LOGGING_LEVEL=ERROR
exec "$venv/bin/python" "$bench" target/peers/$profile/libbregman_peers.so "$@"
