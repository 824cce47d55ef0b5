#!/bin/sh
# The worst cases of a decode, as multiples of a usual one: prints the ten worst.
# usage: ci/worst.sh [--csv FILE] [--only TEXT] [--rows TEXT]        (default: target/worst.csv; records to keep go to
# benches/record/; --only takes the cases with that text in their chain, --rows in the name of their row or history)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
case " $* " in
    *" --csv "*) ;;
    *) set -- "$@" --csv target/worst.csv ;;
esac
exec cargo bench --quiet --bench worst -- "$@"
