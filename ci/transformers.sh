#!/bin/sh
# The Python binding inside the real torch and transformers, beside the packages entmax and mlx-lm: 6 GB in target/transformers, and 5 minutes the first time.
# usage: ci/transformers.sh [install | arguments of pytest]        (install: only the environment)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
binding=$root/bindings/python
work=$root/target/transformers
venv=$work/venv

"$root/ci/python.sh" install
mkdir -p "$work"
# A second run at the same time waits here.
exec 9>"$work/lock"
flock 9
stamp="$(python3 --version) $(sha256sum <"$binding/requirements-transformers.txt")"
if [ "$(cat "$work/stamp" 2>/dev/null)" != "$stamp" ]; then
    echo "transformers: installing torch and transformers into target/transformers"
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" --disable-pip-version-check install --quiet --require-hashes --only-binary :all: \
        -r "$binding/requirements-transformers.txt"
    echo "$stamp" >"$work/stamp"
fi
"$venv/bin/pip" --disable-pip-version-check install --quiet --no-deps --force-reinstall \
    "$root"/target/python/wheels/bregman-*.whl
[ "${1:-}" = install ] && exit 0

echo "== transformers: generate, stages, tensors, entmax, mlx-lm"
cd "$binding"
# Fetch nothing from a hub of models.
export HF_HUB_OFFLINE=1
# The tensors are small, so that threads of torch would only slow the tests down.
export OMP_NUM_THREADS=1
"$venv/bin/python" -m pytest --quiet -rs --capture=no tests_transformers tests/test_vllm.py "$@"
