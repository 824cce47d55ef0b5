#!/bin/sh
# The native stage inside the real llama-cpp-python, which is built from its source distribution.
#
# Needs a C++ compiler and cmake; downloads 77 MB, and takes 320 MB in target/llama-cpp-python. The build took 4 minutes on
# one core, without optimisation (the model of the tests is small); the tests take half a minute.
# usage: ci/llama_cpp_python.sh [arguments of pytest]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
binding=$root/bindings/python
work=$root/target/llama-cpp-python
venv=$work/venv
pins=$binding/requirements-llama-cpp.txt

"$root/ci/python.sh" install
mkdir -p "$work"
# A second run at the same time waits here.
exec 9>"$work/lock"
flock 9
stamp="$(python3 --version) $(sha256sum <"$pins")"
if [ "$(cat "$work/stamp" 2>/dev/null)" != "$stamp" ]; then
    echo "llama-cpp-python: building it into target/llama-cpp-python"
    python3 -m venv --clear "$venv"
    # The tools that build it are wheels, and are there first: pip would otherwise fetch others, without hashes.
    awk -v tools="$work/tools.txt" -v package="$work/package.txt" '
        /^[a-z]/ { out = /^llama-cpp-python==/ ? package : tools }
        out != "" { print > out }' "$pins"
    pip() {
        "$venv/bin/pip" --disable-pip-version-check install --quiet --no-cache-dir --no-deps --require-hashes "$@"
    }
    pip --only-binary :all: -r "$work/tools.txt"
    export CMAKE_ARGS="-DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF -DGGML_OPENMP=OFF -DGGML_LLAMAFILE=OFF"
    export SKBUILD_CMAKE_BUILD_TYPE=None
    PATH="$venv/bin:$PATH" pip --no-binary llama-cpp-python --no-build-isolation -r "$work/package.txt"
    echo "$stamp" >"$work/stamp"
fi
"$venv/bin/pip" --disable-pip-version-check install --quiet --no-deps --force-reinstall \
    "$root"/target/python/wheels/bregman-*.whl

echo "== llama-cpp-python: the native stage, logits processors"
cd "$binding"
"$venv/bin/python" -m pytest --quiet -rs -p no:cacheprovider -c tests_llama_cpp/pytest.ini tests_llama_cpp "$@"
