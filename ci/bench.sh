#!/bin/sh
# What a decode costs: against one read of the row and against llama.cpp's own samplers, measured in turn in one run.
# usage: ci/bench.sh [--quick] [--levels avx2,avx512] [--faces raw,chain,llama.cpp] [--csv FILE]
#        ci/bench.sh --table RECORD.csv [--into README.md]      the README's table from a record
# BREGMAN_REAL_ROWS=FILE adds real rows: 32 000 little-endian f32 each.
# BENCH_FILTER="top_p 128256" measures only what has all these words in its name. Without --csv the record is
# target/bench.csv; one that is to be kept goes to benches/record/MACHINE-DATE.csv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

case " $* " in
    *" --table "*) ;;
    *)
        # The library of the comparison is there for one platform; elsewhere the figures lack a column.
        case $(uname -s)-$(uname -m) in
            Linux-x86_64) ci/llama.sh ;;
        esac
        case " $* " in
            *" --csv "*) ;;
            *) set -- "$@" --csv target/bench.csv ;;
        esac
        ;;
esac
exec cargo bench --quiet --bench compare -- "$@"
