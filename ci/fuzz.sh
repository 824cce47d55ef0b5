#!/bin/sh
# Fuzzes with libFuzzer and AddressSanitizer, each target in turn. What a target checks is in tests/fuzz/targets/.
# usage: ci/fuzz.sh [--minimise] [TARGET]...        (default: all targets)
#        SECONDS=60: how long each runs
#        RUNS=2000: how many inputs each runs instead, from the committed seeds alone and with fixed random numbers: the same
#        inputs in each run of one build
# The corpus grows in target/fuzz/corpus/; an input that fails is left in target/fuzz/found/, to be replayed without the
# fuzzer: BREGMAN_FUZZ_INPUT=FILE cargo test --test fuzz. --minimise merges the corpus into the committed seeds, which
# keep one small input for each thing that is reached. Before a run, a planted wrong answer and a planted bad read must be
# found. Runs on any toolchain with a runtime of AddressSanitizer; cargo-fuzz is not needed, and works too.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
seconds=${SECONDS:-60}
runs=${RUNS:-}
built=${CARGO_TARGET_DIR:-$root/target}/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')

fail() {
    echo "ci/fuzz.sh: $*" >&2
    exit 1
}

mode=run
if [ "${1:-}" = --minimise ]; then
    mode=minimise
    shift
fi
[ $# -gt 0 ] || set -- chains faces sequences sparse states

# What cargo-fuzz passes. RUSTC_BOOTSTRAP allows -Z on a stable compiler.
flags='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing
    -Zsanitizer=address -Ccodegen-units=1'
build() {
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=$(echo $flags) cargo build --quiet --locked --release --manifest-path fuzz/Cargo.toml \
        --target "$triple" --target-dir "$built/build" --bins
}

# A wrong answer and a read out of bounds, planted in a target (never in the library), must be found by the same build.
prove() {
    for fault in answer read; do
        log=$built/planted_$fault.log
        if BREGMAN_PLANTED_FAULT=$fault "$built/build/$triple/release/states" -runs=20000 -seed=1 \
            -artifact_prefix="$built/planted-" fuzz/seeds/states >"$log" 2>&1; then
            fail "a planted fault was not found: $fault"
        fi
        case $fault in
            answer) expected='planted: another answer' ;;
            read) expected='AddressSanitizer: heap-buffer-overflow' ;;
        esac
        grep -q "$expected" "$log" || fail "a planted $fault was reported as something else: $(tail -n 30 "$log")"
        echo "planted $fault: found"
    done
}

mkdir -p "$built/found"
echo "== building the targets with AddressSanitizer"
build
[ "$mode" = minimise ] || prove
for target in "$@"; do
    program=$built/build/$triple/release/$target
    [ -x "$program" ] || fail "no target $target"
    nm "$program" | grep -q ' __asan_init$' || fail "$target is not instrumented"
    corpus=$built/corpus/$target
    if [ -n "$runs" ]; then
        corpus=$built/fixed/$target
        rm -rf "$corpus"
    fi
    mkdir -p "$corpus"
    if [ "$mode" = minimise ]; then
        rm -rf "$built/seeds"
        mkdir -p "$built/seeds"
        "$program" -merge=1 -max_len=256 -timeout=300 "$built/seeds" "fuzz/seeds/$target" "$corpus" >"$built/$target.merge.log" 2>&1 ||
            fail "$(tail -n 5 "$built/$target.merge.log")"
        # Some, from the smallest to the largest: all of them would be thousands.
        rm -f "fuzz/seeds/$target"/*
        ls -Sr "$built/seeds" | awk -v n="$(ls "$built/seeds" | wc -l)" -v keep="${SEEDS:-60}" \
            'int(NR * keep / n) > int((NR - 1) * keep / n)' | while read -r seed; do
            cp "$built/seeds/$seed" "fuzz/seeds/$target/$(echo "$seed" | cut -c 1-16)"
        done
        echo "$target: $(ls "fuzz/seeds/$target" | wc -l) seeds of $(ls "$built/seeds" | wc -l)"
        continue
    fi
    limit="-max_total_time=$seconds"
    [ -z "$runs" ] || limit="-runs=$runs -seed=1"
    echo "== $target: $limit"
    # The time of an input counts while others have the processor, too. $limit is a list of words.
    "$program" $limit -timeout=300 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 -print_funcs=0 \
        -artifact_prefix="$built/found/$target-" "$corpus" "fuzz/seeds/$target" >"$built/$target.log" 2>&1 || {
        grep -B 2 -A 25 'panicked at\|ERROR: ' "$built/$target.log" | cut -c 1-2000 | head -n 60 >&2
        fail "$target found a fault: the input is in $built/found/, the log is $built/$target.log"
    }
    ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$built/$target.log")
    [ "${ran:-0}" -gt 100 ] || fail "$target ran only ${ran:-0} inputs"
    echo "$target: $ran inputs, $(grep -o 'cov: [0-9]*' "$built/$target.log" | tail -n 1), no fault"
done
