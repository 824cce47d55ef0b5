#!/bin/sh
# The C and C++ headers, several versions of llama.cpp, and the examples; then the same programs under the sanitizers.
# usage: ci/cpp.sh [sanitize]        (only the sanitizers)
# First installs missing tools (ci/setup.sh) and fetches pinned packages into target/.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}

fail() {
    echo "ci/cpp.sh: $*" >&2
    exit 1
}

ci/setup.sh
ci/llama.sh
if [ "${1:-}" != sanitize ]; then
    ci/llama_headers.sh
    ci/llama_server.sh
    echo "== headers, C and C++ programs, llama.cpp, examples"
    cargo test --quiet --test abi -- c_abi:: cpp:: integrate::
    cargo test --quiet --test llama
fi

echo "== AddressSanitizer and UndefinedBehaviorSanitizer"
# rustc's instrumentation is compatible with gcc's: gcc's runtime serves the library and the programs. Without optimisation
# the instrumented kernels, inlined into one function, would need more than the 2 MB of stack that a thread has.
CARGO_PROFILE_DEV_OPT_LEVEL=1 RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=address -Zexternal-clangrt' \
    cargo build --quiet --lib --target x86_64-unknown-linux-gnu --target-dir "$target/asan"
library=$target/asan/x86_64-unknown-linux-gnu/debug/libbregman.a
out=$target/asan/programs
mkdir -p "$out"
llama=$root/target/llama
flags="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -I$root/include"

# Builds program $1 with the compiler and flags $2 from the other arguments, checks that it is instrumented, and runs it.
sanitized() {
    name=$1
    compiler=$2
    shift 2
    # $compiler and $flags are lists of words.
    $compiler $flags -o "$out/$name" "$@" "$library" -lpthread -ldl -lm
    nm "$out/$name" | grep -q ' __asan_init$' || fail "$name is not instrumented"
    ASAN_OPTIONS=detect_leaks=1 LD_LIBRARY_PATH="$llama/lib" "$out/$name" ${arguments:-} >"$out/$name.log" 2>&1 || {
        tail -n 40 "$out/$name.log" >&2
        fail "$name failed"
    }
    echo "$name: $(tail -n 1 "$out/$name.log"), clean"
}

arguments=
sanitized c 'cc -std=c11' tests/c/check.c tests/c/layout.c tests/c/state.c tests/c/rows.c
sanitized cpp 'c++ -std=c++17' tests/cpp/main.cpp tests/cpp/ownership.cpp tests/cpp/results.cpp tests/cpp/decode.cpp \
    tests/cpp/batch.cpp tests/cpp/answers.cpp tests/cpp/state.cpp tests/cpp/verify.cpp tests/cpp/catalogue.cpp
sanitized c_decisions 'cc -std=c11' tests/c/decisions.c
sanitized cpp_decisions 'c++ -std=c++17' tests/cpp/decisions.cpp
link="-L$llama/lib -lllama -lggml -lggml-base -Wl,-rpath-link,$llama/lib"
# $link is a list of words.
sanitized llama_include "cc -std=c11 -isystem $llama/include" tests/c/llama_include.c tests/c/llama_include_other.c \
    tests/c/llama_include_rules.c $link
arguments=life
sanitized llama_stage "cc -std=c11 -isystem $llama/include" tests/c/llama_stage.c tests/c/llama_arrays.c \
    tests/c/llama_compare.c tests/c/llama_stages.c tests/c/llama_history.c tests/c/llama_generate.c \
    tests/c/llama_truncate.c tests/c/llama_speculate.c tests/c/llama_threads.c $link

# The sanitizer must detect a read beyond the host's row inside the library.
$(command -v cc) $flags -std=c11 -o "$out/astray" tests/c/astray.c "$library" -lpthread -ldl -lm
if "$out/astray" >"$out/astray.log" 2>&1; then
    fail "a read beyond a row was not detected"
fi
grep -q 'heap-buffer-overflow' "$out/astray.log" && grep -q 'in bregman' "$out/astray.log" ||
    fail "a read beyond a row was reported as something else: $(cat "$out/astray.log")"
echo "astray: a read beyond a row inside the library was detected"
