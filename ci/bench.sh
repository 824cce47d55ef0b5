#!/bin/sh
# The time of a decode, relative to one read of the row and to llama.cpp's own samplers; or that of a server's step: a token
# for each of 1 to 64 slots after a model step, by llama.cpp's samplers, by bregman as a stage in its chains, and by
# bregman_decode_batch with 1 and 2 threads. All in turn in one run; the server takes 20 minutes.
# usage: ci/bench.sh [--quick] [--levels avx2,avx512] [--faces "raw,chain,llama.cpp,read,read back"] [--csv FILE]
#        ci/bench.sh server [--quick] [--csv FILE]
#        ci/bench.sh [server] --table RECORD.csv [--into README.md] [--into docs/performance.md]   the tables of a record
#        ci/bench.sh --shape [--into docs/performance.md]       how the rows are spread: those of models, and those made up
# Rows of real models are measured as well if ci/rows.sh has written some into target/rows.
# BENCH_FILTER="top_p 128256" selects the work whose name has all these words. Without --csv the record is
# target/bench.csv or target/server.csv; records to keep go to benches/record/[server-]MACHINE-DATE.csv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

bench=compare
if [ "${1:-}" = server ]; then
    bench=server
    shift
fi
# llama.cpp is available for one platform only; elsewhere its columns are missing.
case "$(uname -s)-$(uname -m) $* " in
    *" --table "* | *" --shape "*) ;;
    Linux-x86_64*) ci/llama.sh ;;
esac
exec cargo bench --quiet --bench "$bench" -- "$@"
