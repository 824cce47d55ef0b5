#!/bin/sh
# The thread pool of src/batch in loom: every order of its threads up to a number of preemptions, with every value that the
# memory model lets a load see. The models are in tests/loom/model.rs; the pool is the library's own files.
# usage: ci/loom.sh [--whole]
#        --whole: the smallest model, with any number of preemptions, instead (2 minutes)
#        LOOM_MAX_PREEMPTIONS=3: that bound for all models
# Before they run, faults that are planted below the pool must be reported: orders of memory that are too weak, of which the
# first is one that the pool once had, and a dropped wake-up.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
built=${CARGO_TARGET_DIR:-$root/target}/loom

echo "== building the pool on loom"
cargo build --quiet --locked --release --manifest-path tests/loom/Cargo.toml --target-dir "$built"
model=$built/release/model
for fault in done-not-acquired done-not-released given-not-released wake-dropped; do
    log=$built/planted-$fault.log
    LOOM_MAX_PREEMPTIONS=3 "$model" --planted "$fault" >"$log" 2>&1 || {
        echo "ci/loom.sh: a planted fault was not found, or reported as something else: $fault: $(tail -n 5 "$log")" >&2
        exit 1
    }
    echo "planted $fault: found"
done
exec "$model" "$@"
