#!/bin/sh
# The measurements behind docs/evidence.md, from a fresh machine to the finished page.
# usage: ci/evidence.sh [--small | MODEL... | synthetic | truth | report | lock]       (default: all, and the page)
#   --small   the whole pipeline on the model of the repository, a few items, and the tests of lab/: about a minute. Writes
#             below target/lab only
#   MODEL     smollm2, gemma3 or kjv: only measure this one, and let it write
#   synthetic only the rows of the benchmarks' generator
#   truth     only the source whose distributions are known
#   report    the page, its tables and its plots from docs/evidence/page.txt and the records in lab/record/
#   lock      pins lab/requirements.in and its dependencies, with hashes
# Models, rows and measurements are kept in target/ (about 7 GB); a run that was stopped goes on where it was.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lab=$root/lab
work=$root/target/lab
venv=$work/venv
started=$(date +%s)

fail() {
    echo "ci/evidence.sh: $*" >&2
    exit 1
}

lock() {
    python3 -m venv --clear "$work/lock-venv"
    "$work/lock-venv/bin/pip" --disable-pip-version-check install --quiet pip-tools
    cd "$lab"
    CUSTOM_COMPILE_COMMAND="ci/evidence.sh lock" "$work/lock-venv/bin/pip-compile" --quiet --generate-hashes \
        --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
        --output-file requirements.txt requirements.in
}

# The packages that lab/requirements.txt pins, and bregman itself.
environment() {
    "$root/ci/python.sh" install
    stamp="$venv $(python3 --version) $(sha256sum <"$lab/requirements.txt")"
    if [ "$(cat "$venv/stamp" 2>/dev/null)" != "$stamp" ]; then
        python3 -m venv --clear "$venv"
        "$venv/bin/pip" --disable-pip-version-check install --quiet --require-hashes --only-binary :all: \
            -r "$lab/requirements.txt"
        echo "$stamp" >"$venv/stamp"
    fi
    "$venv/bin/pip" --disable-pip-version-check install --quiet --no-deps --force-reinstall \
        "$root"/target/python/wheels/bregman-*.whl
}

# lab/dump.c and lab/write.c, which ask llama.cpp for rows of logits and for texts.
build_programs() {
    "$root/ci/llama.sh"
    llama=$root/target/llama
    # The library that the wheel was made of. It is looked up by its SONAME, and cargo writes the plain name only.
    library=$root/target/python/cargo/release
    ln -sf libbregman.so "$library/$(readelf -d "$library/libbregman.so" | sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')"
    for program in dump write; do
        ${CC:-cc} -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror -I"$root/include" -isystem "$llama/include" \
            "$lab/$program.c" "$lab/model.c" -o "$work/$program" \
            -L"$library" -Xlinker -rpath -Xlinker "$library" -Xlinker --as-needed -lbregman \
            -L"$llama/lib" -Xlinker -rpath -Xlinker "$llama/lib" -lllama -lggml -lggml-base -lm
    done
}

lab() {
    PYTHONPATH=$lab "$venv/bin/python" -m bregman_lab "$@"
}

mkdir -p "$work"
# A second run at the same time waits here.
exec 9>"$work/lock"
flock 9
case ${1:-} in
    lock)
        lock
        exit 0
        ;;
    report | truth | synthetic)
        environment
        lab "$1"
        ;;
    --small)
        environment
        build_programs
        "$root/target/python/venv/bin/ruff" check --quiet "$lab"
        "$root/target/python/venv/bin/ruff" format --quiet --check "$lab"
        (cd "$lab" && "$venv/bin/python" -m pytest --quiet -rs)
        ;;
    *)
        whole=
        [ $# -gt 0 ] || {
            whole=yes
            # kjv writes with the settings that are best for smollm2.
            set -- smollm2 gemma3 kjv
        }
        environment
        build_programs
        for model in "$@"; do
            case $model in
                kjv) file=$root/models/kjv-1.4m/kjv-1.4m-q8_0.gguf ;;
                smollm2 | gemma3) file=$("$root/ci/models.sh" "$model") ;;
                *) fail "no model $model: there are kjv, smollm2 and gemma3" ;;
            esac
            lab measure "$model" "$file"
            lab write "$model" "$file"
        done
        if [ -n "$whole" ]; then
            lab synthetic
            lab truth
            lab report
        fi
        ;;
esac
echo "evidence: $(($(date +%s) - started)) s"
