#!/bin/sh
# Samplers in a real Ray: the example that moves requests between actors, and the tests. One machine, on the loopback alone.
# Downloads 100 MB and takes 380 MB in target/ray the first time. Example and tests took two and a
# half minutes on a machine with a load of ten a core.
# usage: ci/ray.sh [arguments of pytest]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
binding=$root/bindings/python
work=$root/target/ray
venv=$work/venv

"$root/ci/python.sh" install
mkdir -p "$work"
# A second run at the same time waits here.
exec 9>"$work/lock"
flock 9
stamp="$(python3 --version) $(sha256sum <"$binding/requirements-ray.txt")"
if [ "$(cat "$work/stamp" 2>/dev/null)" != "$stamp" ]; then
    echo "ray: installing it into target/ray"
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" --disable-pip-version-check install --quiet --require-hashes --only-binary :all: \
        -r "$binding/requirements-ray.txt"
    echo "$stamp" >"$work/stamp"
fi
"$venv/bin/pip" --disable-pip-version-check install --quiet --no-deps --force-reinstall \
    "$root"/target/python/wheels/bregman-*.whl

# The same sums in every process.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
echo "== ray: the example"
"$venv/bin/python" "$root/examples/ray/move_requests.py" 9>&-
echo "== ray: tests"
cd "$binding"
# Not the lock: Ray's processes would inherit it.
"$venv/bin/python" -m pytest --quiet -rs -p no:cacheprovider -c tests_ray/pytest.ini tests_ray "$@" 9>&-
