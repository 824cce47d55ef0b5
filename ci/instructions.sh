#!/bin/sh
# Instructions per decode, counted by valgrind's callgrind on the avx2 level (valgrind does not support AVX-512): the same
# on every run of a build, so that small changes are visible. V = 128 256, rows of the generator at gain 1.5.
# usage: ci/instructions.sh [-o RECORD] [OLD_RECORD]       (default: -o target/instructions.txt; with an old record, prints the change)
# BENCH_WORK="top_k alpha_1.5 typical:flat" selects the work; `:flat` takes flat rows.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

record=target/instructions.txt level=avx2 vocab=128256
if [ "${1:-}" = -o ]; then
    record=${2:?ci/instructions.sh: -o needs a file}
    shift 2
fi
old=${1:-}
[ -z "$old" ] || [ -r "$old" ] || {
    echo "ci/instructions.sh: cannot read $old" >&2
    exit 1
}
command -v valgrind >/dev/null || {
    echo "ci/instructions.sh: valgrind is missing (ci/setup.sh installs it)" >&2
    exit 1
}
[ "$(uname -m)" = x86_64 ] || level=neon

built=$(cargo bench --bench compare --no-run 2>&1) || {
    echo "$built" >&2
    exit 1
}
program=$(echo "$built" | sed -n 's/.*Executable.*(\(.*\))$/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "| work ($level, V = $vocab) | instructions a decode | a logit |${old:+ before | change |}"
echo "|---|---|---|${old:+---|---|}"
for key in ${BENCH_WORK:-greedy top_k default min_p adaptive alpha_1.5 alpha_2 dual_2 k_100 temperature top_p top_k_1000}; do
    valgrind --tool=callgrind --toggle-collect='*count::counted*' --callgrind-out-file="$work/out" \
        "$program" --count "$key" "$level" >"$work/said" 2>"$work/log" || {
        cat "$work/log" >&2
        exit 1
    }
    # The program prints the level and the number of decodes that were counted.
    calls=$(sed -n "s/^$level \([0-9]*\)$/\1/p" "$work/said")
    total=$(sed -n 's/^\(summary\|totals\): \([0-9]*\).*/\2/p' "$work/out" | head -n 1)
    if [ -z "$calls" ] || [ "${total:-0}" -eq 0 ]; then
        echo "ci/instructions.sh: $key: nothing was counted" >&2
        exit 1
    fi
    each=$((total / calls))
    echo "$key $each" >>"$work/record"
    before=$([ -z "$old" ] || sed -n "s/^$key \([0-9]*\)$/\1/p" "$old")
    awk -v key="$key" -v each="$each" -v vocab="$vocab" -v old="$old" -v before="$before" 'BEGIN {
        printf "| %s | %d | %.2f |", key, each, each / vocab
        if (old != "" && before != "") printf " %d | %+.1f %% |", before, 100 * (each / before - 1)
        else if (old != "") printf " | |"
        print ""
    }'
done
mkdir -p "$(dirname "$record")"
mv "$work/record" "$record"
