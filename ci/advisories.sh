#!/bin/sh
# Compares every locked Rust dependency, those of fuzz/, tests/loom/ and benches/peers/ too, with the RustSec advisories.
# usage: ci/advisories.sh [DATABASE]
#   DATABASE   a clone of github.com/rustsec/advisory-db, for a machine that does not reach it; its date is printed.
#              Without it the newest is fetched
# Builds cargo-audit once, into target/audit (3 minutes of one core). Fails if an advisory applies; what is unmaintained or
# unsound is printed, and fails only for the library's own dependencies.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
version=0.22.2
audit=${CARGO_TARGET_DIR:-$root/target}/audit

cargo install --quiet --locked --root "$audit" --target-dir "$audit/build" "cargo-audit@$version"
if [ $# -gt 0 ]; then
    [ -d "$1/crates" ] || {
        echo "ci/advisories.sh: $1 is not a clone of the database: it has no directory crates" >&2
        exit 2
    }
    echo "advisories of $(git -C "$1" log -1 --format=%cd --date=short), commit $(git -C "$1" rev-parse --short HEAD)"
    database="--no-fetch --stale --db $(cd "$1" && pwd)"
else
    database="--db $audit/advisory-db"
fi
for lock in Cargo.lock fuzz/Cargo.lock tests/loom/Cargo.lock benches/peers/Cargo.lock; do
    strict=
    [ "$lock" = benches/peers/Cargo.lock ] || strict='--deny warnings'
    echo "== $lock"
    "$audit/bin/cargo-audit" audit --file "$lock" $database $strict
done
