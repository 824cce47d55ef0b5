#!/bin/sh
# The worst cases of a decode, as multiples of a usual one: prints the ten worst.
# usage: ci/worst.sh [--csv FILE]        (default: target/worst.csv; records to keep go to benches/record/)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
case " $* " in
    *" --csv "*) ;;
    *) set -- "$@" --csv target/worst.csv ;;
esac
exec cargo bench --quiet --bench worst -- "$@"
