#!/bin/sh
# The time of a decode, relative to one read of the row and to llama.cpp's own samplers, measured alternately in one run.
# usage: ci/bench.sh [--quick] [--levels avx2,avx512] [--faces "raw,chain,llama.cpp,read,read back"] [--csv FILE]
#        ci/bench.sh --table RECORD.csv [--into README.md] [--into docs/performance.md]   the tables of a record
#        ci/bench.sh --shape [--into docs/performance.md]       how the rows are spread: those of models, and those made up
# Rows of real models are measured as well if ci/rows.sh has written some into target/rows.
# BENCH_FILTER="top_p 128256" selects the work whose name has all these words. Without --csv the record is
# target/bench.csv; records to keep go to benches/record/MACHINE-DATE.csv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

case " $* " in
    *" --table "* | *" --shape "*) ;;
    *)
        # llama.cpp is available for one platform only; elsewhere its column is missing.
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
