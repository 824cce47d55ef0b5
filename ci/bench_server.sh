#!/bin/sh
# The time of a server's step: a token for each of 1 to 64 slots after a model step, by llama.cpp's samplers, by bregman as a
# stage in its chains, and by bregman_decode_batch with 1 and 2 threads, in turn in one run; 20 minutes.
# usage: ci/bench_server.sh [--quick] [--csv FILE]
#        ci/bench_server.sh --table RECORD.csv [--into docs/performance.md] [--into README.md]
# Rows of real models are measured as well if ci/rows.sh has written some into target/rows.
# BENCH_FILTER="default_64 V=128256" selects what has all these words in its name. Without --csv the record is
# target/server.csv; records to keep go to benches/record/server-MACHINE-DATE.csv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

case " $* " in
    *" --table "*) ;;
    *)
        # llama.cpp is available for one platform only; elsewhere its columns are missing.
        case $(uname -s)-$(uname -m) in
            Linux-x86_64) ci/llama.sh ;;
        esac
        case " $* " in
            *" --csv "*) ;;
            *) set -- "$@" --csv target/server.csv ;;
        esac
        ;;
esac
exec cargo bench --quiet --bench server -- "$@"
